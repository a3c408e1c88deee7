//! Who holds the ports that dnsmasq needs (proc_net_udp(5)).

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The ports of DNS and of both DHCPs.
const PORTS: [u16; 3] = [53, 67, 547];

/// A socket that waits for packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listening {
    pub(super) protocol: &'static str,
    pub(super) address: IpAddr,
    pub(super) port: u16,
    /// The process that has it. `None` when that cannot be read.
    pub(super) holder: Option<Holder>,
}

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) pid: i32,
    pub(super) name: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.name, self.pid)
    }
}

/// The sockets of these ports in this network namespace.
pub(super) fn listening() -> Vec<Listening> {
    let mut found = Vec::new();
    for (protocol, file) in [("udp", "udp"), ("udp", "udp6"), ("tcp", "tcp"), ("tcp", "tcp6")] {
        // Of this thread, whose network namespace it may be alone in.
        let text = fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap_or_default();
        found.extend(text.lines().skip(1).filter_map(|line| Some((protocol, read(line, protocol)?))));
    }
    found.retain(|(_, (_, port, _))| PORTS.contains(port));
    let holders = if found.is_empty() { BTreeMap::new() } else { holders() };
    let of = |(protocol, (address, port, inode))| Listening {
        protocol,
        address,
        port,
        holder: holders.get(&inode).cloned(),
    };
    found.into_iter().map(of).collect()
}

/// The local address, the port and the inode of a socket that waits.
fn read(line: &str, protocol: &str) -> Option<(IpAddr, u16, u64)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    // A listener of TCP is in state 0A; UDP that is connected waits for one peer only.
    if fields.get(3) != Some(if protocol == "tcp" { &"0A" } else { &"07" }) {
        return None;
    }
    let (address, port) = fields.get(1)?.split_once(':')?;
    Some((address_of(address)?, u16::from_str_radix(port, 16).ok()?, fields.get(9)?.parse().ok()?))
}

/// Words of four bytes, each in the order of this machine.
fn address_of(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(hex.get(8 * at..8 * at + 8)?, 16).ok()?.to_ne_bytes());
    if hex.len() == 8 {
        return Some(Ipv4Addr::from(word(0)?).into());
    }
    let words = [word(0)?, word(1)?, word(2)?, word(3)?];
    let address = Ipv6Addr::from(<[u8; 16]>::try_from(words.concat()).ok()?);
    Some(address.to_canonical())
}

/// The processes of sockets, by inode, as far as they can be read.
fn holders() -> BTreeMap<u64, Holder> {
    let mut holders = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let sockets: Vec<u64> = fs::read_dir(entry.path().join("fd"))
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|file| {
                let target = fs::read_link(file.path()).ok()?;
                target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
            })
            .collect();
        if sockets.is_empty() {
            continue;
        }
        let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default().trim().to_owned();
        for inode in sockets {
            holders.entry(inode).or_insert_with(|| Holder { pid, name: name.clone() });
        }
    }
    holders
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn lines_of_the_kernel() {
        let udp =
            "  123: 0182A8C0:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0";
        assert_eq!(read(udp, "udp"), Some(("192.168.130.1".parse().unwrap(), 53, 4711)));
        let tcp6 = "   0: 00000000000000000000000000000000:0035 00000000000000000000000000000000:0000 0A \
                    00000000:00000000 00:00000000 00000000     0        0 12 1 0";
        assert_eq!(read(tcp6, "tcp"), Some(("::".parse().unwrap(), 53, 12)));
        assert_eq!(read(&tcp6.replace(" 0A ", " 01 "), "tcp"), None, "a connection");
        assert_eq!(read("", "udp"), None);
    }
}
