//! The nf_tables rules of a virtual network as a value: compiled, encoded, read back, printed.

mod compile;
mod kernel;
mod name;
mod policy;
mod ruleset;
mod text;

pub use kernel::{Batch, Counts, EncodeError, Table};
pub use policy::{Access, Policy, Subnet};
pub use ruleset::{
    Base, Chain, Direction, Element, Field, Interface, Key, KeyType, Map, Rule, Ruleset, Statement, Subject, Transport,
    Verdict,
};
