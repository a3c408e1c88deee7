//! The drift of a network.

use vnet_host::LinuxHost;
use vnet_plan::Change;
use vnet_types::NetworkName;

use crate::driver::Driver;
use crate::error::Error;
use crate::obstacle::Obstacle;

impl Driver {
    /// The changes that would repair a network and its ports. Empty when they are as they were
    /// made.
    ///
    /// # Errors
    /// [`Error::NotRunning`]; [`Error::Host`] when it is in another network namespace, or the host
    /// cannot be read.
    pub fn diff(&self, network: &NetworkName) -> Result<Vec<Change>, Error> {
        self.drift(&self.host()?, network)
    }

    /// What the host does against a network that runs: rules of other programs, managers of its
    /// links, settings.
    ///
    /// # Errors
    /// Those of [`diff`](Self::diff).
    pub fn obstacles_of(&self, network: &NetworkName) -> Result<Vec<Obstacle>, Error> {
        let receipt = self.store.receipt(network)?.ok_or_else(|| Error::NotRunning(network.clone()))?;
        let (host, ports) = (self.host()?, self.ports_of(network)?);
        self.obstacles_among(&host, &host.ways_out()?, &receipt, ports.iter().map(|port| &port.dev))
    }

    pub(crate) fn drift(&self, host: &LinuxHost, network: &NetworkName) -> Result<Vec<Change>, Error> {
        let mut drift = match vnet_host::drift(host, &self.store, network, LinuxHost::namespace()?) {
            Err(vnet_host::Error::Absent(_)) => return Err(Error::NotRunning(network.clone())),
            drift => drift?,
        };
        for port in self.ports_of(network)? {
            drift.extend(self.port_drift(host, &port.dev)?.unwrap_or_default());
        }
        Ok(drift)
    }
}
