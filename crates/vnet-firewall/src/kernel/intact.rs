//! The state in which a firewall left the table. With it, the firewall adds the next network
//! without reading.

use super::Batch;
use super::table::Table;
use crate::ruleset::{Element, Ruleset};
use crate::shared::Share;

impl Table {
    /// The shared parts that were intact when the table was read.
    pub(crate) fn intact(&self) -> Option<Intact> {
        let is_intact = |share: &Share| {
            let chains = share.chains().iter().all(|chain| self.chain(&chain.name) == Some(chain));
            let sets = share.sets().iter().all(|set| self.set(&set.name).is_some());
            let elements = share.elements();
            let has =
                |(set, element): &(&str, Element)| self.set(set).is_some_and(|set| set.elements.contains(element));
            chains && sets && elements.iter().all(has)
        };
        let shares = Share::ALL.into_iter().filter(|_| !self.dormant).filter(is_intact).collect();
        Some(Intact { table: Self { generation: Some(self.generation?), ..Self::default() }, shares })
    }
}

/// The shared parts that were intact in a generation of the rules.
#[derive(Debug)]
pub(crate) struct Intact {
    /// The table with its shared parts only.
    pub(crate) table: Table,
    pub(crate) shares: Vec<Share>,
}

impl Intact {
    /// Whether a network's shared parts are intact. What is known of the table does not say which
    /// devices its flowtable has.
    pub(crate) fn has_parts_of(&self, ruleset: &Ruleset) -> bool {
        ruleset.flowtable.is_none() && Share::of(ruleset).iter().all(|share| self.shares.contains(share))
    }

    /// The state after a transaction that was made for this one. It left these shares intact;
    /// removing or changing a network may have removed others.
    pub(crate) fn after(mut self, batch: &Batch, removed: bool, shares: Vec<Share>) -> Self {
        if !batch.is_empty() {
            // The kernel skips 0.
            self.table.generation = self.table.generation.map(|generation| generation.checked_add(1).unwrap_or(1));
        }
        let known = self.shares.len();
        self.shares.retain(|share| !batch.removes(*share));
        let removed = removed || self.shares.len() < known;
        self.shares.extend(shares);
        if self.table.exists && !removed {
            return self;
        }
        self.whole()
    }

    /// With the shared parts in the table.
    pub(crate) fn whole(mut self) -> Self {
        self.table = Table { exists: true, partial: true, generation: self.table.generation, ..Table::default() };
        for share in Share::ALL.into_iter().filter(|share| self.shares.contains(share)) {
            self.table.chains.extend_from_slice(share.chains());
            self.table.sets.extend_from_slice(share.sets());
            for (name, element) in share.elements() {
                let set = self.table.sets.iter_mut().find(|set| set.name == *name);
                set.expect("all are shared with the first").elements.push(element.clone());
            }
        }
        self
    }
}
