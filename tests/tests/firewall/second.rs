//! A second opinion: nft(8) lists the table as JSON (libnftables-json(5)), and that is the same
//! value as what we read.

use std::path::PathBuf;

use serde_json::Value;
use vnet_firewall::{
    Base, Chain, Direction, Element, Field, Holds, Interface, Key, KeyType, Part, Rule, Set, Statement, Subject,
    Transport, Verdict,
};
use vnet_plan::{Choices, NetworkRules, Resource, lower};
use vnet_tests::isolate;
use vnet_types::{AddressRange, Family, Inventory, IpNet, PortRange};
use vnet_xml::Network;

use crate::*;

#[rstest::rstest]
fn nft_reads_the_same(#[files("../testdata/network/valid/*.xml")] file: PathBuf) {
    isolate!();
    let network: Network = std::fs::read_to_string(&file).unwrap().parse().unwrap();
    let choices = Choices { directory: "/run/vnet/lab".into(), random: [1, 2, 3], bridge: None, leases: None };
    let lowered = lower(&network, &Inventory::default(), &choices).unwrap();
    let ruleset = lowered.desired.iter().find_map(|resource| match resource {
        Resource::Ruleset(NetworkRules { ruleset, .. }) => Some((**ruleset).clone()),
        _ => None,
    });
    let Some(ruleset) = ruleset else {
        assert_eq!((network.forward_mode().to_string().as_str(), tables().as_str()), ("open", ""), "it has no rules");
        return;
    };
    bridge(lowered.bridge.unwrap().as_str());
    // Another network beside it is not taken for it.
    bridge("virbr200");
    install(&policy("beside", "virbr200", &[("198.18.0.0/24", nat())]));
    commit(&ruleset.network, Some(&ruleset));
    let ours = read().ruleset(&ruleset.network).expect("it is there");
    assert_eq!(ours, ruleset);
    let theirs = listed_by_nft(&ours);
    assert_eq!(theirs.sets, ours.sets);
    assert_eq!(theirs.chains, ours.chains.into_iter().map(as_nft_shows).collect::<Vec<_>>());
}

/// nft shows no family where an address has one.
fn as_nft_shows(mut chain: Chain) -> Chain {
    for rule in &mut chain.rules {
        let has_address = rule.statements.iter().any(|statement| {
            let is_address = |subject: &Subject| matches!(subject, Subject::Address { .. });
            match statement {
                Statement::Lookup { subjects, .. } | Statement::Dnat { subjects, .. } => {
                    subjects.iter().any(is_address)
                }
                other => matches!(other, Statement::Address { .. } | Statement::Icmpv6Type(_)),
            }
        });
        rule.statements.retain(|statement| !(has_address && matches!(statement, Statement::Family(_))));
    }
    chain
}

/// The share of a network, and what is shared with others as far as the network needs it.
fn listed_by_nft(ours: &Ruleset) -> Ruleset {
    let listed = json("nft", &["-j", "list", "table", "inet", "vnet"]);
    let objects = listed["nftables"].as_array().unwrap();
    let of_kind = |kind: &'static str| objects.iter().filter_map(move |object| object.get(kind));
    let mut chains: Vec<Chain> =
        of_kind("chain").map(chain).filter(|chain| ours.chain(&chain.name).is_some()).collect();
    for described in of_kind("rule") {
        if let Some(chain) = chains.iter_mut().find(|chain| chain.name == text(&described["chain"])) {
            chain.rules.push(rule(described));
        }
    }
    let place = |name: &str| ours.chains.iter().position(|chain| chain.name == name);
    chains.sort_by_key(|chain| place(&chain.name));
    let translates = ours.chain("postrouting").is_some();
    // The network beside translates.
    let is_shared = |set: &str| translates || set != "answers";
    let is_ours = |set: &str, element: &Element| match element.comment.as_deref().unwrap() {
        comment if comment.starts_with("vnet: ") => is_shared(set),
        comment => !comment.starts_with("network beside: "),
    };
    let mut sets: Vec<Set> = of_kind("set").chain(of_kind("map")).map(set).collect();
    for set in &mut sets {
        let name = set.name.clone();
        set.elements.retain(|element| is_ours(&name, element));
        set.elements.sort();
    }
    let place = |name: &str| ours.sets.iter().position(|set| set.name == name);
    sets.retain(|set| place(&set.name).is_some());
    sets.sort_by_key(|set| place(&set.name));
    Ruleset { network: ours.network.clone(), sets, chains, flowtable: ours.flowtable.clone() }
}

fn chain(described: &Value) -> Chain {
    let base = described.get("hook").map(|hook| Base {
        kind: text(&described["type"]),
        hook: ["prerouting", "input", "forward", "output", "postrouting"]
            .iter()
            .position(|name| hook == name)
            .and_then(|at| u32::try_from(at).ok())
            .expect("a hook"),
        priority: i32::try_from(described["prio"].as_i64().unwrap()).unwrap(),
        policy: u32::from(described["policy"] == "accept"),
    });
    Chain { name: text(&described["name"]), base, rules: Vec::new() }
}

fn set(described: &Value) -> Set {
    let types = described["type"].as_array().cloned().unwrap_or_else(|| vec![described["type"].clone()]);
    let key: Vec<KeyType> = types.iter().map(key_type).collect();
    let holds = match (described.get("map"), described.get("stmt")) {
        (Some(map), _) => match map.as_str() {
            Some("ipv4_addr . inet_service") => Holds::Target(Family::Ipv4),
            Some("ipv6_addr . inet_service") => Holds::Target(Family::Ipv6),
            _ => Holds::Verdict,
        },
        (None, Some(statements)) => {
            assert_eq!(*statements, serde_json::json!([{ "counter": null }]));
            Holds::Counter
        }
        (None, None) => Holds::Nothing,
    };
    let interval = described["flags"].as_array().is_some_and(|flags| flags.iter().any(|flag| flag == "interval"));
    let elements = described["elem"].as_array().into_iter().flatten().map(|described| {
        let (element, verdict, target) = match described.as_array() {
            Some(pair) => (&pair[0]["elem"], verdict(&pair[1]), target(&pair[1])),
            None => (&described["elem"], None, None),
        };
        assert_eq!(element.get("counter").is_some(), holds == Holds::Counter);
        let parts = element["val"]["concat"].as_array().cloned().unwrap_or_else(|| vec![element["val"].clone()]);
        let parts = key.iter().zip(&parts).map(|(kind, described)| part(*kind, described, interval)).collect();
        Element { key: Key(parts), verdict, target, comment: Some(text(&element["comment"])) }
    });
    let elements = elements.collect();
    Set { name: text(&described["name"]), key, interval, holds, elements }
}

fn key_type(described: &Value) -> KeyType {
    match described.as_str().unwrap() {
        "ifname" => KeyType::Word,
        "nf_proto" => KeyType::Family,
        "iface_index" => KeyType::InterfaceIndex,
        "ipv4_addr" => KeyType::Ipv4Address,
        "ipv6_addr" => KeyType::Ipv6Address,
        "inet_proto" => KeyType::Protocol,
        "inet_service" => KeyType::Port,
        other => panic!("{other}"),
    }
}

fn part(kind: KeyType, described: &Value, interval: bool) -> Part {
    match kind {
        KeyType::Word => Part::Word(text(described)),
        KeyType::Family => Part::Family(if described == "ipv4" { Family::Ipv4 } else { Family::Ipv6 }),
        KeyType::InterfaceIndex if described == "0" => Part::Interface(Interface::Absent),
        KeyType::InterfaceIndex => Part::Interface(Interface::Named(text(described).parse().unwrap())),
        KeyType::Ipv4Address | KeyType::Ipv6Address if interval => Part::Subnet(net(described)),
        KeyType::Ipv4Address | KeyType::Ipv6Address => Part::Address(text(described).parse().unwrap()),
        KeyType::Protocol if described == "tcp" => Part::Protocol(Transport::Tcp),
        KeyType::Protocol => Part::Protocol(Transport::Udp),
        KeyType::Port => Part::Port(port(described)),
    }
}

fn target(described: &Value) -> Option<std::net::SocketAddr> {
    let [address, number] = &described["concat"].as_array()?[..] else { return None };
    Some(std::net::SocketAddr::new(text(address).parse().unwrap(), port(number)))
}

fn port(described: &Value) -> u16 {
    described.as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port")
}

fn rule(described: &Value) -> Rule {
    Rule {
        statements: described["expr"].as_array().unwrap().iter().map(statement).collect(),
        comment: described.get("comment").map(text),
    }
}

fn statement(described: &Value) -> Statement {
    let (word, inner) = described.as_object().unwrap().iter().next().unwrap();
    match word.as_str() {
        "counter" => Statement::Counter,
        "match" => matches(inner),
        "vmap" => lookup(&inner["key"], &inner["data"], true),
        "reject" => {
            assert_eq!(inner["expr"], "port-unreachable");
            Statement::Reject(match inner["type"].as_str() {
                Some("icmpx") => None,
                Some("icmp") => Some(Family::Ipv4),
                Some("icmpv6") => Some(Family::Ipv6),
                other => panic!("{other:?}"),
            })
        }
        "masquerade" => Statement::Masquerade(ports(&inner["port"])),
        "snat" => Statement::Snat { addresses: addresses(&inner["addr"]), ports: ports(&inner["port"]) },
        "dnat" => {
            let map = &inner["addr"]["map"];
            let Statement::Lookup { subjects, set, .. } = lookup(&map["key"], &map["data"], false) else { panic!() };
            let family = if inner["family"] == "ip" { Family::Ipv4 } else { Family::Ipv6 };
            Statement::Dnat { family, subjects, map: set }
        }
        _ => Statement::Verdict(verdict(described).unwrap_or_else(|| panic!("{described}"))),
    }
}

fn matches(described: &Value) -> Statement {
    let (left, right) = (&described["left"], &described["right"]);
    if right.as_str().is_some_and(|right| right.starts_with('@')) {
        return lookup(left, right, false);
    }
    let negated = described["op"] == "!=";
    match left["meta"]["key"].as_str() {
        Some("iif") => Statement::Interface(Direction::In, Interface::Named(text(right).parse().unwrap())),
        Some("oif") => Statement::Interface(Direction::Out, Interface::Named(text(right).parse().unwrap())),
        Some("iifname") => Statement::InterfaceName(Direction::In, text(right).parse().unwrap()),
        Some("oifname") => Statement::InterfaceName(Direction::Out, text(right).parse().unwrap()),
        Some("nfproto") => Statement::Family(if right == "ipv4" { Family::Ipv4 } else { Family::Ipv6 }),
        Some("l4proto") if right == "tcp" => Statement::Transport(Transport::Tcp),
        Some("l4proto") if right == "udp" => Statement::Transport(Transport::Udp),
        Some("l4proto") if right == "icmp" => Statement::Icmp(Family::Ipv4),
        Some("l4proto") if right == "ipv6-icmp" => Statement::Icmp(Family::Ipv6),
        None if left["ct"]["key"] == "state" => match right.as_str() {
            Some("new") => Statement::New,
            _ => {
                assert_eq!(*right, serde_json::json!(["established", "related"]));
                Statement::Established
            }
        },
        None if left["&"][0]["payload"]["field"] == "flags" => {
            assert!(negated && right == "syn", "{described}");
            Statement::Midway
        }
        None if left["ct"]["key"] == "direction" && right == "reply" => Statement::Reply,
        None if left["payload"]["field"] == "dport" => {
            let transport = if left["payload"]["protocol"] == "tcp" { Transport::Tcp } else { Transport::Udp };
            let [first, last] = ends(right).map(|port| port.parse().unwrap());
            Statement::Port(transport, PortRange::new(first, last).unwrap())
        }
        None if left["payload"]["protocol"] == "icmpv6" => Statement::Icmpv6Type(match right.as_str() {
            Some("nd-router-solicit") => 133,
            Some("nd-neighbor-solicit") => 135,
            Some("nd-neighbor-advert") => 136,
            other => panic!("{other:?}"),
        }),
        None if left["ct"]["key"] == "status" && right == "dnat" => Statement::Redirected,
        None if left["fib"]["result"] == "type" && right == "local" => Statement::LocalDestination,
        None => Statement::Address { field: field(&left["payload"]), negated, net: net(right) },
        other => panic!("{other:?}"),
    }
}

fn lookup(key: &Value, set: &Value, decides: bool) -> Statement {
    let parts = key["concat"].as_array().cloned().unwrap_or_else(|| vec![key.clone()]);
    let set = text(set).trim_start_matches('@').to_owned();
    Statement::Lookup { subjects: parts.iter().map(subject).collect(), set, decides }
}

fn subject(described: &Value) -> Subject {
    let (masked, mask) = (&described["&"][0], &described["&"][1]);
    let payload = if masked.is_null() { &described["payload"] } else { &masked["payload"] };
    match described["meta"]["key"].as_str() {
        Some("iif") => Subject::Interface(Direction::In),
        Some("oif") => Subject::Interface(Direction::Out),
        Some("nfproto") => Subject::Family,
        Some("iifname") => Subject::InterfaceName(Direction::In),
        Some("l4proto") => Subject::Protocol,
        None if payload["protocol"] == "th" && payload["field"] == "dport" => Subject::Port(Field::Destination),
        Some(other) => panic!("{other}"),
        None => {
            let family = if payload["protocol"] == "ip" { Family::Ipv4 } else { Family::Ipv6 };
            let prefix = match mask.as_str() {
                Some(mask) => vnet_types::IpNet::with_netmask(ip(family), mask.parse().unwrap()).unwrap().prefix_len(),
                None => family.bits(),
            };
            Subject::Address { field: field(payload), family, prefix }
        }
    }
}

/// Any address of a family.
fn ip(family: Family) -> std::net::IpAddr {
    if family == Family::Ipv4 { [0; 4].into() } else { [0; 16].into() }
}

fn field(payload: &Value) -> Field {
    match payload["field"].as_str() {
        Some("saddr") => Field::Source,
        Some("daddr") => Field::Destination,
        other => panic!("{other:?}"),
    }
}

fn verdict(described: &Value) -> Option<Verdict> {
    let (word, inner) = described.as_object()?.iter().next()?;
    Some(match word.as_str() {
        "accept" => Verdict::Accept,
        "drop" => Verdict::Drop,
        "return" => Verdict::Return,
        "jump" => Verdict::Jump(text(&inner["target"])),
        "goto" => Verdict::Goto(text(&inner["target"])),
        _ => return None,
    })
}

fn net(described: &Value) -> IpNet {
    match described.as_str() {
        Some(address) => IpNet::from(address.parse::<std::net::IpAddr>().unwrap()),
        None => {
            let (address, len) = (text(&described["prefix"]["addr"]), &described["prefix"]["len"]);
            format!("{address}/{len}").parse().unwrap()
        }
    }
}

/// One, or from the first to the last.
fn ends(described: &Value) -> [String; 2] {
    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match described["range"].as_array() {
        Some(ends) => [word(&ends[0]), word(&ends[1])],
        None => [word(described), word(described)],
    }
}

fn ports(described: &Value) -> Option<PortRange> {
    (!described.is_null()).then(|| ends(described).join("-").parse().unwrap())
}

fn addresses(described: &Value) -> AddressRange {
    let [first, last] = match described.get("prefix") {
        // nft writes the first address and how many bits all have in common.
        Some(_) => [net(described).network(), net(described).broadcast()].map(|address| address.to_string()),
        None => ends(described),
    };
    format!("{first}-{last}").parse().unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}
