//! Asks whether somebody answers in a subnet that looks free: on the links of this host by ARP, and
//! along its routes by ping. Nothing waits longer than a moment, and no answer proves nothing.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::libc::MSG_DONTROUTE;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::sockopt::BindToDevice;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, recvfrom, sendto, setsockopt, socket,
};
use vnet_netlink::Netlink;
use vnet_types::{InterfaceName, Inventory, IpNet, Ipv4Net};

use crate::error::Error;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_millis(300);
/// The most links that are asked on.
const MOST: usize = 8;
/// An ICMP echo request (RFC 792) with number and sequence 0, and its checksum.
const REQUEST: [u8; 8] = [8, 0, 0xf7, 0xff, 0, 0, 0, 0];
const REPLY: u8 = 0;

/// Asks on the links of a host. Without links nothing is asked.
#[derive(Default)]
pub(super) struct Prober {
    links: Vec<InterfaceName>,
}

impl Prober {
    /// Asks on the links that are up and lead to others: not those of networks of vnet and libvirt.
    pub(super) fn on(host: &Inventory) -> Self {
        let known = || host.networks.iter().chain(&host.libvirt);
        let is_asked = |link: &InterfaceName| {
            let is_up = host.links.iter().any(|it| it.name == *link && it.up);
            is_up && !known().any(|known| known.bridge.as_ref() == Some(link))
        };
        let of_link = host.addresses.iter().filter_map(|(link, address)| match address.net.addr() {
            IpAddr::V4(own) if !own.is_loopback() && !own.is_link_local() && is_asked(link) => Some(link.clone()),
            _ => None,
        });
        let mut links: Vec<_> = of_link.collect();
        links.dedup();
        links.truncate(MOST);
        Self { links }
    }

    /// The address in the subnet where somebody answers: the first and the last are asked, which
    /// routers have. IPv6 subnets of our own are random, and not asked.
    pub(super) fn answer(&self, net: IpNet) -> Result<Option<IpAddr>, Error> {
        let IpNet::V4(net) = net else { return Ok(None) };
        if self.links.is_empty() || net.prefix_len() > 30 {
            return Ok(None);
        }
        let asked = ends(net);
        // Who must not open these sockets does not ask.
        let sockets: Vec<OwnedFd> =
            std::iter::once(None).chain(self.links.iter().map(Some)).filter_map(|link| ask(link, asked).ok()).collect();
        match heard(&sockets, net) {
            Some(address) => Ok(Some(address.into())),
            None => self.resolved(asked),
        }
    }

    /// The address that somebody has said to have (ARP) without answering pings.
    fn resolved(&self, asked: [Ipv4Addr; 2]) -> Result<Option<IpAddr>, Error> {
        let netlink = Netlink::open()?;
        for link in &self.links {
            let neighbours = netlink.neighbours(link)?;
            let is_asked = |ip: &IpAddr| asked.iter().any(|asked| *ip == *asked);
            if let Some(ip) = neighbours.into_iter().map(|neighbour| neighbour.ip).find(is_asked) {
                return Ok(Some(ip));
            }
        }
        Ok(None)
    }
}

/// The first and the last address of a subnet.
fn ends(net: Ipv4Net) -> [Ipv4Addr; 2] {
    [net.network().to_bits() + 1, net.broadcast().to_bits() - 1].map(Ipv4Addr::from_bits)
}

/// Sends pings along the routes, or on a link as if the subnet was there: then the kernel asks for
/// the address by ARP first.
fn ask(link: Option<&InterfaceName>, asked: [Ipv4Addr; 2]) -> nix::Result<OwnedFd> {
    let open =
        |kind| socket(AddressFamily::Inet, kind, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, SockProtocol::Icmp);
    // Ordinary users open the first kind where `net.ipv4.ping_group_range` allows it.
    let socket = open(SockType::Datagram).or_else(|_| open(SockType::Raw))?;
    let mut flags = MsgFlags::empty();
    if let Some(link) = link {
        setsockopt(&socket, BindToDevice, &OsString::from(link.as_str()))?;
        flags = MsgFlags::from_bits_retain(MSG_DONTROUTE);
    }
    for address in asked {
        // Where no way leads there, nobody is there.
        let _ = sendto(socket.as_raw_fd(), &REQUEST, &SockaddrIn::from(SocketAddrV4::new(address, 0)), flags);
    }
    Ok(socket)
}

/// The address within the subnet that answers first.
fn heard(sockets: &[OwnedFd], net: Ipv4Net) -> Option<Ipv4Addr> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut ready: Vec<PollFd<'_>> =
            sockets.iter().map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN)).collect();
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        match poll(&mut ready, timeout) {
            Err(nix::errno::Errno::EINTR) => continue,
            Err(_) | Ok(0) => return None,
            Ok(_) => {}
        }
        for socket in sockets {
            let mut packet = [0; 256];
            while let Ok((length, Some(from))) = recvfrom::<SockaddrIn>(socket.as_raw_fd(), &mut packet) {
                if net.contains(&from.ip()) && is_reply(&packet[..length]) {
                    return Some(from.ip());
                }
            }
        }
        if left.is_zero() {
            return None;
        }
    }
}

/// A socket of the raw kind receives the IP header too.
fn is_reply(packet: &[u8]) -> bool {
    let header = match packet.first() {
        Some(first) if first >> 4 == 4 => usize::from(first & 0xf) * 4,
        _ => 0,
    };
    packet.get(header) == Some(&REPLY)
}
