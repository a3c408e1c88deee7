//! What is added to a network that libvirt runs.

use vnet_firewall::{LibvirtForwards, Policy, Ruleset};
use vnet_types::NetworkName;
use vnet_xml::{BridgeName, Network};

use super::{LowerError, Lowered, firewall};
use crate::{HostState, NetworkRules};

/// Decides what the host must have for the forwards and the egress of a network that libvirt runs.
/// Bridge, addresses, DHCP and all other rules are libvirt's.
///
/// # Errors
/// [`LowerError`] for forwards and egress that a network cannot have.
pub fn beside_libvirt(network: &Network) -> Result<Lowered, LowerError> {
    let name: NetworkName = network.name.parse().map_err(LowerError::Name)?;
    let mut desired = HostState::new();
    let bridge = match network.bridge.as_ref().and_then(|bridge| bridge.name.clone()) {
        Some(BridgeName::Fixed(bridge)) if network.forward_mode().has_own_bridge() => Some(bridge),
        _ => None,
    };
    let Some(bridge) = bridge else {
        if let Some(forward) = network.extensions.port_forwards.first() {
            return Err(LowerError::PortForward(forward.guest.clone()));
        }
        firewall::egress(network)?;
        return Ok(Lowered { name, bridge: None, desired, intent: None });
    };
    // Mode `open` refuses both.
    let policy = firewall::policy(network, &bridge)?;
    let has_any = |it: &Policy| !it.forwards.is_empty() || it.egress.is_some();
    if let Some(mut policy) = policy.filter(has_any) {
        policy.filtered_elsewhere = true;
        let ruleset = Ruleset::compile(&policy).into();
        desired.insert(NetworkRules { network: name.clone(), ruleset });
        if let Some(forwards) = LibvirtForwards::of(&policy) {
            desired.insert(forwards);
        }
    }
    Ok(Lowered { name, bridge: Some(bridge), desired, intent: None })
}
