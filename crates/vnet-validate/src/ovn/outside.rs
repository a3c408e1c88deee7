//! `<vnet:outside>`: what the gateway leads to.

use vnet_types::{Family, IpNet};
use vnet_xml::network::{OvnEngine, OvnGateway, OvnOutside};
use vnet_xml::{Network, NodePath};

use crate::finding::Finding;
use crate::rules;

const MOST_PRIORITY: u16 = 32767;

pub(super) fn check(network: &Network, engine: &OvnEngine, path: &NodePath) -> Vec<Finding> {
    let Some(outside) = &engine.outside else {
        let message = "a network with `<forward>` needs to know what the gateway leads to";
        let finding = Finding::new(rules::OVN_OUTSIDE, path.clone(), message);
        return vec![finding.help("add `<vnet:outside network='…'>` with an address and a gateway")];
    };
    let path = path.element("vnet:outside");
    let mut findings = Vec::new();
    let value = |path: NodePath, message: String, help: &str| {
        Finding::new(rules::OVN_OUTSIDE_VALUE, path, message).help(help.to_owned())
    };
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
    for family in network.families() {
        if !outside.addresses.iter().any(|it| Family::of(it.address) == family) {
            let message = format!("the gateway has no {family} address outside, and the guests have one");
            let finding = Finding::new(rules::OVN_OUTSIDE, path.clone(), message);
            findings.push(finding.help("add a `<vnet:address>` of this family"));
        }
    }
    findings
}

fn gateways(outside: &OvnOutside, path: &NodePath) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, gateway) in outside.gateways.iter().enumerate() {
        let path = path.nth("vnet:gateway", at);
        let value =
            |path, message: String, help: &str| Finding::new(rules::OVN_OUTSIDE_VALUE, path, message).help(help);
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
