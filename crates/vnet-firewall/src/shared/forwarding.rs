//! Ports of the host that lead to guests.
//!
//! The first packet of a connection gets another destination: of what arrives, in `prerouting`; of
//! what the host sends itself, in `output`. The more exact element wins: an address at a device, an
//! address, a device, any address. Loopback addresses lead nowhere: an answer from a guest to
//! 127.0.0.1 is refused by the kernel, unless `route_localnet` opens the host's loopback services
//! to guests; and of ::1 always.
//!
//! A guest that reaches another one of its own network through the host, or itself, would be
//! answered directly by the other one, from an address that it did not ask: it gets the host's
//! address as its source, so that answers pass the host. With br_netfilter such packets are bridged
//! and not routed, and have no incoming interface in `postrouting`; what the host sends itself has
//! none, either, and gets the same source.

use vnet_types::{Family, IpNet};

use super::{BOTH, HAIRPIN, OWN_FROM, PerFamily, address_type, base, chain, decide, find, net, rule, set};
use crate::ruleset::{Chain, Direction, Field, Holds, KeyType, Rule, Set, Statement, Subject, Verdict};

/// The chain for destinations that are any address of the host.
const LEAD: &str = "lead";
const DESTINATION: i32 = -100;
/// Before other translation of sources.
const SOURCE: i32 = 99;

pub(super) fn sets() -> Vec<Set> {
    use KeyType::{InterfaceIndex, Port, Protocol, Word};
    let mut sets = vec![set(HAIRPIN, &[InterfaceIndex, InterfaceIndex], Holds::Counter)];
    for family in BOTH {
        let address = address_type(family);
        let map = |kind: PerFamily, key: &[KeyType]| set(kind.set(family), key, Holds::Target(family));
        sets.push(map(PerFamily::Lead, &[Protocol, address, Port]));
        sets.push(map(PerFamily::LeadAny, &[Protocol, Port]));
        sets.push(map(PerFamily::LeadDevice, &[Word, Protocol, Port]));
        sets.push(map(PerFamily::LeadDeviceAddress, &[Word, Protocol, address, Port]));
    }
    sets
}

pub(super) fn chains() -> Vec<Chain> {
    let arrives = Subject::InterfaceName(Direction::In);
    let by_address = |family| vec![Subject::Protocol, destination(family), Subject::Port(Field::Destination)];
    let by_port = vec![Subject::Protocol, Subject::Port(Field::Destination)];
    let at_device = |subjects: Vec<Subject>| [vec![arrives], subjects].concat();
    let local = || rule(vec![Statement::LocalDestination], jump(LEAD), "ports of every address of the host");
    let is_loopback = |net: &str| {
        let net: IpNet = net.parse().expect("a subnet");
        let family = Statement::Family(Family::of(net.addr()));
        vec![family, Statement::Address { field: Field::Destination, negated: false, net }]
    };
    let back = |matches| rule(matches, Statement::Verdict(Verdict::Return), "loopback addresses lead nowhere");
    let mut prerouting = Vec::new();
    let mut lead = Vec::new();
    let mut output = Vec::new();
    for family in BOTH {
        prerouting.push(dnat(family, PerFamily::LeadDeviceAddress, at_device(by_address(family)), "at a device"));
        prerouting.push(dnat(family, PerFamily::Lead, by_address(family), "of an address"));
        output.push(dnat(family, PerFamily::Lead, by_address(family), "of an address"));
        lead.push(dnat(family, PerFamily::LeadDevice, at_device(by_port.clone()), "of a device"));
        lead.push(dnat(family, PerFamily::LeadAny, by_port.clone(), "of every address"));
    }
    prerouting.push(local());
    output.extend([back(is_loopback("127.0.0.0/8")), back(is_loopback("::1/128")), local()]);
    let mut hairpin = vec![Statement::Redirected];
    hairpin.extend(find([Subject::Interface(Direction::In), Subject::Interface(Direction::Out)], HAIRPIN));
    let hairpin = rule(hairpin, Statement::Masquerade(None), "guests that reach their own network through the host");
    vec![
        base("prerouting", "nat", 0, DESTINATION, prerouting),
        base("output", "nat", 3, DESTINATION, output),
        chain(LEAD, lead),
        base(HAIRPIN, "nat", 4, SOURCE, vec![hairpin]),
    ]
}

/// The chain for guests of another network that reach a port.
pub(super) fn crossing(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "crossing_ipv4",
        Family::Ipv6 => "crossing_ipv6",
    }
}

/// Lets guests through that may leave their own network.
pub(super) fn from_guests(family: Family) -> Chain {
    let arrives = Subject::Interface(Direction::In);
    let rules = [led(family), redirected(family)].into_iter().flat_map(|led| {
        let mut leaves = find([arrives, net(Field::Source, family)], PerFamily::Leave.set(family));
        // The family is asked once.
        leaves.extend(led.iter().skip(1).cloned());
        let leaves = rule(leaves, Statement::Verdict(Verdict::Accept), "guests that may leave");
        let own = decide([arrives], OWN_FROM, "networks with rules of their own");
        [leaves, Rule { statements: [led, own.statements].concat(), ..own }]
    });
    chain(crossing(family), rules.collect())
}

/// Matches what the host has led to a port of a guest.
pub(super) fn led(family: Family) -> Vec<Statement> {
    let subjects =
        [Subject::Interface(Direction::Out), Subject::Protocol, destination(family), Subject::Port(Field::Destination)];
    let mut led = find(subjects, PerFamily::Forwarded.set(family));
    led.push(Statement::Redirected);
    led
}

/// Matches what another program has led to a guest that it may lead to.
pub(super) fn redirected(family: Family) -> Vec<Statement> {
    let subjects = [Subject::Interface(Direction::Out), destination(family)];
    let mut redirected = find(subjects, PerFamily::Redirected.set(family));
    redirected.push(Statement::Redirected);
    redirected
}

fn destination(family: Family) -> Subject {
    Subject::Address { field: Field::Destination, family, prefix: family.bits() }
}

fn dnat(family: Family, map: PerFamily, subjects: Vec<Subject>, what: &str) -> Rule {
    let map = map.set(family).to_owned();
    rule(vec![Statement::Family(family)], Statement::Dnat { family, subjects, map }, &format!("ports {what}"))
}

fn jump(chain: &str) -> Statement {
    Statement::Verdict(Verdict::Jump(chain.to_owned()))
}
