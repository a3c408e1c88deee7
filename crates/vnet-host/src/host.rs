//! The interface between the executor and a host, and the facts that only a change tells.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vnet_plan::{Change, HostState, Key};
use vnet_types::{InterfaceName, Inventory, IpNet, Link};

use crate::{Error, Lock, Namespace};

/// A host that changes can be made on.
pub trait Host {
    /// What the host has, apart from the networks that vnet runs on it.
    ///
    /// # Errors
    /// [`Error`] where it cannot be read.
    fn inventory(&self) -> Result<Inventory, Error>;

    /// The same, but of links, addresses and routes only what [`Near`] asks for. A host may tell
    /// more.
    ///
    /// # Errors
    /// [`Error`] where it cannot be read.
    fn inventory_near(&self, _near: &Near) -> Result<Inventory, Error> {
        self.inventory()
    }

    /// Tells what [`inventory_near`](Self::inventory_near) is asked for soon, so that it can be
    /// looked for meanwhile. May do nothing.
    fn expect_near(&self, _near: &Near) {}

    /// The network namespace of the host.
    ///
    /// # Errors
    /// [`Error`] where it cannot be read.
    fn namespace(&self) -> Result<Namespace, Error>;

    /// The current name of one of our links, and its fact. The link is found by its fact, or
    /// without one by its kind and MAC address. `None` when the link is gone, whatever else has its
    /// name.
    ///
    /// # Errors
    /// [`Error`] where it cannot be read.
    fn locate(&self, link: &Link, fact: Option<Fact>) -> Result<Option<(InterfaceName, Fact)>, Error>;

    /// What is on the host for each key of `expected`. Values that `expected` leaves open compare
    /// equal: an MTU or MAC address of `None`, a file that its program writes. A process counts
    /// when it is the one in `facts`.
    ///
    /// # Errors
    /// [`Error`] where it cannot be read.
    fn observe(&self, expected: &HostState, facts: &Facts) -> Result<HostState, Error>;

    /// Whether what is under a key could not be read, and [`observe`](Self::observe) told what was
    /// expected.
    fn is_unread(&self, _key: &Key) -> bool {
        false
    }

    /// Makes one change completely or not at all. Deleting something that is gone is success.
    ///
    /// # Errors
    /// [`Error`] where the host refuses.
    fn apply(&mut self, change: &Change, facts: &Facts) -> Result<Option<Fact>, Error>;

    /// Tells that links are going to be deleted by [`hasten`](Self::hasten), for who has to be
    /// prepared. May do nothing.
    fn expect_deletions(&mut self, _lock: &Lock) {}

    /// Begins what takes long of these changes, so that it goes on at the same time: programs start
    /// or end, links are deleted together, and rules come or go together. Each change is then made
    /// by [`apply`](Self::apply), which waits for what was begun and tells whether it failed. May
    /// do nothing.
    fn hasten(&mut self, _lock: &Lock, _changes: &[(&Change, &Facts)]) {}
}

/// The part of a host that a definition can be in conflict with, or depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Near {
    /// These links, as far as they are there.
    pub links: Vec<InterfaceName>,
    /// The addresses and routes that overlap one of these subnets, as default routes do, and what
    /// routers have advertised to the host in their families.
    pub nets: Vec<IpNet>,
}

/// What a change tells beyond what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact {
    /// The index of a link.
    Link(u32),
    /// A process: its number, and its start in clock ticks after boot. The start distinguishes it
    /// from a later process with the same number.
    Process {
        /// Its number.
        pid: i32,
        /// When it started.
        start_time: u64,
    },
}

/// Facts of resources, by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts(BTreeMap<Key, Fact>);

impl Facts {
    /// The fact of a resource.
    pub fn get(&self, key: &Key) -> Option<Fact> {
        self.0.get(key).copied()
    }

    /// Records what a change told. Facts of resources that were created anew or deleted are
    /// dropped.
    pub(crate) fn learn(&mut self, change: &Change, fact: Option<Fact>) {
        match change {
            Change::Create { to } => self.set(to.key(), fact),
            Change::Update { to, .. } if fact.is_some() => self.set(to.key(), fact),
            Change::Update { .. } => {}
            Change::Delete { from } => self.set(from.key(), None),
            Change::Rename { from, to } => self.rename_link(from, to),
        }
    }

    /// A renamed link keeps its fact.
    pub(crate) fn rename_link(&mut self, from: &InterfaceName, to: &InterfaceName) {
        self.copy_link(from, to);
        self.set(Key::Link(from.clone()), None);
    }

    /// A link that may have been renamed has its fact under both names.
    pub(crate) fn copy_link(&mut self, from: &InterfaceName, to: &InterfaceName) {
        let fact = self.get(&Key::Link(from.clone()));
        self.set(Key::Link(to.clone()), fact);
    }

    /// The facts of a state's resources.
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
