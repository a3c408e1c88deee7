//! A network for a hypervisor that is a Rust program: it runs for as long as a value lives.

use vnet_plan::{Change, Lowered};
use vnet_types::NetworkName;

use crate::{Error, Header, LinuxHost, Lock, Namespace, Store, apply, stop};

/// A network that runs. Where this started it, it is stopped when this is dropped.
///
/// One that ran already is brought in line with the definition, and goes on running. So does one that guests of others
/// are attached to by then: `vnet stop` ends it.
///
/// Calls block, for milliseconds. They are made, and the value is dropped, in a thread that is in the network namespace
/// of the host that they are about, and that has no [`Lock`] at that time.
#[derive(Debug)]
pub struct Running {
    store: Store,
    namespace: Namespace,
    network: NetworkName,
    changes: Vec<Change>,
    /// Nobody had started it.
    is_ours: bool,
}

impl Running {
    /// Starts a network, or brings the one of this name that runs in line with the definition.
    ///
    /// # Errors
    /// Those of [`apply`](fn@crate::apply). [`Error::missing_capability`] says which privilege was missing.
    pub fn new(host: &mut LinuxHost, lock: &Lock, lowered: &Lowered) -> Result<Self, Error> {
        let (store, namespace) = (lock.store().clone(), LinuxHost::namespace()?);
        let network = lowered.name.clone();
        let there = store.receipt(&network)?;
        let uuid = there.as_ref().and_then(|receipt| receipt.header.uuid);
        let header = Header { network: network.clone(), uuid, bridge: lowered.bridge.clone(), namespace, owner: None };
        let changes = apply(host, lock, header, &lowered.desired)?;
        Ok(Self { store, namespace, network, changes, is_ours: there.is_none() })
    }

    /// What was done to the host: nothing, where the network ran as it is wanted.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Stops it as a drop does, and says where that fails.
    ///
    /// # Errors
    /// Those of [`stop`](fn@crate::stop).
    pub fn stop(mut self) -> Result<(), Error> {
        self.take_away()
    }

    fn take_away(&mut self) -> Result<(), Error> {
        if !std::mem::take(&mut self.is_ours) {
            return Ok(());
        }
        let lock = self.store.lock()?;
        if self.store.ports()?.iter().any(|port| port.network.as_ref() == Some(&self.network)) {
            return Ok(());
        }
        match stop(&mut LinuxHost::open()?, &lock, &self.network, self.namespace) {
            // Somebody has stopped it.
            Err(Error::Absent(_)) => Ok(()),
            result => result.map(drop),
        }
    }
}

impl Drop for Running {
    /// What cannot be taken away stays in the receipt, for `vnet stop`.
    fn drop(&mut self) {
        let _ = self.take_away();
    }
}
