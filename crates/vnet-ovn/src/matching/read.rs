//! Reads what is printed.

use std::str::FromStr;

use vnet_types::{Family, IpNet, PortRange, parse_ip};

use super::{OvnMatch, Predicate, Side, Test, Transport, Way, is_name, only};

/// A text that is no match of vnet's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no match that vnet writes")]
pub struct ParseMatchError(String);

/// Reads a match that vnet writes, and no other.
impl FromStr for OvnMatch {
    type Err = ParseMatchError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseMatchError(text.to_owned());
        let words = words(text).ok_or_else(error)?;
        let mut rest = words.as_slice();
        let test = list(&mut rest).filter(|_| rest.is_empty()).map(OvnMatch);
        // One match has one text.
        test.filter(|it| it.to_string() == text).ok_or_else(error)
    }
}

/// The words of a text: names, addresses and numbers, texts in quotes, and signs.
fn words(text: &str) -> Option<Vec<&str>> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |it: char| it.is_ascii_alphanumeric() || "_.:/-@$".contains(it);
        let length = match first {
            '"' => rest[1..].find('"')? + 2,
            '(' | ')' | '{' | '}' | ',' => 1,
            it if is_word(it) => rest.find(|it| !is_word(it)).unwrap_or(rest.len()),
            _ => 2,
        };
        words.push(rest.get(..length)?);
        rest = rest[length..].trim_start();
    }
    Some(words)
}

type Words<'w, 't> = &'w mut &'t [&'t str];

fn next<'t>(words: Words<'_, 't>) -> Option<&'t str> {
    let (first, rest) = words.split_first()?;
    *words = rest;
    Some(*first)
}

/// Tests that one operator joins.
fn list(words: Words<'_, '_>) -> Option<Test> {
    let mut parts = vec![one(words)?];
    let operator = words.first().copied();
    while let Some(word) = words.first().filter(|word| matches!(**word, "&&" | "||")) {
        if Some(*word) != operator {
            return None;
        }
        next(words);
        parts.push(one(words)?);
    }
    let many = if operator == Some("||") { Test::Any } else { Test::All };
    Some(only(parts).unwrap_or_else(many))
}

fn one(words: Words<'_, '_>) -> Option<Test> {
    let first = next(words)?;
    if first == "(" {
        return list(words).filter(|_| next(words) == Some(")"));
    }
    if let Some((_, predicate)) = Predicate::WORDS.iter().find(|(word, _)| *word == first) {
        return Some(Test::Is(*predicate));
    }
    if let Ok(start) = first.parse() {
        return between(start, words);
    }
    next(words).filter(|it| *it == "==")?;
    let value = next(words)?;
    if let Some((field, side)) = address(first) {
        return match value.strip_prefix('$') {
            Some(set) => of_group(field, side, set),
            None => within(field, side, value, words),
        };
    }
    let way = match first {
        "inport" => Some(Way::In),
        "outport" => Some(Way::Out),
        _ => None,
    };
    match way {
        Some(way) => match (value.strip_prefix('@'), value.strip_prefix('"')) {
            (Some(group), _) => Some(Test::Group(way, group.to_owned())).filter(|_| is_name(group)),
            (_, Some(port)) => port.strip_suffix('"').filter(|it| is_name(it)).map(|it| Test::Port(way, it.to_owned())),
            _ => None,
        },
        None if first == "eth.dst" => value.parse().ok().map(Test::EthernetTo),
        None if first == "eth.src" => {
            value.strip_prefix('$').filter(|set| is_name(set)).map(|set| Test::EthernetFrom(set.to_owned()))
        }
        None => {
            let port = value.parse().ok()?;
            Some(Test::TransportTo(transport(first)?, PortRange::new(port, port).ok()?))
        }
    }
}

/// `80 <= tcp.dst <= 90`, after the first number.
fn between(start: u16, words: Words<'_, '_>) -> Option<Test> {
    let [_, field, _, end] = [next(words)?, next(words)?, next(words)?, next(words)?];
    Some(Test::TransportTo(transport(field)?, PortRange::new(start, end.parse().ok()?).ok()?))
}

fn transport(field: &str) -> Option<Transport> {
    let word = field.strip_suffix(".dst")?;
    Transport::WORDS.iter().find(|(it, _)| *it == word).map(|(_, it)| *it)
}

fn address(field: &str) -> Option<(Family, Side)> {
    let (family, side) = field.split_once('.')?;
    let family = match family {
        "ip4" => Family::Ipv4,
        "ip6" => Family::Ipv6,
        _ => return None,
    };
    match side {
        "src" => Some((family, Side::Source)),
        "dst" => Some((family, Side::Destination)),
        _ => None,
    }
}

fn of_group(family: Family, side: Side, set: &str) -> Option<Test> {
    let group = set.rsplit_once('_')?.0.to_owned();
    is_name(&group).then_some(Test::AddressOf { side, family, group })
}

fn within(family: Family, side: Side, first: &str, words: Words<'_, '_>) -> Option<Test> {
    let mut nets = Vec::new();
    if first == "{" {
        loop {
            nets.push(net(next(words)?)?);
            match next(words)? {
                "," => {}
                "}" => break,
                _ => return None,
            }
        }
    } else {
        nets.push(net(first)?);
    }
    let fits = nets.iter().all(|it| Family::of(it.addr()) == family && it.trunc() == *it);
    fits.then_some(Test::Address { side, family, nets })
}

fn net(text: &str) -> Option<IpNet> {
    match text.split_once('/') {
        None => parse_ip(text).map(IpNet::from),
        Some(_) => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;
    use vnet_types::MacAddr;

    fn test() -> impl Strategy<Value = Test> {
        let way = || prop_oneof![Just(Way::In), Just(Way::Out)];
        let side = || prop_oneof![Just(Side::Source), Just(Side::Destination)];
        let family = || prop_oneof![Just(Family::Ipv4), Just(Family::Ipv6)];
        let net = |family| {
            any::<(u32, u128, u8)>().prop_map(move |(v4, v6, prefix)| match family {
                Family::Ipv4 => IpNet::new(Ipv4Addr::from(v4).into(), prefix % 33).unwrap().trunc(),
                Family::Ipv6 => IpNet::new(Ipv6Addr::from(v6).into(), prefix % 129).unwrap().trunc(),
            })
        };
        let address = (side(), family()).prop_flat_map(move |(side, family)| {
            prop::collection::vec(net(family), 1..4).prop_map(move |nets| Test::Address { side, family, nets })
        });
        let ports = (prop_oneof![Just(Transport::Tcp), Just(Transport::Udp)], any::<(u16, u16)>());
        let leaf = prop_oneof![
            (way(), "[a-z0-9_-]{1,9}").prop_map(|(way, name)| Test::Port(way, name)),
            (way(), "[a-z][a-z0-9_]{1,9}").prop_map(|(way, name)| Test::Group(way, name)),
            prop::sample::select(Predicate::WORDS).prop_map(|(_, it)| Test::Is(it)),
            any::<[u8; 6]>().prop_map(|mac| Test::EthernetTo(MacAddr(mac))),
            "[a-z][a-z0-9_]{1,9}".prop_map(Test::EthernetFrom),
            address,
            (side(), family(), "[a-z][a-z0-9_]{1,9}").prop_map(|(side, family, group)| Test::AddressOf {
                side,
                family,
                group
            }),
            ports.prop_map(|(transport, (one, other))| {
                Test::TransportTo(transport, PortRange::new(one.min(other), one.max(other)).unwrap())
            }),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            let many = || prop::collection::vec(inner.clone(), 2..4);
            prop_oneof![many().prop_map(Test::All), many().prop_map(Test::Any)]
        })
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read(test in test()) {
            let matching = OvnMatch(test);
            prop_assert_eq!(matching.to_string().parse(), Ok(matching));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            _ = text.parse::<OvnMatch>();
        }
    }

    #[rstest]
    #[case("inport == \"a\" && ip4 || ip6")]
    #[case("!ip4")]
    #[case("ip4.dst == {}")]
    #[case("ip4.dst == fd00::1")]
    #[case("ip4.dst == 10.0.0.1/24")]
    #[case("inport == @a b")]
    #[case("inport == \"a\\\"\"")]
    #[case("90 <= tcp.dst <= 80")]
    #[case("tcp.src == 80")]
    #[case("ip4 &&")]
    #[case("(ip4)")]
    #[case("")]
    fn what_vnet_does_not_write(#[case] text: &str) {
        assert!(text.parse::<OvnMatch>().is_err());
    }
}
