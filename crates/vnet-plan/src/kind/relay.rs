//! A program in a network namespace of its own.

use serde::{Deserialize, Serialize};
use vnet_types::{InterfaceName, IpNet, MacAddr};

use super::{Kind, Process};
use crate::Key;

/// A program in a network namespace of its own, which passes on between guests and the host what
/// the program understands, and nothing else: packets are not forwarded there. The namespace and
/// its links are there as long as the program runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relay {
    /// The program.
    pub process: Process,
    /// The pairs of links that lead into the namespace.
    pub ends: Vec<RelayEnd>,
}

/// A veth pair into the namespace of a [`Relay`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayEnd {
    /// The end on the host.
    pub link: InterfaceName,
    /// Its MAC address, by which the one that was made is known.
    pub link_mac: MacAddr,
    /// The end in the namespace.
    pub interface: InterfaceName,
    /// The MAC address of that end.
    pub mac: MacAddr,
    /// The addresses of that end.
    pub addresses: Vec<IpNet>,
    /// The MTU of both ends.
    pub mtu: u32,
}

impl Kind for Relay {
    fn key(&self) -> Key {
        Key::Relay(self.process.pid_file.clone())
    }

    fn added(&self) -> String {
        let link = |end: &RelayEnd| {
            let RelayEnd { link, interface, mac, mtu, .. } = end;
            let addresses = end.addresses.iter().map(|net| format!(" addr {net}")).collect::<String>();
            format!("ip link add {link} mtu {mtu} type veth peer {interface} address {mac}{addresses}")
        };
        let program = format!("unshare --net {}", self.process.added().trim_start_matches("run "));
        self.ends.iter().map(link).chain([program]).collect::<Vec<_>>().join("\n")
    }

    fn deleted(&self) -> String {
        let links = self.ends.iter().map(|end| format!("ip link del {}", end.link));
        links.chain([self.process.deleted()]).collect::<Vec<_>>().join("\n")
    }

    fn effect_of_delete(&self) -> Option<&'static str> {
        Some("guests of this host get no answers to questions for names")
    }

    fn effect_of_change(&self, _: &Self) -> Option<&'static str> {
        Some("DNS pauses for a moment")
    }
}
