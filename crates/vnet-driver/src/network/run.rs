//! A network for a virtual machine monitor in Rust: it runs as long as a value lives.

use std::sync::Arc;

use vnet_host::Owner;
use vnet_types::NetworkName;
use vnet_xml::{Interface, Network};

use super::outcome::NetworkOutcome;
use crate::driver::Driver;
use crate::error::Error;
use crate::port::{AttachOptions, AttachedPort};

/// A network that runs. If this value started it, it is stopped when this value and all its
/// [`AttachedPort`]s are dropped.
///
/// A network that ran already is brought in line with the definition and keeps running. So does a
/// network that has guests of others. If this process is killed, the next user of the state folder
/// removes the network.
///
/// Calls block for milliseconds. Make them, and drop the value, in a thread in the host's network
/// namespace.
#[derive(Debug)]
pub struct RunningNetwork {
    outcome: NetworkOutcome,
    guard: Arc<Guard>,
}

/// Stops a network on drop.
#[derive(Debug)]
struct Guard {
    driver: Driver,
    network: NetworkName,
    /// Whether this value started the network.
    is_ours: bool,
}

impl Driver {
    /// Starts a network, or brings the running network of this name in line with the definition.
    ///
    /// # Errors
    /// Those of [`apply`](Self::apply).
    pub fn run(&self, network: &Network) -> Result<RunningNetwork, Error> {
        let mut host = self.host()?;
        let lock = self.lock();
        let applied = self.apply_as(network, Some(Owner::this()?), &mut host, lock)?;
        let (outcome, is_ours) = (applied.outcome, applied.is_ours);
        let guard = Guard { driver: self.clone(), network: outcome.name.clone(), is_ours };
        Ok(RunningNetwork { outcome, guard: Arc::new(guard) })
    }
}

impl RunningNetwork {
    /// The result of starting it. There are no changes when the network already ran as defined.
    pub fn outcome(&self) -> &NetworkOutcome {
        &self.outcome
    }

    /// Attaches a guest's interface and opens it. The network runs as long as the port is attached.
    ///
    /// # Errors
    /// Those of [`Driver::attach_open`].
    pub fn attach(&self, interface: &Interface) -> Result<AttachedPort, Error> {
        self.attach_with(interface, &AttachOptions::default())
    }

    /// The same, with options.
    ///
    /// # Errors
    /// Those of [`Driver::attach_open`].
    pub fn attach_with(&self, interface: &Interface, options: &AttachOptions) -> Result<AttachedPort, Error> {
        let port = self.guard.driver.attach_open(interface, options)?;
        Ok(port.keeping(self.guard.clone()))
    }

    /// Stops it as a drop does, and returns the error. The network runs on while one of its ports
    /// is attached.
    ///
    /// # Errors
    /// Those of [`Driver::stop`], except that a network that is gone is no error.
    pub fn stop(self) -> Result<(), Error> {
        Arc::into_inner(self.guard).map_or(Ok(()), |mut guard| guard.take_away())
    }
}

impl Guard {
    fn take_away(&mut self) -> Result<(), Error> {
        if !std::mem::take(&mut self.is_ours) {
            return Ok(());
        }
        let mut host = self.driver.host()?;
        let lock = self.driver.lock()?;
        self.driver.bury(&mut host, &lock)?;
        if !self.driver.ports_of(&self.network)?.is_empty() {
            return Ok(());
        }
        match self.driver.stop_locked(&mut host, &lock, &self.network) {
            // Somebody else has stopped it.
            Err(Error::NotRunning(_)) => Ok(()),
            result => result.map(drop),
        }
    }
}

impl Drop for Guard {
    /// What cannot be removed stays in the receipt, for `vnet stop`.
    fn drop(&mut self) {
        let _ = self.take_away();
    }
}
