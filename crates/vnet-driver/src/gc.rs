//! Removes what processes that have ended have left.

use vnet_host::{LinuxHost, Lock, Named, Receipt, Subject};
use vnet_plan::Change;
use vnet_types::{InterfaceName, Inventory, NetworkName, Uuid};
use vnet_xml::Network;

use crate::driver::Driver;
use crate::error::Error;

/// What was removed.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Collected {
    /// Networks whose owner has ended.
    pub networks: Vec<NetworkName>,
    /// Ports whose owner has ended.
    pub ports: Vec<InterfaceName>,
    /// Networks of OVN whose name server on this host had no more guests to answer.
    pub name_servers: Vec<NetworkName>,
    /// Ports that an attach to OVN has left in the northbound database when it was killed, with
    /// their networks.
    pub ovn_ports: Vec<(NetworkName, Uuid)>,
    /// Ports of Open vSwitch whose devices are gone.
    pub switch_ports: Vec<InterfaceName>,
    /// The changes on the host.
    pub changes: Vec<Change>,
    /// What could not be removed, and why. The call can be repeated.
    pub errors: Vec<Error>,
}

impl Driver {
    /// Removes the ports and networks of processes that have ended, and the leases of transient
    /// networks that are gone. A network with guests of others stays until they are detached. A
    /// change that nobody has confirmed or undone in time is undone. Ports of Open vSwitch that
    /// vnet made go when their devices are gone, and ports of OVN that an attach left when it was
    /// killed.
    ///
    /// # Errors
    /// [`Error::Host`] where the folder cannot be locked or read.
    pub fn gc(&self) -> Result<Collected, Error> {
        let mut overdue = self.undo_overdue();
        let (name_servers, failed) = self.collect_names()?;
        overdue.extend(failed);
        let Collected { ovn_ports, errors, .. } = self.collect_ovn_ports()?;
        overdue.extend(errors);
        let mut host = self.host()?;
        let stale = self.stale_switch_ports(&host);
        let is_clean = matches!(&stale, Ok(stale) if stale.is_empty());
        if is_clean
            && self.dead()?.is_empty()
            && self.data.names().iter().all(|name| self.is_known(name).unwrap_or(true))
        {
            return Ok(Collected { errors: overdue, name_servers, ovn_ports, ..Collected::default() });
        }
        let lock = self.lock()?;
        let mut collected = self.bury(&mut host, &lock)?;
        for network in self.data.names() {
            collected.errors.extend(self.forget_data(&lock, &network).err().map(Error::from));
        }
        collected.errors.extend(overdue);
        (collected.name_servers, collected.ovn_ports) = (name_servers, ovn_ports);
        collected.errors.extend(stale.err());
        for port in self.stale_switch_ports(&host).unwrap_or_default() {
            match host.remove_stale_switch_port(&lock, &port) {
                Ok(()) => collected.switch_ports.push(port),
                Err(error) => collected.errors.push(error.into()),
            }
        }
        Ok(collected)
    }

    /// The ports of Open vSwitch whose devices are gone, and that no receipt names.
    pub(crate) fn stale_switch_ports(&self, host: &LinuxHost) -> Result<Vec<InterfaceName>, Error> {
        let mut stale = host.stale_switch_ports()?;
        if !stale.is_empty() {
            let ports = self.store.ports()?;
            stale.retain(|name| ports.iter().all(|port| port.dev != *name));
        }
        Ok(stale)
    }

    /// Like [`gc`](Self::gc) for calls that only read and have seen a receipt that
    /// [is left](is_left). Returns whether it could try; what cannot be removed is left for others.
    pub(crate) fn tidy(&self, host: &mut LinuxHost) -> bool {
        self.lock().is_ok_and(|lock| self.bury(host, &lock).is_ok())
    }

    /// The inventory of the host. Removes what ended processes have left first, if `lock` is held.
    pub(crate) fn inventory(
        &self,
        host: &mut LinuxHost,
        lock: Option<&Lock>,
        network: Option<&Network>,
    ) -> Result<Inventory, Error> {
        let (inventory, dead) = self.survey(host, network)?;
        match lock {
            Some(lock) if !dead.is_empty() => {
                // What cannot be removed conflicts later, and is reported then.
                let _ = self.take_away(host, lock, &dead);
                Ok(self.survey(host, network)?.0)
            }
            _ => Ok(inventory),
        }
    }

    /// The same, with the lock held.
    pub(crate) fn bury(&self, host: &mut LinuxHost, lock: &Lock) -> Result<Collected, Error> {
        let dead = self.dead()?;
        self.take_away(host, lock, &dead)
    }

    fn take_away(&self, host: &mut LinuxHost, lock: &Lock, dead: &[Named]) -> Result<Collected, Error> {
        let mut collected = Collected::default();
        for port in dead.iter().filter_map(port) {
            let gone = self.detach_locked(host, lock, port);
            if collected.add(gone) {
                collected.ports.push(port.clone());
            }
        }
        for network in dead.iter().filter_map(network) {
            if self.ports_of(network)?.is_empty() {
                let gone = self.stop_locked(host, lock, network);
                if collected.add(gone) {
                    collected.networks.push(network.clone());
                }
            }
        }
        Ok(collected)
    }
}

impl Collected {
    /// Records the result for one network or port. Returns whether it is gone.
    fn add(&mut self, gone: Result<Vec<Change>, Error>) -> bool {
        match gone {
            Ok(changes) => {
                self.changes.extend(changes);
                true
            }
            // It is gone already, or in a network namespace that cannot be reached from here.
            Err(Error::NotRunning(_)) => false,
            Err(Error::Host(error))
                if matches!(*error, vnet_host::Error::Absent(_) | vnet_host::Error::Elsewhere(_)) =>
            {
                false
            }
            Err(error) => {
                self.errors.push(error);
                false
            }
        }
    }
}

/// Whether the owner of a network or a port has ended.
pub(crate) fn is_left<S: Subject>(receipt: &Receipt<S>) -> bool {
    receipt.header.owner().is_some_and(|owner| owner.is_gone())
}

fn port(named: &Named) -> Option<&InterfaceName> {
    match named {
        Named::Port(port) => Some(port),
        Named::Network(_) => None,
    }
}

fn network(named: &Named) -> Option<&NetworkName> {
    match named {
        Named::Network(network) => Some(network),
        Named::Port(_) => None,
    }
}
