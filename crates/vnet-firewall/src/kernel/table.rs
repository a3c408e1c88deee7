//! The installed rules, read back as in a [`Ruleset`](crate::Ruleset).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use vnet_types::InterfaceName;

use super::attribute::{attribute, attributes, text_of, u32_of};
use super::element::{self, Piece};
use super::expression::Expression;
use super::message::{self, DUMP, GET_CHAIN, GET_ELEMENT, GET_GENERATION, GET_RULE, GET_SET, GET_TABLE, TABLE};
use super::message::{
    GET_FLOWTABLE, NEW_CHAIN, NEW_ELEMENT, NEW_FLOWTABLE, NEW_GENERATION, NEW_RULE, NEW_SET, NEW_TABLE,
};
use super::recognise::statements;
use super::statement::NameOf;
use super::{flowtable, set, user_data};
use crate::ruleset::{Base, Chain, Flowtable, Key, Rule, Set};
#[cfg(feature = "netlink")]
use crate::shared::LIMIT;
use crate::shared::flowtable as shared_flowtable;

/// The table `inet vnet` as the kernel has it. The default is a host without the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    pub(super) exists: bool,
    /// The generation of the host's rules; the kernel counts transactions.
    pub(super) generation: Option<u32>,
    /// The number of chains, maps and other objects in it, as the kernel counts.
    pub(super) uses: Option<u32>,
    /// For each chain, the number of its rules and of its uses, as the kernel counts.
    pub(super) chain_uses: BTreeMap<String, u32>,
    /// Its base chains are switched off.
    pub(super) dormant: bool,
    pub(super) chains: Vec<Chain>,
    pub(super) sets: Vec<Set>,
    /// The shared flowtable, with the devices of all networks.
    pub(super) flowtable: Option<Flowtable>,
    /// Sets, maps and flowtables that vnet did not make.
    pub(super) others: Vec<String>,
    /// Whether elements of other networks may be missing, except in the listed sets.
    pub(super) partial: bool,
    pub(super) listed: BTreeSet<String>,
    /// The number of elements of each set, as the kernel counts; Linux 6.12 does not tell it.
    pub(super) sizes: BTreeMap<String, usize>,
    pub(super) counts: BTreeMap<(String, usize), Counts>,
    /// The counts of elements, by set, of those sets that count.
    pub(super) element_counts: BTreeMap<String, BTreeMap<Key, Counts>>,
}

/// The counts of a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Counts {
    /// The number of packets.
    pub packets: u64,
    /// The number of bytes, including network headers.
    pub bytes: u64,
}

impl Table {
    /// Reads the table. `dump` sends one request and returns all messages of the answer, each with
    /// its header; `name_of` returns the name of the interface with an index.
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

    /// The request for the generation of the host's rules, which counts transactions.
    pub fn generation_request() -> Vec<u8> {
        let mut bytes = Vec::new();
        message::write(&mut bytes, GET_GENERATION, 0, 0, |_| {});
        bytes
    }

    /// Whether the table was read in the generation that the answer to
    /// [`generation_request`](Self::generation_request) names.
    pub fn is_of(&self, answer: &[Vec<u8>]) -> bool {
        self.generation.is_some() && self.generation == Self::generation_of(answer)
    }

    /// The generation that an answer to [`generation_request`](Self::generation_request) names.
    pub(super) fn generation_of(answer: &[Vec<u8>]) -> Option<u32> {
        Self::decode(answer, |_| None).generation
    }

    /// The requests that list everything except the elements of maps. They do not fail if there is
    /// no table.
    pub fn requests() -> Vec<Vec<u8>> {
        let listing = |kind| request(kind, None);
        [GET_TABLE, GET_CHAIN, GET_SET, GET_FLOWTABLE]
            .into_iter()
            .map(listing)
            .chain([request(GET_RULE, Some(None))])
            .collect()
    }

    /// The requests that list the elements of the existing sets.
    pub fn element_requests(&self) -> Vec<Vec<u8>> {
        self.sets.iter().map(|set| request(GET_ELEMENT, Some(Some(&set.name)))).collect()
    }

    /// Joins the answers to the requests. Objects of another table, and objects that cannot be
    /// understood, are not an error: they are left out, or become something that no
    /// [`Ruleset`](crate::Ruleset) of ours has.
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
                NEW_FLOWTABLE => match flowtable::read(message) {
                    Some(more) if more.name == shared_flowtable([]).name => {
                        let here =
                            table.flowtable.get_or_insert_with(|| Flowtable { devices: Vec::new(), ..more.clone() });
                        here.devices.extend(more.devices);
                        here.devices.sort();
                        here.devices.dedup();
                    }
                    other => table.others.extend(other.map(|it| it.name)),
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
            let mut of_set = BTreeMap::new();
            for (element, counts) in element::assemble(set, pieces.remove(&set.name).unwrap_or_default(), &name_of) {
                of_set.extend(counts.map(|counts| (element.key.clone(), counts)));
                set.elements.push(element);
            }
            if !of_set.is_empty() {
                table.element_counts.insert(set.name.clone(), of_set);
            }
        }
        table
    }

    /// The networks with elements in it.
    pub fn networks(&self) -> BTreeSet<String> {
        self.sets.iter().flat_map(|set| &set.elements).filter_map(super::own::network_of).map(str::to_owned).collect()
    }

    /// Whether it has the shared rules for guests that are limited in what they reach.
    #[cfg(feature = "netlink")]
    pub(crate) fn limits_guests(&self) -> bool {
        self.chain(LIMIT).is_some()
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

/// A request to list all objects of a kind: of every table, of ours, or of one chain or map in
/// ours.
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
