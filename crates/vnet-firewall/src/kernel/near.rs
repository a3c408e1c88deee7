//! Reading what concerns one network at a cost that does not grow with the number of the others: things are asked for by
//! name and by key, not listed.
//!
//! What nobody would ask for is not overlooked. The kernel counts what is in the table and what leads to a chain: where
//! that is more than was seen, an element that nobody expected leads there, and the maps are listed after all.

use std::collections::BTreeSet;

use vnet_types::InterfaceName;

use super::element::{self, ends};
use super::message::{self, GET_CHAIN, GET_ELEMENT, GET_RULE, GET_SET, GET_TABLE, TABLE};
use super::statement::{IndexOf, octets};
use super::table::{Table, request};
use crate::compile::{base_chains, empty_maps};
use crate::kernel::attribute::attribute;
use crate::name::Role;
use crate::ruleset::{Key, Map, Ruleset};

const ELEMENTS: u16 = 3;

impl Table {
    /// Reads what concerns some networks, of which these rules are expected: enough for their [`ruleset`](Self::ruleset) and
    /// [`counts`](Self::counts), and for a [`Batch`](crate::Batch) from and to these rules. Nothing else is to be seen.
    ///
    /// `ask` sends one request and returns all messages of the answer, each with its header; none where the kernel says
    /// that there is no such thing (`ENOENT`). `index_of` and `name_of` know the interfaces.
    ///
    /// An element that another network has within the subnets of these is not seen: the kernel refuses to add a second.
    ///
    /// # Errors
    /// Those of `ask`.
    pub fn read_near<E>(
        expected: &[&Ruleset],
        mut ask: impl FnMut(&[u8]) -> Result<Vec<Vec<u8>>, E>,
        index_of: impl Fn(&InterfaceName) -> Option<u32>,
        name_of: impl Fn(u32) -> Option<InterfaceName>,
    ) -> Result<Self, E> {
        let mut messages = ask(&Self::generation_request())?;
        let table = ask(&by_name(GET_TABLE, 1, TABLE))?;
        if table.is_empty() {
            return Ok(Self::decode(&messages, name_of));
        }
        messages.extend(table);
        let own: BTreeSet<String> =
            expected.iter().flat_map(|ruleset| Role::ALL.map(|role| role.chain(&ruleset.network))).collect();
        for name in base_chains().iter().map(|chain| &chain.name).chain(&own) {
            let chain = ask(&by_name(GET_CHAIN, 3, name))?;
            if !chain.is_empty() {
                messages.extend(chain);
                messages.extend(ask(&request(GET_RULE, Some(Some(name))))?);
            }
        }
        let mut elements = Vec::new();
        for map in empty_maps() {
            let known = ask(&by_name(GET_SET, 2, &map.name))?;
            if !known.is_empty() {
                messages.extend(known);
                elements.extend(elements_near(&map, expected, &mut ask, &index_of)?);
            }
        }
        let near = [&messages[..], &elements].concat();
        let table = Self::decode(&near, &name_of);
        if own.iter().filter_map(|name| table.chain(name)).all(|chain| table.accounts_for(chain)) {
            return Ok(table);
        }
        for request in table.element_requests() {
            messages.extend(ask(&request)?);
        }
        Ok(Self::decode(&messages, &name_of))
    }
}

/// The elements of a map that have one of the keys of the rules; all where one of the keys lies in another element.
fn elements_near<E>(
    map: &Map,
    expected: &[&Ruleset],
    ask: &mut impl FnMut(&[u8]) -> Result<Vec<Vec<u8>>, E>,
    index_of: IndexOf<'_>,
) -> Result<Vec<Vec<u8>>, E> {
    let same = expected.iter().flat_map(|ruleset| &ruleset.maps).filter(|expected| expected.name == map.name);
    let keys: BTreeSet<&Key> = same.flat_map(|map| &map.elements).map(|element| &element.key).collect();
    let mut messages = Vec::new();
    for key in keys {
        // Without its bridge it has no key to ask for.
        let Ok((start, end)) = ends(key, index_of) else { continue };
        let first = ask(&by_key(map, &start, false))?;
        let starts = is_at(&first, &start);
        let mut exact = starts || first.is_empty();
        let whose_last = match key {
            Key::Subnet(net) if end.is_none() => ask(&by_key(map, &octets(net.broadcast()), false))?,
            _ => Vec::new(),
        };
        exact &= whose_last.is_empty() || is_at(&whose_last, &start);
        if let Some(end) = end {
            // One that is over here and starts later would be swallowed: the kernel does not refuse that.
            let last = ask(&by_key(map, &end, true))?;
            exact &= starts == is_at(&last, &end);
            messages.extend(last.into_iter().filter(|_| starts));
        }
        if !exact {
            return ask(&request(GET_ELEMENT, Some(Some(&map.name))));
        }
        messages.extend(first);
    }
    Ok(messages)
}

fn is_at(answer: &[Vec<u8>], key: &[u8]) -> bool {
    let parts = answer.iter().filter_map(|message| attribute(message::read(message)?.1, ELEMENTS));
    parts.flat_map(element::read).any(|part| part.key == key)
}

/// A request for the one thing of this name; the attribute that has the name differs from kind to kind.
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

/// A request for the element that starts, or that is over, at a key. Of intervals, the kernel answers with the one around it.
fn by_key(map: &Map, key: &[u8], is_end: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    message::write(&mut bytes, GET_ELEMENT, 0, 0, |attributes| {
        attributes.text(1, TABLE).text(2, &map.name).nest(ELEMENTS, |list| element::write_part(key, is_end, list));
    });
    bytes
}
