//! What attaching an interface, or applying it where it is attached, would change.

use vnet_xml::Interface;

use super::options::AttachOptions;
use super::outcome::PortOutcome;
use crate::driver::Driver;
use crate::error::Error;

impl Driver {
    /// What [`attach`](Self::attach) would do, or [`apply_port`](Self::apply_port) where the port
    /// is attached.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::Attach`]; [`Error::Host`] where something is in the way or the
    /// host cannot be read.
    pub fn plan_port(&self, interface: &Interface, options: &AttachOptions) -> Result<PortOutcome, Error> {
        let mut host = self.host()?;
        let prepared = self.prepare_port(interface, options, &mut host, None)?;
        let lowered = &prepared.lowered;
        let changes = vnet_host::plan(&host, &self.store, &lowered.port.dev, &lowered.desired)?;
        prepared.outcome(changes)
    }
}
