//! Attaching a guest's interface.

use vnet_host::{LinuxHost, Lock};
use vnet_plan::{Change, Resource};
use vnet_types::{Inventory, Link};
use vnet_xml::Interface;

use super::options::AttachOptions;
use super::outcome::PortOutcome;
use super::prepare::{Prepared, header};
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
        self.look_near(&mut host);
        if let Some(network) = self.ovn_of(interface)? {
            let lock = lock?;
            let inventory = self.inventory(&mut host, Some(&lock), None)?;
            return self.attach_to_ovn(network, interface, options, inventory, &mut host, &lock);
        }
        let prepared = self.prepare_port(interface, options, &mut host, lock.as_ref().ok())?;
        self.attach_prepared(prepared, &mut host, &lock?)
    }

    /// Attaches several interfaces of a guest, or none.
    ///
    /// # Errors
    /// Those of [`attach`](Self::attach), in [`Error::OneOfSeveral`] if there are several
    /// interfaces: then those before it are detached again.
    pub fn attach_all(&self, interfaces: &[&Interface], options: &AttachOptions) -> Result<Vec<PortOutcome>, Error> {
        if let [interface] = interfaces {
            return Ok(vec![self.attach(interface, options)?]);
        }
        let mut host = self.host()?;
        let lock = self.lock()?;
        let mut inventory = self.inventory(&mut host, Some(&lock), None)?;
        let mut attached: Vec<PortOutcome> = Vec::new();
        for (index, interface) in interfaces.iter().enumerate() {
            match self.attach_one(interface, options, inventory.clone(), &mut host, &lock) {
                Ok(outcome) => {
                    // The next one is decided on beside this one.
                    inventory.ports.push(outcome.port.clone());
                    inventory.links.extend(outcome.changes.iter().filter_map(made_link));
                    attached.push(outcome);
                }
                Err(error) => {
                    let left = attached.iter().rev().map(|it| it.port.dev.clone());
                    let left = left.filter(|dev| self.detach_locked(&mut host, &lock, dev).is_err()).collect();
                    return Err(Error::OneOfSeveral { index, left, source: Box::new(error) });
                }
            }
        }
        Ok(attached)
    }

    /// Looks each link up once until something is changed, which hooks do as they like.
    pub(super) fn look_near(&self, host: &mut LinuxHost) {
        if !self.has_hooks() {
            host.look_near();
        }
    }

    fn attach_one(
        &self,
        interface: &Interface,
        options: &AttachOptions,
        inventory: Inventory,
        host: &mut LinuxHost,
        lock: &Lock,
    ) -> Result<PortOutcome, Error> {
        match self.ovn_of(interface)? {
            Some(network) => self.attach_to_ovn(network, interface, options, inventory, host, lock),
            None => self.attach_prepared(self.prepare_port_on(interface, options, inventory)?, host, lock),
        }
    }

    pub(crate) fn attach_prepared(
        &self,
        prepared: Prepared,
        host: &mut LinuxHost,
        lock: &Lock,
    ) -> Result<PortOutcome, Error> {
        let lowered = &prepared.lowered;
        let dev = lowered.port.dev.clone();
        if prepared.receipt.is_some() {
            return Err(Error::AlreadyAttached(dev));
        }
        let header = header(lowered, None)?;
        let make = || Ok(vnet_host::start(host, lock, header, &lowered.desired)?);
        let made = self.with_port_hooks(lowered, make)?;
        let outcome = prepared.outcome(host, made);
        if outcome.is_err() {
            // A port without a known device is of no use.
            self.detach_locked(host, lock, &dev)?;
        }
        outcome
    }
}

/// The link that a change has made.
fn made_link(change: &Change) -> Option<Link> {
    match change {
        Change::Create { to: Resource::Link(link) } => Some(link.clone()),
        _ => None,
    }
}
