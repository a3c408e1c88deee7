//! The devices of a network's flowtable.

use std::collections::BTreeSet;

use vnet_types::{Family, InterfaceName, Inventory};
use vnet_xml::Network;
use vnet_xml::network::ForwardMode;

use super::LowerError;

/// Whether the network can have the flowtable that it asks for.
pub(super) fn check(network: &Network) -> Result<(), LowerError> {
    let can = matches!(network.forward_mode(), ForwardMode::Nat | ForwardMode::Route);
    if asks(network) && !can { Err(LowerError::Flowtable(network.forward_mode())) } else { Ok(()) }
}

/// The devices where connections of guests leave the host: that of `<forward>`, or those of the
/// default routes. What is not there is left out, since no flowtable can have it. So is the bridge
/// of another network, whose rules connections must not skip; and all of them where the kernel has
/// no flowtables, so that every packet passes the rules.
pub fn accelerated_devices(network: &Network, inventory: &Inventory) -> Vec<InterfaceName> {
    if !asks(network) || !inventory.features.flowtable {
        return Vec::new();
    }
    let is_beyond = |device: &InterfaceName| inventory.networks.iter().all(|it| it.bridge.as_ref() != Some(device));
    if let Some(device) = network.outgoing_device() {
        let is_there = inventory.links.iter().any(|link| link.name == *device);
        return Some(device.clone()).filter(|device| is_there && is_beyond(device)).into_iter().collect();
    }
    let leaves = |family: Family| network.families().any(|it| it == family && network.way_out(it).is_some());
    let defaults = inventory.routes.iter().filter(|route| route.destination.prefix_len() == 0);
    let devices = defaults.filter(|route| leaves(Family::of(route.destination.addr()))).map(|route| route.link.clone());
    devices.filter(is_beyond).collect::<BTreeSet<_>>().into_iter().collect()
}

fn asks(network: &Network) -> bool {
    network.extensions.flowtable == Some(true)
}
