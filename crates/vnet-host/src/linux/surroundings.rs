//! The addresses and routes that are near to a definition.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use vnet_netlink::{Nearby, Netlink};
use vnet_types::IpNet;

use super::LinuxHost;
use crate::{Error, Host, Namespace};

/// The addresses and routes of a network namespace, for a program that makes many calls: the first
/// lists them, and listens to what the kernel tells from then on. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct SharedSurroundings(Arc<Mutex<Option<(Namespace, vnet_netlink::Surroundings)>>>);

/// A thread that lists what is near to some subnets.
pub(super) struct Ahead {
    nets: Vec<IpNet>,
    lists: JoinHandle<Result<Nearby, vnet_netlink::Error>>,
}

impl LinuxHost {
    /// Asks these for what is near, and not the kernel's lists.
    #[must_use]
    pub fn among(mut self, surroundings: &SharedSurroundings) -> Self {
        self.surroundings = Some(surroundings.clone());
        self
    }

    /// Begins to list what is near, for who asks for it soon and has something else to do. The
    /// kernel's lists take long where there are many links.
    pub(super) fn list_ahead(&self, nets: &[IpNet]) {
        if self.surroundings.is_none() {
            let its = nets.to_vec();
            let list = thread::Builder::new().spawn(move || Netlink::open()?.near(&its));
            self.ahead.replace(list.ok().map(|lists| Ahead { nets: nets.to_vec(), lists }));
        }
    }

    /// The addresses and routes that are near to one of these subnets.
    pub(super) fn near_to(&self, nets: &[IpNet]) -> Result<Nearby, Error> {
        if let Some(SharedSurroundings(shared)) = &self.surroundings {
            let here = self.namespace()?;
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = match shared.take().filter(|(of, _)| *of == here) {
                Some((_, kept)) => kept,
                None => vnet_netlink::Surroundings::open()?,
            };
            return Ok(shared.insert((here, kept)).1.near(&self.netlink, nets)?);
        }
        let ahead = self.ahead.take().filter(|ahead| ahead.nets == nets);
        let listed = ahead.and_then(|ahead| ahead.lists.join().ok());
        Ok(listed.unwrap_or_else(|| self.netlink.near(nets))?)
    }
}
