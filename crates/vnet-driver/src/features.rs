//! Kernel features and Open vSwitch, asked only when something depends on them.

use vnet_host::known_switch;
use vnet_netlink::Netlink;
use vnet_types::{Inventory, KnownSwitch};
use vnet_xml::{Network, VirtualPort, VirtualPortType};

use crate::driver::Driver;
use crate::error::Error;

impl Driver {
    /// Probes the kernel's features. Returns whether this process may do so.
    pub(crate) fn probe(&self, inventory: &mut Inventory) -> Result<bool, Error> {
        let known = self.imagined.as_ref().and_then(|imagined| imagined.features);
        let features = known.map_or_else(Netlink::features, |known| Ok(Some(known)))?;
        inventory.features = features.unwrap_or(inventory.features);
        Ok(features.is_some())
    }
}

/// Asks Open vSwitch for its bridges, if it was not asked.
pub(crate) fn ask_switch(inventory: &mut Inventory) {
    if inventory.switch == KnownSwitch::Unasked {
        inventory.switch = known_switch();
    }
}

/// Whether guests of a network can be on Open vSwitch.
pub(crate) fn is_switched(network: &Network) -> bool {
    let groups = network.port_groups.iter().map(|group| &group.virtual_port);
    groups.chain([&network.virtual_port]).flatten().any(is_of_switch)
}

/// Whether a port is one of Open vSwitch.
pub(crate) fn is_of_switch(port: &VirtualPort) -> bool {
    port.kind == Some(VirtualPortType::OpenVSwitch)
}
