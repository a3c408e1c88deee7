//! What starting a network, or applying it where it runs, would change.

use vnet_xml::Network;

use super::outcome::NetworkOutcome;
use crate::driver::Driver;
use crate::error::Error;

impl Driver {
    /// What [`start`](Self::start) would do, or [`apply`](Self::apply) where the network runs.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::Host`] where something is in the way or the host cannot be
    /// read.
    pub fn plan(&self, network: &Network) -> Result<NetworkOutcome, Error> {
        let mut host = self.host()?;
        let prepared = self.prepare(network, &mut host, None)?;
        let lowered = &prepared.lowered;
        let changes = vnet_host::plan(&host, &self.store, &lowered.name, &lowered.desired)?;
        Ok(prepared.planned(changes))
    }
}
