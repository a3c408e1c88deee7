//! `<vnet:outside>`: what the gateway leads to.

use std::net::IpAddr;

use vnet_types::{Family, IpNet};
use vnet_xml::network::{OvnEngine, OvnGateway, OvnOutside};
use vnet_xml::{Network, NodePath};

use crate::finding::Finding;
use crate::rules;
use crate::subnets::reserved;

const MOST_PRIORITY: u16 = 32767;

pub(super) fn check(network: &Network, engine: &OvnEngine, path: &NodePath) -> Vec<Finding> {
    let Some(outside) = &engine.outside else {
        let message = "a network with `<forward>` needs to know what the gateway leads to";
        let finding = Finding::new(rules::OVN_OUTSIDE, path.clone(), message);
        return vec![finding.help("add `<vnet:outside network='…'>` with an address and a gateway")];
    };
    let path = path.element("vnet:outside");
    let mut findings = Vec::new();
    if !is_mapped(&outside.network) {
        let message = format!("`{}` cannot be the name of a physical network", outside.network);
        let help = "write the name that `ovn-bridge-mappings` has: printable, without spaces, `,`, `:` and quotes";
        findings.push(value(path.attribute("network"), message, help));
    }
    if let Some(vlan) = outside.vlan.filter(|vlan| !(1..=4094).contains(vlan)) {
        findings.push(value(path.attribute("vlan"), format!("{vlan} is no VLAN"), "write a number from 1 to 4094"));
    }
    if outside.gateways.is_empty() {
        let finding = Finding::new(rules::OVN_OUTSIDE, path.clone(), "no host can be the gateway");
        let help = "add `<vnet:gateway chassis='…'/>` with the `system-id` of a host, or `<vnet:gateway group='…'/>` with \
                    the name of an `HA_Chassis_Group`";
        findings.push(finding.help(help));
    }
    findings.extend(gateways(outside, &path));
    for (at, address) in outside.addresses.iter().enumerate() {
        let path = path.nth("vnet:address", at);
        let Some(net) = address.net() else {
            let message = format!("the prefix /{} is longer than the address", address.prefix);
            findings.push(value(path.attribute("prefix"), message, "write at most 32 for IPv4, and 128 for IPv6"));
            continue;
        };
        if let Some(what) = no_host(net) {
            let message = format!("the gateway cannot have `{}` outside: it is {what}", address.address);
            findings.push(value(path.attribute("address"), message, "write an address of a host"));
        }
        if let Some(next) = address.gateway.filter(|it| !net.contains(it) || *it == address.address) {
            let message = format!("the next router `{next}` is no other address of `{}`", net.trunc());
            findings.push(value(path.attribute("gateway"), message, "write the address of the router beyond"));
        }
        let own = network.ips.iter().enumerate().filter_map(|(at, ip)| Some((at, ip.net()?)));
        if let Some((at, own)) = own.into_iter().find(|(_, own)| meet(*own, net)) {
            let message = format!("the gateway has `{net}` outside, which is among the guests' own `{}`", own.trunc());
            let finding = value(path, message, "write an address of the physical network");
            findings.push(finding.related(NodePath::root("network").nth("ip", at), "here"));
        }
    }
    findings.extend(next_routers(outside, &path));
    findings.extend(taken(network, outside, &path));
    for family in network.families() {
        if !outside.addresses.iter().any(|it| Family::of(it.address) == family) {
            let message = format!("the gateway has no {family} address outside, and the guests have one");
            let finding = Finding::new(rules::OVN_OUTSIDE, path.clone(), message);
            findings.push(finding.help("add a `<vnet:address>` of this family"));
        }
    }
    findings
}

fn value(path: NodePath, message: String, help: &str) -> Finding {
    Finding::new(rules::OVN_OUTSIDE_VALUE, path, message).help(help)
}

/// Why no host can have an address.
fn no_host(net: IpNet) -> Option<&'static str> {
    let address = net.addr();
    match reserved(net, address) {
        _ if address.is_multicast() => Some("a multicast address"),
        _ if address.is_unspecified() => Some("no address"),
        _ if address.is_loopback() => Some("a loopback address"),
        Some("broadcast address") => Some("the broadcast address of its subnet"),
        Some(_) => Some("the address of its subnet"),
        None => None,
    }
}

/// Each `gateway` of `<vnet:address>` with its place.
fn nexts(outside: &OvnOutside, path: &NodePath) -> Vec<(NodePath, IpAddr)> {
    let addresses = outside.addresses.iter().enumerate();
    let places =
        addresses.filter_map(|(at, it)| Some((path.nth("vnet:address", at).attribute("gateway"), it.gateway?)));
    places.collect()
}

/// Of two default routes OVN takes both, each for some connections.
fn next_routers(outside: &OvnOutside, path: &NodePath) -> Vec<Finding> {
    let nexts = nexts(outside, path);
    let second = |(at, (path, next)): (usize, &(NodePath, IpAddr))| {
        let is_other = |it: &&(NodePath, IpAddr)| it.1 != *next && Family::of(it.1) == Family::of(*next);
        let (first, other) = nexts[..at].iter().find(is_other)?;
        let message = format!("the next router is `{other}` and `{next}`: connections would be shared out among both");
        let finding = value(path.clone(), message, "leave `gateway` out where it is not the way to everything else");
        Some(finding.related(first.clone(), "the other one"))
    };
    nexts.iter().enumerate().filter_map(second).collect()
}

/// Addresses that the gateway would answer ARP for, and that the next router has.
fn taken(network: &Network, outside: &OvnOutside, path: &NodePath) -> Vec<Finding> {
    let root = NodePath::root("network");
    let nat = network.forward.as_ref().and_then(|it| it.nat.as_ref()?.addresses);
    let nat = nat.map(|it| (root.element("forward").element("nat").element("address").attribute("start"), it.start()));
    let forwards = crate::port_forward::places(network, &root);
    let forwards = forwards.filter_map(|(path, it)| Some((path.attribute("address"), it.forward.address?)));
    let all = nat.into_iter().chain(forwards);
    let nexts = nexts(outside, path);
    let is_taken = |(path, address): (NodePath, IpAddr)| {
        let (next, _) = nexts.iter().find(|(_, next)| *next == address)?;
        let message = format!("the next router has `{address}`, and the gateway would answer for it");
        let finding = value(path, message, "write another address of the physical network");
        Some(finding.related(next.clone(), "here"))
    };
    all.filter_map(is_taken).collect()
}

fn gateways(outside: &OvnOutside, path: &NodePath) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, gateway) in outside.gateways.iter().enumerate() {
        let path = path.nth("vnet:gateway", at);
        let (chassis, priority) = match gateway {
            OvnGateway::Chassis { chassis, priority } => (chassis, priority),
            OvnGateway::Group { group } if outside.gateways.len() > 1 => {
                let message = format!("the group `{group}` is not the only gateway");
                let help = "name a group alone: it has its hosts in OVN's northbound database";
                findings.push(value(path.attribute("group"), message, help));
                continue;
            }
            OvnGateway::Group { .. } => continue,
        };
        if !is_chassis(chassis) {
            let message = format!("`{chassis}` cannot be the name of a host of OVN");
            let help = "write the `system-id` of its Open vSwitch: printable, without spaces, `,` and quotes";
            findings.push(value(path.attribute("chassis"), message, help));
        }
        if let Some(priority) = priority.filter(|it| *it > MOST_PRIORITY) {
            let message = format!("the priority {priority} is more than OVN takes");
            findings.push(value(path.attribute("priority"), message, "write 0 to 32767"));
        }
        findings.extend(same_priority(&outside.gateways[..at], chassis, *priority, &path));
        let is_it = |it: &OvnGateway| matches!(it, OvnGateway::Chassis { chassis: other, .. } if other == chassis);
        let before = outside.gateways[..at].iter().position(is_it);
        if let Some(before) = before {
            let message = format!("the host `{chassis}` is named twice");
            let finding = value(path.attribute("chassis"), message, "leave one of the two out");
            let first = path.parent().map(|it| it.nth("vnet:gateway", before));
            findings.push(match first {
                Some(first) => finding.related(first, "here"),
                None => finding,
            });
        }
    }
    findings
}

/// Of hosts with one priority, OVN takes the one whose name comes last.
fn same_priority(before: &[OvnGateway], chassis: &str, priority: Option<u16>, path: &NodePath) -> Option<Finding> {
    let own = priority.unwrap_or(0);
    let same = |it: &OvnGateway| match it {
        OvnGateway::Chassis { chassis: other, priority } => other != chassis && priority.unwrap_or(0) == own,
        OvnGateway::Group { .. } => false,
    };
    let first = path.parent()?.nth("vnet:gateway", before.iter().position(same)?);
    let message = format!("the host `{chassis}` has the priority {own}, which another one has, too");
    let finding = Finding::new(rules::OVN_GATEWAY_ORDER, path.clone(), message);
    Some(finding.help("write different numbers: the host with the highest one is the gateway").related(first, "here"))
}

/// Whether a text can be a host's `system-id`, as lists of OVN's options separate them.
fn is_chassis(name: &str) -> bool {
    !name.is_empty() && name.len() < 256 && name.bytes().all(|it| it.is_ascii_graphic() && !b",\"'\\".contains(&it))
}

/// Whether a text can be a name in `ovn-bridge-mappings`.
fn is_mapped(name: &str) -> bool {
    is_chassis(name) && !name.contains(':')
}

fn meet(one: IpNet, other: IpNet) -> bool {
    one.contains(&other.addr()) || other.contains(&one.addr())
}
