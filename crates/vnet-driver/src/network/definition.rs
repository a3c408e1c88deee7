//! The definition of a network that runs.

use std::fs;

use vnet_plan::fill_pool;
use vnet_types::NetworkName;
use vnet_xml::Network;

use super::prepare::RUNNING;
use crate::driver::Driver;
use crate::error::Error;

impl Driver {
    /// The definition of a network that runs, with open choices filled in and the number of
    /// attached guests.
    ///
    /// # Errors
    /// [`Error::NotRunning`]; [`Error::Read`], [`Error::Kept`] when its file is missing or damaged;
    /// [`Error::Host`].
    pub fn definition(&self, name: &NetworkName) -> Result<Network, Error> {
        let mut network = self.as_it_runs(name)?.ok_or_else(|| Error::NotRunning(name.clone()))?;
        if network.forward.as_ref().is_some_and(|forward| forward.pf.is_some()) {
            let (inventory, _) = self.survey(&self.host()?, None)?;
            fill_pool(&mut network, &inventory);
        }
        self.with_connections(network, name)
    }

    /// The definition with the numbers of attached guests.
    pub(super) fn with_connections(&self, mut network: Network, name: &NetworkName) -> Result<Network, Error> {
        let ports = self.ports_of(name)?;
        let count = |of: usize| u32::try_from(of).unwrap_or(u32::MAX);
        network.connections = count(ports.len());
        for device in network.forward.iter_mut().flat_map(|forward| &mut forward.interfaces) {
            device.connections = count(ports.iter().filter(|port| port.lower.as_ref() == Some(&device.dev)).count());
        }
        Ok(network)
    }

    /// The definition that a network runs with. `None` when it does not run.
    pub(crate) fn as_it_runs(&self, name: &NetworkName) -> Result<Option<Network>, Error> {
        if !self.store.has(name)? {
            return Ok(None);
        }
        let path = self.store.directory(name).join(RUNNING);
        let read = || {
            let text = fs::read_to_string(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
            let network = text.parse::<Network>();
            network.map_err(|error| Error::Kept { path: path.clone(), what: "a network", source: error.into() })
        };
        self.running.of_file(&path, read).map(Some)
    }
}
