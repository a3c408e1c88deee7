//! dnsmasq's lease file (`lease_update_file` in dnsmasq's `lease.c`).
//!
//! It has one line for each lease: the expiry time, the client, the address, the name and the
//! client id. IPv4 comes first, then a line with the server's DUID, then IPv6.

use std::fmt;
use std::net::IpAddr;
use std::num::ParseIntError;
use std::str::FromStr;

use vnet_types::MacAddr;

/// A lease: an address that a guest has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lease {
    /// When it expires, in seconds since 1970; `None`: never.
    pub expiry: Option<u64>,
    /// The client that has it.
    pub client: Client,
    /// The address.
    pub ip: IpAddr,
    /// The guest's name.
    pub hostname: Option<String>,
    /// The client id that the guest sent; for IPv6 its DUID.
    pub client_id: Option<String>,
}

/// The client of a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Client {
    /// IPv4: an Ethernet interface.
    Mac(MacAddr),
    /// IPv4: an interface of another kind, as dnsmasq writes it: with a prefix such as `06-` before
    /// its address.
    Hardware(String),
    /// IPv6: one of the interfaces of the guest with this client id.
    Iaid(u32),
    /// IPv6: the same, for a temporary address.
    TemporaryIaid(u32),
}

/// Why a line is not a [`Lease`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseLeaseError {
    /// The line does not have five fields.
    #[error("{0} fields instead of 5")]
    Fields(usize),
    /// The expiry is not a time.
    #[error("{text:?} is not a time")]
    Expiry {
        /// The field.
        text: String,
        /// Why.
        source: ParseIntError,
    },
    /// The address is invalid.
    #[error("{0:?} is not an address")]
    Address(String),
    /// The IAID of an IPv6 guest is invalid.
    #[error("{text:?} is not an IAID")]
    Iaid {
        /// The field.
        text: String,
        /// Why.
        source: ParseIntError,
    },
}

/// A line of a lease file that is not a lease.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the lease file is not a lease")]
pub struct ParseLeasesError {
    /// The line, from 1.
    pub line: usize,
    /// Why.
    pub source: ParseLeaseError,
}

/// Reads dnsmasq's lease file, each line for itself. The line with the server's own DUID is left
/// out.
///
/// dnsmasq rewrites the file in place, so a reader can meet half a line; reading again then gives
/// the whole line.
pub fn parse_leases(text: &str) -> Vec<Result<Lease, ParseLeasesError>> {
    let numbered = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with("duid "));
    numbered.map(|(index, line)| line.parse().map_err(|source| ParseLeasesError { line: index + 1, source })).collect()
}

impl FromStr for Lease {
    type Err = ParseLeaseError;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [expiry, client, ip, hostname, client_id] = fields[..] else {
            return Err(ParseLeaseError::Fields(fields.len()));
        };
        let ip: IpAddr = ip.parse().map_err(|_| ParseLeaseError::Address(ip.to_owned()))?;
        let expiry: u64 =
            expiry.parse().map_err(|source| ParseLeaseError::Expiry { text: expiry.to_owned(), source })?;
        let known = |text: &str| (text != "*").then(|| text.to_owned());
        Ok(Self {
            expiry: (expiry != 0).then_some(expiry),
            client: if ip.is_ipv4() { hardware(client) } else { iaid(client)? },
            ip,
            hostname: known(hostname),
            client_id: known(client_id),
        })
    }
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "*".to_owned());
        let expiry = self.expiry.unwrap_or(0);
        write!(f, "{expiry} {} {} {} {}", self.client, self.ip, known(&self.hostname), known(&self.client_id))
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mac(mac) => mac.fmt(f),
            Self::Hardware(text) => f.write_str(text),
            Self::Iaid(iaid) => iaid.fmt(f),
            Self::TemporaryIaid(iaid) => write!(f, "T{iaid}"),
        }
    }
}

fn hardware(text: &str) -> Client {
    text.parse().map_or_else(|_| Client::Hardware(text.to_owned()), Client::Mac)
}

fn iaid(text: &str) -> Result<Client, ParseLeaseError> {
    let wrong = |source| ParseLeaseError::Iaid { text: text.to_owned(), source };
    match text.strip_prefix('T') {
        Some(number) => number.parse().map(Client::TemporaryIaid).map_err(wrong),
        None => text.parse().map(Client::Iaid).map_err(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::client_id("1763690000 52:54:00:12:34:56 192.168.122.10 vm1 01:52:54:00:12:34:56")]
    #[case::unnamed("1763690000 52:54:00:12:34:56 192.168.122.10 * *")]
    #[case::infinite("0 52:54:00:12:34:56 192.168.122.10 vm1 *")]
    #[case::other_hardware("1763690000 06-aa:bb:cc:dd 192.168.122.10 vm1 *")]
    #[case::ipv6("1763690000 1193046 2001:db8::10 vm1 00:03:00:01:52:54:00:12:34:56")]
    #[case::ipv6_temporary("1763690000 T1193046 2001:db8::10 * 00:03:00:01:52:54:00:12:34:56")]
    fn lines_are_read_and_printed(#[case] line: &str) {
        assert_eq!(line.parse::<Lease>().map(|lease| lease.to_string()).as_deref(), Ok(line));
    }

    #[test]
    fn a_file_of_both_families() {
        let file = "1763690000 52:54:00:12:34:56 192.168.122.10 vm1 *\n\
                    duid 00:01:00:01:30:b1:7a:4e:52:54:00:00:00:01\n\
                    0 7 2001:db8::10 * 00:03:00:01:52:54:00:12:34:56\n";
        let leases: Vec<Lease> = parse_leases(file).into_iter().map(Result::unwrap).collect();
        assert_eq!(leases.len(), 2);
        assert_eq!(leases[0].client, Client::Mac("52:54:00:12:34:56".parse().unwrap()));
        assert_eq!(leases[0].hostname.as_deref(), Some("vm1"));
        assert_eq!((leases[1].expiry, leases[1].hostname.as_deref()), (None, None));
        assert_eq!(parse_leases(""), []);
    }

    #[rstest]
    #[case("soon 52:54:00:12:34:56 192.168.122.10 * *", r#""soon" is not a time"#)]
    #[case("1 52:54:00:12:34:56 192.168.122 * *", r#""192.168.122" is not an address"#)]
    #[case("1 x 2001:db8::10 * *", r#""x" is not an IAID"#)]
    #[case("1 52:54:00:12:34:56 192.168.12", "3 fields instead of 5")]
    fn half_a_line_is_named(#[case] line: &str, #[case] expected: &str) {
        let good = "0 52:54:00:12:34:56 192.168.122.10 vm1 *";
        let [Err(error), Ok(lease)] = &parse_leases(&format!("\n{line}\n{good}\n"))[..] else { panic!("two lines") };
        assert_eq!(lease.to_string(), good);
        assert_eq!((error.line, error.source.to_string().as_str()), (2, expected));
    }
}
