//! All receipts, read once.

use std::collections::BTreeMap;

use vnet_host::{LinuxHost, Listed, Named, PortHeader, Receipt, Unreadable};
use vnet_types::{InterfaceName, NetworkName};

use crate::driver::Driver;
use crate::error::Error;
use crate::gc::is_left;
use crate::obstacle::Obstacle;

/// The receipts of ports.
#[derive(Default)]
pub(crate) struct Ports {
    /// By network.
    of: BTreeMap<NetworkName, Vec<Receipt<PortHeader>>>,
    /// Those that cannot be read.
    unread: Vec<Unreadable>,
}

impl Driver {
    /// Reads the receipts of all networks and of their ports, as [`LinuxHost::receipts`] does. What
    /// ended processes have left is removed first.
    pub(crate) fn receipts(&self, host: &mut LinuxHost) -> Result<(Vec<Listed<Receipt>>, Ports), Error> {
        let (networks, ports) = self.read_receipts(host)?;
        let is_left = networks.iter().flatten().any(is_left) || ports.of.values().flatten().any(is_left);
        if is_left && self.tidy(host) { self.read_receipts(host) } else { Ok((networks, ports)) }
    }

    fn read_receipts(&self, host: &mut LinuxHost) -> Result<(Vec<Listed<Receipt>>, Ports), Error> {
        let ports = self.read_ports()?;
        Ok((host.receipts(&self.store)?, ports))
    }

    /// Reads the receipts of all ports.
    pub(crate) fn read_ports(&self) -> Result<Ports, Error> {
        let mut ports = Ports::default();
        for listed in self.store.port_receipts()? {
            match listed {
                Ok(receipt) => {
                    if let Some(network) = receipt.header.port.network.clone() {
                        ports.of.entry(network).or_default().push(receipt);
                    }
                }
                Err(unreadable) => ports.unread.push(unreadable),
            }
        }
        Ok(ports)
    }
}

impl Ports {
    /// Whether no guest is attached, as far as the folder tells.
    pub(crate) fn are_none(&self) -> bool {
        self.of.is_empty() && self.unread.is_empty()
    }

    /// The receipts of a network's ports.
    pub(crate) fn of(&self, network: &NetworkName) -> &[Receipt<PortHeader>] {
        self.of.get(network).map_or(&[], Vec::as_slice)
    }

    /// The ports whose receipts cannot be read and that are or may be those of a network.
    pub(crate) fn obstacles(
        &self,
        host: &LinuxHost,
        network: &NetworkName,
        bridge: Option<&InterfaceName>,
    ) -> Result<Vec<Obstacle>, Error> {
        let mut obstacles = Vec::new();
        for unread in &self.unread {
            let reason = match whose(host, unread, network, bridge)? {
                Whose::Its => "one of its ports is passed over",
                Whose::Unknown => "a port that may be one of its own is passed over",
                Whose::Other => continue,
            };
            let (of, name, why) = (&unread.of, unread.of.name(), Error::causes(&unread.error));
            let remedy = format!(
                "`vnet forget {name}` drops a damaged receipt, and `ip link delete {name}` the device; then attach the \
                 guest again"
            );
            obstacles.push(Obstacle::by(
                "guests get what the network defines",
                format!("{reason}: {of}: {why}"),
                remedy,
            ));
        }
        Ok(obstacles)
    }

    /// The ports of a network whose receipts cannot be read, each with the reason.
    pub(crate) fn unread_of(
        self,
        host: &LinuxHost,
        network: &NetworkName,
        bridge: Option<&InterfaceName>,
    ) -> Result<Vec<(InterfaceName, vnet_host::Error)>, Error> {
        let mut ports = Vec::new();
        for unread in self.unread {
            if let (Whose::Its, Named::Port(dev)) = (whose(host, &unread, network, bridge)?, &unread.of) {
                ports.push((dev.clone(), unread.error));
            }
        }
        Ok(ports)
    }
}

/// Whether a port whose receipt cannot be read is one of a network.
enum Whose {
    Its,
    Other,
    Unknown,
}

/// Whose a port is: the first line of its receipt says so, or the bridge that its device is in.
fn whose(
    host: &LinuxHost,
    unread: &Unreadable,
    network: &NetworkName,
    bridge: Option<&InterfaceName>,
) -> Result<Whose, Error> {
    if let Some(its) = &unread.network {
        return Ok(if its == network { Whose::Its } else { Whose::Other });
    }
    let Named::Port(dev) = &unread.of else { return Ok(Whose::Other) };
    let Some(controller) = host.link(dev)?.and_then(|port| port.controller) else { return Ok(Whose::Unknown) };
    let bridge = bridge.map(|bridge| host.link(bridge)).transpose()?.flatten();
    Ok(if bridge.is_some_and(|bridge| bridge.index == controller) { Whose::Its } else { Whose::Other })
}
