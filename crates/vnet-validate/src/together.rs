//! What definitions that are meant for one host share and cannot share.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::net::IpAddr;

use vnet_types::{Family, InterfaceName, Inventory, IpNet, MacAddr, ReservedSubnet, SubnetHolder, Uuid};
use vnet_xml::{BridgeName, Definition, Domain, Network, NodePath};

use crate::collision::counts;
use crate::finding::{Finding, in_document_order};
use crate::free::free_subnets;
use crate::port_forward::{Known, places};
use crate::subnets::ips;
use crate::{Rule, rules};

/// Definitions that are meant for one host. Each is compared with those before it: two networks
/// cannot have one name, UUID, bridge or subnet, and two devices should not have one MAC address.
///
/// ```
/// use vnet_validate::Together;
/// use vnet_xml::{Definition, Network};
/// use vnet_xml::network::Ip;
///
/// let with = |name: &str, address: &str| {
///     let mut network = Network::new(name);
///     network.ips.push(Ip::new(address.parse().expect("an address")));
///     Definition::Network(Box::new(network))
/// };
/// let mut together = Together::default();
/// assert_eq!(together.add(&with("one", "10.20.0.1/16")), []);
/// let findings = together.add(&with("two", "10.20.7.1/24"));
/// assert_eq!(findings[0].message, "the subnet 10.20.7.0/24 is part of 10.20.0.0/16, a subnet of the network `one`");
/// assert_eq!(findings[0].related[0].definition, Some(0));
/// ```
#[derive(Debug, Default)]
pub struct Together {
    count: usize,
    names: HashMap<String, Place>,
    uuids: HashMap<Uuid, Place>,
    bridges: HashMap<InterfaceName, Place>,
    macs: HashMap<MacAddr, Place>,
    /// By first address and prefix.
    subnets: BTreeMap<(IpAddr, u8), Place>,
    /// The host that they are meant for, with the subnets of all definitions.
    host: Inventory,
    /// The networks whose guests ports of the host lead to, each with its place.
    forwarding: Vec<(Network, Place)>,
}

/// A place in one of the definitions.
#[derive(Clone, Debug)]
struct Place {
    /// The number of the definition.
    definition: usize,
    path: NodePath,
    /// What has it: "the network `one`".
    owner: String,
}

impl Place {
    fn explains(self, finding: Finding, message: &str) -> Finding {
        finding.elsewhere(self.definition, self.path, message)
    }
}

impl Together {
    /// No definitions yet, for a host: it is known which subnets are free there.
    pub fn on(host: Inventory) -> Self {
        Self { host, ..Self::default() }
    }

    /// Adds a definition, and finds what it shares with those before it. Definitions are numbered
    /// from 0, in the order of these calls.
    pub fn add(&mut self, definition: &Definition) -> Vec<Finding> {
        let findings = match definition {
            Definition::Network(network) => self.network(network),
            Definition::Domain(domain) => self.domain(domain),
            _ => Vec::new(),
        };
        self.count += 1;
        in_document_order(findings)
    }

    fn network(&mut self, network: &Network) -> Vec<Finding> {
        let root = NodePath::root("network");
        let owner = format!("the network `{}`", network.name);
        let here = |path: NodePath| Place { definition: self.count, path, owner: owner.clone() };
        let name = root.element("name");
        if let Some(other) = first(&mut self.names, network.name.clone(), here(name.clone())) {
            // The rest belongs to one network, whichever of its definitions is used.
            let message = format!("{owner} is defined twice");
            let finding = other.explains(Finding::new(rules::TOGETHER_NAME, name, message), "the first one is here");
            return vec![finding.help("give one of them another name, or keep one of the definitions")];
        }
        let mut findings = Vec::new();
        if let Some(uuid) = network.uuid.filter(|uuid| uuid.is_valid_identity()) {
            let path = root.element("uuid");
            let other = first(&mut self.uuids, uuid, here(path.clone()));
            let help = "leave `<uuid>` out of one of them: it is given another";
            findings.extend(other.map(|other| taken(rules::TOGETHER_UUID, path, "UUID", &uuid, other).help(help)));
        }
        if let Some(bridge) = own_bridge(network) {
            let path = root.element("bridge").attribute("name");
            let other = first(&mut self.bridges, bridge.clone(), here(path.clone()));
            let help = "write another name, or `virbr%d` for the first that is free";
            findings.extend(other.map(|other| taken(rules::TOGETHER_BRIDGE, path, "bridge", bridge, other).help(help)));
        }
        if let Some(mac) = network.mac {
            let path = root.element("mac").attribute("address");
            let other = first(&mut self.macs, mac, here(path.clone()));
            let help = "write another address, or leave `<mac>` out";
            findings.extend(other.map(|other| taken(rules::TOGETHER_MAC, path, "MAC address", &mac, other).help(help)));
        }
        let mut own = Vec::new();
        for (path, ip) in ips(network, &root) {
            let Some(net) = ip.net().map(|net| net.trunc()).filter(|net| counts(*net)) else { continue };
            let path = path.attribute("address");
            if let Ok(name) = network.name.parse() {
                self.host.reserved.push(ReservedSubnet { net, by: SubnetHolder::Network(name) });
            }
            if let Some((other_net, other)) = self.overlapping(net) {
                let free = free_subnets(&network.name, Family::of(net.addr()), net.prefix_len(), &self.host).next();
                findings.push(overlaps(net, path.clone(), other_net, other, free));
            }
            own.push((net, path));
        }
        for (net, path) in own {
            let place = Place { definition: self.count, path, owner: owner.clone() };
            self.subnets.entry((net.network(), net.prefix_len())).or_insert(place);
        }
        findings.extend(self.forwards(network, &root));
        if !network.extensions.port_forwards.is_empty() {
            let place = Place { definition: self.count, path: root, owner };
            self.forwarding.push((network.clone(), place));
        }
        findings
    }

    /// Ports that lead to guests of two networks.
    fn forwards(&self, network: &Network, root: &NodePath) -> Vec<Finding> {
        let findings = places(network, root).filter_map(|(path, forward)| {
            let new = Known::of(network, forward, path);
            self.forwarding.iter().find_map(|(other, place)| {
                let mut known = places(other, &place.path).map(|(path, it)| Known::of(other, it, path));
                let (other, (protocol, port)) = known.find_map(|it| new.shared(&it).map(|port| (it, port)))?;
                let message =
                    format!("the {} port {port} leads to a guest of {} already", protocol.word(), place.owner);
                let finding = Finding::new(rules::TOGETHER_PORT, new.path.clone(), message);
                let finding = finding.help("write a port that is free");
                Some(finding.elsewhere(place.definition, other.path, "it is here"))
            })
        });
        findings.collect()
    }

    fn domain(&mut self, domain: &Domain) -> Vec<Finding> {
        let devices = NodePath::root("domain").element("devices");
        let mut findings = Vec::new();
        for (index, interface) in domain.interfaces.iter().enumerate() {
            let Some(mac) = interface.mac.as_ref().map(|mac| mac.address) else { continue };
            let path = devices.nth("interface", index).element("mac").attribute("address");
            let here =
                Place { definition: self.count, path: path.clone(), owner: format!("the guest `{}`", domain.name) };
            // Interfaces of one guest are compared by its own check.
            let other = first(&mut self.macs, mac, here).filter(|other| other.definition != self.count);
            let help = "write another address, or leave `<mac>` out";
            findings.extend(other.map(|other| taken(rules::TOGETHER_MAC, path, "MAC address", &mac, other).help(help)));
        }
        findings
    }

    /// A subnet of a definition before that has addresses of this one. The one closest in size
    /// explains most.
    fn overlapping(&self, net: IpNet) -> Option<(IpNet, Place)> {
        let around = (0..=net.prefix_len()).rev().filter_map(|prefix| {
            let around = IpNet::new(net.addr(), prefix).ok()?.trunc();
            Some((around, self.subnets.get(&(around.network(), prefix))?))
        });
        let within = || {
            let inside = self.subnets.range((net.network(), net.prefix_len())..=(net.broadcast(), u8::MAX));
            inside.filter_map(|((address, prefix), place)| Some((IpNet::new(*address, *prefix).ok()?, place)))
        };
        let (other, place) = around.into_iter().next().or_else(|| within().find(|(other, _)| net.contains(other)))?;
        Some((other, place.clone()))
    }
}

/// Keeps the first place of a value; returns the place that has it already.
fn first<K: Hash + Eq>(known: &mut HashMap<K, Place>, value: K, here: Place) -> Option<Place> {
    match known.entry(value) {
        std::collections::hash_map::Entry::Occupied(entry) => Some(entry.get().clone()),
        std::collections::hash_map::Entry::Vacant(entry) => {
            entry.insert(here);
            None
        }
    }
}

fn taken(rule: Rule, path: NodePath, what: &str, value: &dyn std::fmt::Display, other: Place) -> Finding {
    let message = format!("{} has the {what} `{value}` already", other.owner);
    other.explains(Finding::new(rule, path, message), "it is here")
}

fn overlaps(net: IpNet, path: NodePath, other_net: IpNet, other: Place, free: Option<IpNet>) -> Finding {
    let relation = match other_net {
        other if other == net => "is".to_owned(),
        other if other.contains(&net) => format!("is part of {other},"),
        other => format!("contains {other},"),
    };
    let message = format!("the subnet {net} {relation} a subnet of {}", other.owner);
    let such_as = free.map(|free| format!(", such as {free}")).unwrap_or_default();
    let finding = Finding::new(rules::TOGETHER_SUBNET, path, message);
    let finding = finding.help(format!("give each network a subnet of its own{such_as}"));
    other.explains(finding, &format!("{other_net} is here"))
}

/// The bridge that a network creates, where its definition names it.
fn own_bridge(network: &Network) -> Option<&InterfaceName> {
    match network.bridge.as_ref().filter(|_| network.forward_mode().has_own_bridge())?.name.as_ref()? {
        BridgeName::Fixed(name) => Some(name),
        BridgeName::Template(_) => None,
    }
}
