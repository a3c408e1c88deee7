//! A small laboratory: network namespaces, and what guests and servers in them say to each other.
//!
//! Nothing here knows of networks as libvirt defines them. Every wait has a deadline, and what arrives from a wire is
//! read without trust.

pub(crate) mod card;
pub(crate) mod dhcp4;
pub(crate) mod dhcp6;
pub(crate) mod dns;
pub(crate) mod namespace;
pub(crate) mod ping;
pub(crate) mod probe;

use std::io;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

/// How long an answer on a veth may take before the question is asked again.
const PATIENCE: Duration = Duration::from_millis(400);

/// Asks again and again until something that arrives is an answer. `None` when the deadline passes first.
fn ask<T>(
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
