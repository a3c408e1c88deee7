//! Starts a network.

use vnet_host::{LinuxHost, Receipt};
use vnet_xml::Network;

use super::outcome::NetworkOutcome;
use crate::driver::Driver;
use crate::error::Error;

impl Driver {
    /// Starts a network. Leftovers of processes that have ended are removed first.
    ///
    /// # Errors
    /// [`Error::Refused`], even when the lock cannot be taken, and when dnsmasq refuses an option;
    /// [`Error::AlreadyRuns`]; [`Error::Host`] when something is in the way, or when a step fails:
    /// then the steps before it are undone.
    pub fn start(&self, network: &Network) -> Result<NetworkOutcome, Error> {
        let mut host = self.host()?;
        // Errors of the definition are reported even when the lock cannot be taken.
        let lock = self.lock();
        let prepared = self.prepare(network, &mut host, lock.as_ref().ok())?;
        let here = LinuxHost::namespace()?;
        let runs = |receipt: &Receipt| receipt.settled && receipt.header.namespace.is(&here);
        if prepared.receipt.as_ref().is_some_and(runs) {
            return Err(Error::AlreadyRuns(prepared.lowered.name));
        }
        let made = vnet_host::start(&mut host, &lock?, prepared.header(None)?, &prepared.lowered.desired);
        let made = made.map_err(|error| prepared.refusal(network, error))?;
        Ok(prepared.outcome(self, &host, made))
    }
}
