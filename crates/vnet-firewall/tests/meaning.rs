//! What holds for every packet: walking through the rules of all networks says what the policies plainly mean.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::net::IpAddr;

use proptest::prelude::*;
use proptest::sample::select;
use vnet_firewall::{
    Access, Direction, Field, Interface, Key, Policy, Rule, Ruleset, Statement, Subject, Subnet, Transport, Verdict,
};
use vnet_types::{AddressRange, Family, InterfaceName, IpNet, PortRange};

#[derive(Clone, Debug)]
struct Packet {
    source: IpAddr,
    destination: IpAddr,
    /// `None`: neither TCP nor UDP.
    transport: Option<Transport>,
    /// Of a connection that was let through before, or related to one.
    established: bool,
    /// Came in through this interface.
    from: InterfaceName,
    /// Goes out through this one.
    to: InterfaceName,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate {
    Refused,
    Passed,
    /// With another source: one of these addresses, or the outgoing interface's; one of these ports, or any.
    Translated(Option<AddressRange>, Option<PortRange>),
}

// The plain meaning: policies only.

fn plainly(policies: &[Policy], packet: &Packet) -> Fate {
    if is_refused(policies, packet) {
        return Fate::Refused;
    }
    policies.iter().find_map(|policy| translation(policy, packet)).unwrap_or(Fate::Passed)
}

fn is_refused(policies: &[Policy], packet: &Packet) -> bool {
    let device_is = |policy: &Policy, it: &InterfaceName| policy.device.as_ref().is_none_or(|device| device == it);
    let knows = |policy: &Policy| {
        packet.source.is_ipv4() || policy.ipv6 || policy.subnets.iter().any(|subnet| subnet.net.addr().is_ipv6())
    };
    // Whom it goes to has the first word, whom it comes from the second.
    if let Some(policy) = policies.iter().find(|policy| policy.bridge == packet.to) {
        let welcome = |subnet: &Subnet| match subnet.access {
            Access::Isolated => false,
            Access::Routed => true,
            Access::Nat { .. } => packet.established,
        };
        let among_guests = packet.from == policy.bridge;
        let subnets = policy.subnets.iter().filter(|subnet| subnet.net.contains(&packet.destination));
        if among_guests || device_is(policy, &packet.from) && subnets.into_iter().any(welcome) {
            return false;
        }
        if knows(policy) {
            return true;
        }
    }
    let Some(policy) = policies.iter().find(|policy| policy.bridge == packet.from) else { return false };
    let mut subnets = policy.subnets.iter().filter(|subnet| subnet.access != Access::Isolated);
    let may_leave = subnets.any(|subnet| subnet.net.contains(&packet.source)) && device_is(policy, &packet.to);
    !may_leave && knows(policy)
}

fn translation(policy: &Policy, packet: &Packet) -> Option<Fate> {
    if policy.device.as_ref().is_some_and(|device| *device != packet.to) {
        return None;
    }
    let local: [IpNet; 3] =
        ["224.0.0.0/24", "255.255.255.255/32", "ff02::/16"].map(|net| net.parse().expect("a subnet"));
    // The last subnet of the definition is asked first.
    policy.subnets.iter().rev().filter(|subnet| subnet.net.contains(&packet.source)).find_map(|subnet| {
        let Access::Nat { addresses, ports } = subnet.access else { return None };
        if local.iter().any(|net| net.contains(&packet.destination)) {
            return Some(Fate::Passed);
        }
        let leaves = !subnet.net.contains(&packet.destination);
        let addresses = addresses.filter(|range| range.start().is_ipv4() && packet.source.is_ipv4());
        leaves.then(|| Fate::Translated(addresses, packet.transport.map(|_| ports)))
    })
}

// The rules, walked through as the kernel does: it knows nothing of policies.

struct Walk<'a> {
    rulesets: &'a [Ruleset],
    packet: &'a Packet,
}

enum Step {
    /// On with the next rule.
    On,
    /// Back to the rule after the jump.
    Back,
    End(Fate),
}

impl Walk<'_> {
    fn fate(&self) -> Fate {
        match self.base_chain("forward") {
            Fate::Refused => Fate::Refused,
            _ => self.base_chain("postrouting"),
        }
    }

    fn base_chain(&self, name: &str) -> Fate {
        match self.chain(name) {
            Step::End(fate) => fate,
            // Base chains accept what no rule decides about.
            Step::On | Step::Back => Fate::Passed,
        }
    }

    fn chain(&self, name: &str) -> Step {
        let chain = self.rulesets.iter().find_map(|ruleset| ruleset.chain(name)).expect("jumps lead somewhere");
        for rule in &chain.rules {
            match self.rule(rule) {
                Step::On => {}
                Step::Back => return Step::On,
                end @ Step::End(_) => return end,
            }
        }
        Step::On
    }

    fn rule(&self, rule: &Rule) -> Step {
        let packet = self.packet;
        for statement in &rule.statements {
            let matches = match statement {
                Statement::Family(family) => *family == Family::of(packet.source),
                Statement::Transport(transport) => Some(*transport) == packet.transport,
                Statement::Interface(direction, Interface::Named(name)) | Statement::InterfaceName(direction, name) => {
                    self.interface(*direction) == name
                }
                Statement::Interface(_, Interface::Gone(_)) | Statement::Unknown(_) => panic!("{rule}"),
                Statement::Address { field, negated, net } => {
                    let address = if *field == Field::Source { packet.source } else { packet.destination };
                    assert_eq!(Family::of(address), Family::of(net.addr()), "the family was asked before: {rule}");
                    net.contains(&address) != *negated
                }
                Statement::Established => packet.established,
                Statement::Counter => true,
                Statement::Verdict(verdict) => return self.verdict(verdict),
                Statement::Reject(family) => {
                    assert!(family.is_none_or(|family| family == Family::of(packet.source)), "{rule}");
                    return Step::End(Fate::Refused);
                }
                Statement::Masquerade(ports) => return self.translate(rule, None, *ports),
                Statement::Snat { addresses, ports } => return self.translate(rule, Some(*addresses), *ports),
                Statement::Lookup { subject, map } => match self.look_up(*subject, map) {
                    Some(verdict) => return self.verdict(&verdict),
                    None => false,
                },
            };
            if !matches {
                return Step::On;
            }
        }
        Step::On
    }

    fn translate(&self, rule: &Rule, addresses: Option<AddressRange>, ports: Option<PortRange>) -> Step {
        assert!(ports.is_none() || self.packet.transport.is_some(), "what has no ports keeps none: {rule}");
        Step::End(Fate::Translated(addresses, ports))
    }

    fn verdict(&self, verdict: &Verdict) -> Step {
        match verdict {
            Verdict::Accept => Step::End(Fate::Passed),
            Verdict::Return => Step::Back,
            Verdict::Jump(chain) => self.chain(chain),
            other => panic!("no rule of ours says {other:?}"),
        }
    }

    fn look_up(&self, subject: Subject, map: &str) -> Option<Verdict> {
        let maps = self.rulesets.iter().flat_map(|ruleset| &ruleset.maps).filter(|candidate| candidate.name == map);
        let is_key = |key: &Key| match (subject, key) {
            (Subject::Interface(direction), Key::Interface(Interface::Named(name))) => {
                self.interface(direction) == name
            }
            (Subject::Source(_), Key::Subnet(net)) => net.contains(&self.packet.source),
            other => panic!("{other:?}"),
        };
        let found: Vec<_> = maps.flat_map(|map| &map.elements).filter(|element| is_key(&element.key)).collect();
        assert!(found.len() <= 1, "a map has one element for a packet: {found:?}");
        found.first().map(|element| element.verdict.clone())
    }

    fn interface(&self, direction: Direction) -> &InterfaceName {
        match direction {
            Direction::In => &self.packet.from,
            Direction::Out => &self.packet.to,
        }
    }
}

/// Subnets of one network, which may lie in each other, but in none of another network.
fn nets(number: u8) -> Vec<IpNet> {
    let all = ["10.N.0.0/16", "10.N.1.0/24", "10.N.2.0/25", "10.N.2.77/32", "fd00:N::/32", "fd00:N:1::/64"];
    all.map(|net| net.replace('N', &number.to_string()).parse().unwrap()).into()
}

fn policies() -> impl Strategy<Value = Vec<Policy>> {
    let policy = |number: u8| {
        let ports = any::<(u16, u16)>().prop_map(|(a, b)| PortRange::new(a.min(b), a.max(b)).unwrap());
        let addresses = select(vec!["192.0.2.1-192.0.2.9".parse().unwrap(), "192.0.2.7-192.0.2.7".parse().unwrap()]);
        let access = prop_oneof![
            Just(Access::Isolated),
            Just(Access::Routed),
            (prop::option::of(addresses), ports).prop_map(|(addresses, ports)| Access::Nat { addresses, ports }),
        ];
        let subnet = (select(nets(number)), access).prop_map(|(net, access)| Subnet { net, access });
        let device = prop::option::of(select(vec!["eth0".parse().unwrap(), "eth1".parse().unwrap()]));
        (device, any::<bool>(), prop::collection::vec(subnet, 0..4)).prop_map(move |(device, ipv6, subnets)| {
            let mut policy = Policy::new(format!("net{number}"), format!("virbr{number}").parse().unwrap());
            policy.device = device;
            policy.ipv6 = ipv6;
            policy.subnets = subnets;
            policy
        })
    };
    (policy(1), policy(2)).prop_map(|(one, two)| vec![one, two])
}

fn packets() -> impl Strategy<Value = Packet> {
    let addresses = |list: &[&str]| select(list.iter().map(|it| it.parse::<IpAddr>().unwrap()).collect::<Vec<_>>());
    let ipv4 = [
        "10.1.0.9",
        "10.1.1.9",
        "10.1.1.255",
        "10.1.2.77",
        "10.1.2.78",
        "10.1.2.128",
        "10.2.0.9",
        "10.2.1.9",
        "10.2.2.77",
        "10.3.0.1",
        "198.51.100.1",
        "224.0.0.251",
        "224.0.1.1",
        "255.255.255.255",
    ];
    let ipv6 =
        ["fd00:1::9", "fd00:1:1::9", "fd00:2::9", "fd00:2:1::9", "fd00:3::9", "2001:db8::1", "ff02::fb", "ff05::2"];
    let ends = prop_oneof![
        2 => (addresses(&ipv4), addresses(&ipv4)),
        1 => (addresses(&ipv6), addresses(&ipv6)),
    ];
    let interface =
        || select(["virbr1", "virbr2", "eth0", "eth1"].map(|name| name.parse::<InterfaceName>().unwrap()).to_vec());
    let transport = select(vec![Some(Transport::Tcp), Some(Transport::Udp), None]);
    (ends, transport, any::<bool>(), interface(), interface()).prop_map(
        |((source, destination), transport, established, from, to)| Packet {
            source,
            destination,
            transport,
            established,
            from,
            to,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn rules_do_what_policies_mean(policies in policies(), packets in prop::collection::vec(packets(), 50)) {
        let rulesets: Vec<Ruleset> = policies.iter().map(Ruleset::compile).collect();
        for packet in &packets {
            let walked = Walk { rulesets: &rulesets, packet }.fate();
            prop_assert_eq!(walked, plainly(&policies, packet), "{:?}", packet);
        }
    }
}
