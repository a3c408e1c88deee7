//! What is installed, read back into the words of [`Ruleset`].

use std::collections::BTreeMap;
use std::fmt;

use vnet_types::InterfaceName;

use super::attribute::{attribute, attributes, text_of, u32_of};
use super::element::{self, Part};
use super::expression::{COUNTER, Expression};
use super::message::{self, DUMP, GET_CHAIN, GET_ELEMENT, GET_GENERATION, GET_RULE, GET_SET, GET_TABLE, TABLE};
use super::message::{NEW_CHAIN, NEW_ELEMENT, NEW_GENERATION, NEW_RULE, NEW_SET, NEW_TABLE};
use super::statement::{NameOf, statements};
use crate::compile::{base_chains, empty_maps};
use crate::name::Role;
use crate::ruleset::{Base, Chain, Element, KeyType, Map, Rule, Ruleset, Verdict};

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
    pub(super) maps: Vec<Map>,
    /// Sets and maps that are none of ours.
    pub(super) others: Vec<String>,
    counts: BTreeMap<(String, usize), Counts>,
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

    /// The requests that list all but the elements of maps. None fails where there is no table.
    pub fn requests() -> Vec<Vec<u8>> {
        let listing = |kind| request(kind, None);
        [GET_TABLE, GET_CHAIN, GET_SET].into_iter().map(listing).chain([request(GET_RULE, Some(None))]).collect()
    }

    /// The requests that list the elements of the maps that are there.
    pub fn element_requests(&self) -> Vec<Vec<u8>> {
        self.maps.iter().map(|map| request(GET_ELEMENT, Some(Some(&map.name)))).collect()
    }

    /// Puts the answers to the requests together. What is of another table or cannot be understood is no error: it is not
    /// in the result, or it is something that no [`Ruleset`] of ours has.
    pub fn decode(messages: &[Vec<u8>], name_of: impl Fn(u32) -> Option<InterfaceName>) -> Self {
        let mut table = Self::default();
        let mut rules: BTreeMap<String, Vec<(Rule, Option<Counts>)>> = BTreeMap::new();
        let mut parts: BTreeMap<String, Vec<Part>> = BTreeMap::new();
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
                NEW_SET => match read_map(message) {
                    Some(map) => table.maps.push(map),
                    None => table.others.extend(attribute(message, 2).and_then(text_of)),
                },
                NEW_RULE => {
                    if let Some(chain) = attribute(message, 2).and_then(text_of) {
                        rules.entry(chain).or_default().push(read_rule(message, &name_of));
                    }
                }
                NEW_ELEMENT => {
                    if let Some(map) = attribute(message, 2).and_then(text_of) {
                        parts.entry(map).or_default().extend(element::read(attribute(message, 3).unwrap_or_default()));
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
        for map in &mut table.maps {
            map.elements = element::assemble(map.key, parts.remove(&map.name).unwrap_or_default(), &name_of);
        }
        table
    }

    /// The share of one network, with the base chains and maps that it needs: equal to what was compiled when nothing has
    /// drifted. `None` when nothing of it is in force.
    pub fn ruleset(&self, network: &str) -> Option<Ruleset> {
        let own = Role::ALL.map(|role| role.chain(network));
        let is_own =
            |element: &&Element| target(&element.verdict).is_some_and(|chain| own.iter().any(|own| own == chain));
        let share = |map: &Map| Map { elements: map.elements.iter().filter(is_own).cloned().collect(), ..map.clone() };
        let maps: Vec<Map> = empty_maps().iter().filter_map(|shared| self.map(&shared.name)).map(share).collect();
        let nothing =
            maps.iter().all(|map| map.elements.is_empty()) && own.iter().all(|name| self.chain(name).is_none());
        if nothing || self.dormant {
            return None;
        }
        let names = base_chains().into_iter().map(|chain| chain.name).chain(own);
        let chains = names.filter_map(|name| self.chain(&name).cloned()).collect();
        Some(Ruleset { network: network.to_owned(), maps, chains })
    }

    /// What the rules of a network have counted, with the chains that they are in.
    pub fn counts(&self, network: &str) -> impl Iterator<Item = (&str, &Rule, Counts)> {
        let own = Role::ALL.map(|role| role.chain(network));
        self.chains.iter().filter(move |chain| own.contains(&chain.name)).flat_map(|chain| {
            chain.rules.iter().enumerate().filter_map(|(at, rule)| {
                let counts = self.counts.get(&(chain.name.clone(), at))?;
                Some((chain.name.as_str(), rule, *counts))
            })
        })
    }

    /// Is everything that is in the table here to be seen, and ours?
    pub(super) fn is_whole(&self) -> bool {
        let seen = self.chains.len() + self.maps.len();
        self.others.is_empty() && self.uses.is_none_or(|uses| usize::try_from(uses).is_ok_and(|uses| uses == seen))
    }

    /// Do the rules and elements that are here to be seen account for all uses of a chain?
    pub(super) fn accounts_for(&self, chain: &Chain) -> bool {
        let elements = self.maps.iter().flat_map(|map| &map.elements);
        let seen = chain.rules.len() + elements.filter(|element| target(&element.verdict) == Some(&chain.name)).count();
        self.chain_uses.get(&chain.name).is_none_or(|uses| usize::try_from(*uses).is_ok_and(|uses| uses == seen))
    }

    pub(super) fn chain(&self, name: &str) -> Option<&Chain> {
        self.chains.iter().find(|chain| chain.name == name)
    }

    pub(super) fn map(&self, name: &str) -> Option<&Map> {
        self.maps.iter().find(|map| map.name == name)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "packets {} bytes {}", self.packets, self.bytes)
    }
}

/// Where an element leads.
pub(super) fn target(verdict: &Verdict) -> Option<&str> {
    match verdict {
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

/// A map, if it is one of the four and made as we make it.
fn read_map(message: &[u8]) -> Option<Map> {
    let name = attribute(message, 2).and_then(text_of)?;
    let number = |kind| attribute(message, kind).and_then(u32_of);
    let map = empty_maps().into_iter().find(|map| map.name == name)?;
    let same = number(3) == Some(map.key.flags()) && number(4) == Some(map.key.number());
    same.then_some(map)
}

fn read_rule(message: &[u8], name_of: NameOf<'_>) -> (Rule, Option<Counts>) {
    let list = attribute(message, 4).unwrap_or_default();
    let expressions: Vec<_> = attributes(list).map(|(_, expression)| Expression::read(expression)).collect();
    let counts = expressions
        .iter()
        .find(|expression| expression.is(&COUNTER))
        .map(|counter| Counts { bytes: counter.u64(1).unwrap_or(0), packets: counter.u64(2).unwrap_or(0) });
    let comment = attribute(message, 7).and_then(read_comment);
    (Rule { statements: statements(&expressions, name_of), comment }, counts)
}

/// User data is a list of type, length, value, a byte each for the first two; type 0 is the comment.
fn read_comment(mut data: &[u8]) -> Option<String> {
    while let [kind, len, rest @ ..] = data {
        let (value, next) = rest.split_at_checked(usize::from(*len))?;
        if *kind == 0 {
            return text_of(value);
        }
        data = next;
    }
    None
}

impl KeyType {
    /// `NFT_SET_MAP`, and `NFT_SET_INTERVAL` for addresses.
    pub(super) fn flags(self) -> u32 {
        match self {
            Self::InterfaceIndex => 0x8,
            Self::Ipv4Address | Self::Ipv6Address => 0x8 | 0x4,
        }
    }

    /// nft's number for the type.
    pub(super) fn number(self) -> u32 {
        match self {
            Self::InterfaceIndex => 20,
            Self::Ipv4Address => 7,
            Self::Ipv6Address => 8,
        }
    }
}
