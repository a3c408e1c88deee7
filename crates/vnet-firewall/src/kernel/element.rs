//! Elements of maps. An interval is two elements for the kernel: one where it starts, with the verdict, and a marked one
//! where it is over.

use std::net::IpAddr;

use vnet_types::{Family, InterfaceName, IpNet};

use super::attribute::{Writer, attribute, attributes, u32_of};
use super::expression::{Value, read_data, write_bytes, write_verdict};
use super::statement::{IndexOf, NameOf, index, interface, ip, octets};
use crate::ruleset::{Element, Key, KeyType, Verdict};

const LIST_ELEMENT: u16 = 1;
const KEY: u16 = 1;
const DATA: u16 = 2;
const FLAGS: u16 = 3;
const INTERVAL_END: u32 = 1;

/// What the kernel knows as one element.
pub(super) struct Part {
    pub(super) key: Vec<u8>,
    /// `None`: an interval is over here.
    verdict: Option<Verdict>,
}

/// Writes an element to a list of elements.
///
/// # Errors
/// The interface that has no index.
pub(super) fn write<'a>(element: &'a Element, index_of: IndexOf<'_>) -> Result<Vec<u8>, &'a InterfaceName> {
    let (start, end) = ends(&element.key, index_of)?;
    let mut bytes = Vec::new();
    let mut list = Writer(&mut bytes);
    list.nest(LIST_ELEMENT, |part| {
        part.nest(KEY, |key| write_bytes(&start, key)).nest(DATA, |data| write_verdict(&element.verdict, data));
    });
    if let Some(end) = end {
        list.nest(LIST_ELEMENT, |part| {
            part.u32(FLAGS, INTERVAL_END).nest(KEY, |key| write_bytes(&end, key));
        });
    }
    Ok(bytes)
}

/// Where a key starts, and where an interval is over, if it is before the last address.
///
/// # Errors
/// The interface that has no index.
pub(super) fn ends<'a>(key: &'a Key, index_of: IndexOf<'_>) -> Result<(Vec<u8>, Option<Vec<u8>>), &'a InterfaceName> {
    Ok(match key {
        Key::Interface(interface) => (index(interface, index_of)?.to_ne_bytes().to_vec(), None),
        Key::Subnet(net) => (octets(net.network()), after(net.broadcast()).map(octets)),
        Key::Range(first, last) => (octets(*first), after(*last).map(octets)),
    })
}

/// Writes a list of the one part that starts here, or of the one that marks an end here.
pub(super) fn write_part(key: &[u8], is_end: bool, list: &mut Writer<'_>) {
    list.nest(LIST_ELEMENT, |part| {
        if is_end {
            part.u32(FLAGS, INTERVAL_END);
        }
        part.nest(KEY, |inner| write_bytes(key, inner));
    });
}

/// Is there a packet that both are the key of?
pub(super) fn meet(one: &Key, other: &Key) -> bool {
    match (addresses(one), addresses(other)) {
        (Some((first, last)), Some((other_first, other_last))) => first <= other_last && other_first <= last,
        _ => one == other,
    }
}

fn addresses(key: &Key) -> Option<(IpAddr, IpAddr)> {
    match key {
        Key::Interface(_) => None,
        Key::Subnet(net) => Some((net.network(), net.broadcast())),
        Key::Range(first, last) => Some((*first, *last)),
    }
}

/// Reads a list of elements.
pub(super) fn read(list: &[u8]) -> impl Iterator<Item = Part> {
    attributes(list).filter_map(|(_, part)| {
        let Value::Bytes(key) = read_data(attribute(part, KEY)?)? else { return None };
        let flags = attribute(part, FLAGS).and_then(u32_of).unwrap_or(0);
        let verdict = match attribute(part, DATA).and_then(read_data) {
            Some(Value::Verdict(verdict)) if flags & INTERVAL_END == 0 => Some(verdict),
            _ => None,
        };
        Some(Part { key, verdict })
    })
}

/// Puts the parts of one map together.
pub(super) fn assemble(kind: KeyType, mut parts: Vec<Part>, name_of: NameOf<'_>) -> Vec<Element> {
    // Where one interval ends and the next starts, the end comes first.
    parts.sort_by(|one, other| (&one.key, one.verdict.is_some()).cmp(&(&other.key, other.verdict.is_some())));
    let family = if kind == KeyType::Ipv4Address { Family::Ipv4 } else { Family::Ipv6 };
    let mut elements: Vec<Element> = parts
        .iter()
        .enumerate()
        .filter_map(|(at, part)| {
            let key = match kind {
                KeyType::InterfaceIndex => {
                    let index = u32::from_ne_bytes(part.key.as_slice().try_into().ok()?);
                    Key::Interface(interface(index, name_of))
                }
                KeyType::Ipv4Address | KeyType::Ipv6Address => {
                    let last = parts.get(at + 1).and_then(|next| before(ip(family, &next.key)?));
                    range(ip(family, &part.key)?, last.unwrap_or(highest(family)))
                }
            };
            Some(Element { key, verdict: part.verdict.clone()? })
        })
        .collect();
    elements.sort();
    elements
}

fn range(first: IpAddr, last: IpAddr) -> Key {
    (0..=Family::of(first).bits())
        .filter_map(|prefix| IpNet::new(first, prefix).ok())
        .find(|net| net.network() == first && net.broadcast() == last)
        .map_or(Key::Range(first, last), Key::Subnet)
}

fn highest(family: Family) -> IpAddr {
    match family {
        Family::Ipv4 => [u8::MAX; 4].into(),
        Family::Ipv6 => [u8::MAX; 16].into(),
    }
}

fn after(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => address.to_bits().checked_add(1).map(|bits| IpAddr::V4(bits.into())),
        IpAddr::V6(address) => address.to_bits().checked_add(1).map(|bits| IpAddr::V6(bits.into())),
    }
}

fn before(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => address.to_bits().checked_sub(1).map(|bits| IpAddr::V4(bits.into())),
        IpAddr::V6(address) => address.to_bits().checked_sub(1).map(|bits| IpAddr::V6(bits.into())),
    }
}
