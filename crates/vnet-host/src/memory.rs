//! A host that is only a value: for tests of anyone who plans.

use std::collections::BTreeSet;

use vnet_plan::{Change, HostState, Key, Resource, Zone};
use vnet_types::Inventory;

use crate::{Error, Fact, Facts, Host};

/// Models what a host has, refuses as a kernel does, and fails when it is told to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryHost {
    /// What there is.
    pub state: HostState,
    /// What the inventory says of everything else.
    pub inventory: Inventory,
    /// The changes that fail, counted from 0 over the host's life.
    pub faults: BTreeSet<usize>,
    /// Changes that were asked for so far.
    pub asked: usize,
}

impl Host for MemoryHost {
    fn inventory(&self) -> Result<Inventory, Error> {
        Ok(self.inventory.clone())
    }

    fn observe(&self, expected: &HostState, _: &Facts) -> Result<HostState, Error> {
        let there = expected.iter().filter_map(|resource| self.state.get(&resource.key()));
        Ok(there.filter(|resource| self.has_zone_of(resource)).cloned().collect())
    }

    fn apply(&mut self, change: &Change, _: &Facts) -> Result<Option<Fact>, Error> {
        let number = self.asked;
        self.asked += 1;
        if self.faults.contains(&number) {
            return Err(Error::Injected);
        }
        let there = self.state.get(&change.key()).is_some();
        match change {
            Change::Create { to } if there || !self.has_link_of(to) => return Err(Error::Unexpected(to.key())),
            Change::Create { to } | Change::Update { to, .. } if !self.has_zone_of(to) => {
                return Err(Error::Unexpected(to.key()));
            }
            Change::Update { from, .. } if !there => return Err(Error::Unexpected(from.key())),
            Change::Delete { from: Resource::Link(link) } => {
                let gone: Vec<Key> =
                    self.state.iter().map(Resource::key).filter(|key| key.link() == Some(&link.name)).collect();
                gone.iter().for_each(|key| drop(self.state.remove(key)));
            }
            Change::Create { .. } | Change::Update { .. } | Change::Delete { .. } => {}
        }
        change.apply_to(&mut self.state);
        Ok(None)
    }
}

impl MemoryHost {
    /// Is it no zone of firewalld, or one that there is?
    fn has_zone_of(&self, resource: &Resource) -> bool {
        let Resource::Zone(Zone { zone, .. }) = resource else { return true };
        self.inventory.firewalld.as_ref().is_some_and(|firewalld| firewalld.zones.contains_key(zone))
    }

    fn has_link_of(&self, resource: &Resource) -> bool {
        resource.key().link().is_none_or(|name| {
            let made = self.state.get(&Key::Link(name.clone())).is_some();
            made || self.inventory.links.iter().any(|link| link.name == *name)
        })
    }
}
