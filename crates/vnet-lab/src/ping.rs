//! Echo requests (RFC 792, RFC 4443) over the kernel's ping sockets (icmp(7),
//! `net.ipv4.ping_group_range`).

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Instant;

use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

use crate::ask::ask;

/// Whether an echo arrives before the deadline.
///
/// # Errors
/// [`io::Error`] when our own kernel refuses to send.
pub fn ping(to: IpAddr, deadline: Instant) -> io::Result<bool> {
    let (family, protocol, request, reply) = match to {
        IpAddr::V4(_) => (AddressFamily::Inet, SockProtocol::Icmp, 8, 0),
        IpAddr::V6(_) => (AddressFamily::Inet6, SockProtocol::IcmpV6, 128, 129),
    };
    let socket = UdpSocket::from(socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, protocol)?);
    // The kernel fills in checksum and identifier, and delivers only matching answers.
    let message = [request, 0, 0, 0, 0, 0, 0, 1];
    let echo = ask(
        &socket,
        deadline,
        || socket.send_to(&message, SocketAddr::new(to, 0)).map(drop),
        |bytes| (bytes.first() == Some(&reply)).then_some(()),
    );
    match echo {
        Ok(echo) => Ok(echo.is_some()),
        Err(error) if is_refusal(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the error comes from the network, not from our own kernel.
pub(crate) fn is_refusal(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable, TimedOut, WouldBlock,
    };
    matches!(
        error.kind(),
        ConnectionRefused | ConnectionReset | HostUnreachable | NetworkUnreachable | TimedOut | WouldBlock
    )
}
