//! The addresses and routes of the guest.

use std::net::IpAddr;

use vnet_xml::interface::{InterfaceIp, Source};
use vnet_xml::{Interface, NodePath};

use crate::finding::Finding;
use crate::{route, rules};

pub(super) fn check(interface: &Interface, root: &NodePath) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !interface.routes.is_empty() {
        let message = "QEMU cannot give a guest a route";
        let finding = Finding::new(rules::GUEST_ROUTE, root.nth("route", 0), message);
        findings.push(finding.help("routes are given by DHCP, or set in the guest: leave `<route>` out"));
    }
    let routes = interface.routes.iter().enumerate();
    findings.extend(routes.flat_map(|(index, route)| route::alone(route, &root.nth("route", index))));
    let gives_addresses = matches!(interface.source, Source::User { .. })
        || matches!(interface.source, Source::Vhostuser(_)) && interface.is_passt();
    if !gives_addresses {
        let message = format!("an interface of type {} cannot give the guest an address", interface.source.word());
        let finding = |index| {
            let finding = Finding::new(rules::GUEST_IP_UNSUPPORTED, root.nth("ip", index), message.clone());
            finding.help("reserve it in the network, `<host mac='…' ip='…'/>`, or set it in the guest")
        };
        findings.extend((0..interface.ips.len().min(1)).map(finding));
        return findings;
    }
    for (index, ip) in interface.ips.iter().enumerate() {
        let path = root.nth("ip", index);
        findings.extend(address(ip, &path));
        let same = |other: &InterfaceIp| other.family() == ip.family();
        if let Some(first) = interface.ips[..index].iter().position(same) {
            let message = format!("the guest can be given one {} address", family(ip));
            let finding = Finding::new(rules::GUEST_IP_TWICE, path.attribute("address"), message);
            let finding = finding.related(root.nth("ip", first).attribute("address"), "the first one is here");
            findings.push(finding.help("leave one of them out"));
        }
    }
    findings
}

fn family(ip: &InterfaceIp) -> &'static str {
    if ip.address.is_ipv4() { "IPv4" } else { "IPv6" }
}

fn address(ip: &InterfaceIp, path: &NodePath) -> Vec<Finding> {
    let mut findings = Vec::new();
    if ip.peer.is_some() {
        let message = "the guest has no other end that could have an address";
        let finding = Finding::new(rules::GUEST_IP_PEER, path.attribute("peer"), message);
        findings.push(finding.help("leave `peer` out"));
    }
    let wrong = match (ip.address, ip.prefix) {
        (IpAddr::V4(_), Some(prefix)) if !(4..=27).contains(&prefix) => Some("4 to 27"),
        (IpAddr::V6(_), Some(prefix)) if prefix != 64 => Some("64"),
        _ => None,
    };
    if let (Some(allowed), Some(prefix)) = (wrong, ip.prefix) {
        let message = format!("the guest's {} subnet cannot have a prefix of {prefix}", family(ip));
        let finding = Finding::new(rules::GUEST_IP_PREFIX, path.attribute("prefix"), message);
        findings.push(finding.help(format!("write {allowed}, or leave `prefix` out")));
    }
    findings
}
