//! Updates the ports of a network that has changed.

use std::io;

use vnet_host::{LinuxHost, Lock, PortHeader, Receipt};
use vnet_plan::{Change, Lowered};
use vnet_types::{InterfaceName, Inventory, Link, NetworkName};
use vnet_xml::Network;

use super::prepare::header;
use crate::driver::Driver;
use crate::error::Error;
use crate::obstacle::Obstacle;

/// The ports of a network after its change.
#[derive(Default)]
pub(crate) struct Followed {
    /// What was changed.
    pub(crate) changes: Vec<Change>,
    /// Ports that may be the network's and were passed over.
    pub(crate) obstacles: Vec<Obstacle>,
}

impl Driver {
    /// Brings the ports of a network in line with its new definition. One whose receipt cannot be
    /// read stays as it was, in the bridge if it can be: that is an error when it is surely a port
    /// of the network, after the others have followed, and an obstacle when it may be one.
    pub(crate) fn follow(&self, host: &mut LinuxHost, lock: &Lock, network: &NetworkName) -> Result<Followed, Error> {
        let stay = |error| Error::PortsStay { network: network.clone(), source: Box::new(error) };
        let ports = self.read_ports().map_err(stay)?;
        if ports.are_none() {
            return Ok(Followed::default());
        }
        let bridge = self.store.receipt(network).map_err(Error::from).map_err(stay)?;
        let bridge = bridge.and_then(|receipt| receipt.header.bridge);
        let mut changes = self.follow_with(host, lock, network, ports.of(network))?;
        let obstacles = ports.obstacles(host, network, bridge.as_ref()).map_err(stay)?;
        let mut first = None;
        for (dev, error) in ports.unread_of(host, network, bridge.as_ref()).map_err(stay)? {
            // That its receipt cannot be read is what is told.
            changes.extend(self.put_back(host, network, &dev).unwrap_or_default());
            first.get_or_insert((dev, error));
        }
        match first {
            Some((dev, error)) => {
                Err(Error::PortStays { dev, network: network.clone(), source: Box::new(error.into()) })
            }
            None => Ok(Followed { changes, obstacles }),
        }
    }

    /// The same for the ports whose receipts could be read.
    fn follow_with(
        &self,
        host: &mut LinuxHost,
        lock: &Lock,
        network: &NetworkName,
        receipts: &[Receipt<PortHeader>],
    ) -> Result<Vec<Change>, Error> {
        let stay = |error| Error::PortsStay { network: network.clone(), source: Box::new(error) };
        if receipts.is_empty() {
            return Ok(Vec::new());
        }
        let stays = |dev: &InterfaceName| {
            let (dev, network) = (dev.clone(), network.clone());
            move |error| Error::PortStays { dev, network, source: Box::new(error) }
        };
        let definition = self.as_it_runs(network).map_err(stay)?.ok_or_else(|| Error::NotRunning(network.clone()))?;
        let mut inventory = self.inventory(host, None, None).map_err(stay)?;
        let (mut made, mut wanted) = (Vec::new(), Vec::new());
        for receipt in receipts {
            let dev = &receipt.header.port.dev;
            let kept = match self.kept_port(receipt) {
                // The attach was interrupted before it kept the definition.
                Err(Error::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound && !receipt.settled => {
                    let gone = self.detach_locked(host, lock, dev);
                    made.extend(gone.map_err(stays(dev))?);
                    continue;
                }
                kept => kept.map_err(stays(dev))?,
            };
            let lower = || {
                let lowered = self.lower_kept(&kept, &definition, inventory.clone(), receipt)?;
                Ok((header(&lowered, receipt.header.owner)?, lowered))
            };
            let (header, lowered) = lower().map_err(stays(dev))?;
            // The next port is decided on beside what this one becomes.
            inventory.ports.retain(|port| port.dev != *dev);
            inventory.ports.push(lowered.port.clone());
            wanted.push((header, lowered));
        }
        host.look_once();
        let pairs = wanted.iter().map(|(header, lowered)| (header.clone(), &lowered.desired)).collect();
        for ((header, _), changes) in wanted.iter().zip(vnet_host::apply_all(host, lock, pairs)) {
            made.extend(changes.map_err(Error::from).map_err(stays(&header.port.dev))?);
        }
        Ok(made)
    }

    /// The changes of [`follow`](Self::follow) for a definition that is not applied yet.
    pub(crate) fn plan_follow(
        &self,
        host: &LinuxHost,
        network: &Network,
        lowered: &Lowered,
    ) -> Result<Followed, Error> {
        let mut planned = Vec::new();
        let ports = self.read_ports()?;
        let before = self.store.receipt(&lowered.name)?;
        let bridge = before.as_ref().and_then(|receipt| receipt.header.bridge.clone());
        let obstacles = ports.obstacles(host, &lowered.name, bridge.as_ref())?;
        let receipts = ports.of(&lowered.name);
        if receipts.is_empty() {
            return Ok(Followed { changes: planned, obstacles });
        }
        let links: Vec<&Link> = before.iter().flat_map(|before| before.owned.links()).collect();
        let (inventory, _) = self.survey(host, None)?;
        for receipt in receipts {
            let port = &receipt.header.port;
            if receipt.settled {
                let (mut inventory, mut links) = (inventory.clone(), links.iter());
                let before = links.find(|link| Some(&link.name) == port.bridge.as_ref() && link.up);
                settle(&mut inventory, lowered, before.copied());
                let stays = |error| Error::PortStays {
                    dev: port.dev.clone(),
                    network: lowered.name.clone(),
                    source: Box::new(error),
                };
                planned.extend(self.plan_one(host, network, lowered, inventory, receipt).map_err(stays)?);
            }
        }
        Ok(Followed { changes: planned, obstacles })
    }

    fn plan_one(
        &self,
        host: &LinuxHost,
        network: &Network,
        lowered: &Lowered,
        inventory: Inventory,
        receipt: &Receipt<PortHeader>,
    ) -> Result<Vec<Change>, Error> {
        let port = &receipt.header.port;
        let renamed = port.bridge.as_ref().zip(lowered.bridge.as_ref()).filter(|(from, to)| from != to);
        let mut attached = receipt.clone();
        if let Some((from, to)) = renamed {
            attached.header.port.bridge = Some(to.clone());
            attached.owned.rename(from, to);
        }
        let mut port_of = self.lower_kept(&self.kept_port(receipt)?, network, inventory, &attached)?;
        if let Some((from, to)) = renamed {
            // The host has the bridge under its old name.
            port_of.desired.rename(to, from);
        }
        Ok(vnet_host::plan(host, &self.store, &port.dev, &port_of.desired)?)
    }
}

/// Makes an inventory that of the host after a network was changed: its bridge has the new name and
/// settings.
fn settle(inventory: &mut Inventory, lowered: &Lowered, before: Option<&Link>) {
    let Some(bridge) = &lowered.bridge else { return };
    let wanted = lowered.desired.links().find(|link| link.name == *bridge);
    for (link, before) in inventory.links.iter_mut().filter_map(|link| Some((link, before?))) {
        if let (true, Some(wanted)) = (link.name == before.name, wanted) {
            // An MTU that is taken back is that of Ethernet again.
            let left = if before.mtu.is_some() { Some(1500) } else { link.mtu };
            *link = Link { mtu: wanted.mtu.or(left), ..wanted.clone() };
        }
    }
    for known in inventory.networks.iter_mut().filter(|known| known.name == lowered.name) {
        known.bridge = Some(bridge.clone());
    }
    for port in inventory.ports.iter_mut().filter(|port| port.network.as_ref() == Some(&lowered.name)) {
        port.bridge = Some(bridge.clone());
    }
}
