//! Strategies for proptest: whole definitions of any kind.
//!
//! ```
//! use proptest::prelude::*;
//! use vnet_xml::{Network, strategy};
//!
//! proptest!(|(network in strategy::network())| {
//!     prop_assert_eq!(network.to_string().parse::<Network>()?, network);
//! });
//! ```
#![allow(clippy::unwrap_used, reason = "a strategy that makes nonsense is a failed test")]
#![allow(clippy::field_reassign_with_default, reason = "many fields at once are no fields of a literal")]

mod interface;
mod network;
mod ovn;
mod shared;

pub use interface::interface;
pub use network::network;
