//! What the executor needs of a host, and what only the act tells.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vnet_plan::{Change, HostState, Key};
use vnet_types::{InterfaceName, Inventory, Link};

use crate::{Error, Namespace};

/// A host that changes can be made on.
pub trait Host {
    /// What the host has, apart from the networks that vnet runs on it.
    ///
    /// # Errors
    /// [`Error`] where it cannot be read.
    fn inventory(&self) -> Result<Inventory, Error>;

    /// The network namespace of the host.
    ///
    /// # Errors
    /// [`Error`] where it cannot be read.
    fn namespace(&self) -> Result<Namespace, Error>;

    /// The name that a link of ours has now, and its fact. It is the one that the fact tells;
    /// without a fact, the one of this kind and MAC address. `None` where it is gone, whatever else
    /// has its name.
    ///
    /// # Errors
    /// [`Error`] where it cannot be read.
    fn locate(&self, link: &Link, fact: Option<Fact>) -> Result<Option<(InterfaceName, Fact)>, Error>;

    /// What is really there, for each key of `expected`. What `expected` leaves to the host
    /// compares equal: a MTU or MAC address that is `None`, a file that its program writes. A
    /// process is there when it is the one of `facts`.
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
    /// A process: its number, and its start in clock ticks after boot, which tells it from a later
    /// one of that number.
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

    /// Takes note of what a change told. What was known of something that came anew, or went, is no
    /// longer so.
    pub(crate) fn learn(&mut self, change: &Change, fact: Option<Fact>) {
        match change {
            Change::Create { to } => self.set(to.key(), fact),
            Change::Update { to, .. } if fact.is_some() => self.set(to.key(), fact),
            Change::Update { .. } => {}
            Change::Delete { from } => self.set(from.key(), None),
            Change::Rename { from, to } => self.rename_link(from, to),
        }
    }

    /// A link that gets another name stays the same.
    pub(crate) fn rename_link(&mut self, from: &InterfaceName, to: &InterfaceName) {
        self.copy_link(from, to);
        self.set(Key::Link(from.clone()), None);
    }

    /// A link that may have got another name is the same under both.
    pub(crate) fn copy_link(&mut self, from: &InterfaceName, to: &InterfaceName) {
        let fact = self.get(&Key::Link(from.clone()));
        self.set(Key::Link(to.clone()), fact);
    }

    /// Those of what a state has.
    pub(crate) fn of(&self, state: &HostState) -> Self {
        Self(
            self.0.iter().filter(|(key, _)| state.get(key).is_some()).map(|(key, fact)| (key.clone(), *fact)).collect(),
        )
    }

    pub(crate) fn set(&mut self, key: Key, fact: Option<Fact>) {
        match fact {
            Some(fact) => self.0.insert(key, fact),
            None => self.0.remove(&key),
        };
    }
}
