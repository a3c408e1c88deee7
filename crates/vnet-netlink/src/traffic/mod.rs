//! Traffic control: qdiscs, classes and filters (tc(8), `linux/rtnetlink.h`, `linux/pkt_sched.h`,
//! `linux/pkt_cls.h`).

mod class;
mod classifier;
mod filter;
mod qdisc;
mod rate;

pub use classifier::Classifier;

use nix::libc::ENOENT;
use vnet_types::TrafficHandle;

use crate::message::{Message, Request, number32};
use crate::{Cause, Error, Missing, Operation, Refused};

/// Length of `struct tcmsg`.
const HEADER: usize = 20;
const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;

/// `struct tcmsg`.
#[derive(Clone, Copy, Debug, Default)]
struct Header {
    index: u32,
    handle: u32,
    parent: u32,
    info: u32,
}

impl Header {
    fn of(index: u32, parent: TrafficHandle, handle: TrafficHandle) -> Self {
        Self { index, parent: parent.number(), handle: handle.number(), info: 0 }
    }

    fn request(self, kind: u16) -> Request {
        let numbers = [0, self.index, self.handle, self.parent, self.info];
        Request::new(kind, &numbers.map(u32::to_ne_bytes).concat())
    }

    /// Splits an answer into its header and its attributes.
    fn read(message: Message<'_>) -> Option<(Self, &[u8])> {
        let (header, attributes) = message.payload().split_at_checked(HEADER)?;
        let number = |at: usize| header.get(at..).and_then(number32);
        Some((Self { index: number(4)?, handle: number(8)?, parent: number(12)?, info: number(16)? }, attributes))
    }
}

/// The cause of a refusal to add something of a kind: the kernel answers `ENOENT` for a kind that
/// it does not have.
fn added(object: impl std::fmt::Display, word: &str) -> impl FnOnce(Refused) -> Error {
    move |refused| {
        let unknown = refused.errno == ENOENT;
        Operation::Add.of(object)(refused).because(unknown, Cause::Missing(Missing::Kind(word.to_owned())))
    }
}
