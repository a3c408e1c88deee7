//! Detaches a guest's interface.

use vnet_host::{LinuxHost, Lock};
use vnet_plan::Change;
use vnet_types::InterfaceName;

use crate::driver::Driver;
use crate::error::Error;
use crate::hooks::Departure;
use crate::ovn::PortRecord;

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
        match self.detach_locked(&mut host, &lock?, port) {
            Err(error) if error.is_absent() => Err(absent()),
            detached => detached,
        }
    }

    /// The same with the lock held. The hooks are told of a port that is gone, and OVN's northbound
    /// database has it no more.
    pub(crate) fn detach_locked(
        &self,
        host: &mut LinuxHost,
        lock: &Lock,
        port: &InterfaceName,
    ) -> Result<Vec<Change>, Error> {
        // Its file goes with the port.
        let receipt = self.store.port_receipt(port).ok().flatten();
        let on_ovn = self.port_record_on_ovn(port)?.or_else(|| PortRecord::of(receipt.as_ref()?));
        let header = receipt.map(|receipt| receipt.header);
        let known = header.as_ref().map(|header| header.port.clone());
        let departure = header.as_ref().map(|header| Departure::of_port(self, header)).unwrap_or_default();
        let container = header.filter(|header| header.port.container.is_some());
        let network = container.and_then(|header| header.port.network);
        let mut told = Ok(Vec::new());
        let tell = |host: &mut LinuxHost| {
            if let Some(network) = network {
                told = self.tell_network(host, lock, &network, Some(port), None);
            }
        };
        let mut detached = vnet_host::detach_and(host, lock, port, LinuxHost::namespace()?, tell)?;
        departure.tell(self);
        detached.extend(told?);
        if let Some(record) = on_ovn {
            known.iter().for_each(|known| self.tell_departure_from_ovn(known, &record));
            self.leave_ovn(port, record)?;
        }
        Ok(detached)
    }
}
