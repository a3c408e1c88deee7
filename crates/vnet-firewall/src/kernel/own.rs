//! The parts of the table that belong to a network.

use std::collections::BTreeSet;

use super::table::{Counts, Table};
use crate::name::{OWNED, Role, owner};
use crate::ruleset::{Chain, Element, Part, Rule, Ruleset, Set, Verdict};
use crate::shared::{ACCELERATED, BRIDGES, NETWORKS, Share};

impl Table {
    /// The rules of one network, with the shared chains and sets that it needs. They equal the
    /// compiled rules if nothing has drifted. `None` if no part of the network is installed.
    pub fn ruleset(&self, network: &str) -> Option<Ruleset> {
        let owner = self.owner(network);
        self.assemble(network, &owner.chains, |set| set.elements.iter().filter(|it| owner.owns(it)).collect())
    }

    /// The rules of one network, which has these chains, and in each set the elements that `own`
    /// returns, in order.
    pub(super) fn assemble<'t>(
        &'t self,
        network: &str,
        own_chains: &[String],
        own: impl Fn(&'t Set) -> Vec<&'t Element>,
    ) -> Option<Ruleset> {
        let has = |share: Share| {
            let sets = share.sets().iter().filter_map(|set| self.set(&set.name));
            sets.into_iter().any(|set| !own(set).is_empty())
        };
        let chains: Vec<Chain> = own_chains.iter().filter_map(|name| self.chain(name)).cloned().collect();
        let translates = has(Share::Translation) || chains.iter().any(|chain| Role::Nat.is_of(&chain.name));
        let limits = has(Share::Egress) || chains.iter().any(|chain| Role::Limit.is_of(&chain.name));
        if self.dormant || !has(Share::Filter) && !translates && !limits && chains.is_empty() {
            return None;
        }
        let mut ruleset =
            Ruleset { network: network.to_owned(), sets: Vec::new(), chains: Vec::new(), flowtable: None };
        let needs = |share: &Share| match share {
            Share::Filter => true,
            Share::Translation => translates,
            Share::Forwarding => has(Share::Forwarding),
            Share::Egress => limits,
            Share::Acceleration => has(Share::Acceleration),
        };
        let shares = Share::ALL.into_iter().filter(needs);
        let shared: Vec<_> = shares.clone().flat_map(Share::elements).collect();
        for share in shares {
            for set in share.sets().iter().filter_map(|set| self.set(&set.name)) {
                let mut elements = own(set);
                for (_, element) in shared.iter().filter(|(name, _)| *name == set.name) {
                    elements.extend(set.elements.iter().find(|it| *it == element));
                }
                elements.sort_by(|one, other| one.key.cmp(&other.key));
                let elements = elements.into_iter().cloned().collect();
                ruleset.sets.push(Set { name: set.name.clone(), key: set.key.clone(), elements, ..*set });
            }
            ruleset.chains.extend(share.chains().iter().filter_map(|chain| self.chain(&chain.name)).cloned());
        }
        ruleset.chains.extend(chains);
        ruleset.flowtable = self.flowtable_of(self.set(ACCELERATED).map(own).unwrap_or_default());
        Some(ruleset)
    }

    /// The counts of a network's rules, each with its chain, or with the set that it is an element
    /// of.
    pub fn counts(&self, network: &str) -> impl Iterator<Item = (String, Rule, Counts)> {
        let owner = self.owner(network);
        self.count(&owner.chains, |set| set.elements.iter().filter(|it| owner.owns(it)).collect()).into_iter()
    }

    /// The counts of the rules in these chains, and of the elements that `own` returns for each
    /// set.
    pub(super) fn count<'t>(
        &'t self,
        own_chains: &[String],
        own: impl Fn(&'t Set) -> Vec<&'t Element>,
    ) -> Vec<(String, Rule, Counts)> {
        let shared = self.shared_chains();
        let mut counted = Vec::new();
        for set in &self.sets {
            let Some(of_set) = self.element_counts.get(&set.name) else { continue };
            for element in own(set) {
                let counts = of_set.get(&element.key);
                let rule = counts.and_then(|_| element.stands_for(set, shared.iter().copied()));
                counted.extend(rule.zip(counts).map(|(rule, counts)| (set.name.clone(), rule, *counts)));
            }
        }
        for chain in own_chains.iter().filter_map(|name| self.chain(name)) {
            counted.extend(chain.rules.iter().enumerate().filter_map(|(at, rule)| {
                let counts = self.counts.get(&(chain.name.clone(), at))?;
                Some((chain.name.clone(), rule.clone(), *counts))
            }));
        }
        counted
    }

    fn shared_chains(&self) -> Vec<&Chain> {
        Share::ALL.into_iter().flat_map(Share::chains).filter_map(|chain| self.chain(&chain.name)).collect()
    }

    /// How to recognise a network's elements.
    pub(super) fn owner(&self, network: &str) -> Owner {
        let mut owner = Owner::new(network);
        let bridges = self.set(BRIDGES).into_iter().flat_map(|set| &set.elements);
        owner.bridges =
            bridges.filter(|element| owner.owns(element)).flat_map(|element| element.key.0.clone()).collect();
        owner
    }

    /// Whether any element of a network is installed.
    pub(crate) fn has(&self, network: &str) -> bool {
        let owner = self.owner(network);
        self.sets.iter().flat_map(|set| &set.elements).any(|element| owner.owns(element))
    }
}

/// Recognises the elements of a network: by their comment, by the chain they lead to, and, without
/// the comment of another network, by the bridge.
pub(super) struct Owner {
    pub(super) prefix: String,
    pub(super) chains: [String; 4],
    bridges: Vec<Part>,
}

impl Owner {
    /// Without the bridges.
    pub(super) fn new(network: &str) -> Self {
        Self { prefix: owner(network), chains: Role::ALL.map(|role| role.chain(network)), bridges: Vec::new() }
    }

    pub(super) fn owns(&self, element: &Element) -> bool {
        if target(element).is_some_and(|chain| self.chains.iter().any(|own| own == chain)) {
            return true;
        }
        match element.comment.as_deref() {
            Some(comment) if comment.starts_with(OWNED) => comment.starts_with(&self.prefix),
            _ => element.key.0.iter().any(|part| self.bridges.contains(part)),
        }
    }
}

/// The network of an element, from its comment.
pub(super) fn network_of(element: &Element) -> Option<&str> {
    element.comment.as_deref()?.strip_prefix(OWNED)?.split(':').next()
}

/// The chain that an element leads to.
pub(super) fn target(element: &Element) -> Option<&str> {
    match element.verdict.as_ref()? {
        Verdict::Jump(chain) | Verdict::Goto(chain) => Some(chain),
        Verdict::Accept | Verdict::Drop | Verdict::Return | Verdict::Other(_) => None,
    }
}

/// What the table has of these networks.
pub(super) fn owners<'r>(installed: &Table, all: impl IntoIterator<Item = &'r Ruleset>) -> Vec<Owner> {
    let networks: BTreeSet<&str> = all.into_iter().map(|ruleset| ruleset.network.as_str()).collect();
    networks.into_iter().map(|network| installed.owner(network)).collect()
}

pub(super) fn is_own(own: &[Owner], element: &Element) -> bool {
    own.iter().any(|own| own.owns(element))
}

/// Whether no other network needs a share, as far as the read table shows.
pub(super) fn is_idle(share: Share, installed: &Table, own: &[Owner]) -> bool {
    let sets: Vec<&Set> = share.sets().iter().filter_map(|set| installed.set(&set.name)).collect();
    let mut census = sets.iter().filter(|set| share != Share::Filter || set.name == NETWORKS);
    let mut others = sets.iter().flat_map(|set| &set.elements).filter(|element| !is_own(own, element));
    others.all(|element| network_of(element).is_none()) && census.all(|set| installed.sees_all_of(set))
}
