//! Where a server listens.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// The port of a server that names none (IANA).
const PORT: u16 = 6640;

/// Where a server listens, in the words of `ovs-vsctl --db`: `unix:/run/openvswitch/db.sock`,
/// `tcp:192.0.2.1:6641`, `tcp:[2001:db8::1]:6641`, `ssl:192.0.2.1:6641`. Without a port it is 6640.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Remote {
    /// A socket in the file system.
    Unix(PathBuf),
    /// An address and a port.
    Tcp(SocketAddr),
    /// An address and a port, where the server speaks TLS.
    Ssl(SocketAddr),
}

/// A text that is no remote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not the address of an OVSDB server")]
pub struct ParseRemoteError {
    text: String,
}

impl Remote {
    /// Reads a list that commas separate, as OVN writes it.
    ///
    /// # Errors
    /// The first part that is no remote.
    pub fn list(text: &str) -> Result<Vec<Self>, ParseRemoteError> {
        text.split(',').map(|one| one.trim().parse()).collect()
    }
}

impl FromStr for Remote {
    type Err = ParseRemoteError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || ParseRemoteError { text: text.to_owned() };
        match text.split_once(':').ok_or_else(bad)? {
            ("unix", path) if !path.is_empty() && !path.contains('\0') => Ok(Self::Unix(path.into())),
            ("tcp", address) => socket_address(address).map(Self::Tcp).ok_or_else(bad),
            ("ssl", address) => socket_address(address).map(Self::Ssl).ok_or_else(bad),
            _ => Err(bad()),
        }
    }
}

fn socket_address(text: &str) -> Option<SocketAddr> {
    let bare = text.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(text);
    text.parse().ok().or_else(|| Some(SocketAddr::new(bare.parse::<IpAddr>().ok()?, PORT)))
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
            Self::Ssl(address) => write!(f, "ssl:{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("unix:/run/openvswitch/db.sock", Some("unix:/run/openvswitch/db.sock"))]
    #[case("tcp:192.0.2.1:6641", Some("tcp:192.0.2.1:6641"))]
    #[case("tcp:192.0.2.1", Some("tcp:192.0.2.1:6640"))]
    #[case("tcp:[2001:db8::1]:6641", Some("tcp:[2001:db8::1]:6641"))]
    #[case("tcp:[2001:db8::1]", Some("tcp:[2001:db8::1]:6640"))]
    #[case("tcp:example.org:6641", None)]
    #[case("ssl:192.0.2.1", Some("ssl:192.0.2.1:6640"))]
    #[case("ssl:[2001:db8::1]:6641", Some("ssl:[2001:db8::1]:6641"))]
    #[case("pssl:192.0.2.1:6641", None)]
    #[case("unix:", None)]
    #[case("/run/openvswitch/db.sock", None)]
    fn reads_and_prints(#[case] text: &str, #[case] printed: Option<&str>) {
        assert_eq!(text.parse::<Remote>().ok().map(|it| it.to_string()).as_deref(), printed);
    }

    #[test]
    fn lists_are_separated_by_commas() {
        assert_eq!(Remote::list("tcp:192.0.2.1:6641, tcp:192.0.2.2:6641").unwrap().len(), 2);
        assert!(Remote::list("tcp:192.0.2.1:6641,").unwrap_err().to_string().starts_with("`` is not"));
    }
}
