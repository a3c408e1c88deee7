//! The drift of a port.

use vnet_host::LinuxHost;
use vnet_plan::Change;
use vnet_types::InterfaceName;

use crate::driver::Driver;
use crate::error::Error;

impl Driver {
    /// The changes that would repair a port. Empty when it is as it was made.
    ///
    /// # Errors
    /// [`Error::NotAttached`]; [`Error::Host`] when it is in another network namespace, or the host
    /// cannot be read.
    pub fn diff_port(&self, port: &InterfaceName) -> Result<Vec<Change>, Error> {
        self.port_drift(&self.host()?, port)?.ok_or_else(|| Error::NotAttached(port.clone()))
    }

    /// `None` when it is not attached, or was detached meanwhile.
    pub(crate) fn port_drift(&self, host: &LinuxHost, port: &InterfaceName) -> Result<Option<Vec<Change>>, Error> {
        match vnet_host::drift(host, &self.store, port, LinuxHost::namespace()?) {
            Err(vnet_host::Error::Absent(_)) => Ok(None),
            drift => Ok(Some(drift?)),
        }
    }
}
