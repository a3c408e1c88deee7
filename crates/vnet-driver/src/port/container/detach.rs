//! Detaching a container.

use vnet_host::{LinuxHost, Lock};
use vnet_types::{InterfaceName, NetworkName};
use vnet_xml::Network;

use super::Attachment;
use crate::driver::Driver;
use crate::error::Error;

impl Driver {
    /// Detaches a container: removes everything that was made for it. Returns whether it was
    /// attached. Where no receipt tells of it, its pair is found by its alias. The network, or the
    /// definition to start it with, tells whether Open vSwitch or OVN may have a port of it.
    ///
    /// # Errors
    /// [`Error::Host`], [`Error::Ovn`] with what could not be removed: the call can be repeated.
    pub fn detach_container(
        &self,
        attachment: &Attachment,
        network: &NetworkName,
        definition: Option<&Network>,
    ) -> Result<bool, Error> {
        let dev = attachment.dev();
        // A definition that cannot be used has made nothing.
        let on_ovn = || self.container_on_ovn(network, definition).ok().flatten();
        let forgotten = if self.store.port_receipt(&dev)?.is_none() { Some(on_ovn()) } else { None };
        let mut host = self.host()?;
        let is_switched = || self.has_switch_ports(network, definition);
        if matches!(forgotten, Some(None)) && !self.is_forgotten(&host, attachment, is_switched())? {
            self.tell_of_gone(network)?;
            return Ok(false);
        }
        let lock = self.lock()?;
        // An attach that was killed early has left no record of its row.
        let is_recorded = self.port_record_on_ovn(&dev)?.is_some();
        let receipt = self.store.port_receipt(&dev)?;
        let has_receipt = receipt.is_some();
        let is_on_bridge = receipt.as_ref().is_some_and(|receipt| receipt.header.port.network.is_some());
        let was_attached = match receipt {
            Some(receipt) if attachment.is_of(&receipt.header.port) => self.detach_known(&mut host, &lock, &dev)?,
            Some(_) => false,
            None => self.detach_unowned(&mut host, &lock, attachment, network, is_switched())?,
        };
        if has_receipt && is_recorded && was_attached || is_on_bridge {
            return Ok(was_attached);
        }
        match forgotten.unwrap_or_else(on_ovn) {
            Some(network) => Ok(self.detach_forgotten(network, attachment, &host, &lock)? || was_attached),
            None => Ok(was_attached),
        }
    }

    /// Removes what no receipt tells of, and tells the network that its addresses are free.
    fn detach_unowned(
        &self,
        host: &mut LinuxHost,
        lock: &Lock,
        attachment: &Attachment,
        network: &NetworkName,
        is_switched: bool,
    ) -> Result<bool, Error> {
        let was_there = self.remove_forgotten(host, lock, attachment, is_switched)?;
        if was_there {
            self.tell_network(host, lock, network, None, None)?;
        }
        Ok(was_there)
    }

    fn detach_known(&self, host: &mut LinuxHost, lock: &Lock, dev: &InterfaceName) -> Result<bool, Error> {
        match self.detach_locked(host, lock, dev) {
            Err(error) if error.is_absent() => Ok(false),
            detached => detached.map(|_| true),
        }
    }
}
