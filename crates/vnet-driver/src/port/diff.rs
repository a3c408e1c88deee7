//! What of a port is not as it was made.

use vnet_host::LinuxHost;
use vnet_plan::Change;
use vnet_types::InterfaceName;

use crate::driver::Driver;
use crate::error::Error;

impl Driver {
    /// What of a port is not as it was made: the changes that would repair it.
    ///
    /// # Errors
    /// [`Error::NotAttached`]; [`Error::Host`] where it is in another network namespace, or the
    /// host cannot be read.
    pub fn diff_port(&self, port: &InterfaceName) -> Result<Vec<Change>, Error> {
        self.port_drift(&self.host()?, port)?.ok_or_else(|| Error::NotAttached(port.clone()))
    }

    /// `None` where it is not attached, or was detached meanwhile.
    pub(crate) fn port_drift(&self, host: &LinuxHost, port: &InterfaceName) -> Result<Option<Vec<Change>>, Error> {
        match vnet_host::drift(host, &self.store, port, LinuxHost::namespace()?) {
            Err(vnet_host::Error::Absent(_)) => Ok(None),
            drift => Ok(Some(drift?)),
        }
    }
}
