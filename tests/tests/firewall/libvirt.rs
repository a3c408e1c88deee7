//! The commands that libvirt 11.3 gives to nft(8) for a network, restated from its definition: each
//! rule is inserted before those that are there.

use std::fmt::Write as _;

use vnet_types::IpNet;
use vnet_xml::Network;
use vnet_xml::network::{ForwardMode, Ip};

/// The commands for some networks, in order.
pub(crate) fn commands(networks: &[&Network]) -> String {
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
    for network in networks {
        text += &rules(network);
    }
    text
}

/// The commands for one network, after those that make the chains.
pub(crate) fn rules(network: &Network) -> String {
    let mut text = String::new();
    let mode = network.forward_mode();
    if mode == ForwardMode::Open {
        return text;
    }
    let bridge = network.bridge.as_ref().and_then(|bridge| bridge.name.as_ref()).expect("a bridge").to_string();
    let mut rule = |family: &str, rule: String| {
        writeln!(text, "insert rule {family} libvirt_network {rule}").expect("a string takes everything");
    };
    let ipv6 = network.ipv6 || network.ips.iter().any(|ip| ip.address.is_ipv6());
    for family in if ipv6 { &["ip", "ip6"][..] } else { &["ip"] } {
        rule(family, format!("guest_output iif {bridge} counter reject"));
        rule(family, format!("guest_input oif {bridge} counter reject"));
        rule(family, format!("guest_cross iif {bridge} oif {bridge} counter accept"));
    }
    if mode == ForwardMode::None {
        return text;
    }
    let device = network.forward.as_ref().and_then(|forward| forward.dev());
    let device = |word: &str| device.map(|device| format!("{word} {device}")).unwrap_or_default();
    let (iifname, oifname) = (device("iifname"), device("oifname"));
    let nat = network.forward.as_ref().and_then(|forward| forward.nat.as_ref());
    let is_translated =
        |ip: &Ip| mode == ForwardMode::Nat && (ip.address.is_ipv4() || nat.is_some_and(|nat| nat.ipv6 == Some(true)));
    for ip in &network.ips {
        let net = ip.net().expect("a subnet").trunc();
        let (family, multicast) = match net {
            IpNet::V4(_) => ("ip", "224.0.0.0/24"),
            IpNet::V6(_) => ("ip6", "ff02::/16"),
        };
        rule(family, format!("guest_output {family} saddr {net} iif {bridge} {oifname} counter accept"));
        if !is_translated(ip) {
            rule(family, format!("guest_input {family} daddr {net} {iifname} oif {bridge} counter accept"));
            continue;
        }
        let answers = "ct state related,established counter accept";
        rule(family, format!("guest_input {iifname} oif {bridge} {family} daddr {net} {answers}"));
        let ports = nat.and_then(|nat| nat.ports).map_or("1024-65535".to_owned(), |ports| ports.to_string());
        let address = nat.and_then(|nat| nat.addresses).filter(|_| net.addr().is_ipv4());
        let address = address.map(|range| match range.start() == range.end() {
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
    text
}
