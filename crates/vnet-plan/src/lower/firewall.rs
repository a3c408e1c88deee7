//! The firewall policy of a network, from its mode and subnets.

use vnet_firewall::{Access, Policy, Subnet};
use vnet_types::{Family, InterfaceName};
use vnet_xml::Network;
use vnet_xml::network::{ForwardMode, Ip, WayOut};

use super::LowerError;

/// The policy of a network. `None` in mode `open`: nothing is filtered or translated.
pub(crate) fn policy(network: &Network, bridge: &InterfaceName) -> Result<Option<Policy>, LowerError> {
    if network.forward_mode() == ForwardMode::Open {
        return Ok(None);
    }
    let subnet = |ip: &Ip| {
        let net = ip.net().ok_or(LowerError::Prefix(ip.address))?;
        Ok(Subnet { net, access: access(network.way_out(Family::of(ip.address))) })
    };
    let mut policy = Policy::new(network.name.as_str(), bridge.clone());
    policy.device = network.outgoing_device().cloned();
    policy.ipv6 = network.ipv6;
    policy.subnets = network.ips.iter().map(subnet).collect::<Result<_, LowerError>>()?;
    Ok(Some(policy))
}

fn access(way_out: Option<WayOut>) -> Access {
    match way_out {
        None => Access::Isolated,
        Some(WayOut::Routed) => Access::Routed,
        Some(WayOut::Translated { addresses, ports }) => Access::Nat { addresses, ports },
    }
}
