//! For every policy: the encoded rules are read back unchanged, and nothing else looks the same.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use vnet_firewall::{
    Access, Batch, EncodeError, ForwardedPorts, Key, Part, Policy, Rule, Ruleset, Statement, Subnet, Table, Transport,
    Verdict,
};
use vnet_types::{
    AddressRange, Egress, EgressException, EgressPreset, EgressProtocol, InterfaceName, IpNet, PortRange,
};

fn index_of(name: &InterfaceName) -> Option<u32> {
    name.as_str().strip_prefix("virbr").and_then(|number| number.parse().ok()).map(|number: u32| number + 100)
}

fn name_of(index: u32) -> Option<InterfaceName> {
    index.checked_sub(100).and_then(|number| format!("virbr{number}").parse().ok())
}

/// The messages that a kernel would list after the transaction, in their order.
fn messages(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = bytes;
    let mut messages = Vec::new();
    while let Some(len) = rest.first_chunk().map(|len| u32::from_ne_bytes(*len) as usize) {
        messages.push(rest[..len].to_vec());
        rest = &rest[len..];
    }
    messages
}

fn installed(rulesets: &[Ruleset]) -> Table {
    let mut all = Vec::new();
    for ruleset in rulesets {
        let table = Table::decode(&all, name_of);
        all.extend(messages(&Batch::new(&table, None, Some(ruleset), index_of).expect("bridges are there").bytes));
    }
    Table::decode(&all, name_of)
}

fn compile(network: &str, bridge: &str) -> Ruleset {
    let mut policy = Policy::new(network, bridge.parse().expect("a name"));
    let ports = PortRange::new(1024, 65535).expect("in order");
    let number: u8 = bridge.trim_start_matches("virbr").parse().expect("a number");
    let net = IpNet::new(Ipv4Addr::new(10, number, 0, 0).into(), 24).expect("a subnet");
    policy.subnets = vec![Subnet { net, access: Access::Nat { addresses: None, ports } }];
    Ruleset::compile(&policy)
}

fn policies() -> impl Strategy<Value = Policy> {
    let ports = any::<(u16, u16)>().prop_map(|(a, b)| PortRange::new(a.min(b), a.max(b)).expect("in order"));
    let addresses = any::<(u32, u32)>().prop_map(|(a, b)| {
        let address = |bits| IpAddr::V4(Ipv4Addr::from_bits(bits));
        AddressRange::new(address(a.min(b)), address(a.max(b))).expect("in order")
    });
    let access = prop_oneof![
        Just(Access::Isolated),
        Just(Access::Routed),
        (prop::option::of(addresses), ports).prop_map(|(addresses, ports)| Access::Nat { addresses, ports }),
    ];
    let net = prop_oneof![
        any::<(u32, u8)>().prop_map(|(bits, prefix)| IpNet::new(Ipv4Addr::from(bits).into(), prefix % 33)),
        any::<(u128, u8)>().prop_map(|(bits, prefix)| IpNet::new(Ipv6Addr::from(bits).into(), prefix % 129)),
    ];
    let subnet = (net, access).prop_map(|(net, access)| Subnet { net: net.expect("a prefix that fits"), access });
    let device = prop::option::of("[a-z*\"]{1,15}".prop_filter_map("a name", |name| name.parse().ok()));
    let transport = prop_oneof![Just(Transport::Tcp), Just(Transport::Udp)];
    let ends = prop_oneof![
        any::<(u32, Option<u32>)>()
            .prop_map(|(guest, address)| (Ipv4Addr::from(guest).into(), address.map(|it| Ipv4Addr::from(it).into()))),
        any::<(u128, Option<u128>)>()
            .prop_map(|(guest, address)| (Ipv6Addr::from(guest).into(), address.map(|it| Ipv6Addr::from(it).into()))),
    ];
    let forward = (transport, ends, any::<u16>(), 0..20u16, any::<u16>(), device.clone());
    let forward = forward.prop_map(|(transport, ends, start, more, first, device)| {
        let (guest, address): (IpAddr, Option<IpAddr>) = ends;
        let ports = PortRange::new(start, start.saturating_add(more)).expect("in order");
        let mut forward = ForwardedPorts::new(transport, ports, guest);
        (forward.address, forward.first, forward.device) = (address, first, device);
        forward
    });
    let forwards = prop::collection::vec(forward, 0..4);
    let subnets = prop::collection::vec(subnet, 0..5);
    let beyond = prop::collection::vec((100..103u32).prop_map(|number| format!("virbr{number}")), 0..3);
    (".{1,100}", 0..100u32, device, any::<bool>(), subnets, forwards, (egress(), beyond)).prop_map(
        |(network, number, device, ipv6, subnets, forwards, (egress, beyond))| {
            let mut policy = Policy::new(network, format!("virbr{number}").parse().expect("a name"));
            policy.device = device;
            policy.ipv6 = ipv6;
            policy.subnets = subnets;
            policy.redirected = forwards.iter().map(|forward| forward.guest).collect();
            policy.forwards = forwards;
            policy.egress = egress;
            policy.accelerated = beyond.iter().map(|name| name.parse().expect("a name")).collect();
            policy
        },
    )
}

fn egress() -> impl Strategy<Value = Option<Egress>> {
    let net = any::<(u32, u128, u8)>().prop_map(|(v4, v6, prefix)| {
        let net = match prefix % 2 {
            0 => IpNet::new(Ipv4Addr::from(v4).into(), prefix % 33),
            _ => IpNet::new(Ipv6Addr::from(v6).into(), prefix % 129),
        };
        net.expect("a prefix that fits")
    });
    let protocol = prop::sample::select(EgressProtocol::WORDS.iter().map(|(_, it)| *it).collect::<Vec<_>>());
    let ports = any::<(u16, u16)>().prop_map(|(a, b)| PortRange::new(a.min(b), a.max(b)).expect("in order"));
    let exception = (prop::option::of(net), prop::option::of(protocol), prop::option::of(ports));
    let exception = exception.prop_map(|(net, protocol, ports)| {
        let mut exception = EgressException::default();
        (exception.net, exception.protocol, exception.ports) = (net, protocol, ports);
        exception
    });
    let some = || prop::collection::vec(exception.clone(), 0..3);
    let preset = prop::sample::select(EgressPreset::WORDS.iter().map(|(_, it)| *it).collect::<Vec<_>>());
    let egress = (preset, some(), some()).prop_map(|(preset, allow, deny)| {
        let mut egress = Egress::new(preset);
        (egress.allow, egress.deny) = (allow, deny);
        egress
    });
    prop::option::of(egress)
}

proptest! {
    #[test]
    fn what_is_encoded_is_read_back(policy in policies()) {
        let ruleset = Ruleset::compile(&policy);
        let table = installed(std::slice::from_ref(&ruleset));
        let read = table.ruleset(&policy.network);
        prop_assert_eq!(read.as_ref(), Some(&ruleset));
        let again = Batch::new(&table, Some(&ruleset), Some(&ruleset), index_of).expect("the bridge is there");
        prop_assert!(again.is_empty(), "{again:?}");
    }

    #[test]
    fn every_rule_counts_and_says_what_for(policy in policies()) {
        let ruleset = Ruleset::compile(&policy);
        prop_assert!(ruleset.rules().count() >= 3);
        for (_, rule) in ruleset.rules() {
            prop_assert!(rule.counts() || rule.offloads(), "{rule}");
            prop_assert!(rule.comment.as_ref().is_some_and(|comment| comment.starts_with("network ")), "{rule}");
        }
        let rules = ruleset.chains.iter().flat_map(|chain| &chain.rules).map(|rule| &rule.comment);
        let elements = ruleset.sets.iter().flat_map(|set| &set.elements).map(|element| &element.comment);
        for comment in rules.chain(elements) {
            prop_assert!(comment.as_ref().is_some_and(|comment| comment.len() <= 128), "{comment:?}");
        }
    }

    #[test]
    fn no_message_is_too_strange_to_read(bytes in prop::collection::vec(any::<u8>(), 0..300), cut in 0..400usize) {
        let ruleset = compile("default", "virbr0");
        let mut all = messages(&Batch::new(&Table::default(), None, Some(&ruleset), index_of).expect("a bridge").bytes);
        for (at, message) in all.iter_mut().enumerate() {
            message.truncate(20 + (cut + at * 7) % 120);
            message.extend(&bytes);
        }
        all.push(bytes);
        let _ = Table::decode(&all, name_of).ruleset("default");
    }
}

#[test]
fn networks_do_not_see_each_other() {
    let (one, two) = (compile("one", "virbr1"), compile("two", "virbr2"));
    let table = installed(&[one.clone(), two.clone()]);
    assert_eq!(table.ruleset("one"), Some(one));
    assert_eq!(table.ruleset("two"), Some(two));
    assert_eq!(table.ruleset("three"), None);
}

#[test]
fn the_second_network_brings_only_its_own() {
    let (one, two) = (compile("one", "virbr1"), compile("two", "virbr2"));
    let batch = Batch::new(&installed(&[one]), None, Some(&two), index_of).expect("the bridge is there");
    let subjects: Vec<&str> = (0..).map_while(|sequence| batch.describe(sequence)).collect();
    let foreign = |subject: &&&str| !subject.starts_with("element") && **subject != "the transaction";
    assert_eq!(subjects.iter().find(foreign), None, "{subjects:#?}");
}

#[test]
fn a_replacement_touches_only_what_changes() {
    let old = compile("one", "virbr1");
    let mut new = old.clone();
    let leave = new.sets.iter_mut().find(|set| set.name == "leave_ipv4").expect("it is there");
    leave.elements.clear();
    let batch = Batch::new(&installed(std::slice::from_ref(&old)), Some(&old), Some(&new), index_of)
        .expect("the bridge is there");
    let subjects: Vec<&str> = (0..).map_while(|sequence| batch.describe(sequence)).collect();
    assert_eq!(subjects, ["the transaction", "removal of element `\"virbr1\" . 10.1.0.0` of set leave_ipv4"]);
}

/// A network with a flowtable, whose connections leave by some device.
fn accelerated(network: &str, bridge: &str, beyond: &str) -> Ruleset {
    let mut policy = Policy::new(network, bridge.parse().expect("a name"));
    let net = format!("10.{}.0.0/24", bridge.trim_start_matches("virbr")).parse().expect("a subnet");
    policy.subnets = vec![Subnet { net, access: Access::Routed }];
    policy.accelerated = vec![beyond.parse().expect("a name")];
    Ruleset::compile(&policy)
}

fn subjects(batch: &Batch) -> Vec<&str> {
    (1..).map_while(|sequence| batch.describe(sequence)).collect()
}

#[test]
fn networks_share_a_flowtable() {
    let (one, two) = (accelerated("one", "virbr1", "virbr9"), accelerated("two", "virbr2", "virbr9"));
    let table = installed(&[one.clone(), two.clone()]);
    assert_eq!(table.ruleset("one").as_ref(), Some(&one));
    assert_eq!(table.ruleset("two").as_ref(), Some(&two));
    let plain = compile("three", "virbr3");
    assert_eq!(plain.flowtable, None);
    let batch = Batch::new(&table, None, Some(&plain), index_of).expect("the bridge is there");
    assert!(subjects(&batch).iter().all(|subject| !subject.contains("flowtable")), "{batch:?}");
}

#[test]
fn a_change_flushes_the_flowtable() {
    let (old, other) = (accelerated("one", "virbr1", "virbr9"), accelerated("two", "virbr2", "virbr9"));
    let table = installed(&[old.clone(), other.clone()]);
    let flush = ["removal of the rules of chain accelerate", "removal of flowtable flows", "flowtable flows"];
    let mut new = old.clone();
    new.sets.iter_mut().find(|set| set.name == "leave_ipv4").expect("it is there").elements.clear();
    for to in [Some(&new), None] {
        let batch = Batch::new(&table, Some(&old), to, index_of).expect("the bridge is there");
        let subjects = subjects(&batch);
        let at = subjects.iter().position(|subject| *subject == flush[0]).expect("it is flushed");
        assert_eq!(subjects[at..at + 3], flush);
        assert!(subjects[at + 3].starts_with("rule `"), "{subjects:?}");
        assert!(subjects[..at].iter().any(|subject| subject.contains("leave_ipv4")), "{subjects:?}");
    }
    let alone = installed(std::slice::from_ref(&old));
    let batch = Batch::new(&alone, Some(&old), None, index_of).expect("the bridge is there");
    let last: Vec<&str> = subjects(&batch).into_iter().filter(|subject| subject.contains("flowtable")).collect();
    assert_eq!(last, ["removal of flowtable flows"]);
}

#[test]
fn a_device_that_is_not_in_the_flowtable_is_drift() {
    let ruleset = accelerated("one", "virbr1", "virbr9");
    let mut lacking = ruleset.clone();
    lacking.flowtable.as_mut().expect("it has one").devices.pop();
    let table = installed(std::slice::from_ref(&lacking));
    assert_ne!(table.ruleset("one").as_ref(), Some(&ruleset));
    let batch = Batch::new(&table, Some(&ruleset), Some(&ruleset), index_of).expect("the bridge is there");
    assert_eq!(subjects(&batch), ["flowtable flows"]);
    let gone = |name: &InterfaceName| index_of(name).filter(|_| name.as_str() != "virbr9");
    let batch = Batch::new(&Table::default(), None, Some(&ruleset), gone).expect("it does without");
    let table = Table::decode(&messages(&batch.bytes), name_of);
    let flowtable = table.ruleset("one").and_then(|found| found.flowtable).expect("it has one");
    assert_eq!(flowtable.devices, ["virbr1".parse().expect("a name")]);
}

#[test]
fn a_message_can_be_told() {
    let ruleset = compile("one", "virbr1");
    let batch = Batch::new(&Table::default(), None, Some(&ruleset), index_of).expect("the bridge is there");
    assert_eq!(batch.describe(1), Some("table inet vnet"));
    let last = (0..).map_while(|at| batch.describe(at)).last();
    assert_eq!(last, Some("element `10.1.0.0` of set translate_ipv4"));
}

#[test]
fn a_bridge_has_to_be_there() {
    let ruleset = compile("one", "virbr1");
    let error = Batch::new(&Table::default(), None, Some(&ruleset), |_| None).expect_err("no bridge");
    assert_eq!(error, EncodeError::NoInterface("virbr1".parse().expect("a name")));
}

#[test]
fn nothing_is_taken_from_another_network() {
    let one = compile("one", "virbr1");
    let same_bridge = compile("two", "virbr1");
    let mut same_addresses = compile("two", "virbr2");
    let translate = same_addresses.sets.iter_mut().find(|set| set.name == "translate_ipv4").expect("it is there");
    translate.elements[0].key = Key(vec![Part::Address("10.1.0.0".parse().expect("an address"))]);
    let refusal =
        |two| Batch::new(&installed(std::slice::from_ref(&one)), None, Some(two), index_of).map_err(|e| e.to_string());
    assert_eq!(refusal(&same_bridge), Err("\"virbr1\" is taken: \"virbr1\" is of network `one`".to_owned()));
    assert_eq!(refusal(&same_addresses), Err("10.1.0.0 is taken: 10.1.0.0 is of network `one`".to_owned()));
}

#[test]
fn an_index_that_nobody_has_is_drift() {
    let ruleset = compile("one", "virbr1");
    let batch = Batch::new(&Table::default(), None, Some(&ruleset), index_of).expect("the bridge is there");
    let table = Table::decode(&messages(&batch.bytes), |_| None);
    let observed = table.ruleset("one").expect("the chains are there");
    assert_ne!(observed, ruleset);
    assert_eq!(observed.sets[1].elements[0].key, Key(vec![Part::Interface(vnet_firewall::Interface::Gone(101))]));
}

#[test]
fn what_vnet_does_not_make_is_unknown() {
    let mut ruleset = compile("one", "virbr1");
    let verdict = Statement::Verdict(Verdict::Other(-2));
    ruleset.chains[2].rules.push(Rule { statements: vec![Statement::Counter, verdict.clone()], comment: None });
    let read = installed(&[ruleset]).ruleset("one").expect("the chains are there");
    assert_eq!(read.chains[2].rules.last().map(|rule| rule.statements.last()), Some(Some(&verdict)));
}
