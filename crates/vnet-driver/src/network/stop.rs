//! Stops a network.

use vnet_host::LinuxHost;
use vnet_plan::Change;
use vnet_types::NetworkName;

use crate::driver::Driver;
use crate::error::Error;

impl Driver {
    /// Stops a network and detaches its ports. Removes everything that was made for them, and
    /// nothing else.
    ///
    /// # Errors
    /// [`Error::NotRunning`]; [`Error::Host`] with what could not be removed: the call can be
    /// repeated.
    pub fn stop(&self, network: &NetworkName) -> Result<Vec<Change>, Error> {
        let absent = || Error::NotRunning(network.clone());
        let mut host = self.host()?;
        // Whoever releases the lock removes the leftovers of a start that was killed early.
        let lock = self.lock();
        self.store.receipt(network)?.ok_or_else(absent)?;
        match vnet_host::stop(&mut host, &lock?, network, LinuxHost::namespace()?) {
            Err(vnet_host::Error::Absent(_)) => Err(absent()),
            stopped => Ok(stopped?),
        }
    }
}
