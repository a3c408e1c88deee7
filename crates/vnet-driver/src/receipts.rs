//! All receipts, read once.

use std::collections::BTreeMap;

use vnet_host::{LinuxHost, Listed, PortHeader, Receipt};
use vnet_types::NetworkName;

use crate::driver::Driver;
use crate::error::Error;
use crate::gc::is_left;

/// The receipts of ports, by network.
#[derive(Default)]
pub(crate) struct Ports(BTreeMap<NetworkName, Vec<Receipt<PortHeader>>>);

impl Driver {
    /// Reads the receipts of all networks and of their ports. What ended processes have left is
    /// removed first.
    pub(crate) fn receipts(&self, host: &mut LinuxHost) -> Result<(Vec<Listed<Receipt>>, Ports), Error> {
        let (networks, ports) = self.read_receipts()?;
        let is_left = networks.iter().flatten().any(is_left) || ports.0.values().flatten().any(is_left);
        if is_left && self.tidy(host) { self.read_receipts() } else { Ok((networks, ports)) }
    }

    fn read_receipts(&self) -> Result<(Vec<Listed<Receipt>>, Ports), Error> {
        let mut ports = Ports::default();
        for receipt in self.store.port_receipts()?.into_iter().flatten() {
            if let Some(network) = receipt.header.port.network.clone() {
                ports.0.entry(network).or_default().push(receipt);
            }
        }
        Ok((self.store.receipts()?, ports))
    }
}

impl Ports {
    /// The receipts of a network's ports.
    pub(crate) fn of(&self, network: &NetworkName) -> &[Receipt<PortHeader>] {
        self.0.get(network).map_or(&[], Vec::as_slice)
    }
}
