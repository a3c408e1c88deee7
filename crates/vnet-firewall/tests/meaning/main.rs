//! For every packet: the rules of all networks give the verdict that the policies mean.

#![allow(clippy::unwrap_used, reason = "a test")]

mod walk;

use std::net::IpAddr;

use proptest::prelude::*;
use proptest::sample::select;
use vnet_firewall::{Access, Policy, Ruleset, Subnet, Transport};
use vnet_types::{InterfaceName, IpNet, PortRange};

use walk::{Fate, Packet, Walk};

/// The verdict from the policies alone.
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
    // First the network that it goes to decides, then the network that it comes from.
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
    // The last subnet of the definition comes first.
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

/// Subnets of one network that sets can hold.
fn usual_nets(number: u8) -> Vec<IpNet> {
    let all = ["10.N.0.0/24", "10.N.1.0/24", "fd00:N:1::/64", "fd00:N:0::/64"];
    all.map(|net| net.replace('N', &number.to_string()).parse().unwrap()).into()
}

/// Subnets of one network. They may contain each other, but do not overlap those of another
/// network.
fn nets(number: u8) -> Vec<IpNet> {
    let all = ["10.N.0.0/16", "10.N.1.0/24", "10.N.2.0/25", "10.N.2.77/32", "fd00:N::/32", "fd00:N:1::/64"];
    all.map(|net| net.replace('N', &number.to_string()).parse().unwrap()).into()
}

fn policies() -> impl Strategy<Value = Vec<Policy>> {
    let policy = |number: u8| {
        let ports = any::<(u16, u16)>().prop_map(|(a, b)| PortRange::new(a.min(b), a.max(b)).unwrap());
        let ports = prop_oneof![Just("1024-65535".parse().unwrap()), ports];
        let addresses = select(vec!["192.0.2.1-192.0.2.9".parse().unwrap(), "192.0.2.7-192.0.2.7".parse().unwrap()]);
        let access = prop_oneof![
            Just(Access::Isolated),
            Just(Access::Routed),
            (prop::option::weighted(0.3, addresses), ports)
                .prop_map(|(addresses, ports)| Access::Nat { addresses, ports }),
        ];
        let subnets = |nets: Vec<IpNet>| {
            let subnet = (select(nets), access.clone()).prop_map(|(net, access)| Subnet { net, access });
            prop::collection::vec(subnet, 0..4)
        };
        let subnets = prop_oneof![subnets(nets(number)), subnets(usual_nets(number))];
        let device = prop::option::of(select(vec!["eth0".parse().unwrap(), "eth1".parse().unwrap()]));
        (device, any::<bool>(), subnets).prop_map(move |(device, ipv6, subnets)| {
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
