//! A network for a virtual machine monitor that is a Rust program: it runs for as long as a value
//! lives.

use std::sync::Arc;

use vnet_host::{LinuxHost, Owner};
use vnet_types::NetworkName;
use vnet_xml::{Interface, Network};

use super::outcome::NetworkOutcome;
use crate::driver::Driver;
use crate::error::Error;
use crate::port::{AttachOptions, AttachedPort};

/// A network that runs. Where this started it, it is stopped when this and all of its
/// [`AttachedPort`]s are dropped.
///
/// One that ran already is brought in line with the definition, and goes on running. So does one
/// that guests of others are attached to by then. Where this process is killed, the network is
/// taken away by whoever uses the state folder next.
///
/// Calls block, for milliseconds. They are made, and the value is dropped, in a thread that is in
/// the network namespace of the host that they are about.
#[derive(Debug)]
pub struct RunningNetwork {
    outcome: NetworkOutcome,
    guard: Arc<Guard>,
}

/// Stops a network when it is dropped.
#[derive(Debug)]
struct Guard {
    driver: Driver,
    network: NetworkName,
    /// Nobody else had started it.
    is_ours: bool,
}

impl Driver {
    /// Starts a network, or brings the one of this name that runs in line with the definition.
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
    /// What came of starting it: what was done to the host, which is nothing where the network ran
    /// as it is wanted.
    pub fn outcome(&self) -> &NetworkOutcome {
        &self.outcome
    }

    /// Attaches a guest's interface, and opens it. The network is there for as long as the port is.
    ///
    /// # Errors
    /// Those of [`Driver::attach_open`].
    pub fn attach(&self, interface: &Interface) -> Result<AttachedPort, Error> {
        self.attach_with(interface, &AttachOptions::default())
    }

    /// The same, for somebody.
    ///
    /// # Errors
    /// Those of [`Driver::attach_open`].
    pub fn attach_with(&self, interface: &Interface, options: &AttachOptions) -> Result<AttachedPort, Error> {
        let port = self.guard.driver.attach_open(interface, options)?;
        Ok(port.keeping(self.guard.clone()))
    }

    /// Stops it as a drop does, and says where that fails. It goes on running while one of its
    /// ports is there.
    ///
    /// # Errors
    /// Those of [`Driver::stop`], but for a network that is gone.
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
        match vnet_host::stop(&mut host, &lock, &self.network, LinuxHost::namespace()?) {
            // Somebody has stopped it.
            Err(vnet_host::Error::Absent(_)) => Ok(()),
            result => Ok(result.map(drop)?),
        }
    }
}

impl Drop for Guard {
    /// What cannot be taken away stays in the receipt, for `vnet stop`.
    fn drop(&mut self) {
        let _ = self.take_away();
    }
}
