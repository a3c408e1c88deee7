//! Random networks: what the interpreter of rules says becomes of a packet is what the kernel does
//! with it. That the interpreter says what policies plainly mean is tested with many more, beside
//! it.

use std::net::IpAddr;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use vnet_firewall::{Access, Policy, Ruleset, Subnet, Transport};
use vnet_tests::{isolate, run};
use vnet_types::{EgressPreset, InterfaceName, IpNet};

use crate::fate::{Fate, Port};
use crate::lab::Lab;
use crate::probe::{Place, Probe, places, probes, round};
use crate::walk::{self, Packet, Walk};
use crate::wire::Kind;
use crate::{EXCEPTIONS, commit, limited};

/// A round takes a third of a second.
const ROUNDS: usize = 12;

/// Who sends and receives beyond a bridge or device of the host, and its addresses.
const PLACES: [(&str, &str, [&str; 2]); 5] = [
    ("guest", "virbr0", ["192.168.122.10", "2001:db8:ca2:2::10"]),
    ("neighbour", "virbr0", ["192.168.122.11", "2001:db8:ca2:2::11"]),
    ("stranger", "virbr1", ["192.168.123.10", "2001:db8:ca2:3::10"]),
    ("outside", "eth0", ["203.0.113.2", "2001:db8:ffff::2"]),
    ("elsewhere", "eth1", ["198.51.100.2", "2001:db8:eeee::2"]),
];
/// The host's own addresses on them.
const HOST: [(&str, [&str; 2]); 4] = [
    ("virbr0", ["192.168.122.1", "2001:db8:ca2:2::1"]),
    ("virbr1", ["192.168.123.1", "2001:db8:ca2:3::1"]),
    ("eth0", ["203.0.113.1", "2001:db8:ffff::1"]),
    ("eth1", ["198.51.100.1", "2001:db8:eeee::1"]),
];

#[test]
fn the_kernel_does_what_the_interpreter_says() {
    isolate!();
    let lab = Lab::new();
    let places = places(&lab);
    let sent: Vec<(Probe, Packet, &str)> = probes(&[]).into_iter().filter_map(modelled).collect();
    assert!(sent.len() > 150, "{}", sent.len());
    let mut runner = TestRunner::new(Config::default());
    let mut fates = [0; 4];
    let mut count = 0;
    for _ in 0..ROUNDS {
        let policies = policies().new_tree(&mut runner).expect("policies").current();
        let rulesets: Vec<Ruleset> = policies.iter().map(Ruleset::compile).collect();
        run("nft", &["flush", "ruleset"]);
        rulesets.iter().for_each(|ruleset| commit(&ruleset.network, Some(ruleset)));
        let mut open: Vec<&(Probe, Packet, &str)> = sent.iter().collect();
        let mut surprises = Vec::new();
        // A busy machine loses a packet now and then; rules decide the same each time.
        for _ in 0..4 {
            surprises = differences(&rulesets, &places, &open, &mut count);
            if surprises.is_empty() {
                break;
            }
            open = surprises.iter().map(|(at, _)| open[*at]).collect();
        }
        let told: String = surprises.into_iter().map(|(_, text)| text + "\n").collect();
        assert!(told.is_empty(), "{policies:#?}\n{told}");
        for (_, packet, _) in &sent {
            let fate = Walk { rulesets: &rulesets, packet }.fate();
            fates[match fate {
                walk::Fate::Refused => 0,
                walk::Fate::Passed => 1,
                walk::Fate::Translated(..) => 2,
                walk::Fate::Dropped => 3,
                walk::Fate::Led(_) => unreachable!("nothing leads anywhere here"),
            }] += 1;
        }
    }
    assert!(fates.iter().all(|count| *count > 0), "each fate was met: {fates:?}");
}

/// What the kernel does otherwise than foretold.
fn differences(
    rulesets: &[Ruleset],
    places: &[Place],
    sent: &[&(Probe, Packet, &str)],
    count: &mut usize,
) -> Vec<(usize, String)> {
    let probes: Vec<Probe> = sent.iter().map(|(probe, ..)| probe.clone()).collect();
    let fates = round(places, &probes, count);
    let pairs = sent.iter().zip(fates).enumerate();
    pairs.filter_map(|(at, (sent, fate))| Some((at, difference(rulesets, sent, &fate)?))).collect()
}

fn difference(rulesets: &[Ruleset], (probe, packet, receiver): &(Probe, Packet, &str), fate: &Fate) -> Option<String> {
    let foretold = Walk { rulesets, packet }.fate();
    let arrived = fate.arrived(receiver);
    let as_foretold = match &foretold {
        walk::Fate::Refused => arrived.is_none() && fate.is_rejected(),
        walk::Fate::Dropped => arrived.is_none() && !fate.is_rejected(),
        walk::Fate::Led(_) => unreachable!("nothing leads anywhere here"),
        walk::Fate::Passed => arrived.is_some_and(|(source, port)| source == packet.source && is_kept(port)),
        walk::Fate::Translated(addresses, ports) => arrived.is_some_and(|(source, port)| {
            let own = HOST.iter().find(|(device, _)| *device == packet.to.as_str()).expect("a device").1;
            let is_own = own.iter().any(|own| source == ip(own));
            let from_range = addresses.is_some_and(|range| (range.start()..=range.end()).contains(&source));
            let right_port = match (ports, probe.kind) {
                (Some(ports), Kind::UdpLowPort) if ports.start() <= 100 => is_kept(port),
                (Some(ports), _) => match ports.start() {
                    100 => port == Port::Below500,
                    500 => port == Port::To1000,
                    // What is sent from above 2000 is in the range already.
                    _ if probe.kind == Kind::UdpLowPort => port == Port::Above,
                    _ => is_kept(port),
                },
                (None, _) => true,
            };
            (if addresses.is_some() { from_range } else { is_own }) && right_port
        }),
    };
    // The answer, after the source is as it was; nobody finds the way back to who gave another's
    // address.
    let back = Packet {
        source: packet.destination,
        destination: packet.source,
        established: true,
        reply: true,
        from: packet.to.clone(),
        to: packet.from.clone(),
        ..packet.clone()
    };
    let is_stopped = |fate: &walk::Fate| matches!(fate, walk::Fate::Refused | walk::Fate::Dropped);
    let comes_back = !is_stopped(&Walk { rulesets, packet: &back }.fate());
    let is_honest =
        PLACES.iter().any(|(name, _, own)| *name == probe.sender && own.iter().any(|it| ip(it) == packet.source));
    let answered = !is_honest || is_stopped(&foretold) || fate.is_answered(probe.sender) == comes_back;
    if as_foretold && answered {
        return None;
    }
    Some(format!("{}, {:?}: {foretold:?}, answers come back: {comes_back}, but: {fate:?}", probe.way, probe.kind))
}

fn is_kept(port: Port) -> bool {
    matches!(port, Port::None | Port::Kept)
}

/// What the interpreter knows of: the first packets of connections that are forwarded, with who
/// receives them.
fn modelled(probe: Probe) -> Option<(Probe, Packet, &'static str)> {
    let transport = match probe.kind {
        Kind::Tcp => Some(Transport::Tcp),
        Kind::Udp | Kind::UdpLowPort => Some(Transport::Udp),
        Kind::Echo => None,
        _ => return None,
    };
    let from = PLACES.iter().find(|(name, ..)| *name == probe.sender)?.1;
    let (receiver, to, _) = PLACES.iter().find(|(_, _, own)| own.iter().any(|it| ip(it) == probe.destination))?;
    let device = |name: &str| name.parse::<InterfaceName>().expect("a name");
    let (source, destination) = (probe.source, probe.destination);
    let packet = Packet {
        source,
        destination,
        transport,
        established: false,
        from: device(from),
        to: device(to),
        // Who answers listens on it.
        port: 7,
        redirected: false,
        local: false,
        reply: false,
        midway: false,
        icmpv6: None,
    };
    (from != *to).then_some((probe, packet, *receiver))
}

/// Two networks with some of these subnets, which have all, some or none of the guests in them.
fn policies() -> impl Strategy<Value = Vec<Policy>> {
    let policy = |name: &'static str, bridge: &'static str, nets: [&str; 4]| {
        let nets = nets.map(|net| net.parse::<IpNet>().expect("a subnet")).to_vec();
        let ports = select(["100-499", "500-1000", "1024-65535"].to_vec());
        let addresses = prop::option::of(Just("192.0.2.1-192.0.2.9"));
        let nat = (addresses, ports).prop_map(|(addresses, ports)| crate::nat_from(addresses, ports));
        let access = prop_oneof![1 => Just(Access::Isolated), 2 => Just(Access::Routed), 2 => nat];
        let subnet = (select(nets), access).prop_map(|(net, access)| Subnet { net, access });
        let device = prop::option::of(select(["eth0", "eth1"].to_vec()));
        let presets = select(EgressPreset::WORDS.iter().map(|(_, it)| *it).collect::<Vec<_>>());
        let egress = prop::option::of((presets, any::<bool>()));
        let all = (device, any::<bool>(), prop::collection::vec(subnet, 0..4), egress);
        all.prop_map(move |(device, ipv6, subnets, egress)| {
            let mut policy = Policy::new(name, bridge.parse().expect("a name"));
            policy.device = device.map(|device| device.parse().expect("a name"));
            policy.ipv6 = ipv6;
            policy.subnets = subnets;
            match egress {
                Some((preset, true)) => limited(preset, EXCEPTIONS, policy),
                Some((preset, false)) => limited(preset, "", policy),
                None => policy,
            }
        })
    };
    let one = ["192.168.122.0/24", "192.168.122.8/30", "192.168.122.10/32", "2001:db8:ca2:2::/64"];
    let two = ["192.168.123.0/24", "192.168.123.10/32", "192.168.123.128/25", "2001:db8:ca2:3::/64"];
    (policy("one", "virbr0", one), policy("two", "virbr1", two)).prop_map(|(one, two)| vec![one, two])
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}
