//! Detaches a guest's interface.

use vnet_host::LinuxHost;
use vnet_plan::Change;
use vnet_types::InterfaceName;

use crate::driver::Driver;
use crate::error::Error;

impl Driver {
    /// Detaches a port: removes everything that was made for it, and nothing else.
    ///
    /// # Errors
    /// [`Error::NotAttached`]; [`Error::Host`] with what could not be removed: the call can be
    /// repeated.
    pub fn detach(&self, port: &InterfaceName) -> Result<Vec<Change>, Error> {
        let absent = || Error::NotAttached(port.clone());
        let mut host = self.host()?;
        // Whoever releases the lock removes the leftovers of an attach that was killed early.
        let lock = self.lock();
        self.store.port_receipt(port)?.ok_or_else(absent)?;
        match vnet_host::detach(&mut host, &lock?, port, LinuxHost::namespace()?) {
            Err(vnet_host::Error::Absent(_)) => Err(absent()),
            detached => Ok(detached?),
        }
    }
}
