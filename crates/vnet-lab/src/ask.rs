//! Repeated questions over UDP.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::{Duration, Instant};

/// How long to wait for an answer on a veth before the question is sent again.
pub(crate) const PATIENCE: Duration = Duration::from_millis(400);

/// A socket at an address, which waits so long for what arrives.
pub(crate) fn socket_at(address: IpAddr, wait: Duration) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((address, 0))?;
    socket.set_read_timeout(Some(wait))?;
    Ok(socket)
}

/// A socket that can send to a server: at any address of its family.
pub(crate) fn socket_for(server: IpAddr) -> io::Result<UdpSocket> {
    let any = if server.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
    UdpSocket::bind((any, 0))
}

/// Sends a question again and again until an answer arrives. `None` when the deadline passes first.
pub(crate) fn ask<T>(
    socket: &UdpSocket,
    deadline: Instant,
    mut send: impl FnMut() -> io::Result<()>,
    mut read: impl FnMut(&[u8]) -> Option<T>,
) -> io::Result<Option<T>> {
    let mut buffer = [0; 4096];
    while Instant::now() < deadline {
        send()?;
        let again = deadline.min(Instant::now() + PATIENCE);
        loop {
            let left = again.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            socket.set_read_timeout(Some(left))?;
            match socket.recv(&mut buffer) {
                Ok(length) => {
                    if let Some(answer) = read(&buffer[..length]) {
                        return Ok(Some(answer));
                    }
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(None)
}
