//! Bringing a network up.

use vnet_host::{LinuxHost, Receipt};
use vnet_xml::Network;

use super::outcome::NetworkOutcome;
use crate::driver::Driver;
use crate::error::Error;

impl Driver {
    /// Brings a network up. What processes that have ended have left is taken away first.
    ///
    /// # Errors
    /// [`Error::Refused`], also where nothing could be locked, and where dnsmasq refuses an option;
    /// [`Error::AlreadyRuns`]; [`Error::Host`] where something is in the way, or a step fails: then
    /// the steps before it are undone.
    pub fn start(&self, network: &Network) -> Result<NetworkOutcome, Error> {
        let mut host = self.host()?;
        // What is wrong with the definition is told even where nothing can be locked.
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
