//! A host in memory, for tests of code that plans.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::discriminant;

use vnet_plan::{Change, HostState, Key, Resource, Zone};
use vnet_types::{InterfaceName, Inventory, Link};

use crate::{Error, Fact, Facts, Host, Namespace};

/// Stores what a host has, refuses as a kernel does, and fails on request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryHost {
    /// The resources.
    pub state: HostState,
    /// The inventory of everything else.
    pub inventory: Inventory,
    /// The changes that fail, counted from 0 over the host's life.
    pub faults: BTreeSet<usize>,
    /// The number of changes that were asked for so far.
    pub asked: usize,
    /// The indexes of links that changes have made.
    pub indexes: BTreeMap<InterfaceName, u32>,
}

impl Host for MemoryHost {
    fn inventory(&self) -> Result<Inventory, Error> {
        Ok(self.inventory.clone())
    }

    fn namespace(&self) -> Result<Namespace, Error> {
        Ok(Namespace::new(0, 1))
    }

    fn locate(&self, link: &Link, fact: Option<Fact>) -> Result<Option<(InterfaceName, Fact)>, Error> {
        let fact_of = |name: &InterfaceName| Fact::Link(self.indexes.get(name).copied().unwrap_or_default());
        let same = |it: &&Link| discriminant(&it.kind) == discriminant(&link.kind);
        let found = self.state.links().filter(same).find(|it| match fact {
            Some(fact) => fact_of(&it.name) == fact,
            None => it.name == link.name && it.mac == link.mac,
        });
        Ok(found.map(|it| (it.name.clone(), fact_of(&it.name))))
    }

    fn observe(&self, expected: &HostState, _: &Facts) -> Result<HostState, Error> {
        let there = expected.iter().filter_map(|resource| self.state.get(&resource.key()));
        Ok(there.filter(|resource| self.has_zone_of(resource)).cloned().collect())
    }

    fn apply(&mut self, change: &Change, facts: &Facts) -> Result<Option<Fact>, Error> {
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
            Change::Rename { from, to } => {
                let is_taken = self.state.get(&Key::Link(to.clone())).is_some();
                if !there || is_taken {
                    return Err(Error::Unexpected(change.key()));
                }
                if let Some(index) = self.indexes.remove(from) {
                    self.indexes.insert(to.clone(), index);
                }
            }
            Change::Delete { from: Resource::Link(link) } => {
                if self.locate(link, facts.get(&change.key()))?.is_none_or(|(name, _)| name != link.name) {
                    return Ok(None);
                }
                self.indexes.remove(&link.name);
                let gone: Vec<Key> =
                    self.state.iter().map(Resource::key).filter(|key| key.link() == Some(&link.name)).collect();
                gone.iter().for_each(|key| drop(self.state.remove(key)));
            }
            Change::Create { .. } | Change::Update { .. } | Change::Delete { .. } => {}
        }
        change.apply_to(&mut self.state);
        let Change::Create { to: Resource::Link(link) } = change else { return Ok(None) };
        let index = u32::try_from(self.asked).expect("a test makes few changes");
        self.indexes.insert(link.name.clone(), index);
        Ok(Some(Fact::Link(index)))
    }
}

impl MemoryHost {
    /// Whether this is not a zone of firewalld, or one that exists.
    fn has_zone_of(&self, resource: &Resource) -> bool {
        let Resource::Zone(Zone { zone, .. }) = resource else { return true };
        self.inventory.firewalld.as_ref().is_some_and(|firewalld| firewalld.zones.contains_key(zone))
    }

    fn has_link_of(&self, resource: &Resource) -> bool {
        resource.key().link().is_none_or(|name| {
            let made = self.state.get(&Key::Link(name.clone())).is_some();
            let of_relay =
                |it: &Resource| matches!(it, Resource::Relay(it) if it.ends.iter().any(|end| end.link == *name));
            made || self.state.iter().any(of_relay) || self.inventory.links.iter().any(|link| link.name == *name)
        })
    }
}
