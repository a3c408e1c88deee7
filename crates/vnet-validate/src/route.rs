//! `<route>`: static routes of the host, through a guest, to networks behind it.

use std::collections::HashMap;
use std::net::IpAddr;

use vnet_types::{Family, IpNet, contiguous_prefix};
use vnet_xml::network::{Mask, Route};
use vnet_xml::{Edit, Network, NodePath};

use crate::finding::Finding;
use crate::ip::no_holes;
use crate::rules;
use crate::subnets::{Subnets, hosts, mask_path, reserved};

pub(crate) fn check(network: &Network, root: &NodePath) -> Vec<Finding> {
    let subnets = Subnets::of(network);
    let mut findings = Vec::new();
    for (index, route) in network.routes.iter().enumerate() {
        let path = root.nth("route", index);
        findings.extend(metric(route, &path));
        if let Some(finding) = family(route, &path) {
            findings.push(finding);
            continue;
        }
        findings.extend(destination(route, &path).or_else(|| own_subnet(&subnets, route, &path, root)));
        findings.extend(default_route(route, &path));
        findings.extend(gateway(network, &subnets, route, &path, root));
    }
    findings.extend(duplicates(network, root));
    findings
}

/// Checks a route alone, of a network or of an interface.
pub(crate) fn alone(route: &Route, path: &NodePath) -> Vec<Finding> {
    let wrong = family(route, path).or_else(|| destination(route, path));
    metric(route, path).into_iter().chain(wrong).collect()
}

fn family(route: &Route, path: &NodePath) -> Option<Finding> {
    let wanted = route.family.unwrap_or(Family::Ipv4);
    let says = match route.family {
        Some(family) => format!("the family is {family}"),
        None => "without a family it has to be ipv4".to_owned(),
    };
    let (destination, gateway) = (route.address.unwrap_or(route.gateway), Family::of(route.gateway));
    let address = Family::of(destination);
    if address == wanted && gateway == wanted {
        return None;
    }
    if address == wanted || route.address.is_none() {
        let message = format!("the gateway `{}` is {gateway}, but {says}", route.gateway);
        let finding = Finding::new(rules::ROUTE_GATEWAY_FAMILY, path.attribute("gateway"), message);
        return Some(finding.help(match route.address {
            Some(_) => format!("write the {wanted} address of a guest"),
            None => format!("write `family='{gateway}'`, or the {wanted} address of a guest"),
        }));
    }
    let message = format!("the address `{destination}` is {address}, but {says}");
    // If address and gateway have the same family, the `family` attribute is wrong.
    let at = if address == gateway && route.family.is_some() { "family" } else { "address" };
    let mut finding = Finding::new(rules::ROUTE_FAMILY, path.attribute(at), message);
    if address == gateway {
        finding = finding.fix(Edit::attribute(path.attribute("family"), address));
    }
    Some(finding.help(match address == gateway {
        true => format!("write `family='{address}'`"),
        false => format!("write the {wanted} address of a network, or `family='{address}'` and such a gateway"),
    }))
}

/// Why the destination is not the address of a network.
fn destination(route: &Route, path: &NodePath) -> Option<Finding> {
    // The reader has reported a route without an address.
    let address = route.address?;
    let at = mask_path(path, route.mask);
    let family = Family::of(address);
    match route.mask {
        Some(Mask::Netmask(netmask)) if family == Family::Ipv6 => {
            let message = format!("an IPv6 route has a prefix, not the netmask `{netmask}`");
            return Some(Finding::new(rules::ROUTE_NETMASK, at, message).help("write `prefix='64'`"));
        }
        Some(Mask::Netmask(netmask)) if contiguous_prefix(netmask).is_none() => {
            let message = format!("the netmask `{netmask}` has holes");
            return Some(Finding::new(rules::ROUTE_NETMASK, at, message).help(no_holes(netmask)));
        }
        Some(Mask::Prefix(prefix)) if prefix > family.bits().into() => {
            let message = format!("the prefix {prefix} is longer than an {family} address");
            let finding = Finding::new(rules::ROUTE_PREFIX_TOO_LONG, at, message);
            return Some(finding.help(format!("write 0 to {}", family.bits())));
        }
        None if !address.is_unspecified() => {
            let message = format!("the route to `{address}` says neither netmask nor prefix");
            let finding = Finding::new(rules::ROUTE_PREFIX_MISSING, at, message);
            let prefix = likely_prefix(address);
            return Some(finding.help(format!("add a prefix, for example `prefix='{prefix}'`")));
        }
        Some(Mask::Netmask(_) | Mask::Prefix(_)) | None => {}
    }
    let net = route.net().filter(|net| net.trunc() != *net)?;
    let network = net.network();
    let message = format!("`{address}` is not the address of a network of prefix {}", net.prefix_len());
    let finding = Finding::new(rules::ROUTE_ADDRESS_NOT_NETWORK, path.attribute("address"), message);
    let host = format!("or `prefix='{}'` for that one address", family.bits());
    Some(finding.help(match net.prefix_len() {
        0 => format!("write `address='{network}'` for the default route, {host}"),
        _ => format!("write `address='{network}'`, {host}"),
    }))
}

/// The shortest common prefix that makes the address that of a network.
fn likely_prefix(address: IpAddr) -> u8 {
    let usual: &[u8] = if address.is_ipv4() { &[8, 16, 24] } else { &[48, 64] };
    let fits = |prefix: &&u8| IpNet::new(address, **prefix).is_ok_and(|net| net.trunc() == net);
    usual.iter().find(fits).copied().unwrap_or_else(|| Family::of(address).bits())
}

/// Why no guest can be the gateway.
fn gateway(network: &Network, subnets: &Subnets, route: &Route, path: &NodePath, root: &NodePath) -> Option<Finding> {
    let at = path.attribute("gateway");
    let gateway = route.gateway;
    let family = Family::of(gateway);
    let Some((net, index)) = subnets.around(gateway) else {
        // The gateway may be in an `<ip>` of unknown size, which has its own finding.
        if !subnets.are_known(family) {
            return None;
        }
        let message = format!("the gateway `{gateway}` is in none of the network's own subnets");
        let finding = Finding::new(rules::ROUTE_GATEWAY_OUTSIDE_SUBNETS, at, message);
        let own: Vec<_> = subnets.of_family(family).take(8).map(|net| format!("`{net}`")).collect();
        return Some(finding.help(match own.is_empty() {
            true => format!("the network has no {family} subnet: add an `<ip>` that has the gateway"),
            false => format!("write the address of a guest in {}", own.join(" or ")),
        }));
    };
    if network.ips[index].address == gateway {
        let message = format!("the gateway `{gateway}` is the bridge itself: packets would go nowhere");
        let finding = Finding::new(rules::ROUTE_GATEWAY_NOT_A_GUEST, at, message);
        let finding = finding.related(root.nth("ip", index).attribute("address"), "the bridge has the address here");
        return Some(finding.help("write the address of the guest that knows the way"));
    }
    let what = reserved(net, gateway)?;
    let message = format!("no guest can be the gateway `{gateway}`: it is the {what} of {net}");
    let (first, last) = hosts(net);
    let finding = Finding::new(rules::ROUTE_GATEWAY_NOT_A_GUEST, at, message);
    Some(finding.help(format!("write the address of a guest, from `{first}` to `{last}`")))
}

/// Checks a route that covers guests on the bridge itself.
fn own_subnet(subnets: &Subnets, route: &Route, path: &NodePath, root: &NodePath) -> Option<Finding> {
    let net = route.net().filter(|net| net.prefix_len() > 0)?;
    let (subnet, index) = subnets.around(net.addr()).filter(|(subnet, _)| subnet.contains(&net))?;
    let (at, own) = (path.attribute("address"), root.nth("ip", index).attribute("address"));
    if subnet == net {
        let message = format!("the route to {net} leads to a subnet that the bridge is in");
        let finding = Finding::new(rules::ROUTE_TO_OWN_SUBNET, at, message).related(own, "the subnet is here");
        return Some(finding.help("leave the route out, or write the network behind the gateway"));
    }
    let message = format!("the route sends what is for {net}, a part of the subnet {subnet}, through one guest");
    let finding = Finding::new(rules::ROUTE_INSIDE_OWN_SUBNET, at, message).related(own, "the subnet is here");
    Some(finding.help("write the network behind the gateway, or make the subnet smaller"))
}

fn metric(route: &Route, path: &NodePath) -> Option<Finding> {
    let zero = route.metric.filter(|metric| *metric == 0)?;
    let message = format!("the metric of a route cannot be {zero}");
    let finding = Finding::new(rules::ROUTE_METRIC_ZERO, path.attribute("metric"), message);
    Some(finding.help("write 1 or more, or leave it out: then it is 1"))
}

fn default_route(route: &Route, path: &NodePath) -> Option<Finding> {
    route.net().filter(|net| net.prefix_len() == 0 && net.addr().is_unspecified())?;
    let metric = route.effective_metric();
    let message = format!(
        "the route with metric {metric} is a default route of the whole host: all that has no better one goes to `{}`",
        route.gateway
    );
    let finding = Finding::new(rules::ROUTE_SHADOWS_DEFAULT, path.attribute("address"), message);
    Some(
        finding.help("write the networks behind the gateway, or a `metric` above that of the host's own default route"),
    )
}

/// The kernel keeps one route for each destination and metric.
fn duplicates(network: &Network, root: &NodePath) -> Vec<Finding> {
    let mut first = HashMap::new();
    let mut findings = Vec::new();
    for (index, route) in network.routes.iter().enumerate() {
        let Some(net) = route.net() else { continue };
        let metric = route.effective_metric();
        let other = *first.entry((net, metric)).or_insert(index);
        if other == index {
            continue;
        }
        let message = format!("two routes lead to {net} with the metric {metric}");
        let at = |index| root.nth("route", index).attribute("address");
        let finding =
            Finding::new(rules::ROUTE_DUPLICATE, at(index), message).related(at(other), "the first one is here");
        let help = match network.routes[other].gateway == route.gateway {
            true => "leave one of them out".to_owned(),
            false => format!("write `metric='{}'` for the one that is second choice", metric.saturating_add(1)),
        };
        let is_same = *route == network.routes[other];
        findings.push(finding.help(help).remove_if(is_same, root.nth("route", index)));
    }
    findings
}
