//! What guests of a network may reach beyond it.
//!
//! These base chains come before all others at their hooks, so what they refuse is refused,
//! whatever others accept; what they accept, the others still see. A packet of a usual network that
//! may reach the internet only is looked up three times: its source, its destination, and whether
//! it goes to another network. A look-up among ranges costs as much as two others, so the
//! destination is looked up by its first bits, and exactly only where these leave it open.
//! Everything else takes the longer way through `limited`.
//!
//! Guests answer connections that others have begun, to whatever address: it is asked last whether
//! a packet does so, as that needs connection tracking. An established connection that a guest has
//! begun is asked packet by packet, so that a change holds for it, too.
//!
//! A host that has not tracked connections before knows of none of those that are there when the
//! first network limits its guests. Of these, whoever sends first would pass for the one who began.
//! So segments to such guests that begin no connection of TCP are dropped, unless it is known; and
//! until these rules hold, a table that goes with its socket drops them.
//!
//! What every guest needs to have an address passes first: DHCP, and neighbour discovery to the
//! host. It has other source addresses than the subnet's.

use std::collections::BTreeSet;

use vnet_types::{Egress, Family, IpNet, PortRange};

use super::{BOTH, BRIDGES, PerFamily, SAME_NETWORK, SHARED, address_type, base, chain, decide, find, net, rule, set};
use crate::ruleset::{
    Chain, Direction, Element, Field, Holds, Key, KeyType, Part, Rule, Set, Statement, Subject, Transport, Verdict,
};

/// Bridges whose guests are limited in what they reach.
pub(crate) const LIMITED: &str = "limited";
/// Bridges with rules of their own, for sources and exceptions.
pub(crate) const OWN_LIMIT: &str = "own_limit";
/// Bridges whose own rules have checked the source.
pub(crate) const CHECKED: &str = "checked";
/// Bridges whose guests may reach the internet only.
pub(crate) const INTERNET_ONLY: &str = "internet_only";
/// Bridges whose guests may reach the host only.
pub(crate) const HOST_ONLY: &str = "host_only";
/// Bridges whose guests may reach anything.
pub(crate) const UNLIMITED: &str = "unlimited";
/// Bridges, to drop what has a source of another network.
pub(crate) const SPOOFED: &str = "spoofed";
/// Bridges, to refuse what guests may not reach. It is the name of the chain, too.
pub(crate) const REFUSE_EGRESS: &str = "refuse_egress";
/// The base chain of what is forwarded.
pub(crate) const LIMIT: &str = "egress_forward";
const MIDWAY: &str = "midway";
const BEYOND: &str = "beyond_internet";
const PRESET: &str = "egress_preset";
const HOST: &str = "egress_host";
const HOST_PRESET: &str = "egress_host_preset";
/// Before the usual filters.
const BEFORE: i32 = -1;
/// Requests that hosts send in neighbour discovery: for a router, for a neighbour; and the answer.
const NEIGHBOUR_DISCOVERY: [u8; 3] = [133, 135, 136];

pub(super) fn sets() -> Vec<Set> {
    let bridges = |name, holds| set(name, &[KeyType::InterfaceIndex], holds);
    let mut sets: Vec<Set> =
        [LIMITED, CHECKED, INTERNET_ONLY, HOST_ONLY, UNLIMITED].map(|name| bridges(name, Holds::Nothing)).into();
    sets.push(bridges(OWN_LIMIT, Holds::Verdict));
    sets.extend([SPOOFED, REFUSE_EGRESS].map(|name| bridges(name, Holds::Counter)));
    for family in BOTH {
        let address = address_type(family);
        for kind in [PerFamily::Internet, PerFamily::Source] {
            sets.push(set(kind.set(family), &[KeyType::InterfaceIndex, address], Holds::Nothing));
        }
        let beyond = set(PerFamily::BeyondInternet.set(family), &[address], Holds::Nothing);
        sets.push(Set { interval: true, ..beyond });
        sets.push(set(PerFamily::NearInternet.set(family), &[address], Holds::Nothing));
    }
    sets
}

pub(super) fn elements() -> Vec<(&'static str, Element)> {
    let element = |part, what: &str| Element {
        key: Key(vec![part]),
        verdict: None,
        target: None,
        comment: Some(format!("{SHARED}{what}")),
    };
    let of = |family| {
        let [beyond, near] = [PerFamily::BeyondInternet, PerFamily::NearInternet].map(|kind| kind.set(family));
        let exact =
            Egress::beyond_internet(family).map(move |net| (beyond, element(Part::Subnet(net), "not the internet")));
        let around = near_internet(family).into_iter();
        exact.chain(around.map(move |net| (near, element(Part::Address(net.addr()), "some of it is not the internet"))))
    };
    BOTH.into_iter().flat_map(of).collect()
}

/// How long the prefixes are that tell whether an address may be outside the internet.
fn near(family: Family) -> u8 {
    match family {
        Family::Ipv4 => 8,
        Family::Ipv6 => 16,
    }
}

/// The prefixes of this length that have something in them that is not the internet. Of IPv6 only
/// those within 2000::/3.
fn near_internet(family: Family) -> BTreeSet<IpNet> {
    let within = |net: &IpNet| family == Family::Ipv4 || global().contains(net);
    let beyond = Egress::beyond_internet(family).filter(within);
    beyond
        .flat_map(|net| {
            let around = IpNet::new(net.addr(), net.prefix_len().min(near(family))).expect("a prefix of the family");
            around.trunc().subnets(near(family)).expect("a longer prefix").collect::<Vec<_>>()
        })
        .collect()
}

/// 2000::/3: all of the internet that has IPv6.
fn global() -> IpNet {
    "2000::/3".parse().expect("a subnet")
}

pub(super) fn chains() -> Vec<Chain> {
    let (arrives, leaves) = (Subject::Interface(Direction::In), Subject::Interface(Direction::Out));
    let accept = || Statement::Verdict(Verdict::Accept);
    let bridge = |set: &str, act, what: &str| rule(find([arrives], set), act, what);
    let from = |kind: PerFamily, family, to: &str| {
        rule(find([arrives, net(Field::Source, family)], kind.set(family)), goto(to), "guests with their own address")
    };
    let siblings = || rule(find([arrives, leaves], SAME_NETWORK), accept(), "guests of one network");
    let reply = || rule(vec![Statement::Reply], accept(), "answers to those who may reach the guest");
    let own = || decide([arrives], OWN_LIMIT, "networks with rules of their own");
    let spoofed =
        || bridge(SPOOFED, Statement::Verdict(Verdict::Drop), "what has an address of another network is dropped");
    let refuse = || rule(Vec::new(), goto(REFUSE_EGRESS), "nothing else");

    let midway = || {
        let mut matches = vec![Statement::Midway, Statement::New];
        matches.extend(find([leaves], LIMITED));
        rule(matches, goto(MIDWAY), "the middle of a connection that nobody has seen begin")
    };

    // Those that may reach the internet only reach no other guests, however their connections
    // began.
    let mut forward: Vec<Rule> = BOTH.map(|family| from(PerFamily::Internet, family, internet_only(family))).into();
    forward.push(midway());
    forward.push(bridge(LIMITED, goto(LIMITED), "guests that are limited in what they reach"));

    let drop = Statement::Verdict(Verdict::Drop);
    let unseen = vec![siblings(), rule(Vec::new(), drop, "who began it is not known")];

    let mut limited =
        vec![siblings(), own(), bridge(CHECKED, goto(PRESET), "networks whose own rules know the address")];
    limited.extend(BOTH.map(|family| from(PerFamily::Source, family, PRESET)));
    limited.push(spoofed());

    let beyond = |family: Family| {
        let destination = Subject::Address { field: Field::Destination, family, prefix: family.bits() };
        rule(find([destination], PerFamily::BeyondInternet.set(family)), goto(REFUSE_EGRESS), "not the internet")
    };
    let other = || rule(find([leaves], BRIDGES), goto(REFUSE_EGRESS), "another network");
    let around = |family: Family| {
        let destination = Subject::Address { field: Field::Destination, family, prefix: near(family) };
        rule(find([destination], PerFamily::NearInternet.set(family)), goto(BEYOND), "what may not be the internet")
    };
    let outside = Statement::Address { field: Field::Destination, negated: true, net: global() };
    let ipv4 = vec![around(Family::Ipv4), other()];
    let outside = vec![Statement::Family(Family::Ipv6), outside];
    let ipv6 = vec![rule(outside, goto(REFUSE_EGRESS), "not the internet"), around(Family::Ipv6), other()];
    let mut exact: Vec<Rule> = BOTH.map(beyond).into();
    exact.push(other());

    let internet = |family| {
        let mut matches = vec![Statement::Family(family)];
        matches.extend(find([arrives], INTERNET_ONLY));
        rule(matches, goto(internet_only(family)), "guests that may reach the internet")
    };
    let mut preset = vec![bridge(UNLIMITED, accept(), "guests that may reach anything")];
    preset.extend(BOTH.map(internet));
    preset.push(refuse());
    let refused = vec![
        siblings(),
        reply(),
        bridge(REFUSE_EGRESS, Statement::Reject(None), "what guests may not reach is refused"),
    ];

    let served = |family, port| {
        let ports = PortRange::new(port, port).expect("in order");
        rule(vec![Statement::Family(family), Statement::Port(Transport::Udp, ports)], accept(), "DHCP")
    };
    let mut host = vec![served(Family::Ipv4, 67), served(Family::Ipv6, 547)];
    host.extend(NEIGHBOUR_DISCOVERY.map(|kind| {
        let matches = vec![Statement::Family(Family::Ipv6), Statement::Icmpv6Type(kind)];
        rule(matches, accept(), "neighbour discovery")
    }));
    host.extend([reply(), own(), bridge(CHECKED, goto(HOST_PRESET), "networks whose own rules know the address")]);
    for kind in [PerFamily::Internet, PerFamily::Source] {
        host.extend(BOTH.map(|family| from(kind, family, HOST_PRESET)));
    }
    let local = Statement::Address { field: Field::Source, negated: false, net: link_local() };
    let local = vec![Statement::Family(Family::Ipv6), local];
    host.extend([rule(local, goto(HOST_PRESET), "guests with an address of the link"), spoofed()]);
    let names = |transport| {
        let mut names = find([arrives], INTERNET_ONLY);
        names.push(Statement::Port(transport, PortRange::new(53, 53).expect("in order")));
        rule(names, accept(), "DNS for guests that may reach the internet")
    };
    let host_preset = vec![
        bridge(UNLIMITED, accept(), "guests that may reach anything"),
        bridge(HOST_ONLY, accept(), "guests that may reach the host"),
        names(Transport::Udp),
        names(Transport::Tcp),
        refuse(),
    ];
    vec![
        base(LIMIT, "filter", 2, BEFORE, forward),
        base(
            "egress_input",
            "filter",
            1,
            BEFORE,
            vec![bridge(LIMITED, goto(HOST), "guests that are limited in what they reach")],
        ),
        base("egress_output", "filter", 3, BEFORE, vec![midway()]),
        chain(MIDWAY, unseen),
        chain(LIMITED, limited),
        chain(internet_only(Family::Ipv4), ipv4),
        chain(internet_only(Family::Ipv6), ipv6),
        chain(BEYOND, exact),
        chain(PRESET, preset),
        chain(HOST, host),
        chain(HOST_PRESET, host_preset),
        chain(REFUSE_EGRESS, refused),
    ]
}

/// fe80::/10: every host has such an address, for the link alone.
pub(crate) fn link_local() -> IpNet {
    "fe80::/10".parse().expect("a subnet")
}

/// The chain of guests that may reach the internet only. A chain for each family has fewer
/// rules.
fn internet_only(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "internet_only_ipv4",
        Family::Ipv6 => "internet_only_ipv6",
    }
}

fn goto(chain: &str) -> Statement {
    Statement::Verdict(Verdict::Goto(chain.to_owned()))
}
