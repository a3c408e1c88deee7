//! Elements of sets. The kernel stores an interval as two elements: one at its start, with the
//! verdict, and a marked one behind its end.

use std::net::{IpAddr, SocketAddr};

use vnet_types::{Family, InterfaceName, IpNet};

use super::attribute::{Writer, attribute, attributes, text_of, u32_of};
use super::expression::{Expression, Value, read_data, write_bytes, write_verdict};
use super::set::padded;
use super::statement::{IndexOf, NameOf, index, interface, ip, l4proto, nfproto, octets};
use super::table::Counts;
use super::user_data;
use crate::ruleset::{Element, Key, KeyType, Part, Set, Transport, Verdict};

const LIST_ELEMENT: u16 = 1;
const KEY: u16 = 1;
const DATA: u16 = 2;
const FLAGS: u16 = 3;
const USER_DATA: u16 = 6;
const EXPRESSION: u16 = 7;
const INTERVAL_END: u32 = 1;

/// One element of the kernel.
pub(super) struct Piece {
    pub(super) key: Vec<u8>,
    /// An interval ends before this key.
    is_end: bool,
    verdict: Option<Verdict>,
    target: Option<SocketAddr>,
    comment: Option<String>,
    counts: Option<Counts>,
}

/// Writes an element to a list of elements.
///
/// # Errors
/// The name of an interface without an index.
pub(super) fn write<'a>(element: &'a Element, index_of: IndexOf<'_>) -> Result<Vec<u8>, &'a InterfaceName> {
    let (start, end) = ends(&element.key, index_of)?;
    let mut bytes = Vec::new();
    let mut list = Writer::new(&mut bytes);
    list.nest(LIST_ELEMENT, |piece| {
        piece.nest(KEY, |key| write_bytes(&start, key));
        if let Some(verdict) = &element.verdict {
            piece.nest(DATA, |data| write_verdict(verdict, data));
        }
        if let Some(target) = &element.target {
            let bytes = [padded(octets(target.ip())), padded(target.port().to_be_bytes().to_vec())].concat();
            piece.nest(DATA, |data| write_bytes(&bytes, data));
        }
        if let Some(comment) = &element.comment {
            piece.bytes(USER_DATA, &user_data::comment(comment));
        }
    });
    if let Some(end) = end {
        list.nest(LIST_ELEMENT, |piece| {
            piece.be32(FLAGS, INTERVAL_END).nest(KEY, |key| write_bytes(&end, key));
        });
    }
    Ok(bytes)
}

/// Where a key starts, and where an interval is over, if it is before the last address.
///
/// # Errors
/// The name of an interface without an index.
pub(super) fn ends<'a>(key: &'a Key, index_of: IndexOf<'_>) -> Result<(Vec<u8>, Option<Vec<u8>>), &'a InterfaceName> {
    let mut start = Vec::new();
    let mut end = None;
    for part in &key.0 {
        let bytes = match part {
            Part::Word(word) => {
                let mut bytes = word.as_bytes().to_vec();
                bytes.resize(16, 0);
                bytes
            }
            Part::Family(family) => vec![nfproto(*family)],
            Part::Interface(interface) => index(interface, index_of)?.to_ne_bytes().to_vec(),
            Part::Address(address) => octets(*address),
            Part::Subnet(net) => {
                end = after(net.broadcast()).map(octets);
                octets(net.network())
            }
            Part::Range(first, last) => {
                end = after(*last).map(octets);
                octets(*first)
            }
            Part::Protocol(transport) => vec![l4proto(*transport)],
            Part::Port(port) => port.to_be_bytes().to_vec(),
        };
        start.extend(if key.0.len() > 1 { padded(bytes) } else { bytes });
    }
    Ok((start, end))
}

/// Writes a list with one piece: the one that starts here, or the one that marks an end here.
pub(super) fn write_piece(key: &[u8], is_end: bool, list: &mut Writer<'_>) {
    list.nest(LIST_ELEMENT, |piece| {
        if is_end {
            piece.be32(FLAGS, INTERVAL_END);
        }
        piece.nest(KEY, |inner| write_bytes(key, inner));
    });
}

/// Whether one packet can match both keys.
pub(super) fn meet(one: &Key, other: &Key) -> bool {
    match (addresses(one), addresses(other)) {
        (Some((first, last)), Some((other_first, other_last))) => first <= other_last && other_first <= last,
        _ => one == other,
    }
}

fn addresses(key: &Key) -> Option<(IpAddr, IpAddr)> {
    match key.0.as_slice() {
        [Part::Subnet(net)] => Some((net.network(), net.broadcast())),
        [Part::Range(first, last)] => Some((*first, *last)),
        _ => None,
    }
}

/// Reads a list of elements.
pub(super) fn read(list: &[u8]) -> impl Iterator<Item = Piece> {
    attributes(list).filter_map(|(_, piece)| {
        let Value::Bytes(key) = read_data(attribute(piece, KEY)?)? else { return None };
        let flags = attribute(piece, FLAGS).and_then(u32_of).unwrap_or(0);
        let (verdict, target) = match attribute(piece, DATA).and_then(read_data) {
            Some(Value::Verdict(verdict)) => (Some(verdict), None),
            Some(Value::Bytes(bytes)) => (None, target(&bytes)),
            _ => (None, None),
        };
        let comment = attribute(piece, USER_DATA).and_then(user_data::read_comment);
        let counts = attribute(piece, EXPRESSION).and_then(|counter| Expression::read(counter).counts());
        Some(Piece { key, is_end: flags & INTERVAL_END != 0, verdict, target, comment, counts })
    })
}

/// Joins the pieces of one set to its elements, in order, with their counters.
pub(super) fn assemble(set: &Set, mut pieces: Vec<Piece>, name_of: NameOf<'_>) -> Vec<(Element, Option<Counts>)> {
    if set.interval {
        // If one interval ends where the next starts, the end comes first.
        pieces.sort_by(|one, other| (&one.key, !one.is_end).cmp(&(&other.key, !other.is_end)));
    }
    let element = |(at, piece): (usize, &Piece)| {
        let key = if set.interval {
            let family = if set.key == [KeyType::Ipv4Address] { Family::Ipv4 } else { Family::Ipv6 };
            let last = pieces.get(at + 1).and_then(|next| before(ip(family, &next.key)?));
            Key(vec![range(ip(family, &piece.key)?, last.unwrap_or(highest(family)))])
        } else {
            key(&set.key, &piece.key, name_of)?
        };
        let (verdict, comment) = (piece.verdict.clone(), piece.comment.clone());
        Some((Element { key, verdict, target: piece.target, comment }, piece.counts))
    };
    let starts = pieces.iter().enumerate().filter(|(_, piece)| !piece.is_end);
    let mut elements: Vec<_> = starts.filter_map(element).collect();
    elements.sort_by(|(one, _), (other, _)| one.cmp(other));
    elements
}

fn key(types: &[KeyType], mut bytes: &[u8], name_of: NameOf<'_>) -> Option<Key> {
    let mut parts = Vec::new();
    for kind in types {
        let len = usize::try_from(kind.len()).ok()?;
        let value = bytes.get(..len)?;
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
        parts.push(match kind {
            KeyType::Word => Part::Word(text_of(value)?),
            KeyType::Family => {
                Part::Family([Family::Ipv4, Family::Ipv6].into_iter().find(|family| [nfproto(*family)] == value)?)
            }
            KeyType::InterfaceIndex => Part::Interface(interface(u32::from_ne_bytes(value.try_into().ok()?), name_of)),
            KeyType::Ipv4Address => Part::Address(ip(Family::Ipv4, value)?),
            KeyType::Ipv6Address => Part::Address(ip(Family::Ipv6, value)?),
            KeyType::Protocol => {
                let known = [Transport::Tcp, Transport::Udp].into_iter();
                Part::Protocol(known.into_iter().find(|transport| [l4proto(*transport)] == value)?)
            }
            KeyType::Port => Part::Port(u16::from_be_bytes(value.try_into().ok()?)),
        });
    }
    Some(Key(parts))
}

/// An address and a port, each of which starts at a multiple of four bytes.
fn target(bytes: &[u8]) -> Option<SocketAddr> {
    let family = [Family::Ipv4, Family::Ipv6].into_iter().find(|it| bytes.len() == usize::from(it.bits() / 8) + 4)?;
    let (address, port) = bytes.split_at(bytes.len() - 4);
    Some(SocketAddr::new(ip(family, address)?, u16::from_be_bytes([port[0], port[1]])))
}

fn range(first: IpAddr, last: IpAddr) -> Part {
    (0..=Family::of(first).bits())
        .filter_map(|prefix| IpNet::new(first, prefix).ok())
        .find(|net| net.network() == first && net.broadcast() == last)
        .map_or(Part::Range(first, last), Part::Subnet)
}

/// The last address of a family.
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
