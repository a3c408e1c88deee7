//! Effects: makes the changes of a plan on a host, keeps receipts, observes.
//!
//! [`start`], [`apply`], [`stop`] and [`drift`] are one difference of two states each, made by an
//! executor that decides nothing. Each change is written to the network's receipt, and synced,
//! before it is made; when one fails, those before it are taken back. Only what a receipt names is
//! ever deleted. [`LinuxHost`] is the real thing, [`MemoryHost`] a value that passes the same
//! scenarios.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod error;
mod guests;
mod host;
mod journal;
mod lifecycle;
mod linux;
mod lock;
mod memory;
mod namespace;
mod owner;
mod resolve;
mod store;
mod subject;
mod survey;
mod task;
mod trust;
mod view;

pub use error::Error;
pub use host::{Fact, Facts, Host};
pub use journal::Receipt;
pub use lifecycle::{apply, detach, drift, plan, start, stop};
pub use linux::LinuxHost;
pub use lock::Lock;
pub use memory::MemoryHost;
pub use namespace::Namespace;
pub use owner::Owner;
pub use store::{Listed, Store, Unreadable};
pub use subject::{Header, Name, Named, PortHeader, Subject};
pub use survey::{Survey, inventory, survey};
pub use vnet_netlink::Capability;
