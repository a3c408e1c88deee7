//! The largest packet that fits on a way, as its routers tell it (RFC 1191).

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{getsockopt, sockopt};

use crate::ping::is_refusal;

/// What IPv4 and UDP add to a payload.
const HEADERS: usize = 28;
const PAUSE: Duration = Duration::from_millis(20);

/// Sends datagrams to an IPv4 address as large as its link carries, and returns the largest packet
/// that a router on the way says it takes. `None` when none says so before the deadline, or when
/// the link itself carries no more than `expected`.
///
/// # Errors
/// [`io::Error`] when our own kernel refuses to send.
pub fn path_mtu(to: SocketAddr, expected: u32, deadline: Instant) -> io::Result<Option<u32>> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect(to)?;
    let known = || Ok::<_, io::Error>(u32::try_from(getsockopt(&socket, sockopt::IpMtu)?).unwrap_or_default());
    let of_link = known()?;
    if of_link <= expected {
        return Ok(None);
    }
    // A datagram that fits into the link is sent with the order not to cut it.
    let payload = vec![0; usize::try_from(of_link).unwrap_or_default().saturating_sub(HEADERS)];
    while Instant::now() < deadline {
        match socket.send(&payload) {
            // The kernel has been told meanwhile.
            Err(error) if error.raw_os_error() == Some(nix::libc::EMSGSIZE) => {}
            Err(error) if is_refusal(&error) => {}
            sent => _ = sent?,
        }
        thread::sleep(PAUSE);
        let now = known()?;
        if now < of_link {
            return Ok(Some(now));
        }
    }
    Ok(None)
}
