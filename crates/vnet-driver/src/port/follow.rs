//! Updates the ports of a network that has changed.

use std::io;

use vnet_host::{LinuxHost, Lock, PortHeader, Receipt};
use vnet_plan::Change;
use vnet_types::NetworkName;

use super::options::AttachOptions;
use super::prepare::header;
use crate::driver::Driver;
use crate::error::Error;

impl Driver {
    /// Brings the ports of a network in line with its new definition.
    pub(crate) fn follow(
        &self,
        host: &mut LinuxHost,
        lock: &Lock,
        network: &NetworkName,
    ) -> Result<Vec<Change>, Error> {
        let mut made = Vec::new();
        for receipt in self.store.port_receipts()?.into_iter().flatten() {
            if receipt.header.port.network.as_ref() == Some(network) {
                let changes = self.follow_one(host, lock, &receipt).map_err(|error| Error::PortStays {
                    dev: receipt.header.port.dev.clone(),
                    network: network.clone(),
                    source: Box::new(error),
                });
                made.extend(changes?);
            }
        }
        Ok(made)
    }

    fn follow_one(
        &self,
        host: &mut LinuxHost,
        lock: &Lock,
        receipt: &Receipt<PortHeader>,
    ) -> Result<Vec<Change>, Error> {
        let dev = &receipt.header.port.dev;
        let interface = match self.kept_interface(dev) {
            // The attach was interrupted before it kept the interface.
            Err(Error::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound && !receipt.settled => {
                return Ok(self.detach_locked(host, lock, dev)?);
            }
            interface => interface?,
        };
        let inventory = self.inventory(host, None, None)?;
        let lowered = self.lower_port(&interface, inventory, &AttachOptions::default(), Some(receipt))?;
        Ok(vnet_host::apply(host, lock, header(&lowered, receipt.header.owner)?, &lowered.desired)?)
    }
}
