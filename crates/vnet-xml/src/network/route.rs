//! `<route>`: a static route of the host through a guest.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vnet_types::{Family, IpNet};

use super::ip::{Mask, family, mask_attribute, net, say_the_same};
use crate::Libvirt;
use crate::element::Element;
use crate::grammar::Grammar;
use crate::value::{ip, ipv4, number};
use crate::write::Writer;

/// `<route>`: a static route of the host through a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Route {
    /// `family`, as written; IPv4 if absent.
    pub family: Option<Family>,
    /// `address`: the destination network's address; absent in a default route. Since libvirt 12.8.
    pub address: Option<IpAddr>,
    /// `netmask` or `prefix`, as written.
    pub mask: Option<Mask>,
    /// `gateway`: an address in one of the network's own subnets.
    pub gateway: IpAddr,
    /// `metric`: the kernel prefers the route with the smaller one; 1 if absent.
    pub metric: Option<u32>,
}

impl Route {
    /// A route to `destination` through `gateway`.
    pub fn new(destination: IpNet, gateway: IpAddr) -> Self {
        Self {
            family: gateway.is_ipv6().then_some(Family::Ipv6),
            address: Some(destination.addr()),
            mask: Some(Mask::Prefix(destination.prefix_len().into())),
            gateway,
            metric: None,
        }
    }

    /// The effective metric: 1 if none is written.
    pub fn effective_metric(&self) -> u32 {
        self.metric.unwrap_or(1)
    }

    /// The destination network. `None` if [`Route::net`] is `None` or has host bits.
    pub fn destination(&self) -> Option<IpNet> {
        self.net().filter(|net| net.trunc() == *net)
    }

    /// The destination with its effective prefix, as in [`Ip::net`](super::Ip::net), except that an
    /// explicit `prefix='0'` counts. Without an address it is the default route.
    pub fn net(&self) -> Option<IpNet> {
        match (self.address, self.mask) {
            (None, _) => IpNet::new(self.anything(), 0).ok(),
            (Some(address), Some(Mask::Prefix(0))) => IpNet::new(address, 0).ok(),
            (Some(address), mask) => net(address, mask),
        }
    }

    /// The destination address of a default route.
    fn anything(&self) -> IpAddr {
        match self.gateway {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        }
    }
}

pub(crate) static GRAMMAR: Grammar =
    Grammar::new(&["family", "address", "netmask", "prefix", "gateway", "metric"], &[]);

pub(crate) fn route(element: &Element<'_>) -> Option<Route> {
    element.expect(&GRAMMAR);
    let family = element.value("family", family);
    let netmask = element.value("netmask", ipv4).map(Mask::Netmask);
    let prefix = element.value("prefix", number).map(Mask::Prefix);
    if element.has("netmask") && element.has("prefix") {
        let help = "both say how large the network is: leave one of them out";
        element.exclude("netmask", "prefix", help, say_the_same(netmask, prefix));
    }
    let metric = element.value("metric", |text| match number(text) {
        Ok(0) | Err(_) => Err("a whole number of at most 32 bits, and not 0".to_owned()),
        Ok(metric) => Ok(metric),
    });
    let (address, gateway) = (element.value("address", ip), element.required("gateway", ip));
    let mask = netmask.or(prefix);
    if !element.has("address") && !matches!(mask, None | Some(Mask::Prefix(0) | Mask::Netmask(Ipv4Addr::UNSPECIFIED))) {
        let name = if netmask.is_some() { "netmask" } else { "prefix" };
        element.misplaced(name, format!("a route without `address` leads everywhere: its `{name}` can only be 0"));
        return None;
    }
    if element.has("address") && address.is_none() {
        return None;
    }
    Some(Route { family, address, mask, gateway: gateway?, metric })
}

impl Route {
    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        // libvirt 11 cannot read a route without a destination.
        let (address, mask) = match (self.address, writer.libvirt()) {
            (None, Libvirt::V11) => (Some(self.anything()), self.mask.or(Some(Mask::Prefix(0)))),
            written => (written.0, self.mask),
        };
        let tag = writer.tag("route")?.optional("family", self.family)?.optional("address", address)?;
        let tag = mask_attribute(tag, mask)?.attribute("gateway", self.gateway)?;
        tag.optional("metric", self.metric)?.empty()
    }
}
