//! Changing a network that runs.

use vnet_host::{LinuxHost, Lock, Owner};
use vnet_xml::Network;

use super::outcome::NetworkOutcome;
use super::prepare::Prepared;
use crate::driver::{Driver, network_name};
use crate::error::Error;
use crate::hooks::HookOperation;

/// The result of an apply.
pub(crate) struct Applied {
    pub(crate) outcome: NetworkOutcome,
    /// Whether the caller owns the network now: no other process that still runs has started it.
    pub(super) is_ours: bool,
}

impl Driver {
    /// Brings a network and its ports to the definition, in place: starts it, changes it, repairs
    /// it.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::Unconfirmed`]; [`Error::NoInotify`]; [`Error::PortStays`] or
    /// [`Error::PortsStay`] when the network was changed but a port could not be; [`Error::Hook`],
    /// where a network that was changed stays so; [`Error::Host`] when something is in the way, or
    /// when a step fails: then the steps before it are undone.
    pub fn apply(&self, network: &Network) -> Result<NetworkOutcome, Error> {
        if network.is_on_ovn() {
            return self.apply_on_ovn(network);
        }
        self.is_confirmed(&network_name(&network.name)?)?;
        let mut host = self.host()?;
        let lock = self.lock();
        self.apply_as(network, None, &mut host, lock).map(|applied| applied.outcome)
    }

    /// The same, with an owner for a network that does not run yet.
    pub(super) fn apply_as(
        &self,
        network: &Network,
        owner: Option<Owner>,
        host: &mut LinuxHost,
        lock: Result<Lock, Error>,
    ) -> Result<Applied, Error> {
        match lock {
            Ok(lock) => self.apply_locked(network, owner, host, &lock),
            // Errors of the definition come first.
            Err(error) => self.prepare(network, host, None).and(Err(error)),
        }
    }

    /// The same, for a caller that has the lock.
    pub(crate) fn apply_locked(
        &self,
        network: &Network,
        owner: Option<Owner>,
        host: &mut LinuxHost,
        lock: &Lock,
    ) -> Result<Applied, Error> {
        let prepared = self.prepare(network, host, Some(lock))?;
        self.apply_prepared(prepared, network, owner, host, lock)
    }

    /// The same, for a definition that was checked.
    pub(super) fn apply_prepared(
        &self,
        prepared: Prepared,
        network: &Network,
        owner: Option<Owner>,
        host: &mut LinuxHost,
        lock: &Lock,
    ) -> Result<Applied, Error> {
        let known = prepared.receipt.as_ref().map(|receipt| receipt.header.owner);
        // When its owner has ended, the network gets the new owner.
        let is_ours = known.is_none_or(|known| known.is_some_and(|known| known.is_gone()));
        let owner = if is_ours { owner } else { known.flatten() };
        let (header, name) = (prepared.header(owner, self.has_hooks())?, &prepared.lowered.name);
        let (here, awaits_hooks) = (header.namespace, header.awaits_hooks);
        let runs = prepared.receipt.as_ref().is_some_and(|receipt| receipt.header.namespace.is(&here));
        let apply = |host: &mut LinuxHost| {
            let made = vnet_host::apply(host, lock, header, &prepared.lowered.desired);
            made.map_err(|error| prepared.refusal(network, error))
        };
        if !runs {
            drop(prepared.take_instance()?);
        }
        let made = match runs {
            true => self.make_data(lock, &prepared.lowered).and_then(|()| apply(host))?,
            false => self.start_with_hooks(host, lock, &prepared, network, apply)?,
        };
        if runs && awaits_hooks {
            self.started(host, lock, name)?;
        }
        let mut all = self.follow(host, lock, name)?;
        all.changes.splice(..0, made);
        if runs && !all.changes.is_empty() {
            self.ask_hooks(HookOperation::Updated, name, || self.document_of(name))?;
        }
        Ok(Applied { outcome: prepared.outcome(self, host, all), is_ours })
    }
}
