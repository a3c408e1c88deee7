//! Whether a network starts at boot.

use vnet_types::NetworkName;

use crate::driver::Driver;
use crate::error::Error;

impl Driver {
    /// Makes a network start at boot, or no longer. A network that runs, or does not, stays so.
    ///
    /// # Errors
    /// [`Error::NotDefined`] for a transient network; [`Error::NoNetwork`]; [`Error::Host`] when
    /// the link cannot be made or removed.
    pub fn set_autostart(&self, network: &NetworkName, on: bool) -> Result<(), Error> {
        let lock = self.lock()?;
        if !self.definitions.has(network)? {
            return Err(self.not_defined(network));
        }
        Ok(self.definitions.set_start_at_boot(&lock, network, on)?)
    }

    /// Whether a network starts at boot.
    ///
    /// # Errors
    /// [`Error::Host`] when the folder of definitions cannot be read.
    pub fn is_autostarted(&self, network: &NetworkName) -> Result<bool, Error> {
        Ok(self.definitions.starts_at_boot(network)?)
    }

    /// The networks that start at boot, ordered by name.
    ///
    /// # Errors
    /// [`Error::Host`] when the folder of definitions cannot be read.
    pub fn autostarts(&self) -> Result<Vec<NetworkName>, Error> {
        let mut networks = Vec::new();
        for name in self.definitions.names()? {
            if self.definitions.starts_at_boot(&name)? {
                networks.push(name);
            }
        }
        Ok(networks)
    }
}
