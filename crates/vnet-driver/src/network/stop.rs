//! Stops a network.

use vnet_host::{LinuxHost, Lock};
use vnet_plan::Change;
use vnet_types::NetworkName;

use crate::driver::Driver;
use crate::error::Error;
use crate::hooks::Departure;

impl Driver {
    /// Stops a network and detaches its ports. Removes everything that was made for them, and
    /// nothing else.
    ///
    /// # Errors
    /// [`Error::NotRunning`]; [`Error::OfLibvirt`]; [`Error::Host`] with what could not be removed:
    /// the call can be repeated.
    pub fn stop(&self, network: &NetworkName) -> Result<Vec<Change>, Error> {
        if let Some(network) = self.kept_on_ovn(network)? {
            return self.stop_on_ovn(&network).map(|_| Vec::new());
        }
        let mut host = self.host()?;
        // Whoever releases the lock removes the leftovers of a start that was killed early.
        let lock = self.lock();
        if !self.store.has(network)? {
            // A stop that was killed may have left the leases.
            if let Ok(lock) = lock {
                self.forget_data(&lock, network)?;
            }
            return Err(Error::NotRunning(network.clone()));
        }
        self.is_not_of_libvirt(network)?;
        self.stop_locked(&mut host, &lock?, network)
    }

    /// The same with the lock held. The hooks are told of what is gone.
    pub(crate) fn stop_locked(
        &self,
        host: &mut LinuxHost,
        lock: &Lock,
        network: &NetworkName,
    ) -> Result<Vec<Change>, Error> {
        let departure = Departure::of_network(self, network);
        let stopped = vnet_host::stop(host, lock, network, LinuxHost::namespace()?);
        departure.tell(self);
        self.after_stop(lock, network, stopped)
    }

    /// The result of a stop. The leases of a transient network go with it, also when the stop
    /// before was killed.
    pub(crate) fn after_stop(
        &self,
        lock: &Lock,
        network: &NetworkName,
        stopped: Result<Vec<Change>, vnet_host::Error>,
    ) -> Result<Vec<Change>, Error> {
        let is_absent = matches!(stopped, Err(vnet_host::Error::Absent(_)));
        let changes = if is_absent { Vec::new() } else { stopped? };
        self.forget_data(lock, network)?;
        // What does not run has no change to confirm.
        self.forget_record(network)?;
        if is_absent { Err(Error::NotRunning(network.clone())) } else { Ok(changes) }
    }
}
