//! Routes through a gateway.

use std::net::IpAddr;

use vnet_netlink::Netlink;
use vnet_types::{InterfaceName, IpNet, Ipv4Net, Ipv6Net, Route, RouteProtocol};

use crate::error::Result;

/// The destination of a default route.
pub(super) fn default_of(like: IpAddr) -> IpNet {
    match like {
        IpAddr::V4(_) => Ipv4Net::default().into(),
        IpAddr::V6(_) => Ipv6Net::default().into(),
    }
}

/// Adds a route through a gateway, where it is not there yet.
pub(super) fn add_route(netlink: &Netlink, link: &InterfaceName, destination: IpNet, gateway: IpAddr) -> Result<()> {
    let link = link.clone();
    let route = Route { destination, gateway: Some(gateway), link, metric: 0, protocol: RouteProtocol::Boot };
    match netlink.add_route(&route) {
        Err(error) if !error.is_exists() => Err(error.into()),
        _ => Ok(()),
    }
}
