//! Changing a port that is attached.

use vnet_xml::Interface;

use super::options::AttachOptions;
use super::outcome::PortOutcome;
use super::prepare::header;
use crate::driver::Driver;
use crate::error::Error;

impl Driver {
    /// Brings an attached port to the interface's definition, in place: changes it, repairs it.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::NoPort`] when it is not attached; [`Error::Attach`];
    /// [`Error::Host`] when something is in the way, or when a step fails: then the steps before it
    /// are undone.
    pub fn apply_port(&self, interface: &Interface, options: &AttachOptions) -> Result<PortOutcome, Error> {
        let mut host = self.host()?;
        let lock = self.lock();
        let prepared = self.prepare_port(interface, options, &mut host, lock.as_ref().ok())?;
        let Some(receipt) = &prepared.receipt else { return Err(Error::NoPort) };
        let owner = receipt.header.owner;
        let made = vnet_host::apply(&mut host, &lock?, header(&prepared.lowered, owner)?, &prepared.lowered.desired)?;
        prepared.outcome(&host, made)
    }
}
