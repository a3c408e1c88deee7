//! The nf_tables rules of a virtual network as a value: compile, encode, read back, print.
//!
//! [`Policy`] says what a network promises. [`Ruleset::compile`] makes rules from it, and [`Batch`]
//! a transaction for the kernel. [`Table`] reads the kernel's rules back into a [`Ruleset`], which
//! equals the compiled one if nothing has drifted. The `Display` of a [`Ruleset`] is text that `nft
//! -f` loads and `nft list` shows.
//!
//! With the feature `json`, `Ruleset::json` gives libnftables JSON.
//!
//! None of this opens a socket: the bytes are for a netlink socket of protocol `NETLINK_NETFILTER`.
//! With the feature `netlink`, [`Firewall`] opens one.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod compile;
#[cfg(feature = "netlink")]
mod firewall;
mod help;
#[cfg(feature = "json")]
pub mod json;
mod kernel;
mod libvirt;
mod name;
mod policy;
mod ruleset;
mod shared;
mod text;
#[cfg(feature = "netlink")]
mod tracing;

#[cfg(feature = "netlink")]
pub use firewall::{Error, Firewall};
pub use kernel::{Around, FrameRule, Meddling, MeddlingAct};
pub use kernel::{
    Batch, Carried, Counts, CtState, EncodeError, Foreign, Hook, Judgement, Networks, Packet, Site, Table,
};
pub use kernel::{Deed, ExplainedEnd, ExplainedStep, Explanation};
#[cfg(feature = "netlink")]
pub use kernel::{Ledger, RuleTexts, TraceEvent, TraceFlow, TracedPacket};
pub use libvirt::{LibvirtForwards, LibvirtRules, ReachedPorts};
pub use policy::{Access, ForwardedPorts, Policy, Subnet};
pub use ruleset::{
    Base, Chain, Direction, Element, Field, Flowtable, Holds, Interface, Key, KeyType, Part, Rule, Ruleset, Set,
    Statement, Subject, Transport, Verdict,
};
#[cfg(feature = "netlink")]
pub use tracing::Tracing;
