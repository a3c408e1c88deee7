//! A guest's interface for a hypervisor that is a Rust program: the files of its tap, for as long as a value lives.

use std::num::NonZeroU16;
use std::os::fd::OwnedFd;

use vnet_netlink::Tap;
use vnet_plan::LoweredPort;
use vnet_types::KnownPort;

use crate::{Error, LinuxHost, Lock, Namespace, PortHeader, Store, apply, detach};

/// A guest's interface that is attached. It is detached when this is dropped.
///
/// Calls block, for milliseconds. They are made, and the value is dropped, in a thread that is in the network namespace
/// of the host that they are about.
#[derive(Debug)]
pub struct Attachment {
    store: Store,
    namespace: Namespace,
    port: KnownPort,
    queues: Vec<OwnedFd>,
}

impl Attachment {
    /// Attaches an interface, or takes over the port that is there already, and opens it.
    ///
    /// # Errors
    /// Those of [`apply`](fn@crate::apply); [`Error::Netlink`] where the device cannot be opened: then it is detached
    /// again. [`Error::missing_capability`] says which privilege was missing.
    pub fn new(host: &mut LinuxHost, lock: &Lock, lowered: &LoweredPort) -> Result<Self, Error> {
        let namespace = LinuxHost::namespace()?;
        let port = lowered.port.clone();
        let there = lock.store().port_receipt(&port.dev)?.is_some();
        apply(host, lock, PortHeader { port: port.clone(), namespace, owner: None }, &lowered.desired)?;
        let queues = NonZeroU16::new(port.queues).unwrap_or(NonZeroU16::MIN);
        let opened = match (port.function, &port.lower) {
            (Some(_), _) => Ok(Vec::new()),
            (None, Some(_)) => Tap::open_macvtap(&port.dev, port.vnet_hdr, queues).map(Tap::into_queues),
            (None, None) => Tap::open(&port.dev, queues).map(Tap::into_queues),
        };
        match opened {
            Ok(queues) => Ok(Self { store: lock.store().clone(), namespace, port, queues }),
            Err(error) => {
                if !there {
                    // Why it cannot be opened is the news.
                    let _ = detach(host, lock, &port.dev, namespace);
                }
                Err(error.into())
            }
        }
    }

    /// What it is: its device on the host, and the guest's MAC address.
    pub fn port(&self) -> &KnownPort {
        &self.port
    }

    /// Its files, one for each queue: a read is a frame from the network, a write is one from the guest. None, where
    /// the guest has a device for itself.
    pub fn queues(&self) -> &[OwnedFd] {
        &self.queues
    }

    /// Detaches it, and says where that fails.
    ///
    /// # Errors
    /// Those of [`detach`](fn@crate::detach).
    pub fn detach(mut self) -> Result<(), Error> {
        self.take_away()
    }

    fn take_away(&mut self) -> Result<(), Error> {
        self.queues.clear();
        let lock = self.store.lock()?;
        match detach(&mut LinuxHost::open()?, &lock, &self.port.dev, self.namespace) {
            // Its network was stopped meanwhile, or somebody has detached it.
            Err(Error::Absent(_)) => Ok(()),
            result => result.map(drop),
        }
    }
}

impl Drop for Attachment {
    /// What cannot be taken away stays in the receipt, for `vnet detach`.
    fn drop(&mut self) {
        let _ = self.take_away();
    }
}
