//! `<vnet:egress>` in `<metadata>`: what guests of a network may reach beyond it.

use vnet_types::{Egress, EgressException, EgressPreset, EgressProtocol, Family, Inventory, IpNet};
use vnet_xml::network::{ForwardMode, Ip};
use vnet_xml::{Network, NodePath};

use crate::finding::Finding;
use crate::rules;

/// The most exceptions that a network can have: each is a rule, or several, for every packet.
const MOST: usize = 256;

pub(crate) fn check(network: &Network, root: &NodePath) -> Vec<Finding> {
    let Some((egress, path)) = place(network, root) else { return Vec::new() };
    let (mode, preset) = (network.forward_mode(), egress.preset);
    let at_preset = path.attribute("preset");
    if !matches!(mode, ForwardMode::Nat | ForwardMode::Route | ForwardMode::None) {
        let message = format!("what guests of a network in mode `{mode}` reach cannot be limited");
        let finding = Finding::new(rules::EGRESS_NOT_IN_MODE, path, message);
        return vec![finding.help("write `<forward mode='nat'/>` or `<forward mode='route'/>`, or leave it out")];
    }
    if mode == ForwardMode::None && matches!(preset, EgressPreset::InternetOnly) {
        let message = format!("an isolated network has no way out that the preset `{preset}` could leave open");
        let finding = Finding::new(rules::EGRESS_WITHOUT_WAY_OUT, at_preset, message);
        return vec![finding.help("write `preset='host-only'` or `preset='none'`, or add `<forward mode='nat'/>`")];
    }
    let all = exceptions(egress, &path);
    if let Some((path, ..)) = all.get(MOST) {
        let message = format!("the network has {} exceptions, {MOST} are possible", all.len());
        let finding = Finding::new(rules::EGRESS_TOO_MANY, path.clone(), message);
        return vec![finding.help("name subnets in place of single addresses")];
    }
    let mut findings = Vec::new();
    for (number, (path, allows, it)) in all.iter().enumerate() {
        let wrong = nothing(it, path).or_else(|| port(it, path)).or_else(|| unreached(network, *allows, it, path));
        let wrong = wrong.or_else(|| {
            let (first, ..) = all[..number].iter().find(|(_, _, other)| other == it)?;
            let message = "another exception names the same: where one allows and one denies, it is denied";
            let finding = Finding::new(rules::EGRESS_TWICE, path.clone(), message);
            Some(finding.help("leave one of the two out").related(first.clone(), "here"))
        });
        findings.extend(wrong);
    }
    findings
}

/// What the host has no way to.
pub(crate) fn check_against(network: &Network, root: &NodePath, host: &Inventory) -> Vec<Finding> {
    let Some((egress, path)) = place(network, root) else { return Vec::new() };
    let leads = |net: &IpNet| host.routes.iter().map(|route| route.destination).any(|it| meet(it, *net));
    let is_own = |net: &IpNet| {
        let mut own = host.addresses.iter().map(|(_, address)| address.net.addr());
        own.any(|address| net.contains(&address)) || is_of(network, net)
    };
    let findings = exceptions(egress, &path).into_iter().filter_map(|(path, allows, it)| {
        let net = it.net.filter(|net| allows && !leads(net) && !is_own(net))?;
        let message = format!("this host has no route to `{net}`, which guests may reach");
        let finding = Finding::new(rules::HOST_EGRESS_UNREACHED, path.attribute("address"), message);
        Some(finding.help("the network starts without it; traffic flows once there is a route"))
    });
    findings.collect()
}

fn place<'n>(network: &'n Network, root: &NodePath) -> Option<(&'n Egress, NodePath)> {
    let egress = network.extensions.egress.as_ref()?;
    Some((egress, root.element("metadata").element("vnet:network").element("vnet:egress")))
}

/// The exceptions, each with its place and whether it allows.
fn exceptions<'n>(egress: &'n Egress, path: &NodePath) -> Vec<(NodePath, bool, &'n EgressException)> {
    let of = |name, allows, list: &'n [EgressException]| {
        list.iter().enumerate().map(move |(number, it)| (path.nth(name, number), allows, it))
    };
    of("vnet:allow", true, &egress.allow).chain(of("vnet:deny", false, &egress.deny)).collect()
}

fn nothing(it: &EgressException, path: &NodePath) -> Option<Finding> {
    if *it != EgressException::default() {
        return None;
    }
    let finding = Finding::new(rules::EGRESS_NAMES_NOTHING, path.clone(), "the exception names nothing");
    Some(
        finding
            .help("add `address`, `proto` or `port`; for everything or nothing there are the presets `any` and `none`"),
    )
}

fn port(it: &EgressException, path: &NodePath) -> Option<Finding> {
    let ports = it.ports?;
    let finding = |message: &str| Finding::new(rules::EGRESS_PORT, path.attribute("port"), message);
    if it.protocol == Some(EgressProtocol::Icmp) {
        return Some(finding("ICMP has no ports").help("leave `port` out"));
    }
    (ports.start() == 0).then(|| finding("there is no port 0").help("write ports from 1 to 65535"))
}

/// Addresses that no guest could reach anyhow, or that are not beyond the network.
fn unreached(network: &Network, allows: bool, it: &EgressException, path: &NodePath) -> Option<Finding> {
    let net = it.net?;
    let family = Family::of(net.addr());
    let finding = |message: String| Finding::new(rules::EGRESS_UNREACHED, path.attribute("address"), message);
    let is_single = net.prefix_len() == net.max_prefix_len();
    if net.addr().is_loopback() || is_single && net.addr().is_unspecified() {
        let message = format!("`{net}` is no address that a guest can send to through the host");
        return Some(finding(message).help("write an address that the host has a route to"));
    }
    let siblings = network
        .ips
        .iter()
        .find(|ip| ip.net().is_some_and(|own| own.trunc().contains(&net)) && !net.contains(&ip.address));
    if siblings.is_some() {
        let message = format!("`{net}` is within the network: its guests reach each other without passing the host");
        let help = "write an address beyond the network; `<port isolated='yes'/>` keeps guests from each other";
        return Some(finding(message).help(help));
    }
    if !allows {
        return None;
    }
    if !network.has_family(family) {
        let message = format!("guests have no address of the family of `{net}`: the network has no such `<ip>`");
        return Some(finding(message).help("add an `<ip>` of this family, or leave the exception out"));
    }
    if network.way_out(family).is_none() && !is_of(network, &net) {
        let message = format!("the network is isolated: no route leads its guests to `{net}`");
        return Some(
            finding(message).help("add `<forward mode='nat'/>`, or write an address of the host in the network"),
        );
    }
    None
}

/// Whether the host's own address in the network is among these.
fn is_of(network: &Network, net: &IpNet) -> bool {
    network.ips.iter().map(|ip: &Ip| ip.address).any(|address| net.contains(&address))
}

fn meet(one: IpNet, other: IpNet) -> bool {
    one.contains(&other) || other.contains(&one)
}
