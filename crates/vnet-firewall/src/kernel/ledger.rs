//! Which network has which rules, so that a network can be read alone.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::Batch;
use super::table::Table;
use crate::name::{OWNED, owner};
use crate::ruleset::Ruleset;
use crate::shared::Share;

/// What is known of all networks in one generation of the host's rules.
///
/// The kernel counts transactions: while the generation is the same, nobody has added an element to
/// a set. A transaction of a [`Firewall`](crate::Firewall) is for one generation, so the ledger is
/// carried over to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Ledger {
    generation: u32,
    /// The digest of the rules of each network that has any, by the prefix of its comments. `None`
    /// when the network may have more than it should.
    networks: BTreeMap<String, Option<u64>>,
}

impl Ledger {
    /// What a listing tells. `None` when an element does not name its network, because it may
    /// belong to any.
    pub(crate) fn of(table: &Table) -> Option<Self> {
        let mut ledger = Self { generation: table.generation?, networks: BTreeMap::new() };
        if table.partial && table.exists {
            return None;
        }
        let shared: Vec<_> = Share::ALL.into_iter().flat_map(Share::elements).collect();
        for set in &table.sets {
            for element in set.elements.iter().filter(|it| !shared.contains(&&(set.name.as_str(), (*it).clone()))) {
                let (network, _) = element.comment.as_deref()?.strip_prefix(OWNED)?.split_once(": ")?;
                ledger.networks.insert(format!("{OWNED}{network}: "), None);
            }
        }
        Some(ledger)
    }

    /// Whether no network has rules.
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty()
    }

    /// What tells the rules of a network from others. `None` when it has none, or may have more
    /// than it should.
    pub fn digest(&self, network: &str) -> Option<u64> {
        self.networks.get(&owner(network)).copied().flatten()
    }

    /// Whether it is about the generation in which a table was read.
    pub(crate) fn is_about(&self, table: &Table) -> bool {
        table.generation == Some(self.generation)
    }

    /// Whether it is about the generation that an answer to [`Table::generation_request`] names.
    pub(crate) fn is_now(&self, answer: &[Vec<u8>]) -> bool {
        Table::generation_of(answer) == Some(self.generation)
    }

    /// Whether a network has these rules and nothing else.
    pub(crate) fn has(&self, ruleset: &Ruleset) -> bool {
        self.networks.get(&owner(&ruleset.network)) == Some(&Some(digest(ruleset)))
    }

    /// Whether all rules of a network are known.
    pub(crate) fn knows(&self, network: &str) -> bool {
        self.digest(network).is_some()
    }

    /// Records all rules of a network.
    pub(crate) fn note(&mut self, ruleset: &Ruleset) {
        self.networks.insert(owner(&ruleset.network), Some(digest(ruleset)));
    }

    /// The ledger after a transaction that was made for this generation.
    pub(crate) fn after(mut self, batch: &Batch, from: &[&Ruleset], to: &[&Ruleset]) -> Self {
        if !batch.is_empty() {
            // The kernel skips 0.
            self.generation = self.generation.checked_add(1).unwrap_or(1);
        }
        let digests = |all: &[&Ruleset]| -> BTreeMap<String, u64> {
            all.iter().map(|ruleset| (owner(&ruleset.network), digest(ruleset))).collect()
        };
        let (from, to) = (digests(from), digests(to));
        for network in from.keys().chain(to.keys()).collect::<BTreeSet<_>>() {
            let is_known = match self.networks.get(network) {
                Some(digested) => digested.is_some() && *digested == from.get(network).copied(),
                None => true,
            };
            match to.get(network) {
                None if is_known => drop(self.networks.remove(network)),
                to => drop(self.networks.insert(network.clone(), to.copied().filter(|_| is_known))),
            }
        }
        self
    }
}

/// Another release of Rust may make another one: then the table is listed once more.
fn digest(ruleset: &Ruleset) -> u64 {
    let mut hasher = DefaultHasher::new();
    ruleset.hash(&mut hasher);
    hasher.finish()
}
