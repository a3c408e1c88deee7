//! The table with its elements by network, for those who ask about many networks.

use std::collections::{BTreeMap, BTreeSet};

use super::own::{Owner, target};
use super::table::{Counts, Table};
use crate::name::OWNED;
use crate::ruleset::{Element, Part, Rule, Ruleset, Set};
use crate::shared::BRIDGES;

/// A [`Table`] that answers for each network as fast, however many others there are.
#[derive(Clone, Debug)]
pub struct Networks {
    table: Table,
    /// Elements by the chain that they lead to.
    by_chain: BTreeMap<String, Vec<Place>>,
    /// Elements by the network in their comment.
    by_comment: BTreeMap<String, Vec<Place>>,
    /// Elements without a network in their comment, by each part of their key.
    by_part: BTreeMap<Part, Vec<Place>>,
}

/// The number of a set in the table, and of an element in the set.
type Place = (usize, usize);

impl Networks {
    /// The table.
    #[cfg(feature = "netlink")]
    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    /// The rules of one network, as [`Table::ruleset`].
    pub fn ruleset(&self, network: &str) -> Option<Ruleset> {
        let (owner, own) = self.own(network);
        self.table.assemble(network, &owner.chains, |set| self.elements(&own, set))
    }

    /// The counts of a network's rules, as [`Table::counts`].
    pub fn counts(&self, network: &str) -> Vec<(String, Rule, Counts)> {
        let (owner, own) = self.own(network);
        self.table.count(&owner.chains, |set| self.elements(&own, set))
    }

    /// The elements of a network.
    fn own(&self, network: &str) -> (Owner, BTreeSet<Place>) {
        let owner = Owner::new(network);
        let of_comment = self.by_comment.get(&owner.prefix).into_iter().flatten();
        let to_chains = owner.chains.iter().filter_map(|chain| self.by_chain.get(chain)).flatten();
        let mut own: BTreeSet<Place> = of_comment.chain(to_chains).copied().collect();
        let bridges = own.iter().filter(|(set, _)| self.table.sets[*set].name == BRIDGES);
        let parts: Vec<&Part> = bridges.flat_map(|(set, at)| &self.table.sets[*set].elements[*at].key.0).collect();
        own.extend(parts.into_iter().filter_map(|part| self.by_part.get(part)).flatten());
        (owner, own)
    }

    /// Those of them in a set of the table.
    fn elements<'t>(&'t self, own: &BTreeSet<Place>, set: &Set) -> Vec<&'t Element> {
        let Some(number) = self.table.sets.iter().position(|it| std::ptr::eq(it, set)) else { return Vec::new() };
        let places = own.range((number, 0)..(number + 1, 0));
        places.map(|(_, at)| &self.table.sets[number].elements[*at]).collect()
    }
}

impl From<Table> for Networks {
    fn from(table: Table) -> Self {
        let (mut by_chain, mut by_comment, mut by_part) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (number, set) in table.sets.iter().enumerate() {
            for (at, element) in set.elements.iter().enumerate() {
                let place = (number, at);
                if let Some(chain) = target(element) {
                    by_chain.entry(chain.to_owned()).or_insert_with(Vec::new).push(place);
                }
                let comment = element.comment.as_deref().filter(|comment| comment.starts_with(OWNED));
                match comment.map(|comment| comment.split_once(": ")) {
                    Some(Some((network, _))) => {
                        by_comment.entry(format!("{network}: ")).or_insert_with(Vec::new).push(place);
                    }
                    Some(None) => {}
                    None => {
                        for part in element.key.0.iter().cloned() {
                            by_part.entry(part).or_insert_with(Vec::new).push(place);
                        }
                    }
                }
            }
        }
        Self { table, by_chain, by_comment, by_part }
    }
}
