//! The nf_tables rules of a virtual network as a value: compiled, encoded, read back, printed.
//!
//! [`Policy`] says what a network promises. [`Ruleset::compile`] makes rules of it, [`Batch`] a transaction for the kernel, and [`Table`]
//! reads what the kernel has back into a [`Ruleset`], which is equal as long as nothing has drifted. [`Ruleset`]'s
//! `Display` is text that `nft -f` loads and `nft list` shows.
//!
//! Nothing here has a socket: the bytes are for a netlink socket of protocol `NETLINK_NETFILTER`.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod compile;
mod kernel;
mod name;
mod policy;
mod ruleset;
mod text;

pub use kernel::{Batch, Counts, EncodeError, Table};
pub use policy::{Access, Policy, Subnet};
pub use ruleset::{
    Base, Chain, Direction, Element, Field, Interface, Key, KeyType, Map, Rule, Ruleset, Statement, Subject, Transport,
    Verdict,
};
