//! Reads what concerns one network at a cost that does not grow with the number of the others: it
//! asks for objects by name and by key, and does not list them.
//!
//! Unexpected elements are still found. The kernel counts the objects in the table and the uses of
//! a chain. If a chain has more uses than were seen, an unexpected element leads there, and the
//! maps are listed after all.

use std::collections::BTreeSet;

use vnet_types::InterfaceName;

use super::element::{self, ends};
use super::message::{self, GET_CHAIN, GET_ELEMENT, GET_FLOWTABLE, GET_RULE, GET_SET, GET_TABLE, TABLE};
use super::statement::{IndexOf, octets};
use super::table::{Table, request};
use crate::kernel::attribute::attribute;
use crate::name::{Role, word};
use crate::ruleset::{Key, Part, Ruleset, Set};
use crate::shared::{ACCELERATED, NETWORKS, Share, flowtable};

const ELEMENTS: u16 = 3;
/// So many elements of a set are listed with all others faster than asked for one by one.
const MANY: usize = 64;
/// The same for intervals, each of which takes several questions.
const FEW: usize = 6;

impl Table {
    /// Reads only what concerns some networks, of which these rules are expected: enough for their
    /// [`ruleset`](Self::ruleset) and [`counts`](Self::counts), and for a [`Batch`](crate::Batch)
    /// from and to these rules.
    ///
    /// `ask` sends requests and returns all messages of the answers, each with its header, and no
    /// message for an object that does not exist (`ENOENT`), as `vnet_netlink::Netfilter::find_all`
    /// does. `index_of` and `name_of` look up interfaces.
    ///
    /// It does not see an element of another network within the subnets of these; the kernel
    /// refuses to add a second one. Nor does it see an element that somebody else has added, if it
    /// does not lead to a chain of these networks.
    ///
    /// # Errors
    /// Those of `ask`.
    pub fn read_near<E>(
        expected: &[&Ruleset],
        ask: impl FnMut(&[Vec<u8>]) -> Result<Vec<Vec<u8>>, E>,
        index_of: impl Fn(&InterfaceName) -> Option<u32>,
        name_of: impl Fn(u32) -> Option<InterfaceName>,
    ) -> Result<Self, E> {
        Self::near(expected, Scope::Own, ask, index_of, name_of)
    }

    /// As [`read_near`](Self::read_near), for a [`Batch`](crate::Batch) that removes these
    /// networks. It has to know whether other networks still use the shared parts. If the kernel
    /// does not tell the number of elements of a set, this lists the sets that show it.
    ///
    /// # Errors
    /// Those of `ask`.
    pub fn read_leaving<E>(
        expected: &[&Ruleset],
        ask: impl FnMut(&[Vec<u8>]) -> Result<Vec<Vec<u8>>, E>,
        index_of: impl Fn(&InterfaceName) -> Option<u32>,
        name_of: impl Fn(u32) -> Option<InterfaceName>,
    ) -> Result<Self, E> {
        Self::near(expected, Scope::Leaving, ask, index_of, name_of)
    }

    fn near<E>(
        expected: &[&Ruleset],
        scope: Scope,
        mut ask: impl FnMut(&[Vec<u8>]) -> Result<Vec<Vec<u8>>, E>,
        index_of: impl Fn(&InterfaceName) -> Option<u32>,
        name_of: impl Fn(u32) -> Option<InterfaceName>,
    ) -> Result<Self, E> {
        let networks = expected.iter().map(|ruleset| ruleset.network.as_str());
        let own: BTreeSet<String> = networks.flat_map(|name| Role::ALL.map(|role| role.chain(name))).collect();
        let known = expected.iter().flat_map(|ruleset| &ruleset.chains).map(|chain| &chain.name);
        let mut names: BTreeSet<String> = own.iter().chain(known).cloned().collect();
        let shares = Share::ALL.into_iter().filter(|share| *share == Share::Filter || scope == Scope::Leaving);
        names.extend(shares.flat_map(Share::chains).map(|chain| chain.name.clone()));
        let first = [Self::generation_request(), by_name(GET_TABLE, 1, TABLE)].into_iter();
        let mut messages = ask(&first.chain(names.iter().map(|name| by_name(GET_CHAIN, 3, name))).collect::<Vec<_>>())?;
        let listed = Self::decode(&messages, &name_of);
        if !listed.exists {
            return Ok(listed);
        }
        let rules = if listed.is_small() {
            vec![request(GET_RULE, Some(None))]
        } else {
            listed.chains.iter().map(|chain| request(GET_RULE, Some(Some(&chain.name)))).collect()
        };
        messages.extend(ask(&[rules, vec![request(GET_SET, Some(None))]].concat())?);
        let listed = Self::decode(&messages, &name_of);
        if listed.set(ACCELERATED).is_some() {
            messages.extend(ask(&[by_name(GET_FLOWTABLE, 2, &flowtable([]).name)])?);
        }
        let sets = &listed.sets;
        let of_some: BTreeSet<&String> = Share::SOME.into_iter().flat_map(Share::sets).map(|set| &set.name).collect();
        let is_census = |set: &&Set| set.name == NETWORKS || of_some.contains(&set.name);
        // A flowtable has at most 256 devices, which all networks name.
        let is_of_all = |set: &&Set| set.name == ACCELERATED;
        let (census, others): (Vec<&Set>, Vec<&Set>) = sets
            .iter()
            .partition(|set| is_of_all(set) || scope == Scope::Leaving && is_census(set) && listed.is_uncounted(set));
        let (intervals, hashes): (Vec<&Set>, Vec<&Set>) = others.into_iter().partition(|set| set.interval);
        let mut requests: Vec<Vec<u8>> = census.iter().map(|set| request(GET_ELEMENT, Some(Some(&set.name)))).collect();
        let mut is_lost = false;
        let mut whole: BTreeSet<String> = census.iter().map(|set| set.name.clone()).collect();
        for set in hashes {
            // Ask even for a network without expected rules, to learn whether it exists.
            let words = expected.iter().filter(|_| set.name == NETWORKS).map(|ruleset| word(&ruleset.network));
            let words: BTreeSet<Key> = words.map(|word| Key(vec![Part::Word(word)])).collect();
            let keys: BTreeSet<&Key> = keys(set, expected).into_iter().chain(&words).collect();
            if keys.len() > MANY {
                requests.push(request(GET_ELEMENT, Some(Some(&set.name))));
                whole.insert(set.name.clone());
                continue;
            }
            for key in keys {
                match ends(key, &index_of) {
                    Ok((key, _)) => requests.push(by_key(set, &key, false)),
                    // Without its bridge the element has no key to ask for.
                    Err(_) => is_lost = true,
                }
            }
        }
        let mut elements = ask(&requests)?;
        for set in intervals {
            elements.extend(intervals_near(set, expected, &mut ask, &index_of)?);
        }
        let near = [&messages[..], &elements].concat();
        let mut table = Self::decode(&near, &name_of);
        table.partial = true;
        table.listed = whole;
        // A network that is not in the set of names has nothing to be lost.
        let may_be_lost = is_lost && expected.iter().any(|ruleset| table.has(&ruleset.network));
        if !may_be_lost && own.iter().filter_map(|name| table.chain(name)).all(|chain| table.accounts_for(chain)) {
            return Ok(table);
        }
        messages.extend(ask(&table.element_requests())?);
        Ok(Self::decode(&messages, &name_of))
    }
}

/// What to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// The rules of the networks.
    Own,
    /// Also whether other networks use the shared parts.
    Leaving,
}

/// The keys of the rules in a set.
fn keys<'a>(set: &Set, expected: &[&'a Ruleset]) -> BTreeSet<&'a Key> {
    let same = expected.iter().flat_map(|ruleset| &ruleset.sets).filter(|expected| expected.name == set.name);
    same.flat_map(|set| &set.elements).map(|element| &element.key).collect()
}

/// The intervals of a map that have one of the keys of the rules; all intervals if one of the keys
/// lies in another interval.
fn intervals_near<E>(
    set: &Set,
    expected: &[&Ruleset],
    ask: &mut impl FnMut(&[Vec<u8>]) -> Result<Vec<Vec<u8>>, E>,
    index_of: IndexOf<'_>,
) -> Result<Vec<Vec<u8>>, E> {
    let mut messages = Vec::new();
    let keys = keys(set, expected);
    if keys.len() > FEW {
        return ask(&[request(GET_ELEMENT, Some(Some(&set.name)))]);
    }
    for key in keys {
        let Ok((start, end)) = ends(key, index_of) else { continue };
        let first = ask(&[by_key(set, &start, false)])?;
        let starts = is_at(&first, &start);
        let mut exact = starts || first.is_empty();
        let whose_last = match key.0.as_slice() {
            [Part::Subnet(net)] if end.is_none() => ask(&[by_key(set, &octets(net.broadcast()), false)])?,
            _ => Vec::new(),
        };
        exact &= whose_last.is_empty() || is_at(&whose_last, &start);
        if let Some(end) = end {
            // The kernel does not refuse an overlap in which another interval starts inside this
            // one.
            let last = ask(&[by_key(set, &end, true)])?;
            exact &= starts == is_at(&last, &end);
            messages.extend(last.into_iter().filter(|_| starts));
        }
        if !exact {
            return ask(&[request(GET_ELEMENT, Some(Some(&set.name)))]);
        }
        messages.extend(first);
    }
    Ok(messages)
}

fn is_at(answer: &[Vec<u8>], key: &[u8]) -> bool {
    let parts = answer.iter().filter_map(|message| attribute(message::read(message)?.1, ELEMENTS));
    parts.flat_map(element::read).any(|piece| piece.key == key)
}

/// A request for the object of this name; each kind has the name in another attribute.
fn by_name(kind: u8, attribute: u16, name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    message::write(&mut bytes, kind, 0, 0, |attributes| {
        if kind != GET_TABLE {
            attributes.text(1, TABLE);
        }
        attributes.text(attribute, name);
    });
    bytes
}

/// A request for the element that starts, or ends, at a key. For intervals, the kernel answers with
/// the one that contains it.
fn by_key(set: &Set, key: &[u8], is_end: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    message::write(&mut bytes, GET_ELEMENT, 0, 0, |attributes| {
        attributes.text(1, TABLE).text(2, &set.name).nest(ELEMENTS, |list| element::write_piece(key, is_end, list));
    });
    bytes
}
