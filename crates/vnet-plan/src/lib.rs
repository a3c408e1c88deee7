//! Desired state of a host for a virtual network, and the changes that lead there.
//!
//! Pure: a definition and an [`Inventory`](vnet_types::Inventory) become a desired [`HostState`];
//! the difference of two states is a list of [`Change`]s, each of which has an inverse. Starting,
//! stopping, changing, repairing and noticing drift are all this one difference.

mod change;
mod key;
mod kind;
mod lower;
mod passage;
mod print;
mod rename;
mod state;

pub use change::{Change, diff};
pub use key::Key;
pub use kind::{
    Borrowed, File, LinkAddress, LinkCoalesce, NetworkRules, Port, Process, Resource, Sysctl, SysctlSetting, Vf,
    VlanFiltering, Vlans, Zone,
};
pub use lower::{
    AttachError, Choices, Files, LowerError, Lowered, LoweredPort, NotPasst, PortChoices, asks_features, attach,
    bandwidth, dnsmasq, fill_pool, lower, mends_checksums, passt, preview,
};
pub use passage::{Intent, Passage};
pub use rename::renames;
pub use state::HostState;

/// The README's example, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
