//! How much of a flow of datagrams arrives.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use crate::ask::{socket_at, socket_for};
use crate::{Error, Namespace};

/// The payload of a datagram, and what IP, UDP and Ethernet add to it at least.
const PAYLOAD: usize = 1200;
const FRAME: u64 = PAYLOAD as u64 + 42;
/// How long the first datagram may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long to wait for a question before it is asked again.
const AGAIN: Duration = Duration::from_millis(50);
/// Datagrams are sent in portions, so that no queue of sockets overflows.
const PORTION: Duration = Duration::from_millis(2);

/// A flow of datagrams, in bytes of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Flow {
    /// What was sent.
    pub sent: u64,
    /// What arrived.
    pub arrived: u64,
}

/// Sends so many bytes evenly for a time from one namespace to an address of another, and counts
/// those that arrive in as much time, from the first one on.
///
/// # Errors
/// [`Error`] when the address cannot be used, or the kernel refuses to send.
pub fn flow(from: &Namespace, to: &Namespace, address: IpAddr, bytes: u64, time: Duration) -> Result<Flow, Error> {
    let doing = || Error::doing(format!("send datagrams to {address}"));
    let receiver = to.run(|| socket_at(address, PORTION)).map_err(doing())?;
    let server = receiver.local_addr().map_err(doing())?;
    let sender = from.run(|| socket_for(address)).map_err(doing())?;
    sender.connect(server).map_err(doing())?;
    carry(&sender, &receiver, bytes, time).map_err(doing())
}

/// The same for what is sent back from an address of one namespace to another one that has asked
/// for it, as where translation lets nothing new in. Nothing is sent when no question arrives.
///
/// # Errors
/// [`Error`] when the address cannot be used, or the kernel refuses to send.
pub fn flow_back(from: &Namespace, address: IpAddr, to: &Namespace, bytes: u64, time: Duration) -> Result<Flow, Error> {
    let doing = || Error::doing(format!("ask for datagrams from {address}"));
    let sender = from.run(|| socket_at(address, AGAIN)).map_err(doing())?;
    let server = sender.local_addr().map_err(doing())?;
    let receiver = to.run(|| socket_for(address)).map_err(doing())?;
    receiver.connect(server).map_err(doing())?;
    receiver.set_read_timeout(Some(PORTION)).map_err(doing())?;
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        // What the kernel refuses to send does not arrive.
        let _ = receiver.send(b"?");
        if let Ok((_, peer)) = sender.recv_from(&mut [0; 8]) {
            sender.connect(peer).map_err(doing())?;
            return carry(&sender, &receiver, bytes, time).map_err(doing());
        }
    }
    Ok(Flow { sent: 0, arrived: 0 })
}

fn carry(sender: &UdpSocket, receiver: &UdpSocket, bytes: u64, time: Duration) -> io::Result<Flow> {
    thread::scope(|scope| {
        let counting = scope.spawn(|| count(receiver, time));
        let sent = send(sender, bytes, time);
        let arrived = counting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok(Flow { sent: sent?, arrived })
    })
}

fn send(sender: &UdpSocket, bytes: u64, time: Duration) -> io::Result<u64> {
    let (began, mut sent) = (Instant::now(), 0);
    while sent < bytes && began.elapsed() < time {
        let share = began.elapsed().as_secs_f64() / time.as_secs_f64();
        #[allow(clippy::cast_precision_loss, reason = "a share of some megabytes")]
        while (sent as f64) < (bytes as f64) * share {
            match sender.send(&[0; PAYLOAD]) {
                Ok(_) => sent += FRAME,
                // A queue on the way is full, or nobody listens any more.
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::WouldBlock) => break,
                Err(error) if error.raw_os_error() == Some(nix::libc::ENOBUFS) => break,
                Err(error) => return Err(error),
            }
        }
        thread::sleep(PORTION);
    }
    Ok(sent)
}

fn count(receiver: &UdpSocket, time: Duration) -> u64 {
    let mut buffer = [0; PAYLOAD];
    let (mut arrived, mut ends) = (0, Instant::now() + PATIENCE);
    while Instant::now() < ends {
        if receiver.recv(&mut buffer).is_ok() {
            if arrived == 0 {
                ends = Instant::now() + time;
            }
            arrived += FRAME;
        }
    }
    arrived
}
