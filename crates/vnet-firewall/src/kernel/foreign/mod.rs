//! The rules of others, and whether they accept what a network promises.
//!
//! This reads all tables of the kernel but ours, and follows a packet through the base chains of
//! its hook. Each of them can refuse the packet, even if others accept it. If the verdict depends
//! on something that cannot be known in advance (a limit, a mark, a set of more than one field),
//! the judgement is [`Judgement::Unsure`].

mod explain;
mod frames;
mod meddle;
mod packet;
mod registers;
mod walk;
mod xtables;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use vnet_types::InterfaceName;

use super::attribute::{attribute, attributes, text_of, u32_of};
use super::expression::{Expression, Value, read_data};
use super::message::{self, DUMP, GET_CHAIN, GET_ELEMENT, GET_RULE, GET_SET, GET_TABLE, HEADER, TABLE};
use super::message::{NEW_CHAIN, NEW_ELEMENT, NEW_RULE, NEW_SET, NEW_TABLE};
use super::recognise::statements;
use super::statement::NameOf;
use crate::ruleset::{Rule, Verdict};

pub use explain::{Deed, ExplainedEnd, ExplainedStep, Explanation};
pub use frames::FrameRule;
pub use meddle::{Around, Meddling, MeddlingAct};
pub use packet::{Carried, CtState, Hook, Packet};
#[cfg(feature = "netlink")]
pub(super) use walk::family_word;

/// The rules of a host that do not belong to vnet.
#[derive(Clone, Debug, Default)]
pub struct Foreign {
    chains: BTreeMap<Name, Chain>,
    sets: BTreeMap<Name, Set>,
}

/// The verdict of the rules of others on a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// They accept it.
    Passes,
    /// They refuse it, here.
    Refused(Site),
    /// They may refuse it, here; that depends on something that cannot be known in advance.
    Unsure(Site),
}

/// A place in a ruleset that refuses a packet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Site {
    /// The family and the name of the table, as in `ip filter`.
    pub table: String,
    /// The chain.
    pub chain: String,
    /// The rule, as far as vnet can print it, with its handle; `None` if the chain's policy refuses
    /// the packet.
    pub rule: Option<String>,
}

/// Family, table, and name of a chain or set.
type Name = (u8, String, String);

#[derive(Clone, Debug)]
struct Chain {
    /// Hook and priority, and whether the policy drops.
    base: Option<(u32, i32, bool)>,
    /// The links of a base chain of the family `netdev`.
    devices: Vec<String>,
    /// A base chain that translates.
    is_nat: bool,
    rules: Vec<ForeignRule>,
}

#[derive(Clone, Debug)]
struct ForeignRule {
    expressions: Vec<Expression>,
    text: String,
}

#[derive(Clone, Debug, Default)]
struct Set {
    is_interval: bool,
    /// Its keys have more than one field, each with a range.
    is_concatenated: bool,
    key_len: usize,
    elements: Vec<Element>,
}

#[derive(Clone, Debug)]
struct Element {
    /// `None`: any that is not listed.
    key: Option<Vec<u8>>,
    is_end: bool,
    verdict: Option<Verdict>,
    /// What a map holds that has no verdicts.
    data: Option<Vec<u8>>,
}

const INTERVAL: u32 = 0x4;
const CONCATENATED: u32 = 0x80;
const ELEMENT_END: u32 = 1;
const ELEMENT_CATCH_ALL: u32 = 2;

impl Foreign {
    /// Reads all tables but ours. `dump` sends one request and returns all messages of the answer,
    /// each with its header; `name_of` returns the name of the interface with an index.
    ///
    /// # Errors
    /// Those of `dump`.
    pub fn read<E>(
        dump: impl FnMut(&[u8]) -> Result<Vec<Vec<u8>>, E>,
        name_of: impl Fn(u32) -> Option<InterfaceName>,
    ) -> Result<Self, E> {
        Self::read_but(dump, name_of, Some(TABLE))
    }

    /// Reads all tables, ours among them.
    ///
    /// # Errors
    /// Those of `dump`.
    pub fn read_all<E>(
        dump: impl FnMut(&[u8]) -> Result<Vec<Vec<u8>>, E>,
        name_of: impl Fn(u32) -> Option<InterfaceName>,
    ) -> Result<Self, E> {
        Self::read_but(dump, name_of, None)
    }

    fn read_but<E>(
        mut dump: impl FnMut(&[u8]) -> Result<Vec<Vec<u8>>, E>,
        name_of: impl Fn(u32) -> Option<InterfaceName>,
        left_out: Option<&str>,
    ) -> Result<Self, E> {
        let mut messages = Vec::new();
        for kind in [GET_TABLE, GET_CHAIN, GET_SET, GET_RULE] {
            messages.extend(dump(&request(kind, 0, &[]))?);
        }
        let mut foreign = Self::decode(&messages, &name_of, left_out);
        let sets: Vec<Name> = foreign.sets.keys().cloned().collect();
        for name in sets {
            for message in dump(&request(GET_ELEMENT, name.0, &[&name.1, &name.2]))? {
                if let (Some((_, NEW_ELEMENT, message)), Some(set)) = (open(&message), foreign.sets.get_mut(&name)) {
                    set.elements
                        .extend(attributes(attribute(message, 3).unwrap_or_default()).map(|(_, part)| element(part)));
                }
            }
        }
        for set in foreign.sets.values_mut() {
            // If one interval ends where the next starts, the end comes first.
            set.elements.sort_by(|one, other| (&one.key, !one.is_end).cmp(&(&other.key, !other.is_end)));
        }
        Ok(foreign)
    }

    fn decode(messages: &[Vec<u8>], name_of: NameOf<'_>, left_out: Option<&str>) -> Self {
        let mut foreign = Self::default();
        let mut dormant = BTreeSet::new();
        for (family, kind, message) in messages.iter().filter_map(|message| open(message)) {
            let Some(table) = attribute(message, 1).and_then(text_of) else { continue };
            let text = |number| attribute(message, number).and_then(text_of);
            let number = |number| attribute(message, number).and_then(u32_of);
            if left_out == Some(&table) && family == 1 {
                continue;
            }
            match kind {
                NEW_TABLE if number(2).is_some_and(|flags| flags & 1 != 0) => drop(dormant.insert((family, table))),
                NEW_CHAIN => {
                    let hook = attribute(message, 4);
                    let base = hook.and_then(|hook| {
                        let priority = attribute(hook, 2).and_then(u32_of)?.cast_signed();
                        Some((attribute(hook, 1).and_then(u32_of)?, priority, number(5) == Some(0)))
                    });
                    let devices = hook.map(frames::devices).unwrap_or_default();
                    let Some(name) = text(3) else { continue };
                    let is_nat = text(7).as_deref() == Some("nat");
                    foreign.chains.insert((family, table, name), Chain { base, devices, is_nat, rules: Vec::new() });
                }
                NEW_RULE => {
                    let chain = text(2).and_then(|chain| foreign.chains.get_mut(&(family, table, chain)));
                    if let Some(chain) = chain {
                        chain.rules.push(rule(message, name_of));
                    }
                }
                NEW_SET => {
                    let (Some(name), flags) = (text(2), number(3).unwrap_or(0)) else { continue };
                    let set = Set {
                        is_interval: flags & INTERVAL != 0,
                        is_concatenated: flags & CONCATENATED != 0,
                        key_len: number(5).and_then(|len| usize::try_from(len).ok()).unwrap_or(0),
                        elements: Vec::new(),
                    };
                    foreign.sets.insert((family, table, name), set);
                }
                _ => {}
            }
        }
        // Packets do not pass the chains of a table that is switched off.
        foreign.chains.retain(|(family, table, _), _| !dormant.contains(&(*family, table.clone())));
        foreign
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, chain, rule } = self;
        match rule {
            Some(rule) => write!(f, "rule `{rule}` of chain `{chain}` in table `{table}`"),
            None => write!(f, "policy of chain `{chain}` in table `{table}`"),
        }
    }
}

fn request(kind: u8, family: u8, names: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    message::write(&mut bytes, kind, DUMP, 0, |attributes| {
        for (number, name) in (1..).zip(names) {
            attributes.text(number, name);
        }
    });
    bytes[HEADER - 4] = family;
    bytes
}

/// The family, kind and attributes of a message of the subsystem.
pub(super) fn open(message: &[u8]) -> Option<(u8, u8, &[u8])> {
    let (header, attributes) = message.split_first_chunk::<HEADER>()?;
    let [_, kind] = u16::from_ne_bytes([header[4], header[5]]).to_be_bytes();
    Some((header[HEADER - 4], kind, attributes))
}

fn rule(message: &[u8], name_of: NameOf<'_>) -> ForeignRule {
    let list = attribute(message, 4).unwrap_or_default();
    let expressions: Vec<_> = attributes(list).map(|(_, expression)| Expression::read(expression)).collect();
    let mut text = Rule { statements: statements(&expressions, name_of), comment: None }.to_string();
    if let Some(handle) = attribute(message, 3).and_then(super::attribute::u64_of) {
        text = format!("{text} # handle {handle}");
    }
    ForeignRule { expressions, text }
}

fn element(part: &[u8]) -> Element {
    let flags = attribute(part, 3).and_then(u32_of).unwrap_or(0);
    let key = match attribute(part, 1).and_then(read_data) {
        Some(Value::Bytes(key)) if flags & ELEMENT_CATCH_ALL == 0 => Some(key),
        _ => None,
    };
    let (verdict, data) = match attribute(part, 2).and_then(read_data) {
        Some(Value::Verdict(verdict)) => (Some(verdict), None),
        Some(Value::Bytes(data)) => (None, Some(data)),
        _ => (None, None),
    };
    Element { key, is_end: flags & ELEMENT_END != 0, verdict, data }
}
