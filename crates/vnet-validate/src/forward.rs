//! `<forward>`: how guests reach beyond their network.

use std::collections::HashMap;
use std::net::IpAddr;

use vnet_types::AddressRange;
use vnet_xml::network::{Forward, ForwardInterface, ForwardMode, Nat};
use vnet_xml::{BridgeName, Network, NodePath};

use crate::finding::Finding;
use crate::rules;

/// The maximum number of addresses to translate to.
const LARGEST_NAT_RANGE: u128 = 65_536;

pub(crate) fn check(network: &Network, root: &NodePath) -> Vec<Finding> {
    let Some(forward) = &network.forward else { return Vec::new() };
    let path = root.element("forward");
    let mut findings = Vec::new();
    findings.extend(without_ip(network, forward, &path));
    findings.extend(mode_none(forward, &path));
    findings.extend(listed_twice(forward, &path));
    findings.extend(address_twice(forward, &path));
    findings.extend(too_many(forward, &path));
    findings.extend(own_bridge(network, forward, &path, root));
    if let Some(found) = &forward.nat {
        findings.extend(nat(network, forward, found, &path.element("nat")));
    }
    findings
}

/// The place that names a forward interface. The first interface may be an attribute of
/// `<forward>`.
pub(crate) fn interface_path(forward: &NodePath, index: usize) -> NodePath {
    match index {
        0 => forward.attribute("dev"),
        _ => forward.nth("interface", index).attribute("dev"),
    }
}

fn without_ip(network: &Network, forward: &Forward, path: &NodePath) -> Option<Finding> {
    let mode = forward.mode;
    if !matches!(mode, ForwardMode::Nat | ForwardMode::Route) || !network.ips.is_empty() {
        return None;
    }
    let message = format!("mode `{mode}` needs a subnet, but the network has no `<ip>`");
    let finding = Finding::new(rules::FORWARD_WITHOUT_IP, path.attribute("mode"), message);
    Some(finding.help("add `<ip address='192.168.100.1' prefix='24'/>`, or leave `<forward>` out"))
}

fn mode_none(forward: &Forward, path: &NodePath) -> Option<Finding> {
    if forward.mode != ForwardMode::None {
        return None;
    }
    let message = "mode `none` is the same as no `<forward>`; libvirt reads it, but its schema refuses it";
    let finding = Finding::new(rules::FORWARD_MODE_NONE, path.attribute("mode"), message);
    let is_all = *forward == Forward::new(ForwardMode::None);
    Some(finding.help("leave `<forward>` out for an isolated network").remove_if(is_all, path.clone()))
}

fn listed_twice(forward: &Forward, path: &NodePath) -> Vec<Finding> {
    let mut first = HashMap::new();
    let mut findings = Vec::new();
    for (index, ForwardInterface { dev: interface, .. }) in forward.interfaces.iter().enumerate() {
        let other = *first.entry(interface).or_insert(index);
        if other != index {
            let message = format!("the interface `{interface}` is listed twice");
            let finding = Finding::new(rules::FORWARD_INTERFACE_TWICE, interface_path(path, index), message);
            let finding = finding.related(interface_path(path, other), "the first one is here");
            let finding = finding.help("leave one of them out");
            findings.push(finding.remove_if(true, path.nth("interface", index)));
        }
    }
    findings
}

fn address_twice(forward: &Forward, path: &NodePath) -> Vec<Finding> {
    let mut first = HashMap::new();
    let mut findings = Vec::new();
    for (index, address) in forward.addresses.iter().enumerate() {
        let other = *first.entry(address).or_insert(index);
        if other != index {
            let message = format!("the device `{address}` is listed twice");
            let finding = Finding::new(rules::FORWARD_INTERFACE_TWICE, path.nth("address", index), message);
            let finding = finding.related(path.nth("address", other), "the first one is here");
            let finding = finding.help("leave one of them out");
            findings.push(finding.remove_if(true, path.nth("address", index)));
        }
    }
    findings
}

fn too_many(forward: &Forward, path: &NodePath) -> Option<Finding> {
    let first = forward.dev()?;
    match forward.mode {
        ForwardMode::Nat | ForwardMode::Route => {
            // An interface that is listed twice is another mistake.
            let index = forward.interfaces.iter().position(|interface| interface.dev != *first)?;
            let message = format!("traffic is kept to `{first}` already: one interface is all there can be");
            let finding = Finding::new(rules::FORWARD_TOO_MANY_INTERFACES, interface_path(path, index), message);
            let finding = finding.related(interface_path(path, 0), "the first interface is here");
            Some(finding.help(format!("keep `dev='{first}'` alone, or name none to allow any")))
        }
        ForwardMode::Open => {
            let message = format!("mode `open` has no firewall rules that could keep traffic to `{first}`");
            let finding = Finding::new(rules::FORWARD_OPEN_WITH_INTERFACE, interface_path(path, 0), message);
            Some(finding.help("leave the interface out, or write `mode='route'`"))
        }
        _ => None,
    }
}

fn own_bridge(network: &Network, forward: &Forward, path: &NodePath, root: &NodePath) -> Option<Finding> {
    let Some(BridgeName::Fixed(own)) = network.bridge.as_ref()?.name.as_ref() else { return None };
    let index = forward.interfaces.iter().position(|interface| interface.dev == *own)?;
    let message = format!("traffic cannot leave through `{own}`: it is the network's own bridge");
    let finding = Finding::new(rules::FORWARD_THROUGH_OWN_BRIDGE, interface_path(path, index), message);
    let finding = finding.related(root.element("bridge").attribute("name"), "the bridge is named here");
    Some(finding.help("write the interface that leads outside, or name none to allow any"))
}

fn nat(network: &Network, forward: &Forward, nat: &Nat, path: &NodePath) -> Vec<Finding> {
    if forward.mode != ForwardMode::Nat {
        let finding = Finding::new(rules::NAT_OUTSIDE_MODE_NAT, path.clone(), "`<nat>` is for mode `nat` only");
        return vec![finding.help("write `mode='nat'`, or leave `<nat>` out")];
    }
    let mut findings = Vec::new();
    findings.extend(nat.addresses.and_then(|range| nat_addresses(range, &path.element("address"))));
    findings.extend(nat_ports(nat, &path.element("port")));
    // A network without any subnet breaks another rule.
    let has_ipv6 = network.ips.iter().any(|ip| ip.address.is_ipv6());
    if nat.ipv6 == Some(true) && !has_ipv6 && !network.ips.is_empty() {
        let message = "IPv6 is to be translated, but the network has no IPv6 subnet";
        let finding = Finding::new(rules::NAT_IPV6_WITHOUT_SUBNET, path.attribute("ipv6"), message);
        findings.push(finding.help("add `<ip family='ipv6' address='fd00:100::1' prefix='64'/>`, or leave `ipv6` out"));
    }
    findings
}

fn nat_addresses(range: AddressRange, path: &NodePath) -> Option<Finding> {
    let (start, end) = match (range.start(), range.end()) {
        (IpAddr::V4(start), IpAddr::V4(end)) => (start, end),
        (start, _) => {
            let message = format!("guests cannot be given the IPv6 address `{start}` outside: only IPv4 addresses");
            let finding = Finding::new(rules::NAT_ADDRESS_FAMILY, path.attribute("start"), message);
            return Some(
                finding.help("write IPv4 addresses; `<nat ipv6='yes'>` translates IPv6 to the host's own address"),
            );
        }
    };
    let count = u128::from(end.to_bits() - start.to_bits()) + 1;
    if count <= LARGEST_NAT_RANGE {
        return None;
    }
    let message = format!("{count} addresses to translate to are too many, the limit is {LARGEST_NAT_RANGE}");
    let finding = Finding::new(rules::NAT_ADDRESS_RANGE_TOO_LARGE, path.attribute("end"), message);
    let last = std::net::Ipv4Addr::from(start.to_bits() + 0xffff);
    Some(finding.help(format!("write `end='{last}'` or less")))
}

fn nat_ports(nat: &Nat, path: &NodePath) -> Option<Finding> {
    let ports = nat.ports?;
    if ports.start() == 0 {
        let finding = Finding::new(rules::NAT_PORT_ZERO, path.attribute("start"), "no connection can have the port 0");
        return Some(finding.help(match ports.end() {
            0 => "leave `<port>` out: then the ports are 1024 to 65535".to_owned(),
            end => format!("write `start='{}'`", if end > 1024 { 1024 } else { 1 }),
        }));
    }
    if ports.start() == ports.end() {
        let message =
            format!("with the one port {}, guests can have one connection at a time to each place", ports.end());
        let finding = Finding::new(rules::NAT_SINGLE_PORT, path.attribute("end"), message);
        return Some(
            finding.help("write a range, for example `start='1024' end='65535'`; libvirt does not start with one port"),
        );
    }
    None
}
