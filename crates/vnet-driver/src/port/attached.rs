//! A port for a virtual machine monitor in Rust: the open files of its tap, as long as a value
//! lives.

use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use vnet_host::{LinuxHost, Lock, Owner};
use vnet_netlink::Tap;
use vnet_types::KnownPort;
use vnet_xml::Interface;

use super::options::AttachOptions;
use super::outcome::PortOutcome;
use super::prepare::{Prepared, header};
use crate::driver::Driver;
use crate::error::Error;

/// A guest's interface that is attached and open. Dropping it detaches it.
///
/// If this process is killed, the kernel removes the tap with its files, unless
/// [`AttachOptions::persistent`] is set. The next user of the state folder removes the rest.
///
/// Calls block for milliseconds. Make them, and drop the value, in a thread in the host's network
/// namespace.
#[derive(Debug)]
pub struct AttachedPort {
    driver: Driver,
    outcome: PortOutcome,
    queues: Vec<OwnedFd>,
    is_attached: bool,
    /// Keeps its network running until it is detached.
    _network: Option<Arc<dyn Send + Sync + std::fmt::Debug>>,
}

impl Driver {
    /// Attaches an interface, or takes over a port that is attached already, and opens it. On a
    /// network that OVN makes, it returns when OVN has connected the port.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::Attach`]; [`Error::Hook`]; [`Error::Ovn`]; [`Error::Denied`],
    /// [`Error::Host`] when the device cannot be opened: then it is detached again; [`Error::Host`]
    /// when something is in the way, or when a step fails: then the steps before it are undone.
    pub fn attach_open(&self, interface: &Interface, options: &AttachOptions) -> Result<AttachedPort, Error> {
        let mut host = self.host()?;
        let lock = self.lock();
        let (queues, outcome) = match self.ovn_of(interface)? {
            Some(network) => {
                let lock = lock?;
                let inventory = self.inventory(&mut host, Some(&lock), None)?;
                let new = self.prepare_on_ovn(network, interface, options, inventory)?;
                let make = |prepared, host: &mut LinuxHost| self.make_open(prepared, options, host, &lock);
                self.connect_on_ovn(new, &mut host, &lock, make)?
            }
            None => {
                self.look_near(&mut host);
                let prepared = self.prepare_port(interface, options, &mut host, lock.as_ref().ok())?;
                self.make_open(prepared, options, &mut host, &lock?)?
            }
        };
        Ok(AttachedPort { driver: self.clone(), outcome, queues, is_attached: true, _network: None })
    }

    /// Makes a port, or takes it over, and opens it.
    fn make_open(
        &self,
        prepared: Prepared,
        options: &AttachOptions,
        host: &mut LinuxHost,
        lock: &Lock,
    ) -> Result<(Vec<OwnedFd>, PortOutcome), Error> {
        let header = header(&prepared.lowered, Some(Owner::this()?))?;
        let was_there = prepared.receipt.is_some();
        let make = || Ok(vnet_host::apply(host, lock, header, &prepared.lowered.desired)?);
        let made = if was_there { make() } else { self.with_port_hooks(&prepared.lowered, make) }?;
        let dev = prepared.lowered.port.dev.clone();
        let opened = open(&prepared.lowered.port, options.persistent).map_err(Error::from);
        let opened = opened.and_then(|queues| Ok((queues, prepared.outcome(host, made)?)));
        if opened.is_err() && !was_there {
            // The first error is the one to report.
            let _ = self.detach_locked(host, lock, &dev);
        }
        opened
    }
}

impl AttachedPort {
    /// The port: its device on the host, and the guest's MAC address.
    pub fn port(&self) -> &KnownPort {
        &self.outcome.port
    }

    /// The result of attaching it.
    pub fn outcome(&self) -> &PortOutcome {
        &self.outcome
    }

    /// Its files, one for each queue: a read returns a frame from the network, a write sends one
    /// from the guest. Empty when the guest has a device for itself, or is behind passt.
    pub fn queues(&self) -> &[OwnedFd] {
        &self.queues
    }

    /// Detaches it, and returns the error.
    ///
    /// # Errors
    /// Those of [`Driver::detach`], except that a port that is gone is no error.
    pub fn detach(mut self) -> Result<(), Error> {
        self.take_away()
    }

    /// The same port, which keeps its network running.
    pub(crate) fn keeping(self, network: Arc<dyn Send + Sync + std::fmt::Debug>) -> Self {
        let mut this = self;
        this._network = Some(network);
        this
    }

    fn take_away(&mut self) -> Result<(), Error> {
        if !std::mem::take(&mut self.is_attached) {
            return Ok(());
        }
        self.queues.clear();
        match self.driver.detach(&self.outcome.port.dev) {
            // Its network was stopped meanwhile, or somebody else has detached it.
            Err(Error::NotAttached(_)) => Ok(()),
            result => result.map(drop),
        }
    }
}

impl Drop for AttachedPort {
    /// What cannot be removed stays in the receipt, for `vnet detach`.
    fn drop(&mut self) {
        let _ = self.take_away();
    }
}

fn open(port: &KnownPort, persistent: bool) -> Result<Vec<OwnedFd>, vnet_netlink::Error> {
    let queues = NonZeroU16::new(port.queues).unwrap_or(NonZeroU16::MIN);
    match (port.function, &port.lower) {
        (Some(_), _) => Ok(Vec::new()),
        (None, Some(_)) => Tap::open_macvtap(&port.dev, port.vnet_hdr, queues).map(Tap::into_queues),
        (None, None) => {
            let tap = Tap::open(&port.dev, queues)?;
            if port.managed {
                tap.persist(persistent)?;
            }
            Ok(tap.into_queues())
        }
    }
}
