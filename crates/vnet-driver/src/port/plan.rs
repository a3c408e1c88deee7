//! The changes that attaching or applying an interface would make.

use vnet_types::KnownPort;
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
        self.plan_port_beside(interface, options, &[])
    }

    /// The changes of [`attach_all`](Self::attach_all).
    ///
    /// # Errors
    /// Those of [`plan_port`](Self::plan_port), in [`Error::OneOfSeveral`] if there are several
    /// interfaces.
    pub fn plan_all(&self, interfaces: &[&Interface], options: &AttachOptions) -> Result<Vec<PortOutcome>, Error> {
        let mut planned: Vec<PortOutcome> = Vec::new();
        for (index, interface) in interfaces.iter().enumerate() {
            let others: Vec<_> = planned.iter().map(|it| it.port.clone()).collect();
            let outcome = self.plan_port_beside(interface, options, &others);
            planned.push(outcome.map_err(|error| match interfaces.len() {
                1 => error,
                _ => Error::OneOfSeveral { index, left: Vec::new(), source: Box::new(error) },
            })?);
        }
        Ok(planned)
    }

    /// A plan for a host where other ports are attached, too.
    fn plan_port_beside(
        &self,
        interface: &Interface,
        options: &AttachOptions,
        others: &[KnownPort],
    ) -> Result<PortOutcome, Error> {
        let mut host = self.host()?;
        let mut inventory = self.inventory(&mut host, None, None)?;
        inventory.ports.extend_from_slice(others);
        let prepared = self.prepare_port_on(interface, options, inventory)?;
        let lowered = &prepared.lowered;
        let changes = vnet_host::plan(&host, &self.store, &lowered.port.dev, &lowered.desired)?;
        prepared.outcome(&host, changes)
    }
}
