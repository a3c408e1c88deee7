//! What processes that have ended have left.

use vnet_host::{LinuxHost, Lock, Named};
use vnet_plan::Change;
use vnet_types::{InterfaceName, Inventory, NetworkName};
use vnet_xml::Network;

use crate::driver::Driver;
use crate::error::Error;

/// What was taken away.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Collected {
    /// Networks whose process has ended.
    pub networks: Vec<NetworkName>,
    /// Ports whose process has ended.
    pub ports: Vec<InterfaceName>,
    /// What was done to the host.
    pub changes: Vec<Change>,
    /// What could not be taken away, and why: it can be tried again.
    pub errors: Vec<Error>,
}

impl Driver {
    /// Takes away the ports and networks of processes that have ended. A network that others have
    /// guests in stays until these are detached.
    ///
    /// # Errors
    /// [`Error::Host`] where the folder cannot be locked or read.
    pub fn gc(&self) -> Result<Collected, Error> {
        if self.dead()?.is_empty() {
            return Ok(Collected::default());
        }
        let mut host = self.host()?;
        let lock = self.lock()?;
        self.bury(&mut host, &lock)
    }

    /// The same for who only looks: what cannot be taken away is left for others.
    pub(crate) fn tidy(&self, host: &mut LinuxHost) -> Result<(), Error> {
        if !self.dead()?.is_empty()
            && let Ok(lock) = self.lock()
        {
            let _ = self.bury(host, &lock);
        }
        Ok(())
    }

    /// What the host has, without what processes have left that have ended, where `lock` is at
    /// hand.
    pub(crate) fn inventory(
        &self,
        host: &mut LinuxHost,
        lock: Option<&Lock>,
        network: Option<&Network>,
    ) -> Result<Inventory, Error> {
        let (inventory, dead) = self.survey(host, network)?;
        match lock {
            Some(lock) if !dead.is_empty() => {
                // What cannot be taken away is in the way, and told then.
                let _ = self.take_away(host, lock, &dead);
                Ok(self.survey(host, network)?.0)
            }
            _ => Ok(inventory),
        }
    }

    /// The same for who has the lock.
    pub(crate) fn bury(&self, host: &mut LinuxHost, lock: &Lock) -> Result<Collected, Error> {
        let dead = self.dead()?;
        self.take_away(host, lock, &dead)
    }

    fn take_away(&self, host: &mut LinuxHost, lock: &Lock, dead: &[Named]) -> Result<Collected, Error> {
        let namespace = LinuxHost::namespace()?;
        let mut collected = Collected::default();
        for port in dead.iter().filter_map(port) {
            let gone = vnet_host::detach(host, lock, port, namespace);
            if collected.add(gone) {
                collected.ports.push(port.clone());
            }
        }
        for network in dead.iter().filter_map(network) {
            if self.ports_of(network)?.is_empty() {
                let gone = vnet_host::stop(host, lock, network, namespace);
                if collected.add(gone) {
                    collected.networks.push(network.clone());
                }
            }
        }
        Ok(collected)
    }
}

impl Collected {
    /// Notes what came of one; answers whether it is gone.
    fn add(&mut self, gone: Result<Vec<Change>, vnet_host::Error>) -> bool {
        match gone {
            Ok(changes) => {
                self.changes.extend(changes);
                true
            }
            // It is gone already, or in a network namespace that only those in it can reach.
            Err(vnet_host::Error::Absent(_) | vnet_host::Error::Elsewhere(_)) => false,
            Err(error) => {
                self.errors.push(error.into());
                false
            }
        }
    }
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
