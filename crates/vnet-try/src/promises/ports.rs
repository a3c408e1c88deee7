//! Where ports of the host lead: those that passt forwards, and those that it does not.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use vnet_passt::{ForwardedRange, Passt, PortForward, Protocol, Target};
use vnet_types::{Family, InterfaceName};

use crate::promise::{Place, Promise};
use crate::world::World;

/// The kernel assigns ephemeral ports from here on. passt skips them when all ports are forwarded.
const EPHEMERAL: u16 = 32768;

/// The ports on which the guest listens: targets of forwards, and ports that should not be reached.
pub(crate) fn guest_ports(passt: &Passt, promises: &[Promise]) -> BTreeSet<u16> {
    let asked = promises.iter().filter_map(|promise| match promise {
        Promise::Port { port, to, .. } => Some((*port, *to)),
        _ => None,
    });
    let ranges = || passt.forwards.iter().flat_map(|forward| &forward.ports.ranges);
    // The target of an excluded port, if it were forwarded.
    let targets = |port: u16| {
        let within = ranges().filter(move |range| (range.start()..=range.last()).contains(&port));
        within.filter_map(move |range| match range.target() {
            Target::From(first) => Some(first + (port - range.start())),
            Target::Same | Target::Excluded => None,
        })
    };
    asked.flat_map(|(port, to)| [port].into_iter().chain(to).chain(targets(port))).collect()
}

/// Ports at the ends of the ranges, and next to them.
pub(super) fn samples(forward: &PortForward) -> Vec<u16> {
    let ends = |range: &ForwardedRange| [Some(range.start()), Some(range.last()), range.last().checked_add(1)];
    let mut ports: Vec<u16> = forward.ports.ranges.iter().flat_map(ends).flatten().collect();
    if forward.ports.takes_what_is_free() {
        let open = forward.ports.open();
        let mut open = open.ports().filter(|port| (1024..EPHEMERAL).contains(port));
        let ends = [open.next(), open.next_back()];
        ports.splice(0..0, ends.into_iter().flatten());
        ports.retain(|port| *port < EPHEMERAL);
    }
    ports
}

/// A port that is not forwarded, if there is one.
pub(super) fn idle(passt: &Passt, protocol: Protocol) -> Option<u16> {
    let is_idle = |port: &u16| {
        let mut forwards = passt.forwards.iter().filter(|forward| forward.protocol == protocol);
        forwards.all(|forward| target(forward, *port).is_none())
    };
    (7777..EPHEMERAL).find(is_idle)
}

/// The promises for a port, at each place where it can be asked.
pub(super) fn of_port(passt: &Passt, world: &World, protocol: Protocol, port: u16) -> Vec<Promise> {
    let mut by_target: Vec<(Option<u16>, Vec<Place>)> = Vec::new();
    let named = |place: Place| passt.forwards.iter().any(|forward| forward.ports.address == Some(place.ip()));
    for (place, device) in places(passt, world) {
        let forwards = passt.forwards.iter().filter(|forward| forward.protocol == protocol);
        let mut leads = forwards.filter(|forward| {
            let ip = forward.ports.address.filter(|ip| !ip.is_unspecified());
            let family = forward.ports.address.is_none_or(|ip| ip.is_ipv4() == place.ip().is_ipv4());
            let own = forward.ports.device.as_ref();
            family && ip.is_none_or(|ip| ip == place.ip()) && own.is_none_or(|own| *own == device)
        });
        let lead = leads.find_map(|forward| Some((forward, target(forward, port)?)));
        // A passt of 2023 answers UDP from the host's first address unless it is bound to another.
        if protocol == Protocol::Udp && lead.is_some_and(|(forward, _)| forward.ports.address.is_none()) && named(place)
        {
            continue;
        }
        let to = lead.map(|(_, to)| to);
        match by_target.iter_mut().find(|(known, _)| *known == to) {
            Some((_, at)) => at.push(place),
            None => by_target.push((to, vec![place])),
        }
    }
    by_target.into_iter().map(|(to, at)| Promise::Port { protocol, port, at, to }).collect()
}

/// The addresses at which ports are asked, each with its device: loopback, those of the uplinks,
/// and those that are named.
fn places(passt: &Passt, world: &World) -> Vec<(Place, InterfaceName)> {
    let lo = || "lo".parse::<InterfaceName>().expect("a name");
    let mut places = vec![(Place::Host(Ipv4Addr::LOCALHOST.into()), lo())];
    let devices = passt.forwards.iter().map(|forward| forward.ports.device.as_ref());
    for device in std::iter::once(passt.interface.as_ref()).chain(devices.filter(Option::is_some)) {
        let uplink = world.uplink_by(device);
        let families = [Family::Ipv4, Family::Ipv6];
        places.extend(families.map(|family| (Place::Outside(uplink.host(family)), uplink.name.clone())));
    }
    for ports in passt.forwards.iter().map(|forward| &forward.ports) {
        if let Some(ip) = ports.address.filter(|ip| !ip.is_unspecified()) {
            places.push(match ip.is_loopback() {
                true => (Place::Host(ip), lo()),
                false => (Place::Outside(ip), world.uplink_by(ports.device.as_ref()).name.clone()),
            });
        }
    }
    places.sort();
    places.dedup();
    places
}

/// The target of a port.
fn target(forward: &PortForward, port: u16) -> Option<u16> {
    forward.ports.leads_to(port).filter(|_| port < EPHEMERAL || !forward.ports.takes_what_is_free())
}
