//! The pool of a network: devices of the host, of which each guest gets one
//! (<https://libvirt.org/formatnetwork.html#connectivity>: `<interface>`, `<address>`, `<pf>`).

use vnet_types::{InterfaceName, Inventory, KnownPort, NetworkName, PciAddress};
use vnet_xml::Network;
use vnet_xml::network::{Forward, ForwardInterface, ForwardMode};

use super::{AttachError, PortChoices};

/// Lists the virtual functions of `<pf dev>` in a definition that lists no device itself, as
/// libvirt does when it starts a network: by their addresses in mode `hostdev`, otherwise by their
/// network devices on the host.
pub fn fill_pool(network: &mut Network, inventory: &Inventory) {
    let mode = network.forward_mode();
    let Some(forward) = &mut network.forward else { return };
    let listed = !forward.interfaces.is_empty() || !forward.addresses.is_empty();
    let Some(card) = forward.pf.clone().filter(|_| !listed) else { return };
    let functions = inventory.functions.iter().filter(|function| function.card == card);
    if mode == ForwardMode::Hostdev {
        forward.addresses = functions.map(|function| function.address).collect();
    } else {
        forward.interfaces =
            functions.filter_map(|function| function.dev.clone()).map(ForwardInterface::from).collect();
    }
}

/// The device with the fewest guests of the network, the first of several; an `exclusive` one is
/// used by no other guest.
pub(super) fn device(
    network: &Network,
    name: &NetworkName,
    exclusive: bool,
    inventory: &Inventory,
    choices: &PortChoices,
) -> Result<InterfaceName, AttachError> {
    let pool = devices(network, inventory);
    if let Some(kept) = choices.kept.as_ref().and_then(|kept| kept.lower.clone()).filter(|kept| pool.contains(kept)) {
        return Ok(kept);
    }
    let counts = |port: &&KnownPort| exclusive || port.network.as_ref() == Some(name);
    let guests = |device: &InterfaceName| {
        inventory.ports.iter().filter(counts).filter(|port| port.lower.as_ref() == Some(device)).count()
    };
    let count = pool.len();
    let best = pool.into_iter().map(|device| (guests(&device), device)).min_by_key(|(guests, _)| *guests);
    match best.ok_or_else(|| AttachError::NoPool(name.clone()))? {
        (1.., _) if exclusive => Err(AttachError::PoolUsedUp { network: name.clone(), count }),
        (_, device) => Ok(device),
    }
}

/// The first virtual function that is not assigned.
pub(super) fn function(
    network: &Network,
    name: &NetworkName,
    inventory: &Inventory,
    choices: &PortChoices,
) -> Result<PciAddress, AttachError> {
    let pool = functions(network, inventory);
    if let Some(kept) = choices.kept.as_ref().and_then(|kept| kept.function).filter(|kept| pool.contains(kept)) {
        return Ok(kept);
    }
    let free = pool.iter().find(|address| user_of(**address, inventory, choices).is_none());
    match free {
        Some(address) => Ok(*address),
        None if pool.is_empty() => Err(AttachError::NoPool(name.clone())),
        None => Err(AttachError::PoolUsedUp { network: name.clone(), count: pool.len() }),
    }
}

/// The port of another guest that this device is assigned to.
pub(super) fn user_of<'a>(
    address: PciAddress,
    inventory: &'a Inventory,
    choices: &PortChoices,
) -> Option<&'a KnownPort> {
    let itself = choices.kept.as_ref().map(|kept| &kept.dev);
    inventory.ports.iter().find(|port| port.function == Some(address) && Some(&port.dev) != itself)
}

/// The network devices of the pool.
pub(super) fn devices(network: &Network, inventory: &Inventory) -> Vec<InterfaceName> {
    filled(network, inventory).interfaces.into_iter().map(|it| it.dev).collect()
}

/// The virtual functions of the pool.
pub(super) fn functions(network: &Network, inventory: &Inventory) -> Vec<PciAddress> {
    filled(network, inventory).addresses
}

fn filled(network: &Network, inventory: &Inventory) -> Forward {
    let mut network = network.clone();
    fill_pool(&mut network, inventory);
    network.forward.unwrap_or_default()
}
