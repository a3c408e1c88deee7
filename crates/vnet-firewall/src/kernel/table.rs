//! What is installed, read back into the words of [`Ruleset`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use vnet_types::InterfaceName;

use super::attribute::{attribute, attributes, text_of, u32_of};
use super::element::{self, Piece};
use super::expression::Expression;
use super::message::{self, DUMP, GET_CHAIN, GET_ELEMENT, GET_GENERATION, GET_RULE, GET_SET, GET_TABLE, TABLE};
use super::message::{NEW_CHAIN, NEW_ELEMENT, NEW_GENERATION, NEW_RULE, NEW_SET, NEW_TABLE};
use super::statement::{NameOf, statements};
use super::{set, user_data};
use crate::name::{OWNED, Role, owner};
use crate::ruleset::{Base, Chain, Element, Key, Part, Rule, Ruleset, Set, Verdict};
use crate::shared::{BRIDGES, Share};

/// The table `inet vnet` as the kernel has it. The default is a host that has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    pub(super) exists: bool,
    /// Which state of the host's rules this was; the kernel counts transactions.
    pub(super) generation: Option<u32>,
    /// How many chains, maps and other things are in it, as the kernel counts.
    uses: Option<u32>,
    /// How many rules a chain has and how many lead to it, as the kernel counts.
    chain_uses: BTreeMap<String, u32>,
    /// Its base chains are switched off.
    pub(super) dormant: bool,
    pub(super) chains: Vec<Chain>,
    pub(super) sets: Vec<Set>,
    /// Sets and maps that are none of ours.
    pub(super) others: Vec<String>,
    /// Whether elements of networks that were not asked for may be missing, but in these sets.
    pub(super) partial: bool,
    pub(super) listed: BTreeSet<String>,
    /// How many elements a set has, as the kernel counts; Linux 6.12 does not say.
    sizes: BTreeMap<String, usize>,
    counts: BTreeMap<(String, usize), Counts>,
    element_counts: BTreeMap<(String, Key), Counts>,
}

/// What a rule has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Counts {
    /// How many packets.
    pub packets: u64,
    /// How many bytes they had, network headers included.
    pub bytes: u64,
}

impl Table {
    /// Reads the table. `dump` sends one request and returns all messages of the answer, each with its header;
    /// `name_of` tells the name of the interface that has an index.
    ///
    /// # Errors
    /// Those of `dump`.
    pub fn read<E>(
        mut dump: impl FnMut(&[u8]) -> Result<Vec<Vec<u8>>, E>,
        name_of: impl Fn(u32) -> Option<InterfaceName>,
    ) -> Result<Self, E> {
        let mut messages = Vec::new();
        for request in [Self::generation_request()].into_iter().chain(Self::requests()) {
            messages.extend(dump(&request)?);
        }
        let listed = Self::decode(&messages, &name_of);
        for request in listed.element_requests() {
            messages.extend(dump(&request)?);
        }
        Ok(Self::decode(&messages, name_of))
    }

    /// The request for the number of the state that the host's rules are in: it counts transactions.
    pub fn generation_request() -> Vec<u8> {
        let mut bytes = Vec::new();
        message::write(&mut bytes, GET_GENERATION, 0, 0, |_| {});
        bytes
    }

    /// Was the table read in the state that the answer to [`generation_request`](Self::generation_request) names?
    pub fn is_of(&self, answer: &[Vec<u8>]) -> bool {
        self.generation.is_some() && self.generation == Self::decode(answer, |_| None).generation
    }

    /// Were both read in the same state?
    #[cfg(feature = "netlink")]
    pub(crate) fn is_as_old_as(&self, other: &Self) -> bool {
        self.generation.is_some() && self.generation == other.generation
    }

    /// The requests that list all but the elements of maps. None fails where there is no table.
    pub fn requests() -> Vec<Vec<u8>> {
        let listing = |kind| request(kind, None);
        [GET_TABLE, GET_CHAIN, GET_SET].into_iter().map(listing).chain([request(GET_RULE, Some(None))]).collect()
    }

    /// The requests that list the elements of the sets that are there.
    pub fn element_requests(&self) -> Vec<Vec<u8>> {
        self.sets.iter().map(|set| request(GET_ELEMENT, Some(Some(&set.name)))).collect()
    }

    /// Puts the answers to the requests together. What is of another table or cannot be understood is no error: it is not
    /// in the result, or it is something that no [`Ruleset`] of ours has.
    pub fn decode(messages: &[Vec<u8>], name_of: impl Fn(u32) -> Option<InterfaceName>) -> Self {
        let mut table = Self::default();
        let mut rules: BTreeMap<String, Vec<(Rule, Option<Counts>)>> = BTreeMap::new();
        let mut pieces: BTreeMap<String, Vec<Piece>> = BTreeMap::new();
        for (kind, message) in messages.iter().filter_map(|message| message::read(message)) {
            if kind == NEW_GENERATION {
                table.generation = attribute(message, 1).and_then(u32_of);
                continue;
            }
            if attribute(message, 1).and_then(text_of).as_deref() != Some(TABLE) {
                continue;
            }
            match kind {
                NEW_TABLE => {
                    table.exists = true;
                    table.uses = attribute(message, 3).and_then(u32_of);
                    table.dormant = attribute(message, 2).and_then(u32_of).is_some_and(|flags| flags & 1 != 0);
                }
                NEW_CHAIN => {
                    if let Some(chain) = read_chain(message) {
                        let uses = attribute(message, 6).and_then(u32_of);
                        table.chain_uses.extend(uses.map(|uses| (chain.name.clone(), uses)));
                        table.chains.push(chain);
                    }
                }
                NEW_SET => match set::read(message) {
                    Some(set) => {
                        let size = attribute(message, 20).and_then(u32_of).and_then(|size| usize::try_from(size).ok());
                        table.sizes.extend(size.map(|size| (set.name.clone(), size)));
                        table.sets.push(set);
                    }
                    None => table.others.extend(attribute(message, 2).and_then(text_of)),
                },
                NEW_RULE => {
                    if let Some(chain) = attribute(message, 2).and_then(text_of) {
                        rules.entry(chain).or_default().push(read_rule(message, &name_of));
                    }
                }
                NEW_ELEMENT => {
                    if let Some(set) = attribute(message, 2).and_then(text_of) {
                        pieces.entry(set).or_default().extend(element::read(attribute(message, 3).unwrap_or_default()));
                    }
                }
                _ => {}
            }
        }
        for chain in &mut table.chains {
            for (at, (rule, counts)) in rules.remove(&chain.name).into_iter().flatten().enumerate() {
                chain.rules.push(rule);
                table.counts.extend(counts.map(|counts| ((chain.name.clone(), at), counts)));
            }
        }
        for set in &mut table.sets {
            for (element, counts) in element::assemble(set, pieces.remove(&set.name).unwrap_or_default(), &name_of) {
                let counts = counts.map(|counts| ((set.name.clone(), element.key.clone()), counts));
                table.element_counts.extend(counts);
                set.elements.push(element);
            }
        }
        table
    }

    /// The share of one network, with the chains and sets that it needs: equal to what was compiled when nothing has
    /// drifted. `None` when nothing of it is in force.
    pub fn ruleset(&self, network: &str) -> Option<Ruleset> {
        let owner = self.owner(network);
        let own = |set: &Set| -> Vec<Element> {
            set.elements.iter().filter(|element| owner.owns(element)).cloned().collect()
        };
        let has =
            |share: Share| share.sets().iter().any(|set| self.set(&set.name).is_some_and(|set| !own(set).is_empty()));
        let chains: Vec<Chain> = owner.chains.iter().filter_map(|name| self.chain(name)).cloned().collect();
        let translates = has(Share::Translation) || chains.iter().any(|chain| Role::Nat.is_of(&chain.name));
        if self.dormant || !has(Share::Filter) && !translates && chains.is_empty() {
            return None;
        }
        let mut ruleset = Ruleset { network: network.to_owned(), sets: Vec::new(), chains: Vec::new() };
        let shares = Share::ALL.into_iter().filter(|share| *share == Share::Filter || translates);
        let shared: Vec<_> = shares.clone().flat_map(Share::elements).collect();
        for share in shares {
            for set in share.sets().iter().filter_map(|set| self.set(&set.name)) {
                let is_shared =
                    |element: &&Element| shared.iter().any(|(name, it)| *name == set.name && it == *element);
                let elements = set.elements.iter().filter(|it| owner.owns(it) || is_shared(it));
                ruleset.sets.push(Set { elements: elements.cloned().collect(), ..set.clone() });
            }
            ruleset.chains.extend(share.chains().iter().filter_map(|chain| self.chain(&chain.name)).cloned());
        }
        ruleset.chains.extend(chains);
        Some(ruleset)
    }

    /// What the rules of a network have counted, with the chain that each is in, or the set that stands for it.
    pub fn counts(&self, network: &str) -> impl Iterator<Item = (String, Rule, Counts)> {
        let owner = self.owner(network);
        let shared = Ruleset { network: network.to_owned(), sets: Vec::new(), chains: self.shared_chains() };
        let mut counted = Vec::new();
        for set in &self.sets {
            for element in set.elements.iter().filter(|element| owner.owns(element)) {
                let counts = self.element_counts.get(&(set.name.clone(), element.key.clone()));
                let rule = shared.stands_for(set, element);
                counted.extend(rule.zip(counts).map(|(rule, counts)| (set.name.clone(), rule, *counts)));
            }
        }
        for chain in owner.chains.iter().filter_map(|name| self.chain(name)) {
            counted.extend(chain.rules.iter().enumerate().filter_map(|(at, rule)| {
                let counts = self.counts.get(&(chain.name.clone(), at))?;
                Some((chain.name.clone(), rule.clone(), *counts))
            }));
        }
        counted.into_iter()
    }

    fn shared_chains(&self) -> Vec<Chain> {
        let names = Share::ALL.into_iter().flat_map(Share::chains);
        names.filter_map(|chain| self.chain(&chain.name)).cloned().collect()
    }

    /// By what a network's elements are known.
    pub(super) fn owner(&self, network: &str) -> Owner {
        let mut owner =
            Owner { prefix: owner(network), chains: Role::ALL.map(|role| role.chain(network)), bridges: Vec::new() };
        let bridges = self.set(BRIDGES).into_iter().flat_map(|set| &set.elements);
        owner.bridges =
            bridges.filter(|element| owner.owns(element)).flat_map(|element| element.key.0.clone()).collect();
        owner
    }

    /// Is everything that is in the table here to be seen, and ours?
    pub(super) fn is_whole(&self) -> bool {
        let seen = self.chains.len() + self.sets.len();
        self.others.is_empty() && self.uses.is_none_or(|uses| usize::try_from(uses).is_ok_and(|uses| uses == seen))
    }

    /// What is shared and as it should be, in the state that was read.
    #[cfg(feature = "netlink")]
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

    /// Is a network there, whatever it has?
    #[cfg(feature = "netlink")]
    pub(crate) fn has(&self, network: &str) -> bool {
        let owner = self.owner(network);
        self.sets.iter().flat_map(|set| &set.elements).any(|element| owner.owns(element))
    }

    /// Are there so few chains that all rules are listed at once faster than those of some?
    pub(super) fn is_small(&self) -> bool {
        self.uses.is_some_and(|uses| uses <= 48)
    }

    /// Are all elements of a set here to be seen?
    pub(super) fn sees_all_of(&self, set: &Set) -> bool {
        let is_size = |size: &usize| *size == 0 || !set.interval && *size == set.elements.len();
        !self.partial || self.listed.contains(&set.name) || self.sizes.get(&set.name).is_some_and(is_size)
    }

    /// Does nobody but the kernel know how many elements a set has?
    pub(super) fn is_uncounted(&self, set: &Set) -> bool {
        self.sizes.get(&set.name).is_none_or(|size| *size > 0 && set.interval)
    }

    /// Do the rules and elements that are here to be seen account for all uses of a chain?
    pub(super) fn accounts_for(&self, chain: &Chain) -> bool {
        let elements = self.sets.iter().flat_map(|set| &set.elements);
        let seen = chain.rules.len() + elements.filter(|element| target(element) == Some(&chain.name)).count();
        self.chain_uses.get(&chain.name).is_none_or(|uses| usize::try_from(*uses).is_ok_and(|uses| uses == seen))
    }

    pub(super) fn chain(&self, name: &str) -> Option<&Chain> {
        self.chains.iter().find(|chain| chain.name == name)
    }

    pub(super) fn set(&self, name: &str) -> Option<&Set> {
        self.sets.iter().find(|set| set.name == name)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "packets {} bytes {}", self.packets, self.bytes)
    }
}

/// What was found as it should be, and when.
#[cfg(feature = "netlink")]
#[derive(Debug)]
pub(crate) struct Intact {
    /// Nothing but what is shared.
    pub(crate) table: Table,
    pub(crate) shares: Vec<Share>,
}

#[cfg(feature = "netlink")]
impl Intact {
    /// The same after a transaction that was made for this state. It has left these shares intact; with a network that goes
    /// or changes, others may have gone.
    pub(crate) fn after(mut self, batch: &super::Batch, removed: bool, shares: Vec<Share>) -> Self {
        if !batch.is_empty() {
            // The kernel does without 0.
            self.table.generation = self.table.generation.map(|generation| generation.checked_add(1).unwrap_or(1));
        }
        let known = self.shares.len();
        self.shares.retain(|share| !batch.removes(*share));
        let removed = removed || self.shares.len() < known;
        self.shares.extend(shares);
        if self.table.exists && !removed {
            return self;
        }
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

/// By what the elements of a network are known: the comment, the chain they lead to, and, where nobody else's comment is on them,
/// the bridge.
pub(super) struct Owner {
    prefix: String,
    pub(super) chains: [String; 3],
    bridges: Vec<Part>,
}

impl Owner {
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

/// The network that an element is of, as its comment has it.
pub(super) fn network_of(element: &Element) -> Option<&str> {
    element.comment.as_deref()?.strip_prefix(OWNED)?.split(':').next()
}

/// Where an element leads.
pub(super) fn target(element: &Element) -> Option<&str> {
    match element.verdict.as_ref()? {
        Verdict::Jump(chain) | Verdict::Goto(chain) => Some(chain),
        Verdict::Accept | Verdict::Drop | Verdict::Return | Verdict::Other(_) => None,
    }
}

/// A request to list all of a kind: of every table, of ours, or of one chain or map in ours.
pub(super) fn request(kind: u8, table: Option<Option<&str>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    message::write(&mut bytes, kind, DUMP, 0, |attributes| {
        if let Some(part) = table {
            attributes.text(1, TABLE);
            if let Some(part) = part {
                attributes.text(2, part);
            }
        }
    });
    bytes
}

fn read_chain(message: &[u8]) -> Option<Chain> {
    let number = |buffer, kind| attribute(buffer, kind).and_then(u32_of);
    let base = |hook| {
        Some(Base {
            kind: attribute(message, 7).and_then(text_of)?,
            hook: number(hook, 1)?,
            priority: number(hook, 2)?.cast_signed(),
            policy: number(message, 5)?,
        })
    };
    let name = attribute(message, 3).and_then(text_of)?;
    Some(Chain { name, base: attribute(message, 4).and_then(base), rules: Vec::new() })
}

fn read_rule(message: &[u8], name_of: NameOf<'_>) -> (Rule, Option<Counts>) {
    let list = attribute(message, 4).unwrap_or_default();
    let expressions: Vec<_> = attributes(list).map(|(_, expression)| Expression::read(expression)).collect();
    let counts = expressions.iter().find_map(Expression::counts);
    let comment = attribute(message, 7).and_then(user_data::read_comment);
    (Rule { statements: statements(&expressions, name_of), comment }, counts)
}
