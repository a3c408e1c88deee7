//! A guest at the end of its cable.

use std::io;
use std::net::{IpAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use vnet_lab::Namespace;
use vnet_types::{Address, Family, InterfaceName, IpNet, Route, RouteProtocol};

use super::route::{add_route, default_of};
use crate::error::{Failed, Result};

/// A guest at the end of a cable, on its bridge or behind its passt.
#[derive(Debug)]
pub(crate) struct Station {
    pub(crate) namespace: Namespace,
    pub(crate) device: InterfaceName,
    pub(crate) index: u32,
}

impl Station {
    /// Gives the station an address.
    pub(crate) fn add_address(&self, net: IpNet) -> Result<()> {
        let broadcast = match net {
            IpNet::V4(v4) => Some(v4.broadcast()),
            IpNet::V6(_) => None,
        };
        match self.namespace.netlink().add_address(&self.device, &Address { net, broadcast }) {
            Err(error) if !error.is_exists() => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Gives it an address of a network behind it.
    pub(crate) fn own(&self, address: IpAddr) -> Result<()> {
        let lo: InterfaceName = "lo".parse().expect("a name");
        Ok(self.namespace.netlink().add_address(&lo, &Address { net: IpNet::from(address), broadcast: None })?)
    }

    /// Sets the default route to a gateway, unless the station was told one.
    pub(crate) fn default_route(&self, gateway: IpAddr) -> Result<()> {
        match self.has_way(Family::of(gateway))? {
            true => Ok(()),
            false => add_route(self.namespace.netlink(), &self.device, default_of(gateway), gateway),
        }
    }

    /// Adds a route to an address on the link itself.
    pub(crate) fn on_link(&self, address: IpAddr) -> Result<()> {
        let (destination, link) = (IpNet::from(address), self.device.clone());
        let route = Route { destination, gateway: None, link, metric: 0, protocol: RouteProtocol::Boot };
        match self.namespace.netlink().add_route(&route) {
            Err(error) if !error.is_exists() => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Whether it is in a subnet.
    pub(crate) fn can_reach(&self, subnet: IpNet) -> Result<bool> {
        let addresses = self.namespace.netlink().addresses_of(&self.device)?;
        Ok(addresses.iter().any(|it| it.net.addr() != subnet.addr() && it.net.contains(&subnet.addr())))
    }

    /// Waits for a default route: an IPv6 router advertises itself later.
    pub(crate) fn wait_for_way(&self, family: Family, deadline: Instant) -> Result<()> {
        while !self.has_way(family)? && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Whether it has a default route.
    pub(crate) fn has_way(&self, family: Family) -> Result<bool> {
        let routes = self.namespace.netlink().routes()?;
        let is_default =
            |route: &Route| route.destination.prefix_len() == 0 && Family::of(route.destination.addr()) == family;
        Ok(routes.iter().any(is_default))
    }

    /// Waits for an address that the station forms from an advertised prefix.
    pub(crate) fn advertised(&self, net: IpNet, deadline: Instant) -> Result<Option<IpAddr>> {
        loop {
            let addresses = self.namespace.netlink().addresses_of(&self.device)?;
            match addresses.into_iter().find(|it| net.contains(&it.net.addr())) {
                Some(address) => return Ok(Some(address.net.addr())),
                None if Instant::now() > deadline => return Ok(None),
                None => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Waits until an address can be used.
    pub(crate) fn wait_usable(&self, address: IpAddr, deadline: Instant) -> Result<()> {
        wait_usable(&self.namespace, address, deadline)
    }
}

/// Waits until an address can be used. IPv6 addresses are tentative at first: the kernel would send
/// from another address, and refuses to bind to it.
pub(super) fn wait_usable(namespace: &Namespace, address: IpAddr, deadline: Instant) -> Result<()> {
    namespace.run(|| {
        loop {
            match UdpSocket::bind((address, 0)) {
                Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable && Instant::now() < deadline => {
                    thread::sleep(Duration::from_millis(1));
                }
                bound => {
                    return bound.map(drop).map_err(Failed::doing(format!("the address {address} cannot be used")));
                }
            }
        }
    })
}
