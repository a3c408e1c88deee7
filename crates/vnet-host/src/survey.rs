//! The state of a host that every decision needs.

use std::collections::BTreeSet;

use vnet_plan::{Key, Resource, Zone};
use vnet_types::{InterfaceName, Inventory, KnownNetwork, KnownPort, LinkKind, NetworkName};

use crate::{Error, Header, Host, Named, Near, Owner, PortHeader, Store, store};

/// What the host has, with the networks that vnet runs on it and the ports of guests.
///
/// # Errors
/// [`Error`] where it cannot be read.
pub fn inventory(host: &impl Host, store: &Store) -> Result<Inventory, Error> {
    survey(host, store).map(|survey| survey.inventory)
}

/// The state of the host, and the owners of networks and ports on it.
#[derive(Clone, Debug)]
pub struct Survey {
    /// What the host has, with the networks that vnet runs on it and the ports of guests.
    pub inventory: Inventory,
    /// The networks and ports of this state folder that a process owns.
    pub owners: Vec<(Named, Owner)>,
}

/// Reads the host and the receipts once.
///
/// # Errors
/// [`Error`] where one of them cannot be read.
pub fn survey(host: &impl Host, folder: &Store) -> Result<Survey, Error> {
    let Receipts { networks, ports, owners } = Receipts::read(host, folder)?;
    let mut inventory = Inventory { networks, ports, ..host.inventory()? };
    let links: BTreeSet<&InterfaceName> = inventory.links.iter().map(|link| &link.name).collect();
    for network in &mut inventory.networks {
        let is_there = |bridge: &InterfaceName| links.contains(bridge);
        if network.bridge.as_ref().is_some_and(|bridge| !is_there(bridge)) {
            network.bridge = renamed(host, folder, network)?;
        }
    }
    out_of_our_zones(&mut inventory, folder)?;
    Ok(Survey { inventory, owners })
}

/// The same for the definition of one network, whose cost hardly grows with the number of others:
/// of the host only what is near, with the bridge that the network has if it runs. Bridges of other
/// networks have the names that they were made with.
///
/// # Errors
/// [`Error`] where the host or a receipt cannot be read.
pub fn survey_near(host: &impl Host, folder: &Store, network: &NetworkName, mut near: Near) -> Result<Survey, Error> {
    host.expect_near(&near);
    let Receipts { mut networks, ports, owners } = Receipts::read(host, folder)?;
    if let Some(own) = networks.iter_mut().find(|known| known.name == *network) {
        own.bridge = renamed(host, folder, own)?;
        near.links.extend(own.bridge.clone());
    }
    let mut inventory = Inventory { networks, ports, ..host.inventory_near(&near)? };
    out_of_our_zones(&mut inventory, folder)?;
    Ok(Survey { inventory, owners })
}

/// What receipts say about the networks and ports of a namespace.
struct Receipts {
    networks: Vec<KnownNetwork>,
    ports: Vec<KnownPort>,
    /// Those that a process owns, in any namespace.
    owners: Vec<(Named, Owner)>,
}

impl Receipts {
    fn read(host: &impl Host, folder: &Store) -> Result<Self, Error> {
        let (networks, ports) = (folder.headers::<Header>()?, folder.headers::<PortHeader>()?);
        let owners = store::owners(&networks).chain(store::owners(&ports)).collect();
        // Networks in another network namespace do not conflict. Those of libvirt are known from
        // libvirt.
        let here = host.namespace()?;
        let is_ours = |header: &Header| header.namespace.is(&here) && !header.of_libvirt;
        let networks = networks.into_iter().filter(is_ours).map(Header::into_known);
        let ports = ports.into_iter().filter(|header| header.namespace.is(&here)).map(|header| header.port).collect();
        Ok(Self { networks: networks.collect(), ports, owners })
    }
}

/// Makes firewalld's zones those without the bridges that vnet has put into them.
fn out_of_our_zones(inventory: &mut Inventory, folder: &Store) -> Result<(), Error> {
    let Some(firewalld) = &mut inventory.firewalld else { return Ok(()) };
    for receipt in folder.receipts_but(|_, _| true)?.into_iter().flatten() {
        for resource in receipt.owned.iter() {
            if let Resource::Zone(Zone { link, was, .. }) = resource {
                firewalld.put(link, was.as_deref());
            }
        }
    }
    Ok(())
}

/// The current name of a network's bridge: somebody, or an interrupted change, may have renamed it.
fn renamed(host: &impl Host, store: &Store, network: &KnownNetwork) -> Result<Option<InterfaceName>, Error> {
    // A bridge that cannot be read keeps its old name.
    let Ok(Some(receipt)) = store.receipt_but_rules(&network.name) else { return Ok(network.bridge.clone()) };
    for link in receipt.owned.links().filter(|link| matches!(link.kind, LinkKind::Bridge(_))) {
        if let Some((name, _)) = host.locate(link, receipt.facts.get(&Key::Link(link.name.clone())))? {
            return Ok(Some(name));
        }
    }
    Ok(network.bridge.clone())
}
