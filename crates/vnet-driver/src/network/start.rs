//! Starts a network.

use vnet_host::{LinuxHost, Lock, Receipt};
use vnet_plan::Change;
use vnet_types::NetworkName;
use vnet_xml::Network;

use super::outcome::NetworkOutcome;
use super::prepare::{Prepared, chosen};
use crate::driver::Driver;
use crate::error::Error;
use crate::hooks::{HookOperation, document};
use crate::port::Followed;

impl Driver {
    /// Starts a network. Leftovers of processes that have ended are removed first.
    ///
    /// # Errors
    /// [`Error::Refused`], even when the lock cannot be taken, and when dnsmasq refuses an option;
    /// [`Error::AlreadyRuns`]; [`Error::NoInotify`]; [`Error::Hook`]; [`Error::Host`] when
    /// something is in the way, or when a step fails: then the steps before it are undone.
    pub fn start(&self, network: &Network) -> Result<NetworkOutcome, Error> {
        if network.is_on_ovn() {
            return self.start_on_ovn(network);
        }
        let mut host = self.host()?;
        // Errors of the definition are reported even when the lock cannot be taken.
        let lock = self.lock();
        let prepared = self.prepare(network, &mut host, lock.as_ref().ok())?;
        let here = LinuxHost::namespace()?;
        let runs = |receipt: &Receipt| receipt.settled && receipt.header.namespace.is(&here);
        if prepared.receipt.as_ref().is_some_and(runs) {
            return Err(Error::AlreadyRuns(prepared.lowered.name));
        }
        drop(prepared.take_instance()?);
        let (lock, header) = (lock?, prepared.header(None, self.has_hooks())?);
        // A transient network begins without the leases of one before it.
        self.forget_data(&lock, &prepared.lowered.name)?;
        let made = self.start_with_hooks(&mut host, &lock, &prepared, network, |host| {
            let made = vnet_host::start(host, &lock, header, &prepared.lowered.desired);
            made.map_err(|error| prepared.refusal(network, error))
        });
        Ok(prepared.outcome(self, &host, Followed { changes: made?, ..Followed::default() }))
    }

    /// Asks the hooks before and after a start. A network that they refuse afterwards is stopped
    /// again.
    pub(super) fn start_with_hooks(
        &self,
        host: &mut LinuxHost,
        lock: &Lock,
        prepared: &Prepared,
        network: &Network,
        start: impl FnOnce(&mut LinuxHost) -> Result<Vec<Change>, Error>,
    ) -> Result<Vec<Change>, Error> {
        let name = &prepared.lowered.name;
        let wanted = || Ok(document(&chosen(network, prepared.uuid, &prepared.lowered), None));
        self.ask_hooks(HookOperation::Start, name, wanted)?;
        let made = self.make_data(lock, &prepared.lowered).and_then(|()| start(host));
        let made = made.inspect_err(|_| drop(self.forget_data(lock, name)))?;
        self.started(host, lock, name)?;
        Ok(made)
    }

    /// Asks the hooks after a start. A network that they refuse is stopped again.
    pub(super) fn started(&self, host: &mut LinuxHost, lock: &Lock, name: &NetworkName) -> Result<(), Error> {
        let asked = self.ask_hooks(HookOperation::Started, name, || self.document_of(name));
        let agreed = asked.and_then(|()| Ok(vnet_host::hooks_agreed(lock, name)?));
        agreed.map_err(|mut error| {
            let stopped = self.stop_locked(host, lock, name);
            match (&mut error, stopped) {
                (_, Ok(_)) => error,
                (Error::Hook(failure), Err(left)) => {
                    failure.left = Some(Box::new(left));
                    error
                }
                (_, Err(left)) => Error::NotUndone { undo: Box::new(left), source: Box::new(error) },
            }
        })
    }

    /// What hooks are told of a network that runs.
    pub(super) fn document_of(&self, name: &NetworkName) -> Result<String, Error> {
        Ok(document(&self.definition(name)?, None))
    }
}
