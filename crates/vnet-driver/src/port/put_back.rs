//! Keeps a port in its network's bridge although its receipt cannot be read.

use vnet_host::{Facts, Host, LinuxHost, PortHeader, Receipt};
use vnet_plan::{Change, Resource};
use vnet_types::{InterfaceName, NetworkName};

use crate::driver::Driver;
use crate::error::Error;

impl Driver {
    /// Puts a port that is in no bridge back into that of its network, which was made anew. The
    /// first line of its receipt and its definition tell how. Nothing else of it changes.
    pub(super) fn put_back(
        &self,
        host: &mut LinuxHost,
        network: &NetworkName,
        dev: &InterfaceName,
    ) -> Result<Vec<Change>, Error> {
        let is_out = host.link(dev)?.is_some_and(|link| link.controller.is_none());
        let (inventory, _) = self.survey(host, None)?;
        let port = inventory.ports.iter().find(|port| port.dev == *dev).filter(|_| is_out);
        let Some(port) = port.cloned() else { return Ok(Vec::new()) };
        let definition = self.as_it_runs(network)?.ok_or_else(|| Error::NotRunning(network.clone()))?;
        let receipt = Receipt::new(PortHeader { port, namespace: LinuxHost::namespace()?, owner: None });
        let lowered = self.lower_kept(&self.kept_port(&receipt)?, &definition, inventory, &receipt)?;
        let is_place =
            |resource: &&Resource| matches!(resource, Resource::Port(_) | Resource::Vlans(_) | Resource::Fdb(_));
        let mut changes = Vec::new();
        for to in lowered.desired.iter().filter(is_place).cloned() {
            let change = Change::Create { to };
            host.apply(&change, &Facts::default())?;
            changes.push(change);
        }
        Ok(changes)
    }
}
