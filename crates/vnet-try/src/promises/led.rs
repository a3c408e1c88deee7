//! Ports of the host that lead to guests of a network.

use std::net::{IpAddr, SocketAddr};

use vnet_lab::probe::Transport;
use vnet_types::{Family, InterfaceName};
use vnet_xml::Network;
use vnet_xml::interface::Protocol;
use vnet_xml::network::ForwardMode;

use crate::guest::{Addressing, Guest, reservations};
use crate::promise::{Promise, Side};

/// The most ports of a forward that are tried.
const MOST_PORTS: usize = 4;

/// A port of the host that leads to a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lead {
    pub(crate) transport: Transport,
    pub(crate) port: u16,
    /// The address of the host; its own on the uplink if `None`.
    pub(crate) address: Option<IpAddr>,
    /// The device that connections have to arrive on.
    pub(crate) device: Option<InterfaceName>,
    /// The number of the guest.
    pub(crate) guest: usize,
    pub(crate) to: SocketAddr,
}

/// The ports at the ends of each range, for each address of the guest that is tried.
pub(crate) fn leads(network: &Network, guests: &[Guest]) -> Vec<Lead> {
    let mut leads = Vec::new();
    for it in &network.extensions.port_forwards {
        let forward = &it.forward;
        let is_fit = |guest: &IpAddr| forward.address.is_none_or(|own| Family::of(own) == Family::of(*guest));
        let transport = match forward.protocol {
            Protocol::Tcp => Transport::Tcp,
            Protocol::Udp => Transport::Udp,
        };
        let ends = forward.leads().into_iter().flat_map(|(ports, to)| {
            let last = (ports.end(), to + (ports.end() - ports.start()));
            [Some((ports.start(), to)), Some(last).filter(|last| last.0 != ports.start())].into_iter().flatten()
        });
        for (port, to) in ends.take(MOST_PORTS) {
            for address in network.addresses_of(&it.guest).into_iter().filter(is_fit) {
                let Some(guest) = guests.iter().position(|guest| has(guest, address)) else { continue };
                let (device, to) = (forward.dev.clone(), SocketAddr::new(address, to));
                leads.push(Lead { transport, port, address: forward.address, device, guest, to });
            }
        }
    }
    leads
}

/// The addresses of guests that nothing gives them.
pub(crate) fn unreserved(network: &Network) -> Vec<IpAddr> {
    let forwards = network.extensions.port_forwards.iter();
    let mut addresses: Vec<IpAddr> = forwards.flat_map(|it| network.addresses_of(&it.guest)).collect();
    addresses.sort();
    addresses.dedup();
    addresses
}

/// Whether a guest is to have an address.
pub(crate) fn has(guest: &Guest, address: IpAddr) -> bool {
    guest.addresses.iter().any(|how| match how {
        Addressing::Reserved(ip) => *ip == address,
        Addressing::Configured(net) => net.addr() == address,
        _ => false,
    })
}

/// The promises of forwards, each from all sides.
pub(super) fn promises(network: &Network, guests: &[Guest]) -> Vec<Promise> {
    let leads = leads(network, guests).into_iter();
    let promises = leads.map(|lead| {
        let family = Family::of(lead.to.ip());
        let is_of_family = |guest: &Guest| guest.addresses.iter().any(|how| how.family() == family);
        let sibling = (0..guests.len()).find(|at| *at != lead.guest && is_of_family(&guests[*at]));
        // Where br_netfilter is on, only a guest whose MAC address is known can reach itself.
        let itself = reservations(network).any(|host| host.ip == lead.to.ip() && host.mac.is_some());
        let guests = sibling.into_iter().chain(Some(lead.guest).filter(|_| itself)).map(Side::Guest);
        let inside = [Side::Host].into_iter().chain(guests).filter(|_| lead.device.is_none());
        Promise::Led { from: [Side::Outside].into_iter().chain(inside).collect(), lead }
    });
    promises.collect()
}

/// Whether guests of another network reach a port.
pub(crate) fn may_reach(from: &Network, to: &Network, lead: &Lead) -> bool {
    let family = Family::of(lead.to.ip());
    let leaves = from.way_out(family).is_some() && from.outgoing_device().is_none();
    let has_rules = from.forward_mode() != ForwardMode::Open;
    lead.device.is_none() && to.outgoing_device().is_none() && (leaves || !has_rules)
}
