//! Brings networks, and guests behind passt, up on an imagined host, to see whether they keep what
//! they promise.
//!
//! [`try_all`] makes namespaces and starts this program again inside, where [`inside`] takes over:
//! a program that calls the one has to call the other first thing in its `main`. There the networks
//! are started and guests attached by the same code as on a real host; guests ask for leases and
//! names, reach each other, go out, and are reached for. The [`Report`] says of each promise
//! whether it is kept. Nothing is printed, and nothing changes on this host.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod attach;
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
mod report;
mod start;
mod world;

pub use error::{Error, Failure};
pub use inside::inside;
pub use outside::try_all;
pub use report::{InterfaceReport, Judgement, NetworkReport, Report, Subject, Verdict};
