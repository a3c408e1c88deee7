//! Repeated questions over UDP.

use std::io;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

/// How long to wait for an answer on a veth before the question is sent again.
pub(crate) const PATIENCE: Duration = Duration::from_millis(400);

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
