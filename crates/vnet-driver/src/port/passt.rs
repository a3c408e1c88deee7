//! Starts a guest's passt.

use vnet_xml::Interface;

use super::list::passt_process;
use super::options::AttachOptions;
use super::outcome::PortOutcome;
use super::prepare::{header, passt};
use crate::driver::Driver;
use crate::error::Error;

impl Driver {
    /// Starts the passt of a guest's interface: attaches it, or restarts the passt of an attached
    /// port that has ended.
    ///
    /// # Errors
    /// [`Error::Refused`], even when the lock cannot be taken; [`Error::NotPasst`];
    /// [`Error::PasstRuns`]; [`Error::Host`] when it does not start.
    pub fn run_passt(&self, interface: &Interface, options: &AttachOptions) -> Result<PortOutcome, Error> {
        let mut host = self.host()?;
        let lock = self.lock();
        let prepared = self.prepare_port(interface, options, &mut host, lock.as_ref().ok())?;
        let lowered = &prepared.lowered;
        let passt = passt(&lowered.desired).ok_or(Error::NotPasst)?;
        if let Some(running) = passt_process(passt) {
            let guest = lowered.port.guest.clone().unwrap_or_default();
            return Err(Error::PasstRuns { guest, pid: running.pid() });
        }
        let (lock, owner) = (lock?, prepared.receipt.as_ref().and_then(|receipt| receipt.header.owner));
        let made = match prepared.receipt.is_some() {
            true => vnet_host::apply(&mut host, &lock, header(lowered, owner)?, &lowered.desired)?,
            false => vnet_host::start(&mut host, &lock, header(lowered, None)?, &lowered.desired)?,
        };
        prepared.outcome(&host, made)
    }
}
