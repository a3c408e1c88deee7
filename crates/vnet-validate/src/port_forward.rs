//! `<vnet:portForward>` in `<metadata>`: ports of the host that lead to guests of a network.

use std::net::IpAddr;

use vnet_types::{Family, Inventory, KnownListener, Listener, PortSet};
use vnet_xml::interface::Protocol;
use vnet_xml::network::{ForwardGuest, ForwardMode, GuestForward};
use vnet_xml::{BridgeName, Network, NodePath};

use crate::finding::Finding;
use crate::interface::passt::{excludes, range_check};
use crate::{Rule, rules};

/// The most ports that a network's forwards can have: each is an element of a map in the kernel.
const MOST_PORTS: usize = 4096;

/// The places of a network's forwards.
pub(crate) fn places<'n>(
    network: &'n Network,
    root: &NodePath,
) -> impl Iterator<Item = (NodePath, &'n GuestForward)> + use<'n> {
    let element = root.element("metadata").element("vnet:network");
    let forwards = network.extensions.port_forwards.iter().enumerate();
    forwards.map(move |(index, forward)| (element.nth("vnet:portForward", index), forward))
}

pub(crate) fn check(network: &Network, root: &NodePath) -> Vec<Finding> {
    let mode = network.forward_mode();
    let mut places = places(network, root).peekable();
    let Some((first, _)) = places.peek() else { return Vec::new() };
    if !matches!(mode, ForwardMode::Nat | ForwardMode::Route) {
        let message = format!("ports of the host cannot lead to guests of a network in mode `{mode}`");
        let finding = Finding::new(rules::PORT_FORWARD_NOT_IN_MODE, first.clone(), message);
        return vec![finding.help("write `<forward mode='nat'/>` or `<forward mode='route'/>`, or leave it out")];
    }
    let mut findings = Vec::new();
    let mut known: Vec<Known<'_>> = Vec::new();
    let mut count = 0_usize;
    for (path, it) in places {
        let wrong = [guest(network, it, &path), address(network, it, &path), device(network, it, &path)];
        findings.extend(wrong.into_iter().flatten());
        findings.extend(ports(it, &path));
        let before = count;
        count +=
            it.forward.leads().iter().map(|(ports, _)| usize::from(ports.end() - ports.start()) + 1).sum::<usize>();
        if before <= MOST_PORTS && count > MOST_PORTS {
            let message = format!("the network's forwards have {count} ports and more, {MOST_PORTS} are possible");
            let finding = Finding::new(rules::PORT_FORWARD_PORTS, path.clone(), message);
            findings.push(finding.help("name fewer ports; a guest of a routed network needs no forwards"));
        }
        let new = Known::of(network, it, path);
        findings.extend(known.iter().rev().find_map(|other| new.clash(other)));
        known.push(new);
    }
    findings
}

/// What the host has that is in the way.
pub(crate) fn check_against(network: &Network, root: &NodePath, host: &Inventory) -> Vec<Finding> {
    let findings = places(network, root).filter_map(|(path, it)| {
        let new = Known::of(network, it, path);
        let listening = host.listeners.iter().filter_map(|listener| new.covers(listener));
        listening.max_by_key(|finding| finding.severity)
    });
    findings.collect()
}

fn guest(network: &Network, it: &GuestForward, path: &NodePath) -> Option<Finding> {
    let path = path.attribute("guest");
    let addresses = network.addresses_of(&it.guest);
    let finding = |rule: Rule, message: String| Finding::new(rule, path.clone(), message);
    let Some(first) = addresses.first() else {
        let what = match it.guest {
            ForwardGuest::Mac(_) => "with the MAC address",
            _ => "with the name",
        };
        let message = format!("no `<host>` of `<dhcp>` {what} `{}` has an address", it.guest);
        let help = match &it.guest {
            ForwardGuest::Mac(mac) => format!("add `<host mac='{mac}' ip='…'/>` to `<dhcp>`, or write the address"),
            other => format!("add `<host mac='…' name='{other}' ip='…'/>` to `<dhcp>`, or write the guest's address"),
        };
        return Some(finding(rules::PORT_FORWARD_GUEST_UNKNOWN, message).help(help));
    };
    let outside = |address: &&IpAddr| !network.ips.iter().filter_map(|ip| ip.net()).any(|net| net.contains(*address));
    if let Some(outside) = addresses.iter().find(outside) {
        let message = format!("the guest's address `{outside}` is in no subnet of the network");
        let finding = finding(rules::PORT_FORWARD_GUEST_OUTSIDE, message);
        return Some(finding.help("write an address of a guest of this network, or the name of its `<host>`"));
    }
    if network.ips.iter().any(|ip| ip.address == *first) {
        let message = format!("`{first}` is the host's own address in the network, not a guest's");
        return Some(finding(rules::PORT_FORWARD_GUEST_OUTSIDE, message).help("write the address of a guest"));
    }
    None
}

fn address(network: &Network, it: &GuestForward, path: &NodePath) -> Option<Finding> {
    let address = it.forward.address?;
    let finding = |message: String| Finding::new(rules::PORT_FORWARD_ADDRESS, path.attribute("address"), message);
    if address.is_loopback() {
        let message = format!("ports of the loopback address `{address}` cannot lead to a guest");
        let help = "leave `address` out for every other address of the host, which the host itself can use, too";
        return Some(finding(message).help(help));
    }
    if address.is_unspecified() || address.is_multicast() {
        let message = format!("`{address}` is no address that connections are made to");
        return Some(finding(message).help("leave `address` out for every address of the host"));
    }
    let addresses = network.addresses_of(&it.guest);
    if addresses.is_empty() || addresses.iter().any(|guest| Family::of(*guest) == Family::of(address)) {
        return None;
    }
    let message = format!("the guest `{}` has no address of the family of `{address}`", it.guest);
    Some(finding(message).help("write an address of the guest's family, or reserve one of this family for it"))
}

fn device(network: &Network, it: &GuestForward, path: &NodePath) -> Option<Finding> {
    let device = it.forward.dev.as_ref()?;
    let finding = |message: String| Finding::new(rules::PORT_FORWARD_DEVICE, path.attribute("dev"), message);
    let bridge = network.bridge.as_ref().and_then(|bridge| bridge.name.as_ref());
    if matches!(bridge, Some(BridgeName::Fixed(bridge)) if bridge == device) {
        let message = format!("`{device}` is the network's own bridge");
        return Some(finding(message).help("name the device that connections arrive on, or leave `dev` out"));
    }
    let only = network.outgoing_device().filter(|only| *only != device)?;
    let message = format!("guests of this network reach beyond the host through `{only}` only, not through `{device}`");
    Some(finding(message).help(format!("write `dev='{only}'`, or leave `dev` out")))
}

fn ports(it: &GuestForward, path: &NodePath) -> Vec<Finding> {
    const NAME: &str = "vnet:range";
    let ranges = it.forward.ranges.iter().enumerate();
    let mut findings: Vec<Finding> =
        ranges.filter_map(|(number, range)| range_check(range, &path.nth(NAME, number))).collect();
    let names_ports = it.forward.ranges.iter().any(|range| range.start.is_some() && range.exclude != Some(true));
    match names_ports {
        true => findings.extend(excludes(&it.forward, path, NAME)),
        false if findings.is_empty() => {
            let message = "the forward names no port";
            let finding = Finding::new(rules::PORT_FORWARD_PORTS, path.clone(), message);
            findings.push(finding.help("add `<vnet:range start='…'/>`"));
        }
        false => {}
    }
    let mut leads = it.forward.leads();
    leads.sort_by_key(|(ports, _)| ports.start());
    let twice = leads.windows(2).find_map(|pair| {
        let [(one, to), (other, others)] = pair else { return None };
        let port = other.start();
        // The same port of the guest twice changes nothing.
        let differs = to.checked_add(port - one.start()) != Some(*others);
        (port <= one.end() && differs).then_some(port)
    });
    findings.extend(twice.map(|port| {
        let message = format!("the {} port {port} of the host leads to two ports", it.forward.protocol.word());
        let finding = Finding::new(rules::PORT_FORWARDED_TWICE, path.clone(), message);
        finding.help("write a port that is free")
    }));
    findings
}

/// The ports of a forward.
#[derive(Clone)]
pub(crate) struct Known<'n> {
    forward: &'n GuestForward,
    families: Vec<Family>,
    ports: PortSet,
    pub(crate) path: NodePath,
}

impl<'n> Known<'n> {
    pub(crate) fn of(network: &Network, forward: &'n GuestForward, path: NodePath) -> Self {
        let guests = network.addresses_of(&forward.guest).into_iter().map(Family::of);
        let families = match forward.forward.address {
            Some(address) => vec![Family::of(address)],
            None => guests.collect(),
        };
        Self { forward, families, ports: forward.forward.leads().into_iter().map(|(ports, _)| ports).collect(), path }
    }

    fn listener(&self) -> Listener<'n> {
        Listener { address: self.forward.forward.address, device: self.forward.forward.dev.as_ref() }
    }

    /// The port that both forwards have.
    pub(crate) fn shared(&self, other: &Known<'_>) -> Option<(Protocol, u16)> {
        let protocol = self.forward.forward.protocol;
        let may = protocol == other.forward.forward.protocol
            && self.families.iter().any(|family| other.families.contains(family))
            && self.listener().clashes(other.listener());
        let port = may.then(|| self.ports.intersection(&other.ports).ports().next());
        Some((protocol, port??))
    }

    fn clash(&self, other: &Known<'_>) -> Option<Finding> {
        let (protocol, port) = self.shared(other)?;
        let message = format!("the {} port {port} of the host leads into a guest already", protocol.word());
        let finding = Finding::new(rules::PORT_FORWARDED_TWICE, self.path.clone(), message);
        Some(finding.help("write a port that is free").related(other.path.clone(), "here"))
    }

    /// The finding for a socket of the host that would get no connection any more.
    fn covers(&self, listener: &KnownListener) -> Option<Finding> {
        let (forward, KnownListener { udp, address, port, .. }) = (&self.forward.forward, listener);
        let is_same = (forward.protocol == Protocol::Udp) == *udp && self.ports.contains(*port);
        // A socket of `::` hears IPv4, too.
        let any_family = address.is_unspecified() && address.is_ipv6();
        let family = any_family || self.families.contains(&Family::of(*address));
        let is_reached =
            !address.is_loopback() && forward.address.is_none_or(|own| own == *address || address.is_unspecified());
        if !(is_same && family && is_reached) {
            return None;
        }
        let protocol = forward.protocol.word();
        let whole = forward.address.is_none() && forward.dev.is_none();
        if whole || forward.address == Some(*address) && forward.dev.is_none() {
            let message = format!("a program of the host listens on the {protocol} port {port} of `{address}`");
            let finding = Finding::new(rules::HOST_PORT_IN_USE, self.path.clone(), message);
            return Some(finding.help("forward another port of the host, or an address of its own with `address`"));
        }
        let message = format!(
            "a program of the host listens on the {protocol} port {port} of `{address}`: what the forward takes does not \
             reach it any more"
        );
        let finding = Finding::new(rules::HOST_PORT_COVERED, self.path.clone(), message);
        Some(finding.help("let the program listen on its own addresses only"))
    }
}
