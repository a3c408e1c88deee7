//! The sockets at which libvirt's clients look for a network driver.

use std::fs;
use std::path::{Path, PathBuf};

use crate::driver::Driver;

/// The sockets, each with the units that may have made it.
const SOCKETS: [(&str, &[&str]); 2] = [
    ("/run/libvirt/virtnetworkd-sock", &["vnetd.socket", "virtnetworkd.socket"]),
    ("/run/libvirt/libvirt-sock", &["libvirtd.socket"]),
];
/// The units of sockets that are enabled.
const ENABLED: &str = "/etc/systemd/system/sockets.target.wants";

/// A socket at which libvirt's clients look for a network driver.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientSocket {
    /// Its file.
    pub path: PathBuf,
    /// Whether a program listens at it. A client that finds one where nobody listens fails with
    /// "connection refused".
    pub is_alive: bool,
    /// The command that mends one where nobody listens.
    pub mend: String,
}

impl Driver {
    /// The sockets of libvirt's clients that are there.
    pub fn client_sockets(&self) -> Vec<ClientSocket> {
        let there: Vec<_> = SOCKETS.iter().filter(|(path, _)| Path::new(path).exists()).collect();
        if there.is_empty() {
            return Vec::new();
        }
        let listed = fs::read_to_string("/proc/net/unix").unwrap_or_default();
        let listens = |path: &str| listed.lines().any(|line| line.ends_with(&format!(" {path}")) && is_listening(line));
        let socket = |(path, units): &(&str, &[&str])| {
            let unit = units.iter().find(|unit| Path::new(ENABLED).join(unit).symlink_metadata().is_ok());
            let mend = unit.map_or_else(|| format!("rm {path}"), |unit| format!("systemctl restart {unit}"));
            ClientSocket { path: PathBuf::from(path), is_alive: listens(path), mend }
        };
        there.into_iter().map(socket).collect()
    }
}

/// Whether the line of a socket has the flag `__SO_ACCEPTCON`, in the fourth column.
fn is_listening(line: &str) -> bool {
    line.split_whitespace().nth(3).and_then(|flags| u32::from_str_radix(flags, 16).ok()) == Some(0x1_0000)
}
