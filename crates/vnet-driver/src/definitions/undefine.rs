//! Drops a kept definition.

use vnet_types::NetworkName;

use crate::driver::Driver;
use crate::error::Error;

impl Driver {
    /// Drops the kept definition of a network, and its autostart. A network that runs goes on as a
    /// transient one; of one that does not run, the leases are removed too.
    ///
    /// # Errors
    /// [`Error::NotDefined`] for a transient network; [`Error::NoNetwork`]; [`Error::Host`] when
    /// the definition cannot be removed.
    pub fn undefine(&self, network: &NetworkName) -> Result<(), Error> {
        let lock = self.lock()?;
        let was_kept = self.definitions.remove(&lock, network)?;
        // An undefine that was killed may have left the leases.
        self.forget_data(&lock, network)?;
        if was_kept { Ok(()) } else { Err(self.not_defined(network)) }
    }
}
