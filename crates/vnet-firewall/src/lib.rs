//! The nf_tables rules of a virtual network as a value: compiled, encoded, read back, printed.
//!
//! [`Policy`] says what a network promises. [`Ruleset::compile`] makes rules of it, [`Batch`] a
//! transaction for the kernel, and [`Table`] reads what the kernel has back into a [`Ruleset`],
//! which is equal as long as nothing has drifted. [`Ruleset`]'s `Display` is text that `nft -f`
//! loads and `nft list` shows.
//!
//! With the feature `json`, `Ruleset::json` is the same as libnftables JSON.
//!
//! None of this has a socket: the bytes are for a netlink socket of protocol `NETLINK_NETFILTER`.
//! With the feature `netlink` there is [`Firewall`], which has one.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod compile;
#[cfg(feature = "netlink")]
mod firewall;
#[cfg(feature = "json")]
pub mod json;
mod kernel;
mod name;
mod policy;
mod ruleset;
mod shared;
mod text;

#[cfg(feature = "netlink")]
pub use firewall::{Error, Firewall};
pub use kernel::{Batch, Counts, CtState, EncodeError, Foreign, Hook, Judgement, Packet, Site, Table};
pub use policy::{Access, Policy, Subnet};
pub use ruleset::{
    Base, Chain, Direction, Element, Field, Holds, Interface, Key, KeyType, Part, Rule, Ruleset, Set, Statement,
    Subject, Transport, Verdict,
};
