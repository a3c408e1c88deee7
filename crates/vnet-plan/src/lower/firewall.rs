//! The firewall policy of a network, from its mode and subnets.

use std::net::IpAddr;

use vnet_firewall::{Access, ForwardedPorts, Policy, Subnet, Transport};
use vnet_types::{Egress, Family, InterfaceName, IpNet};
use vnet_xml::Network;
use vnet_xml::interface::Protocol;
use vnet_xml::network::{ForwardMode, GuestForward, Ip, WayOut};

use super::LowerError;

/// The policy of a network. In mode `open` nothing is filtered or translated. There is no policy
/// then, unless guests have addresses of the internet: guests of others that may reach the internet
/// only are kept from these by the rules.
pub(crate) fn policy(network: &Network, bridge: &InterfaceName) -> Result<Option<Policy>, LowerError> {
    if network.forward_mode() == ForwardMode::Open {
        // There are no rules that ports could be forwarded by, or guests limited by.
        egress(network)?;
        forwards(network)?;
        let is_internet = |net: IpNet| {
            let mut beyond = Egress::beyond_internet(Family::of(net.addr()));
            !beyond.any(|beyond| beyond.contains(&net))
        };
        let routes = network.routes.iter().filter_map(|route| route.net());
        let policy = network.ips.iter().filter_map(Ip::net).chain(routes).any(is_internet).then(|| {
            let mut policy = Policy::new(network.name.as_str(), bridge.clone());
            policy.filtered_elsewhere = true;
            policy
        });
        return Ok(policy);
    }
    let subnet = |ip: &Ip| {
        let net = ip.net().ok_or(LowerError::Prefix(ip.address))?;
        Ok(Subnet { net, access: access(network.way_out(Family::of(ip.address))) })
    };
    let mut policy = Policy::new(network.name.as_str(), bridge.clone());
    policy.device = network.outgoing_device().cloned();
    policy.ipv6 = network.ipv6;
    policy.forwards = forwards(network)?;
    policy.egress = egress(network)?.cloned();
    policy.subnets = network.ips.iter().map(subnet).collect::<Result<_, LowerError>>()?;
    Ok(Some(policy))
}

/// What guests may reach, where the host can limit it.
pub(crate) fn egress(network: &Network) -> Result<Option<&Egress>, LowerError> {
    let egress = network.extensions.egress.as_ref();
    let can = matches!(network.forward_mode(), ForwardMode::Nat | ForwardMode::Route | ForwardMode::None);
    if egress.is_some() && !can { Err(LowerError::Egress(network.forward_mode())) } else { Ok(egress) }
}

/// Ports of the host that lead to guests, of each family that the guest has an address of.
fn forwards(network: &Network) -> Result<Vec<ForwardedPorts>, LowerError> {
    let mut all = Vec::new();
    for GuestForward { guest, forward, .. } in &network.extensions.port_forwards {
        let is_inside = |address: &IpAddr| network.ips.iter().filter_map(Ip::net).any(|net| net.contains(address));
        let addresses = network.addresses_of(guest);
        let leads = forward.leads();
        let can = matches!(network.forward_mode(), ForwardMode::Nat | ForwardMode::Route);
        if !can || leads.is_empty() || addresses.is_empty() || !addresses.iter().all(is_inside) {
            return Err(LowerError::PortForward(guest.clone()));
        }
        let transport = match forward.protocol {
            Protocol::Tcp => Transport::Tcp,
            Protocol::Udp => Transport::Udp,
        };
        let is_fit = |guest: &IpAddr| forward.address.is_none_or(|it| Family::of(it) == Family::of(*guest));
        for (ports, first) in leads {
            all.extend(addresses.iter().copied().filter(is_fit).map(|address| {
                let mut ports = ForwardedPorts::new(transport, ports, address);
                (ports.address, ports.device, ports.first) = (forward.address, forward.dev.clone(), first);
                ports
            }));
        }
    }
    Ok(all)
}

fn access(way_out: Option<WayOut>) -> Access {
    match way_out {
        None => Access::Isolated,
        Some(WayOut::Routed) => Access::Routed,
        Some(WayOut::Translated { addresses, ports }) => Access::Nat { addresses, ports },
    }
}
