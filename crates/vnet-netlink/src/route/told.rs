//! Routes as the kernel tells of them, for who keeps them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::{RouteHeader, RouteProtocol as Protocol};
use vnet_types::{InterfaceName, IpNet, Route};

use super::{HEADER, head, is_near, links_of, read};
use crate::address::ip;
use crate::message::{Message, attribute};
use crate::{Netlink, Refused};

const RTA_PREFSRC: u16 = 7;

/// A route of the main table as the kernel has told it.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    family: AddressFamily,
    net: IpNet,
    protocol: Protocol,
    /// The address of the host that packets get as their source. The route goes with it.
    pub(crate) source: Option<IpAddr>,
    bytes: Vec<u8>,
}

impl Told {
    /// The routes of the main table, or those through one link.
    pub(crate) fn all(netlink: &Netlink, link: Option<u32>) -> Result<Vec<Self>, Refused> {
        let mut all = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let told = |message: Message<'_>| {
                let (header, table, net) = head(message, family)?;
                let source = attribute(message.payload().get(HEADER..)?, RTA_PREFSRC).and_then(ip);
                let protocol = header.protocol;
                (table == u32::from(RouteHeader::RT_TABLE_MAIN)).then(|| Self {
                    family,
                    net,
                    protocol,
                    source,
                    bytes: message.0.to_vec(),
                })
            };
            all.extend(netlink.list(family, link, told)?);
        }
        Ok(all)
    }

    /// Whether [`Netlink::routes_near`] lists it.
    pub(crate) fn is_near(&self, nets: &[IpNet]) -> bool {
        is_near(self.net, self.protocol, nets)
    }

    /// The indexes of its links.
    pub(crate) fn links(&self) -> Vec<u32> {
        links_of(Message(&self.bytes))
    }

    /// The route through a link of this name.
    pub(crate) fn through(&self, index: u32, name: &InterfaceName) -> Vec<Route> {
        read(Message(&self.bytes), self.family, &BTreeMap::from([(index, name)])).unwrap_or_default()
    }
}
