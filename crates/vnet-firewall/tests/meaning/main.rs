//! For every packet: the rules of all networks give the verdict that the policies mean.

#![allow(clippy::unwrap_used, reason = "a test")]

mod walk;

use std::net::{IpAddr, SocketAddr};

use proptest::prelude::*;
use proptest::sample::select;
use vnet_firewall::{Access, ForwardedPorts, Policy, Ruleset, Subnet, Transport};
use vnet_types::{Egress, EgressException, EgressPreset, EgressProtocol, InterfaceName, IpNet, PortRange};

use walk::{ABSENT, Fate, Packet, Walk};

/// The verdict from the policies alone.
fn plainly(policies: &[Policy], packet: &Packet) -> Fate {
    let is_limited =
        |bridge: &InterfaceName| policies.iter().any(|policy| policy.bridge == *bridge && policy.egress.is_some());
    let is_new = !packet.established && !packet.reply;
    // Guests that may reach the internet only are told.
    let is_told = policies.iter().any(|policy| {
        let only_internet = policy
            .egress
            .as_ref()
            .is_some_and(|egress| egress.preset == EgressPreset::InternetOnly && egress.exceptions().is_empty());
        let is_usual = |net: IpNet| net.prefix_len() == if net.addr().is_ipv4() { 24 } else { 64 };
        policy.bridge == packet.from
            && only_internet
            && policy.subnets.iter().all(|subnet| is_usual(subnet.net))
            && policy.subnets.iter().any(|subnet| subnet.net.contains(&packet.source))
    });
    if !is_told && packet.midway && is_new && is_limited(&packet.to) && packet.from != packet.to {
        return Fate::Dropped;
    }
    if let Some(fate) = limited(policies, packet, false) {
        return fate;
    }
    if is_refused(policies, packet) {
        return Fate::Refused;
    }
    let hairpin = |policy: &Policy| {
        let is_from_inside = packet.from == policy.bridge || packet.from.as_str() == ABSENT;
        !policy.forwards.is_empty() && packet.redirected && is_from_inside && packet.to == policy.bridge
    };
    if policies.iter().any(hairpin) {
        return Fate::Translated(None, None);
    }
    policies.iter().find_map(|policy| translation(policy, packet)).unwrap_or(Fate::Passed)
}

/// How the limits of the network that a packet comes from end its way, beyond the host or to it.
fn limited(policies: &[Policy], packet: &Packet, to_host: bool) -> Option<Fate> {
    let policy = policies.iter().find(|policy| policy.bridge == packet.from)?;
    let egress = policy.egress.as_ref()?;
    let (address, udp) = (packet.destination, packet.transport == Some(Transport::Udp));
    let gets_an_address = match address.is_ipv4() {
        true => udp && packet.port == 67,
        false => udp && packet.port == 547 || matches!(packet.icmpv6, Some(133 | 135 | 136)),
    };
    if to_host && (gets_an_address || packet.reply) || !to_host && packet.to == policy.bridge {
        return None;
    }
    let link_local: IpNet = "fe80::/10".parse().unwrap();
    let is_own = policy.subnets.iter().any(|subnet| subnet.net.contains(&packet.source));
    if !(is_own || to_host && link_local.contains(&packet.source)) {
        return Some(Fate::Dropped);
    }
    let protocol = match packet.transport {
        Some(Transport::Tcp) => EgressProtocol::Tcp,
        Some(Transport::Udp) => EgressProtocol::Udp,
        None => EgressProtocol::Icmp,
    };
    let port = packet.transport.map(|_| packet.port);
    let allowed = egress.excepted(address, protocol, port).unwrap_or(match egress.preset {
        EgressPreset::Any => true,
        EgressPreset::InternetOnly if to_host => port == Some(53),
        EgressPreset::InternetOnly => {
            Egress::is_internet(address) && policies.iter().all(|other| other.bridge != packet.to)
        }
        EgressPreset::HostOnly => to_host,
        EgressPreset::None => false,
    });
    (!allowed && !packet.reply).then_some(Fate::Refused)
}

/// Where a packet is led by the policies alone: the more exact forward wins.
fn plainly_led(policies: &[Policy], packet: &Packet, is_from_host: bool) -> Option<SocketAddr> {
    let transport = packet.transport?;
    let is_loopback = packet.destination.is_loopback();
    let forwards = || policies.iter().flat_map(|policy| &policy.forwards);
    let leads = |forward: &ForwardedPorts| {
        let is_it = forward.transport == transport
            && forward.guest.is_ipv4() == packet.destination.is_ipv4()
            && forward.ports.start() <= packet.port
            && packet.port <= forward.ports.end()
            && forward.device.as_ref().is_none_or(|device| !is_from_host && *device == packet.from)
            && match forward.address {
                Some(address) => address == packet.destination,
                None => packet.local && !(is_from_host && is_loopback),
            };
        let port = forward.first.checked_add(packet.port.checked_sub(forward.ports.start())?)?;
        is_it.then_some(SocketAddr::new(forward.guest, port))
    };
    [(true, true), (false, true), (true, false), (false, false)].into_iter().find_map(|(device, address)| {
        let as_exact = forwards().filter(|it| it.device.is_some() == device && it.address.is_some() == address);
        as_exact.filter_map(leads).min()
    })
}

/// Whether the host has led a packet to a guest of this network, and the sender may reach it.
fn is_led(policies: &[Policy], policy: &Policy, packet: &Packet) -> bool {
    let translates = policy.subnets.iter().any(|subnet| matches!(subnet.access, Access::Nat { .. }));
    if policy.filtered_elsewhere {
        return false;
    }
    let leads = |forward: &ForwardedPorts| {
        let last = u32::from(forward.first) + u32::from(forward.ports.end() - forward.ports.start());
        Some(forward.transport) == packet.transport
            && forward.guest == packet.destination
            && forward.first <= packet.port
            && u32::from(packet.port) <= last
    };
    let may_be_led = |guest: &IpAddr| {
        let of_guest = |subnet: &Subnet| subnet.net.contains(guest) && matches!(subnet.access, Access::Nat { .. });
        *guest == packet.destination && policy.subnets.iter().any(of_guest)
    };
    packet.redirected
        && (translates && policy.forwards.iter().any(leads) || policy.redirected.iter().any(may_be_led))
        && filtered(policies, &packet.from).is_none_or(|from| may_leave(from, packet))
}

/// The network of a bridge, if its guests are filtered.
fn filtered<'a>(policies: &'a [Policy], bridge: &InterfaceName) -> Option<&'a Policy> {
    policies.iter().find(|policy| policy.bridge == *bridge && !policy.filtered_elsewhere)
}

fn may_leave(policy: &Policy, packet: &Packet) -> bool {
    let mut subnets = policy.subnets.iter().filter(|subnet| subnet.access != Access::Isolated);
    subnets.any(|subnet| subnet.net.contains(&packet.source))
        && policy.device.as_ref().is_none_or(|device| *device == packet.to)
}

fn is_refused(policies: &[Policy], packet: &Packet) -> bool {
    let device_is = |policy: &Policy, it: &InterfaceName| policy.device.as_ref().is_none_or(|device| device == it);
    let knows = |policy: &Policy| {
        packet.source.is_ipv4() || policy.ipv6 || policy.subnets.iter().any(|subnet| subnet.net.addr().is_ipv6())
    };
    // First the network that it goes to decides, then the network that it comes from.
    if let Some(policy) = filtered(policies, &packet.to) {
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
        if is_led(policies, policy, packet) {
            return false;
        }
        if knows(policy) {
            return true;
        }
    }
    let Some(policy) = filtered(policies, &packet.from) else { return false };
    !may_leave(policy, packet) && knows(policy)
}

fn translation(policy: &Policy, packet: &Packet) -> Option<Fate> {
    if policy.filtered_elsewhere || policy.device.as_ref().is_some_and(|device| *device != packet.to) {
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
        let guests = ["10.N.0.9", "10.N.1.9", "10.N.2.77", "fd00:N:1::9"];
        let guests = guests.map(|ip| ip.replace('N', &number.to_string()).parse::<IpAddr>().unwrap()).to_vec();
        let redirected = prop::collection::vec(select(guests.clone()), 0..3);
        let forward = (
            (select(vec![Transport::Tcp, Transport::Udp]), select(guests), prop::option::of(Just(()))),
            (0..4u16, 0..3u16, select(vec![22u16, 2220, 65535])),
            prop::option::of(select(vec!["eth0", "eth1", "virbr1"])),
        );
        let forward = forward.prop_map(move |((transport, guest, address), (port, more, first), device)| {
            // No two networks have the same.
            let start = 2200 + 10 * u16::from(number) + port;
            let mut forward = ForwardedPorts::new(transport, PortRange::new(start, start + more).unwrap(), guest);
            forward.address =
                address.map(|()| if guest.is_ipv4() { "198.51.100.1" } else { "2001:db8::1" }.parse().unwrap());
            forward.first = first;
            forward.device = device.map(|device| device.parse().unwrap());
            forward
        });
        let forwards = prop_oneof![Just(Vec::new()), prop::collection::vec(forward, 0..6)];
        (device, any::<bool>(), subnets, (forwards, redirected), (egress(), prop::bool::weighted(0.2))).prop_map(
            move |(device, ipv6, subnets, (forwards, redirected), (egress, filtered_elsewhere))| {
                let mut policy = Policy::new(format!("net{number}"), format!("virbr{number}").parse().unwrap());
                policy.device = device;
                policy.ipv6 = ipv6;
                policy.subnets = subnets;
                policy.forwards = forwards;
                policy.redirected = redirected;
                policy.egress = egress;
                policy.filtered_elsewhere = filtered_elsewhere;
                policy
            },
        )
    };
    (policy(1), policy(2)).prop_map(|(one, two)| vec![one, two])
}

fn egress() -> impl Strategy<Value = Option<Egress>> {
    let nets = ["10.0.0.0/8", "10.2.0.0/16", "10.2.0.9/32", "8.8.8.8/32", "fd00:2::/32", "2001:db8::1/128", "::/0"];
    let nets = select(nets.map(|net| net.parse::<IpNet>().unwrap()).to_vec());
    let protocols = select(EgressProtocol::WORDS.iter().map(|(_, it)| *it).collect::<Vec<_>>());
    let ports = select(["22-22", "23-2210", "53-53"].map(|ports| ports.parse::<PortRange>().unwrap()).to_vec());
    let exception = (prop::option::weighted(0.8, nets), prop::option::of(protocols), prop::option::of(ports));
    let exception = exception.prop_map(|(net, protocol, ports)| {
        let mut exception = EgressException::default();
        (exception.net, exception.protocol) = (net, protocol);
        exception.ports = ports.filter(|_| protocol != Some(EgressProtocol::Icmp));
        exception
    });
    let some = || prop_oneof![Just(Vec::new()), prop::collection::vec(exception.clone(), 0..4)];
    let presets = select(EgressPreset::WORDS.iter().map(|(_, it)| *it).collect::<Vec<_>>());
    let egress = (presets, some(), some()).prop_map(|(preset, allow, deny)| {
        let mut egress = Egress::new(preset);
        (egress.allow, egress.deny) = (allow, deny);
        egress
    });
    prop::option::of(egress)
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
        "8.8.8.8",
        "198.51.100.1",
        "127.0.0.1",
        "224.0.0.251",
        "224.0.1.1",
        "255.255.255.255",
    ];
    let ipv6 = [
        "fd00:1::9",
        "fd00:1:1::9",
        "fd00:2::9",
        "fd00:2:1::9",
        "fd00:3::9",
        "2001:db8::1",
        "2606:4700::1111",
        "::1",
        "ff02::fb",
        "ff05::2",
    ];
    let ends = prop_oneof![
        2 => (addresses(&ipv4), addresses(&ipv4)),
        1 => (addresses(&ipv6), addresses(&ipv6)),
    ];
    let interface = || {
        select(["virbr1", "virbr2", "eth0", "eth1", ABSENT].map(|name| name.parse::<InterfaceName>().unwrap()).to_vec())
    };
    let transport = select(vec![Some(Transport::Tcp), Some(Transport::Udp), None]);
    let port = select(vec![22u16, 53, 67, 547, 23, 24, 2210, 2211, 2213, 2220, 2221, 2223, 65535]);
    (
        ends,
        transport,
        any::<bool>(),
        (interface(), interface()),
        port,
        any::<[bool; 4]>(),
        select(vec![128u8, 133, 135]),
    )
        .prop_map(
            |(
                (source, destination),
                transport,
                established,
                (from, to),
                port,
                [redirected, local, reply, midway],
                kind,
            )| {
                Packet {
                    source,
                    destination,
                    transport,
                    established,
                    from,
                    to,
                    port,
                    redirected,
                    local,
                    reply,
                    midway: midway && transport == Some(Transport::Tcp),
                    icmpv6: Some(kind).filter(|_| transport.is_none() && destination.is_ipv6()),
                }
            },
        )
}

/// Whether a packet to the host is for its link, where guests may have an address of the link, too.
fn destination_is_link_local(packet: &Packet) -> bool {
    packet.destination == "ff02::fb".parse::<IpAddr>().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn rules_do_what_policies_mean(policies in policies(), packets in prop::collection::vec(packets(), 50)) {
        let rulesets: Vec<Ruleset> = policies.iter().map(Ruleset::compile).collect();
        for packet in &packets {
            let walked = Walk { rulesets: &rulesets, packet }.fate();
            prop_assert_eq!(walked, plainly(&policies, packet), "{:?}", packet);
            let mut to_host = packet.clone();
            to_host.to = ABSENT.parse().unwrap();
            if destination_is_link_local(&to_host) {
                to_host.source = "fe80::9".parse().unwrap();
            }
            let met = Walk { rulesets: &rulesets, packet: &to_host }.to_host();
            prop_assert_eq!(met, limited(&policies, &to_host, true).unwrap_or(Fate::Passed), "to the host: {:?}", to_host);
            for (hook, is_from_host) in [("prerouting", false), ("output", true)] {
                let mut packet = packet.clone();
                if is_from_host {
                    // Nothing has arrived.
                    packet.from = ABSENT.parse().unwrap();
                }
                let led = Walk { rulesets: &rulesets, packet: &packet }.led(hook);
                prop_assert_eq!(led, plainly_led(&policies, &packet, is_from_host), "{} {:?}", hook, packet);
            }
        }
    }
}
