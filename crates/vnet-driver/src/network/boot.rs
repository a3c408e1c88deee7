//! Several networks under one lock: those that start at boot, and those that run.

use std::io;

use vnet_host::{LinuxHost, Lock};
use vnet_types::NetworkName;
use vnet_xml::Network;

use super::outcome::NetworkOutcome;
use super::several::Aim;
use crate::driver::Driver;
use crate::error::Error;

/// What became of one of several networks.
#[derive(Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// The network.
    pub network: NetworkName,
    /// The result. An error does not hold back the others.
    pub result: Result<NetworkOutcome, Error>,
}

impl Driver {
    /// Starts the networks that start at boot. One that runs already is repaired as it runs.
    ///
    /// # Errors
    /// [`Error::Host`] when the folder of definitions cannot be read, or the lock cannot be taken.
    pub fn start_autostarts(&self) -> Result<Vec<Attempt>, Error> {
        let lock = self.lock()?;
        self.bring_up(self.autostarts()?, &lock)
    }

    /// Repairs the networks that run in this network namespace, each as it runs: a firewall may
    /// have flushed their rules. A kept definition that differs is not taken.
    ///
    /// # Errors
    /// [`Error::Host`] when the state folder cannot be read, or the lock cannot be taken.
    pub fn repair_all(&self) -> Result<Vec<Attempt>, Error> {
        let lock = self.lock()?;
        let here = LinuxHost::namespace()?;
        let receipts = self.store.receipts()?.into_iter().flatten();
        let running = receipts.filter(|receipt| receipt.header.namespace.is(&here));
        self.bring_up(running.map(|receipt| receipt.header.network).collect(), &lock)
    }

    /// Repairs a network as it runs, or starts it as it is kept.
    pub(crate) fn repair(&self, network: &NetworkName) -> Result<NetworkOutcome, Error> {
        let lock = self.lock()?;
        let attempts = self.bring_up(vec![network.clone()], &lock)?;
        attempts.into_iter().next().expect("a result for the network").result
    }

    pub(super) fn bring_up(&self, networks: Vec<NetworkName>, lock: &Lock) -> Result<Vec<Attempt>, Error> {
        let mut definitions = Vec::new();
        let read = |name: &NetworkName| self.as_it_runs_or_is_kept(name).map(|it| definitions.push(it));
        let known: Vec<_> = networks.iter().map(read).collect();
        let mut results = self.realise(&definitions, Aim::Repair, &mut self.host()?, lock)?.into_iter();
        let mut result = |()| results.next().expect("a result for each definition");
        let attempts = networks.into_iter().zip(known);
        Ok(attempts.map(|(network, known)| Attempt { network, result: known.and_then(&mut result) }).collect())
    }

    /// The definition that a network runs with, or the kept one when it does not run.
    fn as_it_runs_or_is_kept(&self, name: &NetworkName) -> Result<Network, Error> {
        let here = LinuxHost::namespace()?;
        let is_here = self.store.receipt(name)?.is_some_and(|receipt| receipt.header.namespace.is(&here));
        match self.as_it_runs(name) {
            Ok(Some(network)) if is_here => return Ok(network),
            // Its start was interrupted before this file was written.
            Err(Error::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            running => drop(running?),
        }
        self.kept(name)?.ok_or_else(|| Error::NotDefined(name.clone()))
    }
}
