//! What a network promises, as packets that somebody else's firewall may refuse.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vnet_firewall::{CtState, Field, Hook, Packet, Rule, Ruleset, Statement, Verdict};
use vnet_types::{Family, InterfaceName, Inventory, IpNet, Link, LinkKind};

use crate::{HostState, LinkAddress, NetworkRules, Resource};

/// Something that a network promises, and a packet that shows whether it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// What is promised, in words.
    pub what: String,
    /// A packet that has to pass.
    pub packet: Packet,
    /// The network's bridge, which the packet comes from or goes to.
    pub bridge: InterfaceName,
}

/// Stands for anyone beyond the host.
const FAR: IpAddr = IpAddr::V4(Ipv4Addr::new(1, 1, 1, 1));
const FAR6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2606, 0x4700, 0x4700, 0, 0, 0, 0, 0x1111));
/// Stands for the link-local address of a guest.
const GUEST_LINK_LOCAL: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2));
/// Where DHCPv6 clients ask (RFC 8415).
const DHCPV6_SERVERS: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2));

/// The promises of a state that `lower` has made: what its rules accept, and the services of its dnsmasq.
pub fn promises(desired: &HostState, inventory: &Inventory) -> Vec<Promise> {
    let bridge = desired.iter().find_map(|resource| match resource {
        Resource::Link(Link { name, kind: LinkKind::Bridge(_), .. }) => Some(name),
        _ => None,
    });
    let Some(bridge) = bridge else { return Vec::new() };
    let mut promises = services(desired, bridge);
    for resource in desired.iter() {
        if let Resource::Ruleset(NetworkRules { ruleset, .. }) = resource {
            promises.extend(forwarded(ruleset, bridge, inventory));
        }
    }
    promises
}

fn forwarded(ruleset: &Ruleset, bridge: &InterfaceName, inventory: &Inventory) -> Vec<Promise> {
    let promises = ruleset.rules().filter_map(|(_, rule)| {
        let (field, net) = accepted(&rule)?;
        let named = rule.statements.iter().find_map(|statement| match statement {
            Statement::InterfaceName(_, name) if !name.as_str().ends_with('*') => Some(name.clone()),
            _ => None,
        });
        let device = named.or_else(|| way_out(inventory, Family::of(net.addr())));
        let far = if net.addr().is_ipv4() { FAR } else { FAR6 };
        let is_answer = rule.statements.contains(&Statement::Established);
        let connection = if is_answer { CtState::Established } else { CtState::New };
        let (what, from, to, source, destination) = match field {
            Field::Source => ("reach beyond the host", Some(bridge.clone()), device, guest(net), far),
            Field::Destination if is_answer => {
                ("get answers from beyond the host", device, Some(bridge.clone()), far, guest(net))
            }
            Field::Destination => ("are reached from beyond the host", device, Some(bridge.clone()), far, guest(net)),
        };
        let what = format!("guests of {net} {what}");
        let packet = Packet { hook: Hook::Forward, from, to, source, destination, udp: false, port: 443, connection };
        Some(Promise { what, packet, bridge: bridge.clone() })
    });
    promises.collect()
}

/// The subnet that a rule accepts packets of.
fn accepted(rule: &Rule) -> Option<(Field, IpNet)> {
    let accepts = rule.statements.contains(&Statement::Verdict(Verdict::Accept));
    let subnet = rule.statements.iter().find_map(|statement| match statement {
        Statement::Address { field, negated: false, net } => Some((*field, *net)),
        _ => None,
    });
    subnet.filter(|_| accepts)
}

/// The device of the default route.
fn way_out(inventory: &Inventory, family: Family) -> Option<InterfaceName> {
    let is_default = |route: &&vnet_types::Route| {
        route.destination.prefix_len() == 0 && Family::of(route.destination.addr()) == family
    };
    let best = inventory.routes.iter().filter(is_default).min_by_key(|route| route.metric);
    best.map(|route| route.link.clone())
}

fn services(desired: &HostState, bridge: &InterfaceName) -> Vec<Promise> {
    let conf = desired.iter().find_map(|resource| match resource {
        Resource::File(file) if file.path.file_name().is_some_and(|name| name == "dnsmasq.conf") => {
            file.contents.as_deref()
        }
        _ => None,
    });
    let Some(conf) = conf else { return Vec::new() };
    let mut promises = Vec::new();
    let mut add = |what: String, source, destination, port| {
        let (hook, from, connection) = (Hook::Input, Some(bridge.clone()), CtState::New);
        let packet = Packet { hook, from, to: None, source, destination, udp: true, port, connection };
        promises.push(Promise { what, packet, bridge: bridge.clone() });
    };
    let ranges: Vec<&str> = conf.lines().filter_map(|line| line.strip_prefix("dhcp-range=")).collect();
    if ranges.iter().any(|range| !range.contains(':')) {
        add("guests get addresses by DHCP".to_owned(), Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::BROADCAST.into(), 67);
    }
    if ranges.iter().any(|range| range.contains(':')) {
        add("guests get addresses by DHCPv6".to_owned(), GUEST_LINK_LOCAL, DHCPV6_SERVERS, 547);
    }
    let has_line = |line: &str| conf.lines().any(|it| it == line);
    for resource in desired.iter() {
        let Resource::Address(LinkAddress { address, .. }) = resource else { continue };
        let host = address.net.addr();
        if !has_line("port=0") {
            add(format!("guests ask {host} for names"), guest(address.net), host, 53);
        }
        if has_line("enable-tftp") && host.is_ipv4() {
            add(format!("guests boot from {host} by TFTP"), guest(address.net), host, 69);
        }
    }
    promises
}

/// Stands for a guest of a subnet: its last address but one.
fn guest(net: IpNet) -> IpAddr {
    match net.broadcast() {
        IpAddr::V4(last) => IpAddr::V4(Ipv4Addr::from_bits(last.to_bits().saturating_sub(1))),
        IpAddr::V6(last) => IpAddr::V6(Ipv6Addr::from_bits(last.to_bits().saturating_sub(1))),
    }
}
