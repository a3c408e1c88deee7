//! Makes the changes of a plan on a host, keeps receipts, and reads the host's state.
//!
//! [`start`], [`apply`], [`stop`] and [`drift`] each compare two states, and one executor makes the
//! difference. Each change is written to the network's receipt, and synced, before it is made. When
//! one fails, the ones before it are undone. Only what a receipt names is ever deleted.
//! [`LinuxHost`] is a real host, [`MemoryHost`] a host in memory that passes the same tests.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod act;
mod data;
mod definitions;
mod error;
mod file_lock;
mod guests;
mod headers;
mod hint;
mod host;
mod journal;
mod lifecycle;
mod linux;
mod listeners;
mod lock;
mod memory;
mod namespace;
mod owner;
mod resolve;
mod stop;
mod store;
mod subject;
mod survey;
mod task;
mod trust;
mod understood;
mod view;

pub use data::Data;
pub use definitions::{Definitions, Replaced};
pub use error::Error;
pub use file_lock::DaemonLock;
pub use host::{Fact, Facts, Host, Near};
pub use journal::Receipt;
pub use lifecycle::{apply, apply_all, drift, drift_of, hooks_agreed, plan, replace, start, start_all, take_over};
pub use linux::{
    ContainerSeen, ContainerTapSeen, LinuxHost, SharedLists, Unread, Unscoped, delete_links_for_another, known_switch,
    look_at_tap, look_into, switch_socket,
};
pub use listeners::listeners;
pub use lock::Lock;
pub use memory::MemoryHost;
pub use namespace::Namespace;
pub use owner::Owner;
pub use stop::{detach, detach_and, stop, stop_all};
pub use store::{Listed, Store, Unreadable};
pub use subject::{Header, Name, Named, PortHeader, Subject};
pub use survey::{Survey, inventory, survey, survey_near};
pub use trust::trusted_file;
pub use understood::Understood;
pub use vnet_netlink::{Capability, KernelLink};
