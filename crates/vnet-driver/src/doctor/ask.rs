//! What this host itself asks: name servers, and the router that it sends by.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, socket_with};

use super::frame::checksum;

/// How long one answer may take.
pub(super) const PATIENCE: Duration = Duration::from_millis(800);
/// How often a question is asked.
const ATTEMPTS: u32 = 2;

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Came,
    /// Nobody listens there.
    Nobody,
    Silence,
    /// This host does not send it.
    NotSent(String),
}

/// A question that every name server answers itself: its version, in the class CHAOS.
pub(super) fn version() -> Vec<u8> {
    question(0x6474, &["version", "bind"], 16, 3)
}

/// A question that a name server asks others about: the servers of the root.
pub(super) fn root() -> Vec<u8> {
    question(0x6475, &[], 2, 1)
}

fn question(id: u16, name: &[&str], kind: u16, class: u16) -> Vec<u8> {
    let mut message = [&id.to_be_bytes()[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
    for label in name {
        message.extend(u8::try_from(label.len()));
        message.extend(label.bytes());
    }
    message.push(0);
    message.extend(kind.to_be_bytes());
    message.extend(class.to_be_bytes());
    message
}

/// Whether a message answers a question.
pub(super) fn answers(message: &[u8], question: &[u8]) -> bool {
    message.get(..2) == question.get(..2) && message.get(2).is_some_and(|flags| flags & 0x80 != 0)
}

/// Asks a name server.
pub(super) fn ask(server: SocketAddr, question: &[u8]) -> Answer {
    let any = match server {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let ask = || {
        let socket = UdpSocket::bind(any)?;
        socket.connect(server)?;
        until_heard(&socket, |socket| socket.send(question).map(drop), |message| answers(message, question))
    };
    of(ask())
}

/// Asks whether a router is there, behind the link with this index.
pub(super) fn ping(to: IpAddr, link: u32) -> Answer {
    let (family, protocol, request, reply) = match to {
        IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP, 8, 0),
        IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6, 128, 129),
    };
    let id = u16::try_from(std::process::id() & 0xffff).unwrap_or(1);
    let mut message = [&[request, 0, 0, 0][..], &id.to_be_bytes(), &[0, 1], b"vnet doctor"].concat();
    if to.is_ipv4() {
        // The kernel fills in that of ICMPv6.
        let sum = checksum(&message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    let open = |kind| socket_with(family, kind, SocketFlags::CLOEXEC, Some(protocol));
    let ask = || {
        // A raw socket of IPv4 hears the header too; the other one is for who may not have it.
        let (socket, header) = match open(SocketType::RAW) {
            Ok(socket) => (socket, if to.is_ipv4() { 20 } else { 0 }),
            Err(_) => (open(SocketType::DGRAM)?, 0),
        };
        let socket = UdpSocket::from(socket);
        socket.connect(match to {
            // An address of the link needs the link.
            IpAddr::V6(to) => SocketAddrV6::new(to, 0, 0, link).into(),
            IpAddr::V4(_) => SocketAddr::new(to, 0),
        })?;
        let is_echo = |heard: &[u8]| heard.get(header) == Some(&reply);
        until_heard(&socket, |socket| socket.send(&message).map(drop), is_echo)
    };
    of(ask())
}

fn of(result: io::Result<bool>) -> Answer {
    match result {
        Ok(true) => Answer::Came,
        Ok(false) => Answer::Silence,
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Answer::Nobody,
        Err(error) => Answer::NotSent(error.to_string()),
    }
}

fn until_heard(
    socket: &UdpSocket,
    send: impl Fn(&UdpSocket) -> io::Result<()>,
    is_it: impl Fn(&[u8]) -> bool,
) -> io::Result<bool> {
    let mut buffer = [0; 2048];
    for _ in 0..ATTEMPTS {
        send(socket)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            socket.set_read_timeout(Some(left))?;
            match socket.recv(&mut buffer) {
                Ok(length) if is_it(&buffer[..length]) => return Ok(true),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(false)
}

/// The address of a name server as a socket's.
pub(super) fn at(server: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(server, port)
}
