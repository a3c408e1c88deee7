//! The desired state of a host for a virtual network, and the changes that lead to it.
//!
//! The crate is pure: it turns a definition and an [`Inventory`](vnet_types::Inventory) into a
//! desired [`HostState`]. The difference between two states is a list of [`Change`]s, each of which
//! has an inverse. Starting, stopping, changing, repairing and detecting drift all use this
//! difference.

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
    Borrowed, ContainerEnd, ContainerTap, File, LinkAddress, LinkCoalesce, LinkResolver, NetworkRules, Port, Process,
    Relay, RelayEnd, Resource, SwitchPolicer, SwitchPort, SwitchShaper, SwitchVlans, Sysctl, SysctlSetting, Vf,
    VlanFiltering, Vlans, Zone,
};
pub use lower::{
    AddressWish, AttachError, Choices, ContainerAddressError, Files, LowerError, Lowered, LoweredPort,
    NameServerChoices, NotPasst, PortChoices, VirtualPortError, accelerated_devices, asks_features, attach, bandwidth,
    beside_libvirt, container_addresses, dnsmasq, fill_pool, lower, mends_checksums, name_server, passt, preview,
    record_port,
};
pub use passage::{Intent, Passage};
pub use rename::renames;
pub use state::HostState;

/// The README's example, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
