//! What is seen of a host, as parts and connections.

use std::collections::BTreeMap;
use std::fmt::Display;

use vnet_plan::{Change, Resource};
use vnet_types::{EgressPreset, Family, InterfaceName, Inventory, KnownPort, MacAddr, PortRange};
use vnet_xml::network::{ForwardGuest, ForwardMode, GuestForward, Ip, WayOut};
use vnet_xml::{BridgeName, Network};

use super::{PartKind, Picture, PictureConnection, PicturePart, Seen, SeenNetwork};
use crate::network::{AddressOfGuest, AddressSource};
use crate::obstacle::Obstacle;
use crate::port::PortStatus;
use crate::state::State;

/// The name of what is beyond an imagined host.
const OUTSIDE: &str = "outside";
/// The most port forwards that a network's card shows; more are among its details.
const FORWARDS_SHOWN: usize = 3;

/// The picture of a host.
pub(super) fn drawn(seen: &Seen) -> Picture {
    let mut drawing =
        Drawing { picture: Picture { host: shown(&seen.host), ..Picture::default() }, seen, uplinks: BTreeMap::new() };
    for family in [Family::Ipv4, Family::Ipv6] {
        ways_out(&seen.inventory, family).into_iter().for_each(|link| _ = drawing.uplink(link));
    }
    for listed in &seen.running {
        match listed {
            Ok(network) => drawing.running(network),
            Err(unreadable) => {
                let mut part = part(PartKind::Network, unreadable.of.name());
                part.troubles.push(shown(&format!("it cannot be read: {unreadable}")));
                drawing.picture.parts.push(part);
            }
        }
    }
    for (name, definition) in &seen.inactive {
        let mut network = part(PartKind::Network, name);
        network.runs = false;
        network.facts.push("defined, does not run".to_owned());
        match definition {
            Some(definition) => describe(&mut network, definition, &[]),
            None => network.troubles.push("its definition cannot be read".to_owned()),
        }
        drawing.picture.parts.push(network);
    }
    for port in seen.ports.iter().filter(|port| port.port.network.is_none()) {
        drawing.on_a_device(port);
    }
    drawing.picture
}

/// The picture of definitions.
pub(super) fn defined(networks: &[Network]) -> Picture {
    let mut picture = Picture::default();
    let mut uplinks: BTreeMap<String, usize> = BTreeMap::new();
    for definition in networks {
        let mut network = part(PartKind::Network, &definition.name);
        let addresses: Vec<String> = definition.ips.iter().filter_map(Ip::net).map(|net| net.to_string()).collect();
        describe(&mut network, definition, &addresses);
        let index = picture.parts.len();
        picture.parts.push(network);
        if let Some(label) = way(definition) {
            let by = devices(definition).next().map_or(OUTSIDE.to_owned(), ToString::to_string);
            let from = *uplinks.entry(by.clone()).or_insert_with(|| {
                picture.parts.push(part(PartKind::Uplink, &by));
                picture.parts.len() - 1
            });
            picture.connections.push(PictureConnection { from, to: index, label, troubled: false });
        }
        for host in definition.ips.iter().flat_map(|ip| ip.dhcp.iter().flat_map(|dhcp| &dhcp.hosts)) {
            let mac = host.mac.as_ref().map(ToString::to_string);
            let name = host.name.clone().or_else(|| mac.clone()).unwrap_or_else(|| host.ip.to_string());
            let mut guest = part(PartKind::Guest, name);
            guest.facts.push(host.ip.to_string());
            guest.details.extend(mac.map(|mac| format!("MAC address {mac}")));
            picture.parts.push(guest);
            let to = picture.parts.len() - 1;
            picture.connections.push(PictureConnection { from: index, to, label: String::new(), troubled: false });
        }
    }
    picture
}

/// A picture on the way.
struct Drawing<'s> {
    picture: Picture,
    seen: &'s Seen,
    /// The uplinks so far.
    uplinks: BTreeMap<InterfaceName, usize>,
}

impl Drawing<'_> {
    /// The index of an uplink, which is added if it is new.
    fn uplink(&mut self, name: &InterfaceName) -> usize {
        if let Some(known) = self.uplinks.get(name) {
            return *known;
        }
        let inventory = &self.seen.inventory;
        let mut uplink = part(PartKind::Uplink, name);
        let of_link = inventory.addresses.iter().filter(|(link, _)| link == name);
        let (local, global): (Vec<_>, Vec<_>) =
            of_link.map(|(_, address)| address.net).partition(|net| match net.addr() {
                std::net::IpAddr::V6(v6) => v6.is_unicast_link_local(),
                std::net::IpAddr::V4(_) => false,
            });
        uplink.facts.extend(global.iter().map(ToString::to_string));
        uplink.details.extend(local.iter().map(ToString::to_string));
        for route in inventory.routes.iter().filter(|route| route.link == *name) {
            match (route.destination.prefix_len(), route.gateway) {
                (0, Some(gateway)) => uplink.facts.push(format!("default via {gateway}")),
                (0, None) => uplink.facts.push("default route".to_owned()),
                (_, Some(gateway)) => uplink.details.push(format!("route to {} via {gateway}", route.destination)),
                _ => {}
            }
        }
        match inventory.links.iter().find(|link| link.name == *name) {
            None => uplink.troubles.push("this host has no such device".to_owned()),
            Some(link) => {
                uplink.details.extend(link.mac.map(|mac| format!("MAC address {mac}")));
                uplink.details.extend(link.mtu.map(|mtu| format!("MTU {mtu}")));
                if !link.up {
                    uplink.troubles.push("it is down".to_owned());
                }
            }
        }
        self.picture.parts.push(uplink);
        self.uplinks.insert(name.clone(), self.picture.parts.len() - 1);
        self.picture.parts.len() - 1
    }

    fn running(&mut self, seen: &SeenNetwork) {
        let status = &seen.status;
        let mut network = part(PartKind::Network, &status.name);
        let addresses: Vec<String> = status.addresses.iter().map(ToString::to_string).collect();
        network.facts.extend(status.bridge.iter().map(|bridge| format!("bridge {bridge}")));
        if status.state == State::Elsewhere {
            network.facts.push("in another network namespace".to_owned());
        }
        if let Some(definition) = &seen.definition {
            describe(&mut network, definition, &addresses);
        }
        network.facts.extend(status.routes.iter().map(|route| {
            let via = route.gateway.map(|gateway| format!(" via {gateway}")).unwrap_or_default();
            format!("route to {}{via}", route.destination)
        }));
        network.details.extend(status.leases.map(|leases| format!("{leases} leases")));
        if status.state == State::Interrupted {
            network.troubles.push(format!("its last change was interrupted: `vnet apply {}` ends it", status.name));
        }
        network.troubles.extend(status.drift.iter().map(drifted));
        let obstacles = status.obstacles.iter().filter(|obstacle| obstacle.is_sure());
        let obstacles: Vec<String> = obstacles.map(|obstacle| shown(&obstacle.to_string())).collect();
        let is_blocked = !obstacles.is_empty();
        network.troubles.extend(obstacles);
        let unsure = status.obstacles.iter().filter(|obstacle| !obstacle.is_sure());
        network.details.extend(unsure.map(|obstacle: &Obstacle| shown(&obstacle.to_string())));
        let index = self.picture.parts.len();
        self.picture.parts.push(network);
        if let Some(definition) = &seen.definition {
            self.way_out(index, definition, is_blocked);
        }
        self.guests(index, seen);
    }

    /// Connects a network to the devices that its traffic leaves by, or that its guests share.
    fn way_out(&mut self, network: usize, definition: &Network, is_blocked: bool) {
        let Some(label) = way(definition) else { return };
        let mut by: Vec<InterfaceName> = devices(definition).cloned().collect();
        if by.is_empty() {
            let families = [Family::Ipv4, Family::Ipv6].into_iter().filter(|it| definition.way_out(*it).is_some());
            by = families.flat_map(|family| ways_out(&self.seen.inventory, family)).cloned().collect();
            by.sort();
            by.dedup();
        }
        for link in by {
            let from = self.uplink(&link);
            let troubled = is_blocked || self.picture.parts[from].is_troubled();
            self.picture.connections.push(PictureConnection { from, to: network, label: label.clone(), troubled });
        }
    }

    /// Adds the guests that are attached, and those of other programs that have an address.
    fn guests(&mut self, network: usize, seen: &SeenNetwork) {
        let mut ports: Vec<&KnownPort> = seen.status.ports.iter().map(|(port, _)| port).collect();
        ports.sort_by_key(|port| (&port.guest, &port.dev));
        for port in ports {
            let own: Vec<_> = seen.addresses.iter().filter(|it| it.port.as_ref() == Some(&port.dev)).collect();
            let name = port.guest.clone().or_else(|| own.iter().find_map(|it| it.hostname.clone()));
            let mut guest = part(PartKind::Guest, name.unwrap_or_else(|| port.dev.to_string()));
            with_addresses(&mut guest, &own);
            with_mac(&mut guest, Some(port.mac));
            let status = self.seen.ports.iter().find(|it| it.port.dev == port.dev);
            self.connect(network, guest, port.dev.as_str(), status);
        }
        let mut others: BTreeMap<_, Vec<&AddressOfGuest>> = BTreeMap::new();
        for address in seen.addresses.iter().filter(|it| it.port.is_none()) {
            others
                .entry(address.mac.map_or_else(|| address.ip.to_string(), |mac| mac.to_string()))
                .or_default()
                .push(address);
        }
        for (identity, own) in others {
            let name = own.iter().find_map(|it| it.hostname.clone()).unwrap_or(identity);
            let mut guest = part(PartKind::Guest, name);
            with_addresses(&mut guest, &own);
            with_mac(&mut guest, own[0].mac);
            if own.iter().all(|it| it.source == AddressSource::Reservation) {
                guest.runs = false;
                guest.facts.push("reserved".to_owned());
            }
            self.connect(network, guest, "", None);
        }
    }

    fn connect(&mut self, to: usize, mut guest: PicturePart, label: &str, status: Option<&PortStatus>) {
        if let Some(status) = status {
            match status.state {
                State::Drifted => guest.troubles.push("its port is not as it was made".to_owned()),
                State::Interrupted => guest.troubles.push("its last change was interrupted".to_owned()),
                State::InSync | State::Unsure | State::Elsewhere => {}
            }
            guest.troubles.extend(status.obstacles.iter().filter(|it| it.is_sure()).map(|it| shown(&it.to_string())));
        }
        let troubled = guest.is_troubled();
        self.picture.parts.push(guest);
        let connection =
            PictureConnection { from: to, to: self.picture.parts.len() - 1, label: shown(label), troubled };
        self.picture.connections.push(connection);
    }

    /// A guest on a device of the host.
    fn on_a_device(&mut self, status: &PortStatus) {
        let port = &status.port;
        let mut guest = part(PartKind::Guest, port.guest.clone().unwrap_or_else(|| port.dev.to_string()));
        with_mac(&mut guest, Some(port.mac));
        let device = port.bridge.as_ref().or(port.lower.as_ref()).unwrap_or(&port.dev);
        let uplink = self.uplink(device);
        self.connect(uplink, guest, port.dev.as_str(), Some(status));
    }
}

/// Adds what a definition says: how guests get out, its subnets, port forwards, DHCP, names.
fn describe(network: &mut PicturePart, definition: &Network, addresses: &[String]) {
    network.facts.insert(0, mode(definition).to_owned());
    let defined = || definition.ips.iter().filter_map(Ip::net).map(|net| net.to_string()).collect();
    network.facts.extend(if addresses.is_empty() { defined() } else { addresses.to_vec() });
    let forwards: Vec<String> = definition.extensions.port_forwards.iter().flat_map(forwarded).collect();
    if forwards.len() <= FORWARDS_SHOWN {
        network.facts.extend(forwards);
    } else {
        network.facts.push(format!("{} port forwards", forwards.len()));
        network.details.extend(forwards);
    }
    if let Some(egress) = &definition.extensions.egress {
        network.facts.push(limit(egress.preset).to_owned());
        let exceptions =
            egress.allow.iter().map(|it| ("allowed", it)).chain(egress.deny.iter().map(|it| ("denied", it)));
        network.details.extend(exceptions.map(|(what, it)| format!("{what}: {it}")));
    }
    for range in definition.ips.iter().flat_map(|ip| ip.dhcp.iter().flat_map(|dhcp| &dhcp.ranges)) {
        network.details.push(format!("DHCP {} to {}", range.start, range.end));
    }
    network.details.extend(definition.domain.iter().map(|domain| shown(&format!("domain {}", domain.name))));
    network.details.extend(definition.title.iter().map(|title| shown(title)));
    network.details.extend(definition.uuid.map(|uuid| format!("UUID {uuid}")));
}

/// What guests may reach, in words.
fn limit(preset: EgressPreset) -> &'static str {
    match preset {
        EgressPreset::InternetOnly => "reaches the internet only",
        EgressPreset::HostOnly => "reaches this host only",
        EgressPreset::None => "reaches nothing",
        EgressPreset::Any => "reaches anything, from its own addresses",
    }
}

/// The ports that lead to a guest, as `vnet forward add` has them.
fn forwarded(it: &GuestForward) -> Vec<String> {
    let forward = &it.forward;
    let guest = match &it.guest {
        ForwardGuest::Address(address) if address.is_ipv6() => format!("[{address}]"),
        guest => guest.to_string(),
    };
    let address = forward.address.map(|address| format!(" of {address}")).unwrap_or_default();
    let dev = forward.dev.as_ref().map(|dev| format!(" on {dev}")).unwrap_or_default();
    let text = |(ports, to): (PortRange, u16)| {
        let protocol = forward.protocol.word();
        let ports = if ports.start() == ports.end() { ports.start().to_string() } else { ports.to_string() };
        shown(&format!("{protocol}/{ports}{address}{dev} to {guest}:{to}"))
    };
    forward.leads().into_iter().map(text).collect()
}

fn with_addresses(guest: &mut PicturePart, addresses: &[&AddressOfGuest]) {
    guest.facts.extend(addresses.iter().map(|address| address.ip.to_string()));
    guest.details.extend(
        addresses.iter().filter_map(|it| it.hostname.as_ref()).map(|name| shown(&format!("says it is {name}"))),
    );
    guest.details.dedup();
}

/// The MAC address is all that is known of where some guests are.
fn with_mac(guest: &mut PicturePart, mac: Option<MacAddr>) {
    let Some(mac) = mac else { return };
    if guest.facts.is_empty() {
        guest.facts.push(mac.to_string())
    } else {
        guest.details.push(format!("MAC address {mac}"))
    }
}

fn drifted(change: &Change) -> String {
    shown(&match change {
        Change::Create { .. } => format!("{} is gone", change.key()),
        Change::Update { from: Resource::Link(is), to: Resource::Link(wanted) } if !is.up && wanted.up => {
            format!("{} is down", change.key())
        }
        Change::Update { .. } => format!("changed: {}", change.key()),
        Change::Delete { .. } => format!("{} is left over", change.key()),
        Change::Rename { from, to } => format!("link {from} is to be called {to}"),
    })
}

fn part(kind: PartKind, name: impl Display) -> PicturePart {
    let name = shown(&name.to_string());
    PicturePart { kind, name, facts: Vec::new(), details: Vec::new(), troubles: Vec::new(), runs: true }
}

/// The devices that a definition names for traffic, or for guests.
fn devices(definition: &Network) -> impl Iterator<Item = &InterfaceName> {
    let bridge = definition.bridge.as_ref().and_then(|bridge| match &bridge.name {
        Some(BridgeName::Fixed(name)) if !definition.forward_mode().has_own_bridge() => Some(name),
        _ => None,
    });
    let forward = definition.forward.iter();
    let pf = forward.clone().filter_map(|forward| forward.pf.as_ref());
    bridge.into_iter().chain(pf).chain(forward.flat_map(|it| it.interfaces.iter().map(|interface| &interface.dev)))
}

/// The links that the host's default routes of a family lead to.
fn ways_out(inventory: &Inventory, family: Family) -> Vec<&InterfaceName> {
    let defaults = inventory.routes.iter().filter(|route| route.destination.prefix_len() == 0);
    let mut links: Vec<_> =
        defaults.filter(|it| Family::of(it.destination.addr()) == family).map(|route| &route.link).collect();
    links.sort();
    links.dedup();
    links
}

fn mode(definition: &Network) -> &'static str {
    match definition.forward_mode() {
        ForwardMode::None => "isolated",
        ForwardMode::Nat => "NAT",
        ForwardMode::Route => "routed",
        ForwardMode::Open => "open: no rules",
        ForwardMode::Bridge => "on a device of the host",
        ForwardMode::Private => "macvtap, private",
        ForwardMode::Vepa => "macvtap, VEPA",
        ForwardMode::Passthrough => "macvtap, one guest each",
        ForwardMode::Hostdev => "a device for each guest",
    }
}

/// How a network is connected to the outside; `None` if it is not.
fn way(definition: &Network) -> Option<String> {
    let of = |family| {
        definition.way_out(family).filter(|_| definition.has_family(family)).map(|way| match way {
            WayOut::Routed => "routed",
            WayOut::Translated { .. } => "NAT",
        })
    };
    match (of(Family::Ipv4), of(Family::Ipv6)) {
        (Some(one), Some(other)) if one != other => Some(format!("IPv4 {one}, IPv6 {other}")),
        (Some(one), _) | (None, Some(one)) => Some(one.to_owned()),
        (None, None) if !definition.forward_mode().has_own_bridge() => Some("shared".to_owned()),
        (None, None) => None,
    }
}

/// Text without what steers a terminal, a page or a reader.
pub(super) fn shown(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if steers(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}
