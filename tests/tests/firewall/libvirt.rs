//! Two networks in a host, and everyone sends to everyone: under libvirt's rules and under ours the same becomes of it.

use std::fmt::Write as _;

use rstest::rstest;
use vnet_firewall::{Access, Policy};
use vnet_tests::{Netns, isolate, run};
use vnet_types::IpNet;

use crate::lab::{FOREIGN, Fate, Lab, Protocol, send};
use crate::*;

#[rstest]
#[case::nat_and_nat(default_policy(), policy("two", "virbr1", &[(OTHER_NET, nat())]))]
#[case::nat_and_routed(default_policy(), policy("two", "virbr1", &[(OTHER_NET, Access::Routed), (OTHER_NET6, Access::Routed)]))]
#[case::routed_and_isolated(
    policy("default", "virbr0", &[(NET, Access::Routed)]),
    policy("two", "virbr1", &[(OTHER_NET, Access::Isolated), (OTHER_NET6, Access::Isolated)]),
)]
#[case::isolated_and_routed(
    policy("default", "virbr0", &[(NET, Access::Isolated)]),
    policy("two", "virbr1", &[(OTHER_NET, Access::Routed), (OTHER_NET6, Access::Routed)]),
)]
#[case::nat_ipv6_and_ipv6_without_address(
    policy("default", "virbr0", &[(NET, nat()), (NET6, nat())]),
    with_ipv6(policy("two", "virbr1", &[(OTHER_NET, nat())])),
)]
#[case::forward_device_and_another(
    through("eth0", policy("default", "virbr0", &[(NET, nat()), (NET6, Access::Routed)])),
    through("eth1", policy("two", "virbr1", &[(OTHER_NET, Access::Routed), (OTHER_NET6, nat())])),
)]
#[case::port_range_and_address_range(
    policy("default", "virbr0", &[(NET, nat_from(None, "500-1000"))]),
    policy("two", "virbr1", &[(OTHER_NET, nat_from(Some("203.0.113.1-203.0.113.1"), "500-1000"))]),
)]
#[case::nothing_and_many(
    policy("default", "virbr0", &[]),
    policy("two", "virbr1", &[("10.0.0.0/24", nat()), (OTHER_NET, nat()), ("192.168.0.0/16", nat()), (OTHER_NET6, nat())]),
)]
fn decides_the_same(#[case] one: Policy, #[case] two: Policy) {
    isolate!();
    let lab = Lab::new();
    let mut different = differences(&lab, &one, &two);
    if !different.is_empty() {
        // A busy machine loses a packet now and then; rules decide the same each time.
        let again = differences(&lab, &one, &two);
        different.retain(|difference| again.contains(difference));
    }
    assert!(different.is_empty(), "libvirt's, ours: {different:#?}");
}

/// What becomes of one thing under libvirt's rules, and of another under ours.
fn differences(lab: &Lab, one: &Policy, two: &Policy) -> Vec<String> {
    run("nft", &["flush", "ruleset"]);
    load(&libvirt_rules(&[one, two]));
    let theirs = everything(lab);
    run("nft", &["flush", "ruleset"]);
    for policy in [one, two] {
        install(policy);
    }
    let ours = everything(lab);
    assert!(theirs.len() >= 100, "{}", theirs.len());
    let pairs = theirs.iter().zip(&ours).filter(|(theirs, ours)| theirs != ours);
    pairs.map(|((what, theirs), (_, ours))| format!("{what}: {theirs:?}, {ours:?}")).collect()
}

/// What becomes of everything that anyone can send to anyone, with words that say what it is.
fn everything(lab: &Lab) -> Vec<(String, Fate)> {
    let places: [(&str, Option<&Netns>, [&str; 2]); 6] = [
        ("guest", Some(&lab.guest), ["192.168.122.10", "2001:db8:ca2:2::10"]),
        ("neighbour", Some(&lab.neighbour), ["192.168.122.11", "2001:db8:ca2:2::11"]),
        ("stranger", Some(&lab.stranger), ["192.168.123.10", "2001:db8:ca2:3::10"]),
        ("outside", Some(&lab.outside), ["203.0.113.2", "2001:db8:ffff::2"]),
        ("elsewhere", Some(&lab.elsewhere), ["198.51.100.2", "2001:db8:eeee::2"]),
        ("host", None, ["192.168.122.1", "2001:db8:ca2:2::1"]),
    ];
    let mut questions = Vec::new();
    for (sender, from, own) in places {
        for (receiver, to, addresses) in places.into_iter().filter(|(receiver, ..)| *receiver != sender) {
            for (address, own) in addresses.into_iter().zip(own) {
                // The host also sends from the bridge, and the guest under an address that is none of the network's.
                let sources = match (sender, address.contains(':')) {
                    ("host", _) => vec![None, Some(own)],
                    ("guest", false) => vec![None, Some(FOREIGN)],
                    _ => vec![None],
                };
                for source in sources {
                    for protocol in [Protocol::Tcp, Protocol::Udp, Protocol::Icmp] {
                        let what = format!("{protocol:?} {sender} ({source:?}) to {receiver} ({address})");
                        questions.push((what, protocol, from, source, to, address));
                    }
                }
            }
        }
    }
    let ip = |text: &str| text.parse().expect("an address");
    let mut fates = Vec::new();
    // Many at a time, because what is lost takes its time.
    for some in questions.chunks(64) {
        std::thread::scope(|scope| {
            let ask = |(what, protocol, from, source, to, address): &(String, _, _, Option<&str>, _, &str)| {
                let asking = (*protocol, *from, source.map(ip), *to, ip(address));
                let fate = scope.spawn(move || send(asking.0, asking.1, asking.2, asking.3, asking.4));
                (what.clone(), fate)
            };
            let asked: Vec<_> = some.iter().map(ask).collect();
            fates.extend(asked.into_iter().map(|(what, fate)| (what, blur(fate.join().expect("an answer")))));
        });
    }
    fates
}

/// Forgets which port it was, a matter of chance; keeps whether it was moved, and to a low one.
fn blur(mut fate: Fate) -> Fate {
    if let Fate::Answered { peer, .. } | Fate::Arrived { peer } = &mut fate {
        peer.set_port(if peer.port() < 1024 { 1 } else { 1024 });
    }
    fate
}

/// The commands that libvirt 11.3 gives to nft for some networks, in its order; each rule is inserted before those that are there.
fn libvirt_rules(policies: &[&Policy]) -> String {
    let mut text = String::new();
    for family in ["ip", "ip6"] {
        let base = "
            add table FAMILY libvirt_network
            add chain FAMILY libvirt_network forward { type filter hook forward priority 0; policy accept; }
            add chain FAMILY libvirt_network guest_output
            insert rule FAMILY libvirt_network forward counter jump guest_output
            add chain FAMILY libvirt_network guest_input
            insert rule FAMILY libvirt_network forward counter jump guest_input
            add chain FAMILY libvirt_network guest_cross
            insert rule FAMILY libvirt_network forward counter jump guest_cross
            add chain FAMILY libvirt_network guest_nat { type nat hook postrouting priority 100; policy accept; }";
        text += &base.replace("FAMILY", family);
    }
    text.push('\n');
    for policy in policies {
        network_rules(policy, &mut text);
    }
    text
}

fn network_rules(policy: &Policy, text: &mut String) {
    let bridge = &policy.bridge;
    let mut rule = |family: &str, rule: String| {
        writeln!(text, "insert rule {family} libvirt_network {rule}").expect("a string takes everything");
    };
    let ipv6 = policy.ipv6 || policy.subnets.iter().any(|subnet| subnet.net.addr().is_ipv6());
    for family in if ipv6 { &["ip", "ip6"][..] } else { &["ip"] } {
        rule(family, format!("guest_output iif {bridge} counter reject"));
        rule(family, format!("guest_input oif {bridge} counter reject"));
        rule(family, format!("guest_cross iif {bridge} oif {bridge} counter accept"));
    }
    let device = |word: &str| policy.device.as_ref().map(|device| format!("{word} {device}")).unwrap_or_default();
    let (iifname, oifname) = (device("iifname"), device("oifname"));
    for subnet in &policy.subnets {
        let net = subnet.net.trunc();
        let (family, multicast) = match net {
            IpNet::V4(_) => ("ip", "224.0.0.0/24"),
            IpNet::V6(_) => ("ip6", "ff02::/16"),
        };
        if subnet.access == Access::Isolated {
            continue;
        }
        rule(family, format!("guest_output {family} saddr {net} iif {bridge} {oifname} counter accept"));
        let Access::Nat { addresses, ports } = &subnet.access else {
            rule(family, format!("guest_input {family} daddr {net} {iifname} oif {bridge} counter accept"));
            continue;
        };
        let answers = "ct state related,established counter accept";
        rule(family, format!("guest_input {iifname} oif {bridge} {family} daddr {net} {answers}"));
        let address = addresses.map(|range| match range.start() == range.end() {
            true => range.start().to_string(),
            false => range.to_string(),
        });
        let leaving = format!("{family} saddr {net} {family} daddr != {net} {oifname} counter");
        for transport in ["", "meta l4proto udp", "meta l4proto tcp"] {
            let act = match (&address, transport) {
                (None, "") => "masquerade".to_owned(),
                (None, _) => format!("masquerade to :{ports}"),
                (Some(address), "") => format!("snat to {address}"),
                (Some(address), _) => format!("snat to {address}:{ports}"),
            };
            rule(family, format!("guest_nat {transport} {leaving} {act}"));
        }
        if family == "ip" {
            rule(family, format!("guest_nat {oifname} ip saddr {net} ip daddr 255.255.255.255/32 counter return"));
        }
        rule(family, format!("guest_nat {oifname} {family} saddr {net} {family} daddr {multicast} counter return"));
    }
}
