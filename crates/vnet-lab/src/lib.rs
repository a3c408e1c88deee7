//! Throwaway namespaces, and what guests and servers in them say to each other.
//!
//! [`Isolation`] starts a program in namespaces of its own, as root of them, without any privilege;
//! [`mounts`] makes them a host that programs can live on; a [`Namespace`] is one more network
//! beside it. The rest are guests and servers: clients of [`dhcp4`], [`dhcp6`] and [`dns`], an
//! [echo](ping()), and servers that tell each client which address they [see](probe) it at.
//!
//! Nothing here knows of networks as libvirt defines them. Every wait has a deadline, and what
//! arrives from a wire is read without trust.

/// The README's example, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod ask;
mod capabilities;
pub mod card;
pub mod dhcp4;
pub mod dhcp6;
pub mod dns;
mod error;
mod isolation;
pub mod mounts;
mod namespace;
mod ping;
pub mod probe;

pub use capabilities::without_capabilities;
pub use error::Error;
pub use isolation::{Isolation, Step, Unavailable};
pub use namespace::Namespace;
pub use ping::ping;
