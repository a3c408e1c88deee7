//! The nf_tables rules of a virtual network as a value: compiled, encoded, read back, printed.

mod policy;
mod ruleset;

pub use policy::{Access, Policy, Subnet};
pub use ruleset::Ruleset;
