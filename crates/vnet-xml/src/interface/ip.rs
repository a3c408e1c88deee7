//! `<ip>`: addresses of a guest, or of the host's end.

use std::fmt;
use std::net::IpAddr;

use vnet_types::{Family, IpNet};

use crate::element::Element;
use crate::grammar::Grammar;
use crate::network::{self, Mask};
use crate::value::{ip, number, text};
use crate::write::Writer;

/// `<ip>` of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct InterfaceIp {
    /// `address`
    pub address: IpAddr,
    /// `prefix`
    pub prefix: Option<u8>,
    /// `peer`: the other end of a point-to-point link.
    pub peer: Option<IpAddr>,
}

impl InterfaceIp {
    /// An address.
    pub fn new(address: IpAddr) -> Self {
        Self { address, prefix: None, peer: None }
    }

    /// The address with its effective prefix: the written one, or else libvirt's default, see
    /// [`network::Ip::net`](crate::network::Ip::net).
    pub fn net(&self) -> Option<IpNet> {
        network::net(self.address, self.prefix.map(|prefix| Mask::Prefix(prefix.into())))
    }

    /// IPv4 or IPv6.
    pub fn family(&self) -> Family {
        if self.address.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 }
    }
}

pub(super) static GRAMMAR: Grammar = Grammar::new(&["address", "family", "prefix", "peer"], &[]);

/// Reads `<ip>`. The family comes from the address; the attribute `family` is ignored.
pub(super) fn interface_ip(element: &Element<'_>) -> Option<InterfaceIp> {
    element.expect(&GRAMMAR);
    let address: Option<IpAddr> = element.required("address", ip);
    let prefix: Option<u8> = element.value("prefix", number).filter(|prefix| *prefix > 0);
    let peer = element.value("peer", ip);
    let address = address?;
    let of_address = if address.is_ipv4() { "ipv4" } else { "ipv6" };
    if element.value("family", text).is_some_and(|family| family != of_address) {
        element.useless_attribute("family", &format!("beside an address of {of_address}"));
    }
    let most = if address.is_ipv4() { 32 } else { 128 };
    if prefix.is_some_and(|prefix| prefix > most) {
        element.invalid("prefix", &format!("a prefix of at most {most} bits"));
        return None;
    }
    Some(InterfaceIp { address, prefix, peer })
}

impl InterfaceIp {
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let tag = writer.tag("ip")?.attribute("address", self.address)?.attribute("family", self.family())?;
        tag.optional("prefix", self.prefix)?.optional("peer", self.peer)?.empty()
    }
}
