//! Unicast routes (rtnetlink(7), `linux/rtnetlink.h`): those of the main table, and what others
//! have.

mod told;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_route::route::{
    RouteAttribute, RouteHeader, RouteMessage, RouteProtocol as Protocol, RouteScope, RouteType, RouteVia,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::libc::ESRCH;
use rtnetlink::RouteMessageBuilder;
use vnet_types::{Family, InterfaceName, IpNet, ReservedSubnet, Route, RouteProtocol, SubnetHolder};

pub(crate) use told::Told;

use crate::address::{families, family, ip, overlaps};
use crate::link::names;
use crate::message::{Message, attribute, number32};
use crate::{Error, Intent, KernelLink, Netlink, Operation, Refused};

/// Length of `struct rtmsg`.
const HEADER: usize = 12;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_MULTIPATH: u16 = 9;
const RTA_TABLE: u16 = 15;
const RTA_VIA: u16 = 18;
/// The table of the host's own addresses (`RT_TABLE_LOCAL`).
const LOCAL: u32 = 255;

impl Netlink {
    /// Lists the unicast routes of the main table, both families. A route with several next hops is
    /// listed once for each.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn routes(&self) -> Result<Vec<Route>, Error> {
        self.routes_among(&self.links()?)
    }

    /// The same for a caller that has just listed the [`links`](Self::links).
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn routes_among(&self, links: &[KernelLink]) -> Result<Vec<Route>, Error> {
        self.tables(None, &names(links)).map_err(Operation::List.of("routes"))
    }

    /// Lists the default routes of [`Netlink::routes`]. The cost hardly grows with the number of
    /// links and of other routes.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn default_routes(&self) -> Result<Vec<Route>, Error> {
        let list = || {
            let mut routes = Vec::new();
            for family in [AddressFamily::Inet, AddressFamily::Inet6] {
                // The second byte of `struct rtmsg` is the length of the destination's prefix.
                routes.extend(self.some(family, |it| it.payload().get(1) == Some(&0))?);
            }
            Ok(routes)
        };
        list().map_err(Operation::List.of("default routes"))
    }

    /// Lists those of [`Netlink::routes`] that overlap one of these subnets, as default routes do,
    /// and the IPv6 routes that a router has advertised. The cost hardly grows with the number of
    /// links and of other routes. Families of which no subnet is are left out.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn routes_near(&self, nets: &[IpNet]) -> Result<Vec<Route>, Error> {
        let list = || {
            let mut routes = Vec::new();
            for family in families(nets) {
                let is_near = |it: Message<'_>| {
                    let (header, _, net) = head(it, family)?;
                    Some(is_near(net, header.protocol, nets))
                };
                routes.extend(self.some(family, |it| is_near(it) == Some(true))?);
            }
            Ok(routes)
        };
        list().map_err(Operation::List.of("routes"))
    }

    /// Some routes of the main table. Only the links of these are looked up.
    fn some(
        &self,
        family: AddressFamily,
        mut is_wanted: impl FnMut(Message<'_>) -> bool,
    ) -> Result<Vec<Route>, Refused> {
        let listed = self.list(family, None, |it| is_wanted(it).then(|| it.0.to_vec()))?;
        let mut routes = Vec::new();
        for message in listed.iter().map(|bytes| Message(bytes)) {
            let mut known = BTreeMap::new();
            for index in links_of(message) {
                known.extend(self.name(index).ok().map(|name| (index, name)));
            }
            let names = known.iter().map(|(index, name)| (*index, name)).collect();
            routes.extend(read(message, family, &names).into_iter().flatten());
        }
        Ok(routes)
    }

    /// Lists the routes of [`Netlink::routes`] through one link. A link that does not exist has
    /// none.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn routes_of(&self, link: &InterfaceName) -> Result<Vec<Route>, Error> {
        let list = || {
            let index = self.index(link)?;
            self.tables(Some(index), &BTreeMap::from([(index, link)]))
        };
        match list() {
            Err(refused) if refused.is_not_found() => Ok(Vec::new()),
            listed => listed.map_err(Operation::List.of(format_args!("routes of {link}"))),
        }
    }

    /// Lists the subnets that tables other than the main one have unicast routes to, such as those
    /// of a VPN. Default routes are left out.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn subnets_of_other_tables(&self) -> Result<Vec<ReservedSubnet>, Error> {
        let links = self.links()?;
        let names = names(&links);
        let list = || {
            let mut subnets = Vec::new();
            for family in [AddressFamily::Inet, AddressFamily::Inet6] {
                let mut listed =
                    self.list_table(RouteHeader::RT_TABLE_UNSPEC, family, None, |it| elsewhere(it, family, &names))?;
                subnets.append(&mut listed);
            }
            Ok(subnets)
        };
        list().map_err(Operation::List.of("routes of all tables"))
    }

    /// Adds a route, unless one with its destination and metric exists. An IPv6 route without a
    /// metric gets 1024.
    ///
    /// # Errors
    /// The kernel's refusal: [`Error::is_exists`], with the conflicting route;
    /// [`Error::is_not_found`] when there is no such link; `ENETUNREACH` when the kernel has no
    /// route to the gateway; `EINVAL` when the destination has host bits.
    pub fn add_route(&self, route: &Route) -> Result<(), Error> {
        let add = || self.command(RouteNetlinkMessage::NewRoute(self.route(route, Intent::Create)?), Intent::Create);
        add().map_err(|refused| {
            let existing = refused.is_exists().then(|| self.existing(route)).flatten().map(Box::new);
            Error { existing, ..Operation::Add.of(format_args!("route {route}"))(refused) }
        })
    }

    /// Deletes exactly this route.
    ///
    /// # Errors
    /// The kernel's refusal: [`Error::is_not_found`] when it is gone already, or its link is.
    pub fn delete_route(&self, route: &Route) -> Result<(), Error> {
        let refuse = |refused| Operation::Delete.of(format_args!("route {route}"))(refused);
        // For IPv4 the kernel takes metric 0 as any metric, and would delete somebody else's route.
        if metric(route) == 0 && !self.routes()?.contains(route) {
            return Err(refuse(Refused::from_errno(ESRCH)));
        }
        let message = self.route(route, Intent::Existing).map_err(refuse)?;
        self.command(RouteNetlinkMessage::DelRoute(message), Intent::Existing).map_err(refuse)
    }

    /// The routes of both families, through one link or through all.
    fn tables(&self, link: Option<u32>, names: &BTreeMap<u32, &InterfaceName>) -> Result<Vec<Route>, Refused> {
        let mut routes = self.table(AddressFamily::Inet, link, names)?;
        routes.extend(self.table(AddressFamily::Inet6, link, names)?);
        Ok(routes)
    }

    fn table(
        &self,
        family: AddressFamily,
        link: Option<u32>,
        names: &BTreeMap<u32, &InterfaceName>,
    ) -> Result<Vec<Route>, Refused> {
        Ok(self.list(family, link, |it| read(it, family, names))?.into_iter().flatten().collect())
    }

    fn list<T>(
        &self,
        family: AddressFamily,
        link: Option<u32>,
        read: impl FnMut(Message<'_>) -> Option<T>,
    ) -> Result<Vec<T>, Refused> {
        self.list_table(RouteHeader::RT_TABLE_MAIN, family, link, read)
    }

    /// The same of another table, or of all of them.
    fn list_table<T>(
        &self,
        table: u8,
        family: AddressFamily,
        link: Option<u32>,
        read: impl FnMut(Message<'_>) -> Option<T>,
    ) -> Result<Vec<T>, Refused> {
        let mut request = RouteMessage::default();
        request.attributes.extend(link.map(RouteAttribute::Oif));
        request.header.address_family = family;
        request.header.table = table;
        request.header.kind = RouteType::Unicast;
        match self.request(RouteNetlinkMessage::GetRoute(request), Intent::List, read) {
            // The kernel creates the table with its first route.
            Err(refused) if refused.is_not_found() => Ok(Vec::new()),
            listed => listed,
        }
    }

    /// The route that conflicts with another: the kernel identifies routes by destination and
    /// metric.
    fn existing(&self, route: &Route) -> Option<Route> {
        let same = |it: &Route| it.destination == route.destination && it.metric == metric(route);
        self.routes().ok()?.into_iter().find(same)
    }

    fn route(&self, route: &Route, intent: Intent) -> Result<RouteMessage, Refused> {
        let net = route.destination;
        let mut message = RouteMessageBuilder::<IpAddr>::new()
            .output_interface(self.index(&route.link)?)
            .priority(metric(route))
            .protocol(protocol(route.protocol))
            .build();
        message.header.address_family = family(net.addr());
        message.header.destination_prefix_length = net.prefix_len();
        message.attributes.push(RouteAttribute::Destination(net.addr().into()));
        message.header.scope = match (intent, route.gateway) {
            (Intent::Create, Some(_)) => RouteScope::Universe,
            (Intent::Create, None) => RouteScope::Link,
            // Any scope.
            (Intent::Existing | Intent::List, _) => RouteScope::NoWhere,
        };
        message.attributes.extend(route.gateway.map(|gateway| match (net, gateway) {
            (IpNet::V4(_), IpAddr::V6(gateway)) => RouteAttribute::Via(RouteVia::Inet6(gateway)),
            _ => RouteAttribute::Gateway(gateway.into()),
        }));
        Ok(message)
    }
}

/// The metric as the kernel keeps it.
fn metric(route: &Route) -> u32 {
    match (Family::of(route.destination.addr()), route.metric) {
        (Family::Ipv6, 0) => 1024,
        (_, metric) => metric,
    }
}

fn protocol(protocol: RouteProtocol) -> Protocol {
    match protocol {
        RouteProtocol::Kernel => Protocol::Kernel,
        RouteProtocol::Boot => Protocol::Boot,
        RouteProtocol::Static => Protocol::Static,
        RouteProtocol::Ra => Protocol::Ra,
        RouteProtocol::Dhcp => Protocol::Dhcp,
        RouteProtocol::Other(number) => number.into(),
    }
}

fn read_protocol(protocol: Protocol) -> RouteProtocol {
    match protocol {
        Protocol::Kernel => RouteProtocol::Kernel,
        Protocol::Boot => RouteProtocol::Boot,
        Protocol::Static => RouteProtocol::Static,
        Protocol::Ra => RouteProtocol::Ra,
        Protocol::Dhcp => RouteProtocol::Dhcp,
        other => RouteProtocol::Other(other.into()),
    }
}

/// The header, the table and the destination of a unicast route.
fn head(message: Message<'_>, family: AddressFamily) -> Option<(RouteHeader, u32, IpNet)> {
    let header = RouteHeader::parse(message.payload()).ok()?;
    if header.address_family != family || header.kind != RouteType::Unicast {
        return None;
    }
    let attributes = message.payload().get(HEADER..)?;
    let table = attribute(attributes, RTA_TABLE).and_then(number32).unwrap_or(header.table.into());
    let anywhere = match family {
        AddressFamily::Inet => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        _ => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let destination = attribute(attributes, RTA_DST).map_or(Some(anywhere), ip)?;
    let destination = IpNet::new(destination, header.destination_prefix_length).ok()?;
    Some((header, table, destination))
}

/// Reads the destination of a route that is not in the main table. The kernel's table `local` has
/// unicast routes of the host's own addresses.
fn elsewhere(
    message: Message<'_>,
    family: AddressFamily,
    names: &BTreeMap<u32, &InterfaceName>,
) -> Option<ReservedSubnet> {
    let (_, table, net) = head(message, family)?;
    let is_other = ![u32::from(RouteHeader::RT_TABLE_MAIN), LOCAL].contains(&table);
    let index = links_of(message).into_iter().next();
    let link = index.and_then(|index| names.get(&index)).map(|name| (*name).clone());
    (is_other && net.prefix_len() > 0).then_some(ReservedSubnet { net, by: SubnetHolder::Route { table, link } })
}

/// Reads a route: one for each next hop whose link has a name. A kernel without IPv6 answers with
/// IPv4 routes.
fn read(message: Message<'_>, family: AddressFamily, names: &BTreeMap<u32, &InterfaceName>) -> Option<Vec<Route>> {
    let (header, table, destination) = head(message, family)?;
    if table != u32::from(RouteHeader::RT_TABLE_MAIN) {
        return None;
    }
    let attributes = message.payload().get(HEADER..)?;
    let number = |kind| attribute(attributes, kind).and_then(number32);
    let route = |index: u32, attributes| {
        Some(Route {
            destination,
            gateway: gateway(attributes),
            link: (*names.get(&index)?).clone(),
            metric: number(RTA_PRIORITY).unwrap_or(0),
            protocol: read_protocol(header.protocol),
        })
    };
    let hops = attribute(attributes, RTA_MULTIPATH).unwrap_or_default();
    let single = number(RTA_OIF).and_then(|index| route(index, attributes));
    Some(single.into_iter().chain(next_hops(hops).filter_map(|(index, hop)| route(index, hop))).collect())
}

/// Whether a route overlaps one of these subnets, or is of the family of one and a router has
/// advertised it.
fn is_near(net: IpNet, protocol: Protocol, nets: &[IpNet]) -> bool {
    let is_of_family = |other: &IpNet| family(other.addr()) == family(net.addr());
    overlaps(net, nets) || protocol == Protocol::Ra && nets.iter().any(is_of_family)
}

/// The indexes of the links of a route that the kernel tells of.
pub(crate) fn links_of(message: Message<'_>) -> Vec<u32> {
    let attributes = message.payload().get(HEADER..).unwrap_or_default();
    let hops = attribute(attributes, RTA_MULTIPATH).unwrap_or_default();
    let single = attribute(attributes, RTA_OIF).and_then(number32);
    single.into_iter().chain(next_hops(hops).map(|(index, _)| index)).collect()
}

fn gateway(attributes: &[u8]) -> Option<IpAddr> {
    // RTA_VIA has the family before the address.
    let via = || attribute(attributes, RTA_VIA).and_then(|via| via.get(2..));
    attribute(attributes, RTA_GATEWAY).or_else(via).and_then(ip)
}

/// The next hops of a route with several: the index of a link and attributes (`struct rtnexthop`).
fn next_hops(bytes: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(*rest.first_chunk()?));
        let hop = rest.get(..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((number32(hop.get(4..)?)?, hop.get(8..)?))
    })
}
