//! Addresses of links (rtnetlink(7), `linux/if_addr.h`).

use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_route::address::{AddressAttribute, AddressHeader, AddressMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use vnet_types::{Address, InterfaceName, IpNet};

use crate::link::names;
use crate::message::{Message, attribute};
use crate::{Error, Intent, KernelLink, Netlink, Operation, Refused};

/// Length of `struct ifaddrmsg`.
const HEADER: usize = 8;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_BROADCAST: u16 = 4;

impl Netlink {
    /// Lists the addresses of every link, both families.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn addresses(&self) -> Result<Vec<(InterfaceName, Address)>, Error> {
        self.addresses_among(&self.links()?)
    }

    /// The same for a caller that has just listed the [`links`](Self::links).
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn addresses_among(&self, links: &[KernelLink]) -> Result<Vec<(InterfaceName, Address)>, Error> {
        let names = names(links);
        let addresses = told(self, None).map_err(Operation::List.of("addresses"))?;
        let named = addresses.into_iter().filter_map(|(index, address)| Some(((*names.get(&index)?).clone(), address)));
        Ok(named.collect())
    }

    /// Lists the addresses whose subnets overlap one of these. The cost hardly grows with the
    /// number of links and of other addresses.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn addresses_near(&self, nets: &[IpNet]) -> Result<Vec<(InterfaceName, Address)>, Error> {
        let list = || {
            let mut found = Vec::new();
            for family in families(nets) {
                let mut message = AddressMessage::default();
                message.header.family = family;
                let is_near = |it: &(u32, Address)| overlaps(it.1.net, nets);
                let near = |message: Message<'_>| read(message).filter(is_near);
                let listed = self.request(RouteNetlinkMessage::GetAddress(message), Intent::List, near)?;
                // A link that has gone meanwhile has taken its addresses with it.
                found.extend(listed.into_iter().filter_map(|(index, it)| Some((self.name(index).ok()?, it))));
            }
            Ok(found)
        };
        list().map_err(Operation::List.of("addresses"))
    }

    /// Lists the addresses of one link, both families. A link that does not exist has none.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn addresses_of(&self, link: &InterfaceName) -> Result<Vec<Address>, Error> {
        match self.index(link).and_then(|index| told(self, Some(index))) {
            Err(refused) if refused.is_not_found() => Ok(Vec::new()),
            listed => {
                let listed = listed.map_err(Operation::List.of(format_args!("addresses of {link}")))?;
                Ok(listed.into_iter().map(|(_, address)| address).collect())
            }
        }
    }

    /// Gives a link an address. The kernel adds the route to its subnet when the link is up.
    ///
    /// # Errors
    /// The kernel's refusal: [`Error::is_exists`] when the link has it, [`Error::is_not_found`]
    /// when there is no such link.
    pub fn add_address(&self, link: &InterfaceName, address: &Address) -> Result<(), Error> {
        let add = || self.command(RouteNetlinkMessage::NewAddress(self.address(link, address)?), Intent::Create);
        add().map_err(Operation::Add.of(format_args!("address {address} on {link}")))
    }

    /// Takes an address from a link.
    ///
    /// # Errors
    /// The kernel's refusal: [`Error::is_not_found`] when the link does not have it, or is gone.
    pub fn delete_address(&self, link: &InterfaceName, address: &Address) -> Result<(), Error> {
        let delete = || self.command(RouteNetlinkMessage::DelAddress(self.address(link, address)?), Intent::Existing);
        delete().map_err(Operation::Delete.of(format_args!("address {address} on {link}")))
    }

    fn address(&self, link: &InterfaceName, address: &Address) -> Result<AddressMessage, Refused> {
        let mut message = AddressMessage::default();
        message.header.family = family(address.net.addr());
        message.header.prefix_len = address.net.prefix_len();
        message.header.index = self.index(link)?;
        // The local address and the peer's: they are equal unless the link is a tunnel.
        message.attributes.push(AddressAttribute::Local(address.net.addr()));
        message.attributes.push(AddressAttribute::Address(address.net.addr()));
        message.attributes.extend(address.broadcast.map(AddressAttribute::Broadcast));
        Ok(message)
    }
}

pub(crate) fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

/// The bytes of an address: 4 or 16.
pub(crate) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// The families that these subnets are of.
pub(crate) fn families(nets: &[IpNet]) -> impl Iterator<Item = AddressFamily> {
    let both = [AddressFamily::Inet, AddressFamily::Inet6].into_iter();
    both.filter(|of| nets.iter().any(|net| family(net.addr()) == *of))
}

/// Whether a subnet overlaps one of these.
pub(crate) fn overlaps(net: IpNet, nets: &[IpNet]) -> bool {
    nets.iter().any(|other| other.contains(&net.network()) || net.contains(&other.network()))
}

/// Reads an address by its length: 4 or 16 bytes.
pub(crate) fn ip(value: &[u8]) -> Option<IpAddr> {
    let ipv4 = || <[u8; 4]>::try_from(value).ok().map(IpAddr::from);
    let ipv6 = || <[u8; 16]>::try_from(value).ok().map(IpAddr::from);
    ipv4().or_else(ipv6)
}

/// The addresses of all links, or of one, by the indexes of their links.
pub(crate) fn told(netlink: &Netlink, link: Option<u32>) -> Result<Vec<(u32, Address)>, Refused> {
    let mut message = AddressMessage::default();
    message.header.index = link.unwrap_or_default();
    netlink.request(RouteNetlinkMessage::GetAddress(message), Intent::List, read)
}

/// Reads the index of a link and its address.
pub(crate) fn read(message: Message<'_>) -> Option<(u32, Address)> {
    let header = AddressHeader::parse(message.payload()).ok()?;
    let attributes = message.payload().get(HEADER..)?;
    // IPv6 has no IFA_LOCAL if both ends are equal.
    let own = attribute(attributes, IFA_LOCAL).or_else(|| attribute(attributes, IFA_ADDRESS)).and_then(ip)?;
    let broadcast = attribute(attributes, IFA_BROADCAST).and_then(|it| <[u8; 4]>::try_from(it).ok());
    let net = IpNet::new(own, header.prefix_len).ok()?;
    Some((header.index, Address { net, broadcast: broadcast.map(Ipv4Addr::from) }))
}
