//! A netlink socket with one exchange at a time (netlink(7)).

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_NOOP};
use netlink_sys::{Socket, SocketAddr};
use nix::libc;
use nix::sys::socket::{getsockopt, setsockopt, sockopt};

use crate::Refused;
use crate::message::{Message, messages, stamp};

/// How often to request a list again that changed while it was read.
const ATTEMPTS: usize = 32;
/// How many requests to send before reading the answers: each answer takes about 4 KiB of the
/// socket's 208.
const AT_A_TIME: usize = 16;
/// More than the kernel puts into one datagram, which is 32 KiB of a list.
const DATAGRAM: usize = 1 << 17;
/// The part of a send buffer that the kernel reserves.
const OVERHEAD: usize = 32;

#[derive(Debug)]
pub(crate) struct Transport {
    socket: Socket,
    /// Only the holder of this lock uses the socket.
    turn: Mutex<Turn>,
}

#[derive(Debug, Default)]
struct Turn {
    /// The number of the last request.
    sequence: u32,
    /// The size of a datagram that fits the send buffer.
    room: usize,
    /// Whether answers to a batch may be unread.
    unread: bool,
    /// The last datagram. Its memory is used again, since that of a fresh one is not mapped yet.
    datagram: Vec<u8>,
}

impl AsFd for Transport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Transport {
    pub(crate) fn open(protocol: isize) -> Result<Self, Refused> {
        let socket = Socket::new(protocol)?;
        // Only the kernel, address 0, can answer now.
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_ext_ack(true)?;
        socket.set_cap_ack(true)?;
        // Without it the kernel ignores the filters of a list, and whatever it does not know.
        socket.set_netlink_get_strict_chk(true)?;
        Ok(Self { socket, turn: Mutex::default() })
    }

    /// Sends a request and reads a value from each reply that holds one. `read` must not use this
    /// socket.
    pub(crate) fn exchange<T>(
        &self,
        request: &[u8],
        mut read: impl FnMut(Message<'_>) -> Option<T>,
    ) -> Result<Vec<T>, Refused> {
        let mut request = request.to_vec();
        let mut turn = self.turn()?;
        for _ in 0..ATTEMPTS {
            turn.sequence = turn.sequence.wrapping_add(1);
            stamp(&mut request, NLM_F_REQUEST | NLM_F_ACK, turn.sequence);
            self.send(&request)?;
            if let Some(replies) = self.replies(&mut turn, &mut read)? {
                return Ok(replies);
            }
        }
        Err(Refused::from_errno(libc::EINTR))
    }

    /// Sends requests that get one message each as answer, as many at a time as the socket can hold
    /// answers, and returns the replies. A request for an object that does not exist gets no reply.
    pub(crate) fn exchange_all(&self, requests: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, Refused> {
        let mut replies = Vec::new();
        let mut turn = self.turn()?;
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
                for message in messages(self.receive(&mut turn.datagram)?) {
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

    /// Sends a batch, which has its own sequence numbers, and waits for the acknowledgement of its
    /// last message that asks for one. Of several refusals it returns the first.
    pub(crate) fn commit(&self, batch: &[u8]) -> Result<(), Refused> {
        let mut last = None;
        for message in messages(batch) {
            last = Some(message?).filter(|message| message.flags() & NLM_F_ACK != 0).or(last);
        }
        // Waiting for a batch without any answer would never end.
        let last = last.ok_or(Refused::from_errno(libc::EINVAL))?.sequence();
        let mut turn = self.turn()?;
        if turn.room < batch.len() {
            self.make_room(batch.len())?;
            turn.room = batch.len();
        }
        turn.unread = true;
        self.send(batch)?;
        loop {
            let Turn { unread, datagram, .. } = &mut *turn;
            for message in messages(self.receive(datagram)?) {
                let message = message?;
                match message.outcome() {
                    Some(Err(refused)) => return Err(Refused { sequence: Some(message.sequence()), ..refused }),
                    Some(Ok(())) if message.sequence() == last => {
                        *unread = false;
                        return Ok(());
                    }
                    _ => {}
                }
            }
        }
    }

    /// Takes the socket. Answers to a batch that are left would be taken for those to a request
    /// with the same number, and the kernel may have no room for more.
    fn turn(&self) -> Result<MutexGuard<'_, Turn>, Refused> {
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if turn.unread {
            self.discard_answers()?;
            turn.unread = false;
        }
        Ok(turn)
    }

    /// Reads up to the end of the answer; `None` if the list changed while the kernel wrote it.
    fn replies<T>(
        &self,
        turn: &mut Turn,
        read: &mut impl FnMut(Message<'_>) -> Option<T>,
    ) -> Result<Option<Vec<T>>, Refused> {
        let mut replies = Vec::new();
        let mut interrupted = false;
        loop {
            for message in messages(self.receive(&mut turn.datagram)?) {
                let message = message?;
                if message.sequence() != turn.sequence {
                    continue;
                }
                interrupted |= message.flags() & NLM_F_DUMP_INTR != 0;
                match message.outcome() {
                    Some(outcome) => return outcome.map(|()| (!interrupted).then_some(replies)),
                    None if message.kind() == NLMSG_NOOP => {}
                    None => replies.extend(read(message)),
                }
            }
        }
    }

    /// Drops the unread answers to the last batch. The kernel answers within send(2), so no more
    /// answers can follow.
    fn discard_answers(&self) -> Result<(), Refused> {
        loop {
            let mut buffer = [0u8; 16];
            match self.socket.recv(&mut &mut buffer[..], libc::MSG_DONTWAIT) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                // Answers were lost because they did not fit; nothing needs them.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Enlarges the send buffer for one datagram of `length` bytes: for root without a limit, for
    /// others up to `net.core.wmem_max`. If that is not enough, send(2) fails.
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

    fn receive<'d>(&self, datagram: &'d mut Vec<u8>) -> Result<&'d [u8], Refused> {
        datagram.clear();
        datagram.reserve(DATAGRAM);
        let length = uninterrupted(|| self.socket.recv(datagram, libc::MSG_TRUNC))?;
        if length > datagram.len() {
            return Err(Refused::from_errno(libc::EMSGSIZE));
        }
        Ok(datagram)
    }
}

/// Repeats a system call that a signal interrupted.
fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> Result<T, Refused> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return Ok(result?),
        }
    }
}
