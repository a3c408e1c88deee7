//! What a network promises its guests, as packets that the firewalls of other programs may drop.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vnet_dnsmasq::Config;
use vnet_firewall::{Access, Carried, CtState, Hook, Packet, Policy};
use vnet_types::{Family, InterfaceName, Inventory, IpNet, Route};
use vnet_xml::Network;

use crate::LowerError;
use crate::lower::{config, policy};

/// What a network with a bridge of its own does for its guests.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Intent {
    /// The bridge.
    pub bridge: InterfaceName,
    /// The policy for its rules. `None` if nothing is filtered or translated.
    pub policy: Option<Policy>,
    /// The configuration of its dnsmasq. `None` if it has no dnsmasq.
    pub dnsmasq: Option<Config>,
}

/// A packet that has to pass, or a promise of the network is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The promise in words.
    pub what: String,
    /// The packet.
    pub packet: Packet,
    /// The network's bridge, which the packet comes from or goes to.
    pub bridge: InterfaceName,
}

/// An example of an address beyond the host.
const FAR: IpAddr = IpAddr::V4(Ipv4Addr::new(1, 1, 1, 1));
const FAR6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2606, 0x4700, 0x4700, 0, 0, 0, 0, 0x1111));
/// An example of a guest's link-local address.
const GUEST_LINK_LOCAL: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2));
/// The address that DHCPv6 clients send to (RFC 8415).
const DHCPV6_SERVERS: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2));

impl Intent {
    /// What a definition means on this bridge.
    ///
    /// # Errors
    /// [`LowerError`] for a definition that has not passed `vnet_validate::check`.
    pub fn of(network: &Network, bridge: &InterfaceName) -> Result<Self, LowerError> {
        let dnsmasq = if network.has_dnsmasq() { Some(config(network, bridge)?) } else { None };
        Ok(Self { bridge: bridge.clone(), policy: policy(network, bridge)?, dnsmasq })
    }

    /// The packets that have to pass: those to the services of its dnsmasq, and those that its
    /// policy lets through the host.
    pub fn passages(&self, inventory: &Inventory) -> Vec<Passage> {
        let mut passages = Vec::new();
        let mut add = |what: String, packet| passages.push(Passage { what, packet, bridge: self.bridge.clone() });
        if let Some(config) = &self.dnsmasq {
            services(config, &mut add);
        }
        if let Some(policy) = &self.policy {
            forwarded(policy, inventory, &mut add);
        }
        passages
    }
}

fn services(config: &Config, add: &mut impl FnMut(String, Packet)) {
    let mut ask = |what: String, source, destination, port| {
        let (hook, from, connection) = (Hook::Input, Some(config.interface.clone()), CtState::New);
        add(what, Packet { hook, from, to: None, source, destination, carries: Carried::Udp, port, connection });
    };
    if config.serves_dhcp(Family::Ipv4) {
        ask("guests get addresses by DHCP".to_owned(), Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::BROADCAST.into(), 67);
    }
    if config.serves_dhcp(Family::Ipv6) {
        ask("guests get addresses by DHCPv6".to_owned(), GUEST_LINK_LOCAL, DHCPV6_SERVERS, 547);
    }
    for net in config.subnets.iter().map(|subnet| subnet.net) {
        let host = net.addr();
        if let Some(port) = config.dns_port() {
            ask(format!("guests ask {host} for names"), guest(net), host, port);
        }
        if config.serves_tftp() && host.is_ipv4() {
            ask(format!("guests boot from {host} by TFTP"), guest(net), host, 69);
        }
    }
}

fn forwarded(policy: &Policy, inventory: &Inventory, add: &mut impl FnMut(String, Packet)) {
    for subnet in &policy.subnets {
        let net = subnet.net.trunc();
        let family = Family::of(net.addr());
        let far = if family == Family::Ipv4 { FAR } else { FAR6 };
        let device = policy.device.clone().or_else(|| way_out(inventory, family));
        let out = |connection| Packet {
            hook: Hook::Forward,
            from: Some(policy.bridge.clone()),
            to: device.clone(),
            source: guest(net),
            destination: far,
            carries: Carried::Tcp,
            port: 443,
            connection,
        };
        let back = |connection| {
            let Packet { from, to, source, destination, .. } = out(connection);
            Packet { from: to, to: from, source: destination, destination: source, ..out(connection) }
        };
        let (what, incoming) = match subnet.access {
            Access::Isolated => continue,
            Access::Routed => ("are reached from beyond the host", CtState::New),
            Access::Nat { .. } => ("get answers from beyond the host", CtState::Established),
        };
        add(format!("guests of {net} reach beyond the host"), out(CtState::New));
        add(format!("guests of {net} {what}"), back(incoming));
    }
}

/// The device of the default route.
fn way_out(inventory: &Inventory, family: Family) -> Option<InterfaceName> {
    let is_default =
        |route: &&Route| route.destination.prefix_len() == 0 && Family::of(route.destination.addr()) == family;
    let best = inventory.routes.iter().filter(is_default).min_by_key(|route| route.metric);
    best.map(|route| route.link.clone())
}

/// An example of a guest's address in a subnet: the last address but one.
fn guest(net: IpNet) -> IpAddr {
    match net.broadcast() {
        IpAddr::V4(last) => IpAddr::V4(Ipv4Addr::from_bits(last.to_bits().saturating_sub(1))),
        IpAddr::V6(last) => IpAddr::V6(Ipv6Addr::from_bits(last.to_bits().saturating_sub(1))),
    }
}
