//! Changing a network that runs.

use vnet_host::{LinuxHost, Lock, Owner};
use vnet_xml::Network;

use super::outcome::NetworkOutcome;
use crate::driver::Driver;
use crate::error::Error;

/// What came of an apply.
pub(super) struct Applied {
    pub(super) outcome: NetworkOutcome,
    /// Nobody else had started it, or who had has ended.
    pub(super) is_ours: bool,
}

impl Driver {
    /// Makes a network as it is defined, in place, and its ports with it: starts it, changes it,
    /// repairs it.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::PortStays`], where the network has changed; [`Error::Host`]
    /// where something is in the way, or a step fails: then the steps before it are undone.
    pub fn apply(&self, network: &Network) -> Result<NetworkOutcome, Error> {
        let mut host = self.host()?;
        let lock = self.lock();
        self.apply_as(network, None, &mut host, lock).map(|applied| applied.outcome)
    }

    /// The same, for the owner of a network that is not there yet.
    pub(super) fn apply_as(
        &self,
        network: &Network,
        owner: Option<Owner>,
        host: &mut LinuxHost,
        lock: Result<Lock, Error>,
    ) -> Result<Applied, Error> {
        let prepared = self.prepare(network, host, lock.as_ref().ok())?;
        let lock = lock?;
        let known = prepared.receipt.as_ref().map(|receipt| receipt.header.owner);
        // Of a process that has ended, a network goes on for the next.
        let is_ours = known.is_none_or(|known| known.is_some_and(|known| known.is_gone()));
        let owner = if is_ours { owner } else { known.flatten() };
        let made = vnet_host::apply(host, &lock, prepared.header(owner)?, &prepared.lowered.desired);
        let mut made = made.map_err(|error| prepared.refusal(network, error))?;
        made.extend(self.follow(host, &lock, &prepared.lowered.name)?);
        Ok(Applied { outcome: prepared.outcome(self, host, made), is_ours })
    }
}
