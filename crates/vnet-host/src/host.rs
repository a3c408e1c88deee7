//! What the executor needs of a host, and what only the act tells.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vnet_plan::{Change, HostState, Key};
use vnet_types::Inventory;

use crate::Error;

/// A host that changes can be made on.
pub trait Host {
    /// What the host has, apart from the networks that vnet runs on it.
    ///
    /// # Errors
    /// [`Error`] where it cannot be read.
    fn inventory(&self) -> Result<Inventory, Error>;

    /// What is really there, for each key of `expected`. What `expected` leaves to the host compares equal: a MTU or
    /// MAC address that is `None`, a file that its program writes. A process is there when it is the one of `facts`.
    ///
    /// # Errors
    /// [`Error`] where it cannot be read.
    fn observe(&self, expected: &HostState, facts: &Facts) -> Result<HostState, Error>;

    /// Makes one change: all of it or nothing. Deleting what is gone is success.
    ///
    /// # Errors
    /// [`Error`] where the host refuses.
    fn apply(&mut self, change: &Change, facts: &Facts) -> Result<Option<Fact>, Error>;
}

/// What a change has made, beyond what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact {
    /// The index of a link.
    Link(u32),
    /// A process: its number, and its start in clock ticks after boot, which tells it from a later one of that number.
    Process {
        /// Its number.
        pid: i32,
        /// When it started.
        start_time: u64,
    },
}

/// Facts of resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts(BTreeMap<Key, Fact>);

impl Facts {
    /// The fact of a resource.
    pub fn get(&self, key: &Key) -> Option<Fact> {
        self.0.get(key).copied()
    }

    pub(crate) fn set(&mut self, key: Key, fact: Option<Fact>) {
        match fact {
            Some(fact) => self.0.insert(key, fact),
            None => self.0.remove(&key),
        };
    }
}
