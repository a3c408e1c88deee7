//! A DHCP client (RFC 2131, RFC 2132): DISCOVER, OFFER, REQUEST, ACK.
//!
//! It asks for broadcast answers, but passt sends them to the offered address. So the answers are
//! read from among all packets of the network namespace.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::thread;
use std::time::Instant;

use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, SockaddrIn, bind, setsockopt, socket, sockopt,
};
use vnet_types::{InterfaceName, MacAddr};

use crate::ask::ask;

const COOKIE: [u8; 4] = [99, 130, 83, 99];
/// The length of the fixed part of a message, up to the cookie.
const FIXED: usize = 236;
const PAD: u8 = 0;
const NETMASK: u8 = 1;
const ROUTERS: u8 = 3;
const SERVERS: u8 = 6;
const HOSTNAME: u8 = 12;
const MTU: u8 = 26;
const REQUESTED: u8 = 50;
const KIND: u8 = 53;
const SERVER: u8 = 54;
const WANTED: u8 = 55;
const FQDN: u8 = 81;
const END: u8 = 255;

/// The answer of a DHCP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The client's address.
    pub address: Ipv4Addr,
    /// The netmask.
    pub netmask: Option<Ipv4Addr>,
    /// The first router.
    pub router: Option<Ipv4Addr>,
    /// The first name server.
    pub server: Option<Ipv4Addr>,
    /// The MTU of the network.
    pub mtu: Option<u16>,
    /// The host name, and the full name (RFC 4702).
    pub names: [Option<String>; 2],
}

/// A client.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its MAC address.
    pub mac: MacAddr,
    /// The name that it sends to the server.
    pub hostname: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Discover = 1,
    Offer = 2,
    Request = 3,
    Ack = 5,
    Nak = 6,
}

/// A message of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reply {
    kind: Kind,
    server: Option<Ipv4Addr>,
    lease: Lease,
}

impl Client {
    /// Gets an address through a device. `None` when no server offers one before the deadline, or
    /// the server withdraws its offer.
    ///
    /// # Errors
    /// [`io::Error`] when the device cannot be used.
    pub fn lease(&self, device: &InterfaceName, deadline: Instant) -> io::Result<Option<Lease>> {
        let sockets = Sockets::open(device)?;
        let ack = self.exchange(&sockets, None, deadline).and_then(|offer| match offer {
            Some(offer) => self.exchange(&sockets, Some(&offer), deadline),
            None => Ok(None),
        });
        sockets.close();
        Ok(ack?.filter(|reply| reply.kind == Kind::Ack).map(|reply| reply.lease))
    }

    /// Asks for an address, and takes none. `None` when no server offers one before the deadline.
    ///
    /// # Errors
    /// [`io::Error`] when the device cannot be used.
    pub fn offer(&self, device: &InterfaceName, deadline: Instant) -> io::Result<Option<Lease>> {
        let sockets = Sockets::open(device)?;
        let offer = self.exchange(&sockets, None, deadline);
        sockets.close();
        Ok(offer?.map(|reply| reply.lease))
    }

    fn exchange(&self, sockets: &Sockets, offer: Option<&Reply>, deadline: Instant) -> io::Result<Option<Reply>> {
        let message = self.message(offer);
        let server = SocketAddr::from((Ipv4Addr::BROADCAST, 67));
        let wanted: &[Kind] = if offer.is_some() { &[Kind::Ack, Kind::Nak] } else { &[Kind::Offer] };
        ask(
            &sockets.hear,
            deadline,
            || sockets.say.send_to(&message, server).map(drop),
            |packet| self.read(payload(packet)?).filter(|reply| wanted.contains(&reply.kind)),
        )
    }

    fn transaction(&self) -> [u8; 4] {
        let [_, _, a, b, c, d] = self.mac.0;
        [a, b, c, d]
    }

    fn message(&self, offer: Option<&Reply>) -> Vec<u8> {
        let mut message = vec![1, 1, 6, 0];
        message.extend(self.transaction());
        message.extend([0, 0, 0x80, 0]); // answer by broadcast
        message.resize(28, 0);
        message.extend(self.mac.0);
        message.resize(FIXED, 0);
        message.extend(COOKIE);
        let mut option = |code, value: &[u8]| {
            message.extend([code, u8::try_from(value.len()).unwrap_or(u8::MAX)]);
            message.extend(&value[..value.len().min(255)]);
        };
        option(KIND, &[offer.map_or(Kind::Discover, |_| Kind::Request) as u8]);
        option(HOSTNAME, self.hostname.as_bytes());
        option(WANTED, &[NETMASK, ROUTERS, SERVERS, HOSTNAME, MTU, FQDN]);
        if let Some(offer) = offer {
            option(REQUESTED, &offer.lease.address.octets());
            if let Some(server) = offer.server {
                option(SERVER, &server.octets());
            }
        }
        message.push(END);
        message
    }

    /// Parses a message, if it is an answer to us.
    fn read(&self, bytes: &[u8]) -> Option<Reply> {
        let (fixed, rest) = bytes.split_at_checked(FIXED)?;
        if fixed[0] != 2 || fixed[4..8] != self.transaction() || fixed[28..34] != self.mac.0 {
            return None;
        }
        let mut reply = Reply {
            kind: Kind::Nak,
            server: None,
            lease: Lease {
                address: ipv4(&fixed[16..20])?,
                netmask: None,
                router: None,
                server: None,
                mtu: None,
                names: [None, None],
            },
        };
        let mut kind = None;
        let mut options = rest.strip_prefix(&COOKIE)?;
        while let [code, after @ ..] = options {
            options = after;
            match *code {
                PAD => continue,
                END => break,
                _ => {}
            }
            let (length, after) = after.split_first()?;
            let (value, after) = after.split_at_checked(usize::from(*length))?;
            options = after;
            match *code {
                KIND => kind = read_kind(value),
                SERVER => reply.server = ipv4(value),
                NETMASK => reply.lease.netmask = ipv4(value),
                ROUTERS => reply.lease.router = ipv4(value),
                SERVERS => reply.lease.server = ipv4(value),
                MTU => reply.lease.mtu = value.first_chunk().map(|bytes| u16::from_be_bytes(*bytes)),
                HOSTNAME => reply.lease.names[0] = Some(String::from_utf8_lossy(value).into_owned()),
                FQDN => reply.lease.names[1] = value.get(3..).and_then(full_name),
                _ => {}
            }
        }
        kind.map(|kind| Reply { kind, ..reply })
    }
}

/// The payload of a packet of IPv4 (RFC 791) and UDP (RFC 768) to the port of DHCP clients.
fn payload(packet: &[u8]) -> Option<&[u8]> {
    let (first, protocol) = (packet.first()?, packet.get(9)?);
    let (length, datagram) = (usize::from(first & 15) * 4, first >> 4 == 4 && *protocol == 17);
    let (header, payload) = packet.get(length..)?.split_at_checked(8)?;
    (datagram && header[2..4] == 68u16.to_be_bytes()).then_some(payload)
}

fn read_kind(value: &[u8]) -> Option<Kind> {
    [Kind::Offer, Kind::Ack, Kind::Nak].into_iter().find(|kind| *value == [*kind as u8])
}

/// A name in DNS encoding: labels, each after its length.
fn full_name(mut bytes: &[u8]) -> Option<String> {
    let mut labels = Vec::new();
    while let Some((length, after)) = bytes.split_first().filter(|(length, _)| **length > 0) {
        let (label, rest) = after.split_at_checked(usize::from(*length))?;
        labels.push(String::from_utf8_lossy(label));
        bytes = rest;
    }
    Some(labels.join("."))
}

/// The first address of a list.
fn ipv4(bytes: &[u8]) -> Option<Ipv4Addr> {
    bytes.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets))
}

/// The sockets of a client.
struct Sockets {
    say: UdpSocket,
    /// Any kind of socket can be read with the timeout of a UDP socket.
    hear: UdpSocket,
}

impl Sockets {
    fn open(device: &InterfaceName) -> io::Result<Self> {
        let say = open(device)?;
        // The kernel waits for all its readers when a socket of this kind that hears is bound to a
        // device. This one hears all devices.
        let hear = socket(AddressFamily::Packet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll)?;
        Ok(Self { say, hear: hear.into() })
    }

    /// Closes them. The kernel waits for all its readers then, too; the caller does not.
    fn close(self) {
        let Self { hear, .. } = self;
        thread::spawn(move || drop(hear));
    }
}

fn open(device: &InterfaceName) -> io::Result<UdpSocket> {
    let fd: OwnedFd = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    setsockopt(&fd, sockopt::Broadcast, &true)?;
    setsockopt(&fd, sockopt::BindToDevice, &device.as_str().into())?;
    bind(fd.as_raw_fd(), &SockaddrIn::new(0, 0, 0, 0, 68))?;
    Ok(UdpSocket::from(fd))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Client {
        Client { mac: MacAddr([0x52, 0x54, 0, 1, 2, 3]), hostname: "guest1".to_owned() }
    }

    fn answer(kind: u8) -> Vec<u8> {
        let mut bytes = client().message(None);
        bytes[0] = 2;
        bytes[16..20].copy_from_slice(&[192, 168, 122, 87]);
        bytes.truncate(FIXED + 4);
        bytes.extend([PAD, KIND, 1, kind, SERVER, 4, 192, 168, 122, 1, NETMASK, 4, 255, 255, 255, 0]);
        bytes.extend([ROUTERS, 8, 192, 168, 122, 1, 192, 168, 122, 2, MTU, 2, 5, 220, SERVERS, 4, 192, 168, 122, 3]);
        bytes.extend([HOSTNAME, 2, b'v', b'm', FQDN, 10, 4, 0, 0, 2, b'v', b'm', 2, b'x', b'y', 0, END]);
        bytes
    }

    #[test]
    fn an_offer_is_read() {
        let reply = client().read(&answer(2)).expect("an offer");
        let gateway = Ipv4Addr::new(192, 168, 122, 1);
        assert_eq!(reply.kind, Kind::Offer);
        assert_eq!(reply.server, Some(gateway));
        assert_eq!(
            reply.lease,
            Lease {
                address: Ipv4Addr::new(192, 168, 122, 87),
                netmask: Some(Ipv4Addr::new(255, 255, 255, 0)),
                router: Some(gateway),
                server: Some(Ipv4Addr::new(192, 168, 122, 3)),
                mtu: Some(1500),
                names: ["vm", "vm.xy"].map(|name| Some(name.to_owned())),
            }
        );
    }

    #[test]
    fn packets_for_the_client_are_read() {
        let mut packet = [&[0x45; 1][..], &[0; 19], &[0, 67, 0, 68, 0, 9, 0, 0, 7]].concat();
        packet[9] = 17;
        assert_eq!(payload(&packet), Some(&[7][..]));
        (0..28).for_each(|length| assert_eq!(payload(&packet[..length]), None));
        let not = |at: usize, byte: u8| {
            let mut other = packet.clone();
            other[at] = byte;
            payload(&other).is_none()
        };
        assert!(not(0, 0x65) && not(9, 6) && not(23, 67));
    }

    #[test]
    fn a_request_repeats_the_offer() {
        let offer = client().read(&answer(2)).expect("an offer");
        let request = client().message(Some(&offer));
        let options = &request[FIXED + 4..];
        assert_eq!(options[..3], [KIND, 1, 3]);
        assert!(options.windows(6).any(|option| option == [REQUESTED, 4, 192, 168, 122, 87]));
        assert!(options.windows(6).any(|option| option == [SERVER, 4, 192, 168, 122, 1]));
    }

    #[test]
    fn what_is_for_others_or_broken_is_no_answer() {
        let other = Client { mac: MacAddr([2; 6]), ..client() };
        assert_eq!(other.read(&answer(2)), None);
        assert_eq!(client().read(&answer(77)), None);
        let whole = answer(5);
        let kind_ends = FIXED + 4 + 4;
        (0..kind_ends).for_each(|length| assert_eq!(client().read(&whole[..length]), None, "{length}"));
        // Cut anywhere, the message may lack options; the parser never panics.
        (kind_ends..whole.len()).for_each(|length| {
            let _ = client().read(&whole[..length]);
        });
    }
}
