//! What libvirt fills in when it keeps a definition: the UUID, the bridge's name and its MAC
//! address.

use std::collections::BTreeSet;

use vnet_types::{InterfaceName, MacAddr};
use vnet_xml::{BridgeName, BridgeTemplate, Network};

use super::identity::uuid_of;
use crate::driver::Driver;
use crate::error::Error;
use crate::network::random;

impl Driver {
    /// A definition with what it leaves open. `known` is the same network as it was kept or runs;
    /// what that has is taken over. The bridge gets none of the names that are `taken`.
    pub(super) fn filled(
        &self,
        network: &Network,
        known: Option<&Network>,
        taken: &BTreeSet<InterfaceName>,
    ) -> Result<Network, Error> {
        let mut filled = network.clone();
        let uuid = network.uuid.or(known.map(uuid_of));
        filled.uuid = Some(uuid.map_or_else(|| self.drawn_uuid(network), Ok)?);
        // OVN makes no bridge on this host, and the same rows on every host.
        if network.forward_mode().has_own_bridge() && !network.is_on_ovn() {
            let known = known.filter(|known| known.forward_mode().has_own_bridge());
            let mac = network.mac.or(known.and_then(|known| known.mac));
            filled.mac = Some(mac.unwrap_or_else(|| MacAddr::from_random(random(network))));
            if let Some(name) = bridge_name(network, known, taken) {
                filled.bridge.get_or_insert_default().name = Some(BridgeName::Fixed(name));
            }
        }
        Ok(filled)
    }
}

/// Whether the bridge of a network gets a name that nobody has.
pub(super) fn takes_free_bridge(network: &Network, known: Option<&Network>) -> bool {
    let fixed = fixed_bridge(network).or_else(|| known.and_then(fixed_bridge));
    network.forward_mode().has_own_bridge() && !network.is_on_ovn() && fixed.is_none()
}

/// The bridge's name. `None` when all names of the template are taken: a start reports that.
fn bridge_name(network: &Network, known: Option<&Network>, taken: &BTreeSet<InterfaceName>) -> Option<InterfaceName> {
    let template = match network.bridge.as_ref().and_then(|bridge| bridge.name.clone()) {
        Some(BridgeName::Fixed(name)) => return Some(name),
        Some(BridgeName::Template(template)) => template,
        None => BridgeTemplate::virbr(),
    };
    if let Some(name) = known.and_then(fixed_bridge) {
        return Some(name.clone());
    }
    template.names().find(|name| !taken.contains(name))
}

/// The name of the bridge that is made for a network, where the definition has one.
pub(crate) fn fixed_bridge(network: &Network) -> Option<&InterfaceName> {
    match network.bridge.as_ref()?.name.as_ref()? {
        BridgeName::Fixed(name) if network.forward_mode().has_own_bridge() => Some(name),
        _ => None,
    }
}

/// A kept definition with what it leaves open as the network has it that runs.
pub(super) fn as_running(kept: &Network, running: &Network) -> Network {
    let mut filled = kept.clone();
    filled.uuid = filled.uuid.or(running.uuid);
    if kept.forward_mode().has_own_bridge() {
        filled.mac = filled.mac.or(running.mac);
        if fixed_bridge(kept).is_none()
            && let Some(name) = fixed_bridge(running)
        {
            filled.bridge.get_or_insert_default().name = Some(BridgeName::Fixed(name.clone()));
        }
    }
    filled
}
