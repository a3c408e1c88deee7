//! Conflicts of a network's subnets and static routes with the addresses and routes of a host.

use std::fmt;

use vnet_types::{Address, Family, InterfaceName, Inventory, IpNet, Route, SubnetHolder};
use vnet_xml::{Network, NodePath};

use crate::finding::Finding;
use crate::free::free_subnets;
use crate::host::{end_in_libvirt, running_in_libvirt};
use crate::rules;
use crate::subnets::{ips, overlap};

/// An address or route of the host that occupies a part of the address space.
#[derive(Clone, Copy)]
enum Taken<'h> {
    Address(&'h InterfaceName, &'h Address),
    Route(&'h Route),
}

pub(crate) fn check(network: &Network, root: &NodePath, others: &Inventory) -> Vec<Finding> {
    let addresses = others.addresses.iter().map(|(link, address)| Taken::Address(link, address));
    // Addresses come first, because they say more than the kernel's routes for their subnets.
    let taken: Vec<_> =
        addresses.chain(others.routes.iter().map(Taken::Route)).filter(|taken| counts(taken.net())).collect();
    let mut findings = subnets(network, root, &taken, others);
    findings.extend(static_routes(network, root, &others.routes));
    findings
}

impl<'h> Taken<'h> {
    fn link(self) -> &'h InterfaceName {
        match self {
            Self::Address(link, _) => link,
            Self::Route(route) => &route.link,
        }
    }

    fn net(self) -> IpNet {
        match self {
            Self::Address(_, address) => address.net.trunc(),
            Self::Route(route) => route.destination.trunc(),
        }
    }
}

/// As ip(8) writes it.
impl fmt::Display for Taken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(link, address) => {
                let family = if address.net.addr().is_ipv4() { "inet" } else { "inet6" };
                write!(f, "`{family} {address} dev {link}`")
            }
            Self::Route(route) => write!(f, "`{route}`"),
        }
    }
}

/// Whether this can be a conflict. Default routes overlap every subnet, and every link has
/// link-local and multicast addresses.
pub(crate) fn counts(net: IpNet) -> bool {
    let shared = match net {
        IpNet::V4(v4) => v4.addr().is_link_local() || v4.addr().is_multicast() || v4.addr().is_loopback(),
        IpNet::V6(v6) => v6.addr().is_unicast_link_local() || v6.addr().is_multicast() || v6.addr().is_loopback(),
    };
    net.prefix_len() > 0 && !shared
}

fn subnets(network: &Network, root: &NodePath, taken: &[Taken<'_>], others: &Inventory) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut own: Vec<IpNet> = network.ips.iter().filter_map(|ip| ip.net()).map(|net| net.trunc()).collect();
    for (path, ip) in ips(network, root) {
        let Some(net) = ip.net().map(|net| net.trunc()).filter(|net| counts(*net)) else { continue };
        // Of several conflicts, report the one closest in size to the subnet. Another network
        // behind a gateway, such as a VPN to all of 10.0.0.0/8, comes last: the kernel uses the
        // more specific route.
        let is_way =
            |taken: &Taken<'_>| matches!(taken, Taken::Route(it) if it.gateway.is_some()) && taken.net() != net;
        let closeness = |taken: &&Taken<'_>| (is_way(taken), taken.net().prefix_len().abs_diff(net.prefix_len()));
        let Some(conflict) = taken.iter().filter(|taken| overlap(taken.net(), net)).min_by_key(closeness) else {
            let other = in_other_table(network, &path, net, others);
            findings.extend(other.or_else(|| defined(network, &path, net, others)));
            continue;
        };
        let relation = match conflict.net() {
            other if other == net => "is in use on this host".to_owned(),
            other if other.contains(&net) => format!("is part of {other}, which is in use on this host"),
            other => format!("contains {other}, which is in use on this host"),
        };
        let of_libvirt = running_in_libvirt(others, conflict.link());
        let by = of_libvirt.map(|known| format!(", of libvirt's network `{}`", known.name)).unwrap_or_default();
        let message = format!("the subnet {net} {relation}: {conflict}{by}");
        if is_way(conflict) {
            let finding = Finding::new(rules::HOST_SUBNET_INSIDE_ROUTE, path.attribute("address"), message);
            findings.push(
                finding.help("of the two, the smaller network is reached: make sure that nothing else there is needed"),
            );
            continue;
        }
        let finding = Finding::new(rules::HOST_SUBNET_IN_USE, path.attribute("address"), message);
        let free = free_subnets(&network.name, Family::of(net.addr()), net.prefix_len(), others)
            .find(|free| !own.iter().any(|own| overlap(*own, *free)));
        // Each of several subnets is told another one.
        own.extend(free);
        let choose = match free {
            Some(free) => format!("choose a subnet that is free, such as {free}"),
            None => "choose a subnet that is free".to_owned(),
        };
        findings.push(finding.help(match of_libvirt {
            Some(known) => format!("{choose}; {}", end_in_libvirt(known)),
            None => choose,
        }));
    }
    findings
}

/// A route of another table that overlaps a subnet. Rules decide which of the two is used.
fn in_other_table(network: &Network, path: &NodePath, net: IpNet, others: &Inventory) -> Option<Finding> {
    let routed = others.reserved.iter().filter_map(|it| match &it.by {
        SubnetHolder::Route { table, link } if counts(it.net) && overlap(it.net, net) => Some((it.net, table, link)),
        _ => None,
    });
    let (other, table, link) = routed.min_by_key(|(other, ..)| other.prefix_len().abs_diff(net.prefix_len()))?;
    let dev = link.as_ref().map(|link| format!(" dev {link}")).unwrap_or_default();
    let message = format!("the subnet {net} overlaps a route of this host: `{other}{dev} table {table}`");
    let finding = Finding::new(rules::HOST_SUBNET_INSIDE_ROUTE, path.attribute("address"), message);
    let free = free_subnets(&network.name, Family::of(net.addr()), net.prefix_len(), others).next();
    let such = free.map(|free| format!(", such as {free}")).unwrap_or_default();
    Some(finding.help(format!("guests are not reached where a rule asks this table first: choose a free subnet{such}")))
}

/// A subnet of a network that is only defined: the two cannot run at the same time.
fn defined(network: &Network, path: &NodePath, net: IpNet, others: &Inventory) -> Option<Finding> {
    let (other, owner) = others.reserved.iter().find_map(|it| match &it.by {
        SubnetHolder::Network(name) if overlap(it.net, net) => Some((it.net, format!("network `{name}`"))),
        SubnetHolder::Libvirt(name) if overlap(it.net, net) => Some((it.net, format!("libvirt's network `{name}`"))),
        _ => None,
    })?;
    let message = format!("the subnet {net} overlaps {other} of {owner}, which is defined");
    let finding = Finding::new(rules::HOST_SUBNET_DEFINED, path.attribute("address"), message);
    let free = free_subnets(&network.name, Family::of(net.addr()), net.prefix_len(), others).next();
    let such = free.map(|free| format!(", such as {free}")).unwrap_or_default();
    Some(finding.help(format!("the two cannot run at the same time: choose a free subnet{such}")))
}

fn static_routes(network: &Network, root: &NodePath, existing: &[Route]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, route) in network.routes.iter().enumerate() {
        let Some(net) = route.destination() else { continue };
        let metric = route.effective_metric();
        let path = root.nth("route", index).attribute("address");
        if let Some(same) = existing.iter().find(|other| other.destination == net && other.metric == metric) {
            let message = format!("this host has a route to {net} with the metric {metric} already: `{same}`");
            let finding = Finding::new(rules::HOST_ROUTE_EXISTS, path, message);
            findings.push(finding.help(free_metric(net, metric, existing)));
            continue;
        }
        let overlaps = |other: &&Route| counts(net) && counts(other.destination) && overlap(other.destination, net);
        let closeness = |other: &&Route| other.destination.prefix_len().abs_diff(net.prefix_len());
        let Some(other) = existing.iter().filter(overlaps).min_by_key(closeness) else { continue };
        let message = match other.destination == net {
            true => format!("this host reaches {net} another way as well: `{other}`"),
            false => format!("the route to {net} overlaps a route of this host: `{other}`"),
        };
        let finding = Finding::new(rules::HOST_ROUTE_OVERLAPS, path, message);
        findings.push(finding.help(match other.destination == net {
            true => "of the two, the one with the smaller metric is used",
            false => "of the two, the one to the smaller network is used",
        }));
    }
    findings
}

fn free_metric(net: IpNet, metric: u32, existing: &[Route]) -> String {
    let used = |metric: &u32| existing.iter().any(|other| other.destination == net && other.metric == *metric);
    match (metric.saturating_add(1)..u32::MAX).find(|metric| !used(metric)) {
        Some(free) => format!("delete that one, or write `metric='{free}'` to use this one when it is gone"),
        None => "delete that one".to_owned(),
    }
}
