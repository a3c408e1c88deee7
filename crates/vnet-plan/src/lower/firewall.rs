//! What a network promises and refuses, out of its mode and subnets.

use vnet_firewall::{Access, Policy, Subnet};
use vnet_types::{InterfaceName, PortRange};
use vnet_xml::Network;
use vnet_xml::network::{ForwardMode, Ip};

use super::LowerError;

/// The policy of a network. `None` in mode `open`: nothing is filtered or translated.
pub(super) fn policy(network: &Network, bridge: &InterfaceName) -> Result<Option<Policy>, LowerError> {
    if network.forward_mode() == ForwardMode::Open {
        return Ok(None);
    }
    let subnet = |ip: &Ip| {
        let net = ip.net().ok_or(LowerError::Prefix(ip.address))?;
        Ok(Subnet { net, access: access(network, ip) })
    };
    let mut policy = Policy::new(network.name.as_str(), bridge.clone());
    policy.device = network.forward.as_ref().and_then(|forward| forward.dev().cloned());
    policy.ipv6 = network.ipv6;
    policy.subnets = network.ips.iter().map(subnet).collect::<Result<_, LowerError>>()?;
    Ok(Some(policy))
}

fn access(network: &Network, ip: &Ip) -> Access {
    let nat = network.forward.as_ref().and_then(|forward| forward.nat.as_ref());
    let translates_ipv6 = nat.and_then(|nat| nat.ipv6).unwrap_or(false);
    match network.forward_mode() {
        ForwardMode::None | ForwardMode::Open => Access::Isolated,
        ForwardMode::Nat if ip.address.is_ipv4() || translates_ipv6 => Access::Nat {
            addresses: nat.and_then(|nat| nat.addresses).filter(|_| ip.address.is_ipv4()),
            ports: nat.and_then(|nat| nat.ports).unwrap_or_else(default_ports),
        },
        // Without a translation of IPv6 its guests are reached, and reach others, by their own addresses.
        ForwardMode::Nat | ForwardMode::Route => Access::Routed,
        // These have no subnets of their own, and no rules.
        ForwardMode::Bridge
        | ForwardMode::Private
        | ForwardMode::Vepa
        | ForwardMode::Passthrough
        | ForwardMode::Hostdev => Access::Isolated,
    }
}

fn default_ports() -> PortRange {
    PortRange::new(1024, u16::MAX).expect("in order")
}
