//! Attaching a guest's interface.

use vnet_xml::Interface;

use super::options::AttachOptions;
use super::outcome::PortOutcome;
use super::prepare::header;
use crate::driver::Driver;
use crate::error::Error;

impl Driver {
    /// Attaches a guest's interface: creates its tap or macvtap and connects it, or starts its
    /// passt. It stays attached until it is detached, whoever opens and closes the tap.
    ///
    /// # Errors
    /// [`Error::Refused`], even when the lock cannot be taken; [`Error::AlreadyAttached`];
    /// [`Error::Attach`]; [`Error::Hook`]; [`Error::Host`] when something is in the way, or when a
    /// step fails: then the steps before it are undone.
    pub fn attach(&self, interface: &Interface, options: &AttachOptions) -> Result<PortOutcome, Error> {
        let mut host = self.host()?;
        // Errors of the definition are reported even when the lock cannot be taken.
        let lock = self.lock();
        let prepared = self.prepare_port(interface, options, &mut host, lock.as_ref().ok())?;
        let lowered = &prepared.lowered;
        if prepared.receipt.is_some() {
            return Err(Error::AlreadyAttached(lowered.port.dev.clone()));
        }
        let (lock, dev) = (lock?, lowered.port.dev.clone());
        let header = header(lowered, None)?;
        let make = || Ok(vnet_host::start(&mut host, &lock, header, &lowered.desired)?);
        let made = self.with_port_hooks(lowered, make)?;
        let outcome = prepared.outcome(&host, made);
        if outcome.is_err() {
            // A port without a known device is of no use.
            self.detach_locked(&mut host, &lock, &dev)?;
        }
        outcome
    }
}
