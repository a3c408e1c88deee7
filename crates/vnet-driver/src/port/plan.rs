//! The changes that attaching or applying an interface would make.

use vnet_xml::Interface;

use super::options::AttachOptions;
use super::outcome::PortOutcome;
use crate::driver::Driver;
use crate::error::Error;

impl Driver {
    /// The changes of [`attach`](Self::attach), or of [`apply_port`](Self::apply_port) when the
    /// port is attached.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::Attach`]; [`Error::Host`] when something is in the way or the
    /// host cannot be read.
    pub fn plan_port(&self, interface: &Interface, options: &AttachOptions) -> Result<PortOutcome, Error> {
        let mut host = self.host()?;
        let prepared = self.prepare_port(interface, options, &mut host, None)?;
        let lowered = &prepared.lowered;
        let changes = vnet_host::plan(&host, &self.store, &lowered.port.dev, &lowered.desired)?;
        prepared.outcome(&host, changes)
    }
}
