//! Throwaway namespaces, with guests and servers that talk to each other in them.
//!
//! [`Isolation`] starts a program in namespaces of its own, as root in them, without any privilege;
//! [`mounts`] gives programs a usable file system there; a [`Namespace`] is a further network
//! beside it. The rest are guests and servers: clients for [`dhcp4`], [`dhcp6`] and [`dns`], an
//! [echo](ping()), servers that tell each client which address they [see](probe), and a
//! [flow](flow()) that is measured.
//!
//! This crate does not depend on libvirt's network definitions. Every wait has a deadline, and the
//! parsers do not trust what arrives.

/// Compiles the README's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod ask;
mod cable;
mod capabilities;
pub mod card;
pub mod dhcp4;
pub mod dhcp6;
pub mod dns;
mod error;
mod flow;
mod help;
mod isolation;
pub mod mounts;
mod namespace;
mod open_vswitch;
mod outage;
mod ovn;
mod path_mtu;
mod ping;
pub mod probe;
mod program;

pub use cable::join;
pub use capabilities::without_capabilities;
pub use error::Error;
pub use flow::{Flow, flow, flow_back};
pub use isolation::{Isolation, Step, Unavailable};
pub use namespace::Namespace;
pub use open_vswitch::{OpenVSwitch, OvsdbServer};
pub use outage::outage;
pub use ovn::{OvnCentral, OvnHost, OvnLab};
pub use path_mtu::path_mtu;
pub use ping::ping;
pub use program::{Daemon, Programs};
