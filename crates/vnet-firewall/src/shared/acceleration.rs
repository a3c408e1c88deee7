//! The flowtable, and which connections get into it.
//!
//! Packets of a connection in the flowtable skip the rules of everybody, so a connection gets there
//! only with a packet that all of them have let through: the chain comes after all others at its
//! hook. A device can be in one flowtable of a table only, and networks have the way out in common,
//! so all networks share one.

use vnet_types::InterfaceName;

use super::{base, find, rule, set};
use crate::ruleset::{
    Chain, Direction, Element, Flowtable, Holds, Interface, Key, KeyType, Part, Set, Statement, Subject,
};

/// Bridge, device beyond it and protocol of the connections.
pub(crate) const ACCELERATED: &str = "accelerated";
/// The base chain.
pub(crate) const ACCELERATE: &str = "accelerate";
const FLOWTABLE: &str = "flows";
/// After the filters of others, whatever their priority usually is.
const AFTER: i32 = 1000;

pub(super) fn sets() -> Vec<Set> {
    vec![set(ACCELERATED, &[KeyType::InterfaceIndex, KeyType::Word, KeyType::Protocol], Holds::Nothing)]
}

pub(super) fn chains() -> Vec<Chain> {
    use Direction::{In, Out};
    let between = |bridge, beyond, what: &str| {
        let key = [Subject::Interface(bridge), Subject::InterfaceName(beyond), Subject::Protocol];
        let mut matches = find(key, ACCELERATED);
        matches.push(Statement::Established);
        rule(matches, Statement::Offload(FLOWTABLE.to_owned()), what)
    };
    let rules = vec![
        between(In, Out, "connections of guests that may skip the rules"),
        between(Out, In, "connections to guests that may skip the rules"),
    ];
    vec![base(ACCELERATE, "filter", 2, AFTER, rules)]
}

/// The flowtable with these devices.
pub(crate) fn flowtable(devices: impl IntoIterator<Item = InterfaceName>) -> Flowtable {
    let mut devices: Vec<InterfaceName> = devices.into_iter().collect();
    devices.sort();
    devices.dedup();
    Flowtable { name: FLOWTABLE.to_owned(), priority: 0, devices }
}

/// The devices that an element of [`ACCELERATED`] names.
pub(crate) fn devices(element: &Element) -> impl Iterator<Item = InterfaceName> {
    let Key(parts) = &element.key;
    parts.iter().filter_map(|part| match part {
        Part::Interface(Interface::Named(name)) => Some(name.clone()),
        Part::Word(name) => name.parse().ok(),
        _ => None,
    })
}
