//! Runs networks, and guests behind passt, on an imagined host, and checks whether they keep what
//! they promise.
//!
//! [`try_all`] creates namespaces and starts this program again inside them, where [`inside`] takes
//! over: a program that calls `try_all` has to call `inside` first in its `main`. Inside, networks
//! are started and guests attached by the same code as on a real host. Guests request leases and
//! names, reach each other, connect to the outside, and are connected to from there. The [`Report`]
//! says for each promise whether it is kept. Nothing is printed, and this host is not changed.
//! [`try_each`] does that with each of many definitions on a host of its own.
//!
//! Networks that ask for OVN run on two hosts of an imagined cluster, with the programs of OVN that
//! are installed. [`put_on_ovn`] lets other definitions ask for it.
//!
//! [`verify()`] does the same with a network that runs on this host, by guests that are made up for
//! a moment.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod attach;
mod cluster;
mod engine;
mod error;
mod furnish;
mod guest;
mod inside;
mod judge;
mod neighbour;
mod notes;
mod options;
mod outside;
mod passt;
mod promise;
mod promises;
mod ready;
mod report;
mod routes;
mod start;
mod verify;
mod world;

pub use engine::put_on_ovn;
pub use error::{Error, Failure};
pub use inside::inside;
pub use outside::{try_all, try_each};
pub use report::{Engine, InterfaceReport, Judgement, NetworkReport, Report, Subject, Verdict};
pub use verify::verify;
