//! Checks, before passt starts, whether something on this host prevents it.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::path::Path;

use vnet_types::{InterfaceName, Listener};

use super::{Error, Program};
use crate::{Passt, PortForward, Protocol};

/// Something on this host that prevents a passt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The port is taken.
    #[error("{} port {port} is taken{}", .protocol, owned(.owner.as_ref()))]
    PortTaken {
        /// The protocol.
        protocol: Protocol,
        /// The port.
        port: u16,
        /// The process that has it, if visible.
        owner: Option<Owner>,
    },
    /// passt may not bind the port, because it is reserved for root; some releases cannot bind it
    /// even as root.
    #[error(
        "passt cannot have {protocol} port {port} here: write {first} and more, or set net.ipv4.ip_unprivileged_port_start={port}"
    )]
    PortPrivileged {
        /// The protocol.
        protocol: Protocol,
        /// The port.
        port: u16,
        /// The first port that passt can bind.
        first: u16,
    },
    /// No device of this host has the address.
    #[error("no device of this host has the address {0}")]
    AddressElsewhere(IpAddr),
    /// The host has no such device.
    #[error("there is no device {0} on this host")]
    NoDevice(InterfaceName),
}

/// A process that has a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its number.
    pub pid: i32,
    /// Its name.
    pub name: String,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.name, self.pid)
    }
}

fn owned(owner: Option<&Owner>) -> String {
    owner.map(|owner| format!(" by {owner}")).unwrap_or_default()
}

impl Passt {
    /// Everything on this host that prevents this passt: ports that are taken or reserved for root,
    /// addresses and devices that do not exist.
    ///
    /// # Errors
    /// [`Error::File`] if `/proc` cannot be read.
    pub fn problems(&self, program: &Program) -> Result<Vec<Problem>, Error> {
        let mut problems = Vec::new();
        let devices = devices()?;
        let named = self.forwards.iter().filter_map(|forward| forward.ports.device.as_ref()).chain(&self.interface);
        for device in named {
            if !devices.contains(device) && !problems.contains(&Problem::NoDevice(device.clone())) {
                problems.push(Problem::NoDevice(device.clone()));
            }
        }
        for address in self.forwards.iter().filter_map(|forward| forward.ports.address) {
            let elsewhere = Problem::AddressElsewhere(address);
            if !is_here(address)? && !problems.contains(&elsewhere) {
                problems.push(elsewhere);
            }
        }
        let first = first_port(program)?;
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let forwards = self.forwards.iter().filter(|forward| forward.protocol == protocol);
            let bound = bound(protocol)?;
            for forward in forwards {
                problems.extend(ports(forward, first, &bound)?);
            }
        }
        Ok(problems)
    }
}

/// The sockets by port: the address of each and its number in `/proc`.
type Bound = HashMap<u16, Vec<(IpAddr, u64)>>;

fn ports(forward: &PortForward, first: u16, bound: &Bound) -> Result<Vec<Problem>, Error> {
    if forward.ports.takes_what_is_free() {
        return Ok(Vec::new());
    }
    let mut problems = Vec::new();
    for port in forward.ports.open().ports() {
        let clashes = |(address, _): &&(IpAddr, u64)| taken(*address).clashes(forward.ports.listener());
        if let Some((_, inode)) = bound.get(&port).and_then(|sockets| sockets.iter().find(clashes)) {
            problems.push(Problem::PortTaken { protocol: forward.protocol, port, owner: owner(*inode) });
        } else if port < first {
            problems.push(Problem::PortPrivileged { protocol: forward.protocol, port, first });
        }
    }
    Ok(problems)
}

/// The listener for an address in `/proc`. An unspecified IPv6 address usually accepts IPv4 too,
/// and `/proc` does not tell the device.
fn taken(address: IpAddr) -> Listener<'static> {
    Listener { address: Some(address).filter(|address| *address != Ipv6Addr::UNSPECIFIED), device: None }
}

fn read(path: &str) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|error| Error::file(Path::new(path), error))
}

/// The devices of this network namespace (proc_pid_net(5)).
fn devices() -> Result<Vec<InterfaceName>, Error> {
    let list = read("/proc/thread-self/net/dev")?;
    Ok(list.lines().filter_map(|line| line.split_once(':')?.0.trim().parse().ok()).collect())
}

/// Whether a socket can be bound to the address.
fn is_here(address: IpAddr) -> Result<bool, Error> {
    match UdpSocket::bind((address, 0)) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => Ok(false),
        // A link-local address needs its device; a multicast address belongs to no host.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(!address.is_multicast()),
        Err(error) => Err(Error::file(Path::new(&address.to_string()), error)),
    }
}

/// The first port that passt may bind; 0 if it has and uses `CAP_NET_BIND_SERVICE`.
fn first_port(program: &Program) -> Result<u16, Error> {
    const NET_BIND_SERVICE: u32 = 10;
    let status = read("/proc/thread-self/status")?;
    let capabilities =
        status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("CapEff:")?.trim(), 16).ok());
    if program.listens_as_root() && capabilities.is_some_and(|set| set >> NET_BIND_SERVICE & 1 == 1) {
        return Ok(0);
    }
    let first = read("/proc/sys/net/ipv4/ip_unprivileged_port_start")?;
    Ok(first.trim().parse().unwrap_or(1024))
}

/// The sockets of this network namespace with their ports: listening ones for TCP, all for UDP
/// (proc_pid_net(5)).
fn bound(protocol: Protocol) -> Result<Bound, Error> {
    const LISTEN: &str = "0A";
    let mut bound = Bound::new();
    let lists = match protocol {
        Protocol::Tcp => ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"],
        Protocol::Udp => ["/proc/thread-self/net/udp", "/proc/thread-self/net/udp6"],
    };
    for list in lists {
        // A kernel without IPv6 has no such list.
        let Ok(text) = fs::read_to_string(list) else { continue };
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (Some(local), Some(state), Some(inode)) = (fields.get(1), fields.get(3), fields.get(9)) else {
                continue;
            };
            if protocol == Protocol::Tcp && *state != LISTEN {
                continue;
            }
            if let (Some((address, port)), Ok(inode)) = (socket_address(local), inode.parse()) {
                bound.entry(port).or_default().push((address, inode));
            }
        }
    }
    Ok(bound)
}

/// Reads `0100007F:1F90`: an address as words of this machine, and a port.
fn socket_address(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| u32::from_str_radix(address.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    let address = match address.len() {
        8 => IpAddr::from(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut octets = [0; 16];
            for (index, part) in octets.chunks_mut(4).enumerate() {
                part.copy_from_slice(&word(8 * index)?);
            }
            let address = Ipv6Addr::from(octets);
            address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4)
        }
        _ => return None,
    };
    Some((address, port))
}

/// The process that has a socket, if we are allowed to see it.
fn owner(inode: u64) -> Option<Owner> {
    let link = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let mut numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let pid = numbers.find(|pid| {
        let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        files.filter_map(|file| fs::read_link(file.path()).ok()).any(|target| target.as_os_str() == link.as_str())
    })?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(Owner { pid, name: name.trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_read_as_the_kernel_writes_them() {
        let v4 = socket_address(if cfg!(target_endian = "little") { "0100007F:1F90" } else { "7F000001:1F90" });
        assert_eq!(v4, Some((IpAddr::from([127, 0, 0, 1]), 8080)));
        assert_eq!(socket_address("00000000000000000000000000000000:0016"), Some((IpAddr::from([0u16; 8]), 22)));
        assert_eq!(socket_address("x:1"), None);
    }

    #[test]
    fn addresses_clash() {
        let [any4, any6] = [IpAddr::from([0; 4]), IpAddr::from([0u16; 8])];
        let one = IpAddr::from([127, 0, 0, 1]);
        let clash = |has, address| taken(has).clashes(Listener { address, device: None });
        assert!(clash(one, None) && clash(any4, Some(one)) && clash(any6, Some(one)) && clash(one, Some(one)));
        assert!(clash(one, Some(any4)));
        assert!(!clash(one, Some(IpAddr::from([127, 0, 0, 2]))));
        assert!(!clash(any4, Some(IpAddr::from([0u16, 0, 0, 0, 0, 0, 0, 1]))));
    }
}
