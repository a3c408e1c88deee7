//! Sets and verdict maps, without their elements.

use vnet_types::Family;

use super::attribute::{Writer, attribute, text_of, u32_of};
use super::expression::{COUNTER, Expression};
use super::message::TABLE;
use crate::ruleset::{Holds, KeyType, Set};
use crate::shared::{Share, size};

/// The type number that stands for a verdict as data (`NFT_DATA_VERDICT`).
const DATA_VERDICT: u32 = 0xffff_ff00;
const INTERVAL: u32 = 0x4;
const MAP: u32 = 0x8;
/// The number of bits of a type in nft(8)'s number of a concatenation.
const TYPE_BITS: u32 = 6;
const NAME: u16 = 2;
const FLAGS: u16 = 3;
const KEY_TYPE: u16 = 4;
const DATA_TYPE: u16 = 6;
const DESCRIPTION: u16 = 9;
const SIZE: u16 = 1;
const EXPRESSION: u16 = 17;

/// Writes the attributes of a new set; `number` is different for each set of a transaction.
pub(super) fn write(set: &Set, number: u32, to: &mut Writer<'_>) {
    to.text(1, TABLE).text(NAME, &set.name).be32(FLAGS, flags(set)).be32(KEY_TYPE, key_type(set)).be32(5, key_len(set));
    match set.holds {
        Holds::Verdict => {
            to.be32(DATA_TYPE, DATA_VERDICT).be32(7, 0);
        }
        Holds::Target(family) => {
            let data = target(family);
            to.be32(DATA_TYPE, type_of(&data)).be32(7, len_of(&data));
        }
        Holds::Nothing | Holds::Counter => {}
    }
    if let Some(size) = size(&set.name) {
        to.nest(DESCRIPTION, |description| {
            description.be32(SIZE, size);
        });
    }
    to.be32(10, number).bytes(13, &user_data(set));
    if set.holds == Holds::Counter {
        to.nest(EXPRESSION, |counter| Expression::new(&COUNTER, []).write(counter));
    }
}

/// A set, if it is one of ours and declared as we declare it. How large it can be makes no
/// difference for packets, and is not changed while it is there.
pub(super) fn read(message: &[u8]) -> Option<Set> {
    let name = attribute(message, NAME).and_then(text_of)?;
    let number = |kind| attribute(message, kind).and_then(u32_of);
    let set = Share::ALL.into_iter().flat_map(Share::sets).find(|set| set.name == name)?.clone();
    let counts = attribute(message, EXPRESSION).is_some_and(|expression| Expression::read(expression).is(&COUNTER));
    let leads = match set.holds {
        Holds::Target(family) => number(DATA_TYPE) == Some(type_of(&target(family))),
        _ => true,
    };
    let same = leads
        && number(FLAGS).unwrap_or(0) == flags(&set)
        && number(KEY_TYPE) == Some(key_type(&set))
        && counts == (set.holds == Holds::Counter);
    same.then_some(set)
}

/// Each part of a concatenated key starts at a multiple of four bytes.
pub(super) fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn flags(set: &Set) -> u32 {
    let map = if matches!(set.holds, Holds::Verdict | Holds::Target(_)) { MAP } else { 0 };
    map | if set.interval { INTERVAL } else { 0 }
}

fn key_type(set: &Set) -> u32 {
    type_of(&set.key)
}

fn key_len(set: &Set) -> u32 {
    len_of(&set.key)
}

/// What a map of new destinations has.
fn target(family: Family) -> [KeyType; 2] {
    let address = match family {
        Family::Ipv4 => KeyType::Ipv4Address,
        Family::Ipv6 => KeyType::Ipv6Address,
    };
    [address, KeyType::Port]
}

fn type_of(types: &[KeyType]) -> u32 {
    types.iter().fold(0, |number, kind| number << TYPE_BITS | kind.number())
}

fn len_of(types: &[KeyType]) -> u32 {
    match types {
        [one] => one.len(),
        several => several.iter().map(|kind| kind.len().next_multiple_of(4)).sum(),
    }
}

/// What nft(8) stores with a set and needs to show its keys: the byte order of keys (1 the host's,
/// 2 the network's, none for a concatenation, which is marked as one) and of data, and that
/// elements are not merged.
fn user_data(set: &Set) -> Vec<u8> {
    let order = match set.key.as_slice() {
        [KeyType::Word | KeyType::Family | KeyType::InterfaceIndex | KeyType::Protocol] => 1,
        [KeyType::Ipv4Address | KeyType::Ipv6Address | KeyType::Port] => 2,
        _ => 0,
    };
    let mut data = vec![0, 4, order, 0, 0, 0];
    if set.key.len() > 1 {
        data.extend([3, 8, 0, 4, 13, 0, 0, 0, 1, 0]);
    }
    if set.holds == Holds::Verdict {
        data.extend([1, 4, 0, 0, 0, 0, 6, 4, 0, 0, 0, 0]);
    }
    if matches!(set.holds, Holds::Target(_)) {
        data.extend([1, 4, 0, 0, 0, 0, 4, 8, 0, 4, 13, 0, 0, 0, 1, 0, 6, 4, 0, 0, 0, 0]);
    }
    data
}

impl KeyType {
    /// Its length in bytes.
    pub(super) fn len(self) -> u32 {
        match self {
            Self::Family | Self::Protocol => 1,
            Self::Port => 2,
            Self::InterfaceIndex | Self::Ipv4Address => 4,
            Self::Word | Self::Ipv6Address => 16,
        }
    }

    /// nft's number for the type.
    fn number(self) -> u32 {
        match self {
            Self::Family => 2,
            Self::Ipv4Address => 7,
            Self::Ipv6Address => 8,
            Self::Protocol => 12,
            Self::Port => 13,
            Self::InterfaceIndex => 20,
            Self::Word => 41,
        }
    }
}
