//! A port for a virtual machine monitor that is a Rust program: the files of its tap, for as long
//! as a value lives.

use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use vnet_host::{LinuxHost, Owner};
use vnet_netlink::Tap;
use vnet_types::KnownPort;
use vnet_xml::Interface;

use super::options::AttachOptions;
use super::outcome::PortOutcome;
use super::prepare::header;
use crate::driver::Driver;
use crate::error::Error;

/// A guest's interface that is attached and open. It is detached when this is dropped.
///
/// Where this process is killed, its tap goes with its files, unless [`AttachOptions::persistent`]
/// is set. The rest is taken away by whoever uses the state folder next.
///
/// Calls block, for milliseconds. They are made, and the value is dropped, in a thread that is in
/// the network namespace of the host that they are about.
#[derive(Debug)]
pub struct AttachedPort {
    driver: Driver,
    outcome: PortOutcome,
    queues: Vec<OwnedFd>,
    is_attached: bool,
    /// Keeps its network up until it is detached.
    _network: Option<Arc<dyn Send + Sync + std::fmt::Debug>>,
}

impl Driver {
    /// Attaches an interface, or takes over the port that is there already, and opens it.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::Attach`]; [`Error::Denied`], [`Error::Host`] where the device
    /// cannot be opened: then it is detached again; [`Error::Host`] where something is in the way,
    /// or a step fails: then the steps before it are undone.
    pub fn attach_open(&self, interface: &Interface, options: &AttachOptions) -> Result<AttachedPort, Error> {
        let mut host = self.host()?;
        let lock = self.lock();
        let prepared = self.prepare_port(interface, options, &mut host, lock.as_ref().ok())?;
        let lock = lock?;
        let header = header(&prepared.lowered, Some(Owner::this()?))?;
        let made = vnet_host::apply(&mut host, &lock, header, &prepared.lowered.desired)?;
        let was_there = prepared.receipt.is_some();
        let dev = prepared.lowered.port.dev.clone();
        let opened = open(&prepared.lowered.port, options.persistent).map_err(Error::from);
        let opened = opened.and_then(|queues| Ok((queues, prepared.outcome(made)?)));
        if opened.is_err() && !was_there {
            // Why it cannot be opened is the news.
            let _ = vnet_host::detach(&mut host, &lock, &dev, LinuxHost::namespace()?);
        }
        let (queues, outcome) = opened?;
        Ok(AttachedPort { driver: self.clone(), outcome, queues, is_attached: true, _network: None })
    }
}

impl AttachedPort {
    /// What it is: its device on the host, and the guest's MAC address.
    pub fn port(&self) -> &KnownPort {
        &self.outcome.port
    }

    /// What came of attaching it.
    pub fn outcome(&self) -> &PortOutcome {
        &self.outcome
    }

    /// Its files, one for each queue: a read is a frame from the network, a write is one from the
    /// guest. There is none where the guest has a device for itself, or is behind passt.
    pub fn queues(&self) -> &[OwnedFd] {
        &self.queues
    }

    /// Detaches it, and says where that fails.
    ///
    /// # Errors
    /// Those of [`Driver::detach`], but for a port that is gone.
    pub fn detach(mut self) -> Result<(), Error> {
        self.take_away()
    }

    /// The same port, which keeps its network up.
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
            // Its network was stopped meanwhile, or somebody has detached it.
            Err(Error::NotAttached(_)) => Ok(()),
            result => result.map(drop),
        }
    }
}

impl Drop for AttachedPort {
    /// What cannot be taken away stays in the receipt, for `vnet detach`.
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
