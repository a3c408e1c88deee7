//! Transactions and lists of nf_tables, as bytes (`linux/netfilter/nfnetlink.h`).

use std::os::fd::{AsFd, BorrowedFd};

use netlink_packet_core::NLM_F_DUMP;

use crate::Refused;
use crate::transport::Transport;

/// A socket to the kernel's packet filter.
///
/// It sends messages that the caller has encoded. Closing it soon after a transaction that deletes
/// something waits about 10 ms for the kernel, so use one socket for many transactions.
#[derive(Debug)]
pub struct Netfilter {
    transport: Transport,
}

/// For who passes the socket to another process, which then waits when it closes it.
impl AsFd for Netfilter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.transport.as_fd()
    }
}

impl Netfilter {
    /// Opens the socket, in the network namespace of this thread.
    ///
    /// # Errors
    /// When the kernel refuses the socket. Opening it needs no privilege.
    pub fn open() -> Result<Self, Refused> {
        Ok(Self { transport: Transport::open(netlink_sys::protocols::NETLINK_NETFILTER)? })
    }

    /// Sends a batch, from `NFNL_MSG_BATCH_BEGIN` to `NFNL_MSG_BATCH_END`, as one transaction, and
    /// waits for the acknowledgement of its last message with `NLM_F_ACK`.
    ///
    /// # Errors
    /// The kernel's first refusal, with the sequence number of the refused message: the kernel has
    /// then applied nothing of the batch. `EMSGSIZE` ([`Refused::is_too_large`]) for a batch that
    /// is larger than the user may send, `EINVAL` without a sequence number for one in which no
    /// message has `NLM_F_ACK`.
    pub fn commit(&self, batch: &[u8]) -> Result<(), Refused> {
        self.transport.commit(batch)
    }

    /// Sends one request, usually for a list (`NLM_F_DUMP`), and returns every message of the
    /// answer with its header. A list that changes while it is read is asked for again. The
    /// socket's own sequence number replaces the request's.
    ///
    /// # Errors
    /// The kernel's refusal; `EINTR` when the list keeps changing.
    pub fn dump(&self, request: &[u8]) -> Result<Vec<Vec<u8>>, Refused> {
        self.transport.exchange(request, |it| Some(it.0.to_vec()))
    }

    /// [`dump`](Self::dump) for an object that may not exist. The answer is then empty.
    ///
    /// # Errors
    /// Those of [`dump`](Self::dump), but for `ENOENT`.
    pub fn find(&self, request: &[u8]) -> Result<Vec<Vec<u8>>, Refused> {
        match self.dump(request) {
            Err(refused) if refused.is_not_found() => Ok(Vec::new()),
            answer => answer,
        }
    }

    /// [`find`](Self::find) for several requests: returns all answers, one after the other.
    /// Requests that are not for a list are sent together.
    ///
    /// # Errors
    /// Those of [`find`](Self::find), of the first request that is refused.
    pub fn find_all(&self, requests: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, Refused> {
        let mut answers = Vec::new();
        for some in requests.chunk_by(|one, other| !is_list(one) && !is_list(other)) {
            match some {
                [list] if is_list(list) => answers.extend(self.find(list)?),
                some => answers.extend(self.transport.exchange_all(some)?),
            }
        }
        Ok(answers)
    }
}

fn is_list(request: &[u8]) -> bool {
    let flags = request.get(6..8).and_then(|flags| flags.try_into().ok()).map(u16::from_ne_bytes);
    flags.is_some_and(|flags| flags & NLM_F_DUMP == NLM_F_DUMP)
}
