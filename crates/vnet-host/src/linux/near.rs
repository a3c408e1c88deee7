//! The addresses and routes that are near to a definition.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use vnet_netlink::{Nearby, Netlink};
use vnet_types::{Address, InterfaceName, IpNet, Route};

use super::LinuxHost;
use crate::{Error, Host, Namespace};

/// The addresses and routes of a network namespace, for a program that makes many calls: the first
/// lists them, and listens to what the kernel tells from then on. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct SharedLists(Arc<Mutex<Option<(Namespace, vnet_netlink::KeptLists)>>>);

type Addresses = Vec<(InterfaceName, Address)>;

/// A thread that lists the addresses that are near to some subnets.
pub(super) struct Ahead {
    nets: Vec<IpNet>,
    lists: JoinHandle<Result<Addresses, vnet_netlink::Error>>,
}

impl LinuxHost {
    /// Asks these lists for what is near, and not the kernel.
    #[must_use]
    pub fn with_lists(mut self, lists: &SharedLists) -> Self {
        self.lists = Some(lists.clone());
        self
    }

    /// Begins to list the addresses that are near, for who asks for them soon and has something
    /// else to do. The kernel's lists take long where there are many links.
    pub(super) fn list_ahead(&self, nets: &[IpNet]) {
        if self.lists.is_none() && !nets.is_empty() {
            let its = nets.to_vec();
            let list = thread::Builder::new().spawn(move || Netlink::open()?.addresses_near(&its));
            self.ahead.replace(list.ok().map(|lists| Ahead { nets: nets.to_vec(), lists }));
        }
    }

    /// The addresses and routes that are near to one of these subnets.
    pub(super) fn near_to(&self, nets: &[IpNet]) -> Result<(Addresses, Vec<Route>), Error> {
        if nets.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        if let Some(SharedLists(shared)) = &self.lists {
            let here = self.namespace()?;
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = match shared.take().filter(|(of, _)| *of == here) {
                Some((_, kept)) => kept,
                None => vnet_netlink::KeptLists::open()?,
            };
            let Nearby { addresses, routes, .. } = shared.insert((here, kept)).1.near(&self.netlink, nets)?;
            return Ok((addresses, routes));
        }
        let ahead = self.ahead.take().filter(|ahead| ahead.nets == nets);
        let routes = self.netlink.routes_near(nets)?;
        let listed = ahead.and_then(|ahead| ahead.lists.join().ok());
        Ok((listed.unwrap_or_else(|| self.netlink.addresses_near(nets))?, routes))
    }
}
