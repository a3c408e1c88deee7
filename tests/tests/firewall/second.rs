//! A second opinion: nft(8) lists the table as JSON (libnftables-json(5)), and that is the same value as what we read.

use std::path::PathBuf;

use serde_json::Value;
use vnet_firewall::{
    Base, Chain, Direction, Element, Field, Interface, Key, KeyType, Map, Rule, Statement, Subject, Transport, Verdict,
};
use vnet_plan::{Choices, Resource, lower};
use vnet_tests::isolate;
use vnet_types::{AddressRange, Family, Inventory, IpNet, PortRange};
use vnet_xml::Network;

use crate::*;

#[rstest::rstest]
fn nft_reads_the_same(#[files("../testdata/network/valid/*.xml")] file: PathBuf) {
    isolate!();
    let network: Network = std::fs::read_to_string(&file).unwrap().parse().unwrap();
    let choices = Choices { directory: "/run/vnet/lab".into(), random: [1, 2, 3], bridge: None, mac: None };
    let lowered = lower(&network, &Inventory::default(), &choices).unwrap();
    let ruleset = lowered.desired.iter().find_map(|resource| match resource {
        Resource::Ruleset { ruleset, .. } => Some(ruleset.clone()),
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
    let theirs = listed_by_nft(&ruleset.network);
    assert_eq!(theirs.maps, ours.maps);
    assert_eq!(theirs.chains, ours.chains.into_iter().map(as_nft_shows).collect::<Vec<_>>());
}

/// nft shows no family where an address has one.
fn as_nft_shows(mut chain: Chain) -> Chain {
    for rule in &mut chain.rules {
        let has_address = rule.statements.iter().any(|statement| {
            matches!(statement, Statement::Address { .. } | Statement::Lookup { subject: Subject::Source(_), .. })
        });
        rule.statements.retain(|statement| !(has_address && matches!(statement, Statement::Family(_))));
    }
    chain
}

fn listed_by_nft(network: &str) -> Ruleset {
    let listed = json("nft", &["-j", "list", "table", "inet", "vnet"]);
    let objects = listed["nftables"].as_array().unwrap();
    let of_kind = |kind: &'static str| objects.iter().filter_map(move |object| object.get(kind));
    let is_of_another = |name: &str| name.ends_with("_beside");
    let mut chains: Vec<Chain> = of_kind("chain").map(chain).filter(|chain| !is_of_another(&chain.name)).collect();
    for described in of_kind("rule") {
        if let Some(chain) = chains.iter_mut().find(|chain| chain.name == text(&described["chain"])) {
            chain.rules.push(rule(described));
        }
    }
    let mut maps: Vec<Map> = of_kind("map").map(map).collect();
    for map in &mut maps {
        map.elements.retain(|element| !matches!(&element.verdict, Verdict::Jump(chain) if is_of_another(chain)));
        map.elements.sort();
    }
    Ruleset { network: network.to_owned(), maps, chains }
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

fn map(described: &Value) -> Map {
    let key = match described["type"].as_str().unwrap() {
        "iface_index" => KeyType::InterfaceIndex,
        "ipv4_addr" => KeyType::Ipv4Address,
        "ipv6_addr" => KeyType::Ipv6Address,
        other => panic!("{other}"),
    };
    let elements = described["elem"].as_array().into_iter().flatten().map(|pair| {
        let key = match key {
            KeyType::InterfaceIndex => Key::Interface(Interface::Named(text(&pair[0]).parse().unwrap())),
            KeyType::Ipv4Address | KeyType::Ipv6Address => Key::Subnet(net(&pair[0])),
        };
        Element { key, verdict: verdict(&pair[1]).expect("a verdict") }
    });
    Map { name: text(&described["name"]), key, elements: elements.collect() }
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
        "vmap" => Statement::Lookup {
            subject: match inner["key"]["meta"]["key"].as_str() {
                Some("iif") => Subject::Interface(Direction::In),
                Some("oif") => Subject::Interface(Direction::Out),
                _ => Subject::Source(family(&inner["key"]["payload"]["protocol"])),
            },
            map: text(&inner["data"]).trim_start_matches('@').to_owned(),
        },
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
        _ => Statement::Verdict(verdict(described).unwrap_or_else(|| panic!("{described}"))),
    }
}

fn matches(described: &Value) -> Statement {
    let (left, right) = (&described["left"], &described["right"]);
    let negated = described["op"] == "!=";
    match left["meta"]["key"].as_str() {
        Some("iif") => Statement::Interface(Direction::In, Interface::Named(text(right).parse().unwrap())),
        Some("oif") => Statement::Interface(Direction::Out, Interface::Named(text(right).parse().unwrap())),
        Some("iifname") => Statement::InterfaceName(Direction::In, text(right).parse().unwrap()),
        Some("oifname") => Statement::InterfaceName(Direction::Out, text(right).parse().unwrap()),
        Some("nfproto") => Statement::Family(if right == "ipv4" { Family::Ipv4 } else { Family::Ipv6 }),
        Some("l4proto") if right == "tcp" => Statement::Transport(Transport::Tcp),
        Some("l4proto") if right == "udp" => Statement::Transport(Transport::Udp),
        None if left["ct"]["key"] == "state" => {
            assert_eq!(*right, serde_json::json!(["established", "related"]));
            Statement::Established
        }
        None => {
            let field = match left["payload"]["field"].as_str() {
                Some("saddr") => Field::Source,
                Some("daddr") => Field::Destination,
                other => panic!("{other:?}"),
            };
            Statement::Address { field, negated, net: net(right) }
        }
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

fn family(described: &Value) -> Family {
    if described == "ip" { Family::Ipv4 } else { Family::Ipv6 }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}
