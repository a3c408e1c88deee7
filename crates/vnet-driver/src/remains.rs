//! Leftovers that `stop` cannot reach: receipts of network namespaces that are gone, and rules that
//! no receipt names.

use vnet_host::{LinuxHost, Lock, Name, Named};
use vnet_types::{InterfaceName, NetworkName};

use crate::driver::Driver;
use crate::error::Error;

impl Driver {
    /// Drops the receipt of a network whose network namespace is gone, with those of its ports. If
    /// there is no such network, drops that of a port. A receipt that cannot be read is dropped
    /// too; what it named stays on the host.
    ///
    /// # Errors
    /// [`Error::Unknown`]; [`Error::Host`] when the namespace still exists: then the network can be
    /// stopped in it.
    pub fn forget(&self, name: &str) -> Result<Named, Error> {
        let (host, lock) = (self.host()?, self.lock()?);
        if let Ok(network) = name.parse::<NetworkName>()
            && is_forgotten(&host, &lock, &network)?
        {
            return Ok(Named::Network(network));
        }
        match name.parse::<InterfaceName>() {
            Ok(port) if is_forgotten(&host, &lock, &port)? => Ok(Named::Port(port)),
            _ => Err(Error::Unknown(name.to_owned())),
        }
    }

    /// The networks that have rules in vnet's table, but no receipt in this state folder. The
    /// networks of another state folder are listed too.
    ///
    /// # Errors
    /// [`Error::Host`] when rules or receipts cannot be read.
    pub fn orphans(&self) -> Result<Vec<NetworkName>, Error> {
        Ok(self.host()?.orphans(&self.store)?)
    }

    /// Removes the rules of the [`orphans`](Self::orphans).
    ///
    /// # Errors
    /// Those of [`orphans`](Self::orphans), and when the kernel refuses.
    pub fn remove_orphans(&self) -> Result<Vec<NetworkName>, Error> {
        let (host, lock) = (self.host()?, self.lock()?);
        let orphans = host.orphans(&self.store)?;
        orphans.iter().try_for_each(|network| host.remove_orphan(&lock, network))?;
        Ok(orphans)
    }
}

fn is_forgotten<N: Name>(host: &LinuxHost, lock: &Lock, name: &N) -> Result<bool, Error> {
    match host.forget(lock, name) {
        Err(vnet_host::Error::Absent(_)) => Ok(false),
        result => Ok(result.map(|()| true)?),
    }
}
