//! Reads a link from the kernel's message.

use netlink_packet_route::link::{LinkFlags, LinkHeader};
use vnet_types::{InterfaceName, Link, LinkKind, MacAddr, MacvtapOptions};

use super::kind::{RawKind, read_kind};
use super::{
    HEADER, IFLA_ADDRESS, IFLA_IFALIAS, IFLA_IFNAME, IFLA_LINK, IFLA_LINK_NETNSID, IFLA_LINKINFO, IFLA_MASTER,
    IFLA_MTU, KernelLink,
};
use crate::message::{Message, attribute, number32, text};
use crate::port::{self, RawPort};

/// A link as the kernel describes it: it refers to other links by index.
#[derive(Clone, Debug)]
pub(super) struct Raw {
    pub(super) index: u32,
    pub(super) name: InterfaceName,
    kind: RawKind,
    /// The device below, if it is in this network namespace.
    lower: Option<u32>,
    mac: Option<MacAddr>,
    pub(super) mtu: Option<u32>,
    up: bool,
    controller: Option<u32>,
    alias: Option<String>,
    pub(super) port: Option<RawPort>,
}

impl Raw {
    /// With the names of other links instead of their indexes.
    pub(super) fn named(self, name: impl FnOnce(u32) -> Option<InterfaceName>) -> KernelLink {
        let kind = match self.kind {
            RawKind::Known(kind) => kind,
            RawKind::Macvtap(mode) => match self.lower.and_then(name) {
                Some(lower) => LinkKind::Macvtap(MacvtapOptions { lower, mode }),
                None => LinkKind::Other("macvtap".to_owned()),
            },
        };
        let link = Link { name: self.name, kind, mac: self.mac, mtu: self.mtu, up: self.up };
        KernelLink { index: self.index, link, controller: self.controller, alias: self.alias }
    }
}

/// Reads a link from a message; `None` if its name is not an [`InterfaceName`].
pub(super) fn read(message: Message<'_>) -> Option<Raw> {
    let header = LinkHeader::parse(message.payload()).ok()?;
    let attributes = message.payload().get(HEADER..)?;
    let number = |kind| attribute(attributes, kind).and_then(number32);
    Some(Raw {
        index: header.index,
        name: text(attribute(attributes, IFLA_IFNAME)?)?.parse().ok()?,
        kind: read_kind(attribute(attributes, IFLA_LINKINFO).unwrap_or_default()),
        lower: number(IFLA_LINK).filter(|_| attribute(attributes, IFLA_LINK_NETNSID).is_none()),
        mac: attribute(attributes, IFLA_ADDRESS).and_then(|mac| mac.try_into().ok()).map(MacAddr),
        mtu: number(IFLA_MTU),
        up: header.flags.contains(LinkFlags::Up),
        controller: number(IFLA_MASTER),
        alias: attribute(attributes, IFLA_IFALIAS).and_then(text).map(str::to_owned),
        port: port::read(attributes),
    })
}
