//! One conversation at a time with the kernel over a netlink socket (netlink(7)).

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_NOOP};
use netlink_sys::{Socket, SocketAddr};
use nix::libc;
use nix::sys::socket::{getsockopt, setsockopt, sockopt};

use crate::Refused;
use crate::message::{messages, stamp};

/// How often a list is asked for again that changed while it was read.
const ATTEMPTS: usize = 32;
/// How many requests to send before their answers are read: each answer takes some 4 KiB of the
/// socket's 208.
const AT_A_TIME: usize = 16;
/// More than the kernel puts into one datagram, which is 32 KiB of a list.
const DATAGRAM: usize = 1 << 17;
/// What the kernel keeps free of a send buffer.
const OVERHEAD: usize = 32;

#[derive(Debug)]
pub(crate) struct Transport {
    socket: Socket,
    /// The socket belongs to whoever holds this.
    turn: Mutex<Turn>,
}

#[derive(Debug, Default)]
struct Turn {
    /// The number of the last request.
    sequence: u32,
    /// How long a datagram may be at least.
    room: usize,
    /// Whether answers to a batch may be unread.
    unread: bool,
}

impl Transport {
    pub(crate) fn open(protocol: isize) -> Result<Self, Refused> {
        let socket = Socket::new(protocol)?;
        // Only the kernel, address 0, can answer now.
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_ext_ack(true)?;
        socket.set_cap_ack(true)?;
        // Without it the kernel ignores what a list is to be filtered by, and what it does not
        // know.
        socket.set_netlink_get_strict_chk(true)?;
        Ok(Self { socket, turn: Mutex::default() })
    }

    /// Sends a request and returns its replies, each with its header.
    pub(crate) fn exchange(&self, request: &[u8]) -> Result<Vec<Vec<u8>>, Refused> {
        let mut request = request.to_vec();
        let mut turn = self.turn();
        for _ in 0..ATTEMPTS {
            turn.sequence = turn.sequence.wrapping_add(1);
            stamp(&mut request, NLM_F_REQUEST | NLM_F_ACK, turn.sequence);
            self.send(&request)?;
            if let Some(replies) = self.replies(turn.sequence)? {
                return Ok(replies);
            }
        }
        Err(Refused::from_errno(libc::EINTR))
    }

    /// Sends requests that are answered by one message each, as many at a time as answers fit the
    /// socket, and returns the replies; none to a request for something that is not there.
    pub(crate) fn exchange_all(&self, requests: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, Refused> {
        let mut replies = Vec::new();
        let mut turn = self.turn();
        for some in requests.chunks(AT_A_TIME) {
            let mut bytes = Vec::new();
            for request in some {
                turn.sequence = turn.sequence.wrapping_add(1);
                let start = bytes.len();
                bytes.extend(request);
                stamp(&mut bytes[start..], NLM_F_REQUEST, turn.sequence);
            }
            self.send(&bytes)?;
            let first = turn.sequence.wrapping_sub(u32::try_from(some.len()).expect("a few")).wrapping_add(1);
            let mut open = some.len();
            while open > 0 {
                for message in messages(&self.receive()?) {
                    let message = message?;
                    if message.sequence().wrapping_sub(first) >= u32::try_from(some.len()).expect("a few") {
                        continue;
                    }
                    open -= 1;
                    match message.outcome() {
                        Some(Err(refused)) if refused.is_not_found() => {}
                        Some(Err(refused)) => return Err(refused),
                        Some(Ok(())) => {}
                        None => replies.push(message.0.to_vec()),
                    }
                }
            }
        }
        Ok(replies)
    }

    /// Sends a batch, which has sequence numbers of its own, and waits for the acknowledgement of
    /// its last message that asks for one. Of several refusals the first is the cause.
    pub(crate) fn commit(&self, batch: &[u8]) -> Result<(), Refused> {
        let mut last = None;
        for message in messages(batch) {
            last = Some(message?).filter(|message| message.flags() & NLM_F_ACK != 0).or(last);
        }
        // A batch that nothing is answered to could be waited for forever.
        let last = last.ok_or(Refused::from_errno(libc::EINVAL))?.sequence();
        let mut turn = self.turn();
        if turn.unread {
            self.discard_answers()?;
        }
        if turn.room < batch.len() {
            self.make_room(batch.len())?;
            turn.room = batch.len();
        }
        turn.unread = true;
        self.send(batch)?;
        loop {
            for message in messages(&self.receive()?) {
                let message = message?;
                match message.outcome() {
                    Some(Err(refused)) => return Err(Refused { sequence: Some(message.sequence()), ..refused }),
                    Some(Ok(())) if message.sequence() == last => {
                        turn.unread = false;
                        return Ok(());
                    }
                    _ => {}
                }
            }
        }
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything up to the end of the answer; `None` when the list changed while the kernel wrote
    /// it.
    fn replies(&self, sequence: u32) -> Result<Option<Vec<Vec<u8>>>, Refused> {
        let mut replies = Vec::new();
        let mut interrupted = false;
        loop {
            for message in messages(&self.receive()?) {
                let message = message?;
                if message.sequence() != sequence {
                    continue;
                }
                interrupted |= message.flags() & NLM_F_DUMP_INTR != 0;
                match message.outcome() {
                    Some(outcome) => return outcome.map(|()| (!interrupted).then_some(replies)),
                    None if message.kind() == NLMSG_NOOP => {}
                    None => replies.push(message.0.to_vec()),
                }
            }
        }
    }

    /// Drops the unread answers to the last batch: a batch may have the same sequence numbers
    /// again. The kernel answers within send(2), so that nothing is still to come.
    fn discard_answers(&self) -> Result<(), Refused> {
        loop {
            let mut buffer = [0u8; 16];
            match self.socket.recv(&mut &mut buffer[..], libc::MSG_DONTWAIT) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                // Answers that did not fit, which nobody will read.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Makes the send buffer large enough for one datagram of `length` bytes, if we may: root
    /// beyond any limit, others up to `net.core.wmem_max`. If we may not, send(2) says so.
    fn make_room(&self, length: usize) -> Result<(), Refused> {
        let needed = length + OVERHEAD;
        if getsockopt(&self.socket, sockopt::SndBuf).map_err(io::Error::from)? < needed {
            setsockopt(&self.socket, sockopt::SndBufForce, &needed)
                .or_else(|_| setsockopt(&self.socket, sockopt::SndBuf, &needed))
                .map_err(io::Error::from)?;
        }
        Ok(())
    }

    fn send(&self, bytes: &[u8]) -> Result<(), Refused> {
        uninterrupted(|| self.socket.send(bytes, 0)).map(drop)
    }

    fn receive(&self) -> Result<Vec<u8>, Refused> {
        let mut datagram = Vec::with_capacity(DATAGRAM);
        let length = uninterrupted(|| self.socket.recv(&mut datagram, libc::MSG_TRUNC))?;
        if length > datagram.len() {
            return Err(Refused::from_errno(libc::EMSGSIZE));
        }
        Ok(datagram)
    }
}

/// Repeats a system call that a signal ended.
fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> Result<T, Refused> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return Ok(result?),
        }
    }
}
