//! Links: bridges, taps, macvtaps, veth pairs, and the ports of bridges (rtnetlink(7),
//! `linux/if_link.h`).

mod change;
mod condition;
mod group;
mod kind;
mod read;

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkExtentMask, LinkMessage};
use nix::libc::{ENODEV, EOPNOTSUPP};
use rtnetlink::{LinkMessageBuilder, LinkUnspec, LinkVeth};
use vnet_types::{InterfaceName, Link, LinkKind};

pub use self::condition::{LinkCondition, PortState};
use self::read::{Raw, read};
use crate::message::Request;
use crate::port::RawPort;
use crate::{Cause, Error, Intent, Missing, Netlink, Operation, Refused, Tap};

/// Length of `struct ifinfomsg`.
pub(crate) const HEADER: usize = 16;
pub(crate) const RTM_NEWLINK: u16 = 16;
pub(crate) const RTM_DELLINK: u16 = 17;
pub(crate) const RTM_GETLINK: u16 = 18;
pub(crate) const RTM_SETLINK: u16 = 19;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
pub(crate) const IFLA_MASTER: u16 = 10;
const IFLA_TXQLEN: u16 = 13;
const IFLA_IFALIAS: u16 = 20;
pub(crate) const IFLA_LINKINFO: u16 = 18;
pub(crate) const IFLA_AF_SPEC: u16 = 26;
pub(crate) const IFLA_EXT_MASK: u16 = 29;
const IFLA_LINK_NETNSID: u16 = 37;
pub(crate) const IFLA_INFO_SLAVE_KIND: u16 = 4;
pub(crate) const IFLA_INFO_SLAVE_DATA: u16 = 5;

/// A link as the kernel has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KernelLink {
    /// Its index in its network namespace; the kernel does not reuse it while the namespace exists.
    pub index: u32,
    /// The link, with its MAC address (if it is an Ethernet link) and its MTU.
    pub link: Link,
    /// The index of the bridge, or another controller, that it is a port of.
    pub controller: Option<u32>,
    /// The text that somebody has written on it (`ip link set … alias`).
    pub alias: Option<String>,
}

impl KernelLink {
    /// A link that is not a port and has no alias.
    pub fn new(index: u32, link: Link) -> Self {
        Self { index, link, controller: None, alias: None }
    }
}

impl Netlink {
    /// Lists every link, except those whose name is not an [`InterfaceName`] because it is not
    /// UTF-8.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn links(&self) -> Result<Vec<KernelLink>, Error> {
        let request = RouteNetlinkMessage::GetLink(without_statistics(LinkMessage::default()));
        let raw = self.request(request, Intent::List, read).map_err(Operation::List.of("links"))?;
        let name = |index| raw.iter().find(|it| it.index == index).map(|it| it.name.clone());
        Ok(raw.iter().map(|link| link.clone().named(name)).collect())
    }

    /// Looks up a link by its name.
    ///
    /// # Errors
    /// The kernel's refusal, but for the one that there is no such link.
    pub fn link(&self, name: &InterfaceName) -> Result<Option<KernelLink>, Error> {
        match self.find(name) {
            Ok(link) => Ok(Some(link)),
            Err(refused) if refused.is_not_found() => Ok(None),
            Err(refused) => Err(Operation::List.of(format_args!("link {name}"))(refused)),
        }
    }

    /// The name of the link that has an index.
    ///
    /// # Errors
    /// The kernel's refusal, but for the one that there is no such link.
    pub fn link_name(&self, index: u32) -> Result<Option<InterfaceName>, Error> {
        match self.name(index) {
            Ok(name) => Ok(Some(name)),
            Err(refused) if refused.is_not_found() => Ok(None),
            Err(refused) => Err(Operation::List.of(nth(index))(refused)),
        }
    }

    /// Creates a link and returns its index. One message creates a bridge, except for its MTU.
    ///
    /// A tap is persistent. It is created in the network namespace of this thread, which must be
    /// that of the socket. A macvtap in passthrough mode also changes the MAC address of the device
    /// below, which keeps it when the macvtap is deleted.
    ///
    /// # Errors
    /// The kernel's refusal: [`Error::is_exists`] for a name that is taken; [`Cause::Missing`] if
    /// the kernel does not support such links; the errors of [`Tap::create`] for a tap.
    pub fn add_link(&self, link: &Link) -> Result<u32, Error> {
        if let LinkKind::Tap(options) = &link.kind {
            // Until it is complete, it is deleted when its file is closed.
            let tap = Tap::create(&(&link.name).into(), options, std::num::NonZeroU16::MIN)?;
            let index = self.create(link).map_err(Operation::Add.of(format_args!("link {}", link.name)))?;
            return tap.persist(true).map(|()| index);
        }
        self.create(link).map_err(|refused| {
            let unknown = refused.errno == EOPNOTSUPP;
            let missing = match &link.kind {
                LinkKind::Bridge(options) if options.vlan_filtering => Some(Missing::VlanFiltering),
                LinkKind::Bridge(_) => Some(Missing::Kind("bridge".to_owned())),
                LinkKind::Macvtap(_) => Some(Missing::Kind("macvtap".to_owned())),
                LinkKind::Veth(_) => Some(Missing::Kind("veth".to_owned())),
                LinkKind::Other(word) => Some(Missing::Kind(word.clone())),
                LinkKind::Tap(_) => None,
            };
            let error = Operation::Add.of(format_args!("link {}", link.name))(refused);
            match missing.filter(|_| unknown) {
                Some(missing) => error.because(true, Cause::Missing(missing)),
                None => error,
            }
        })
    }

    /// Changes what differs between two states of a link. If the kernel refuses a part, the earlier
    /// changes are undone. A bridge for which `to` has no MTU gets the smallest MTU of its ports,
    /// at most 1500, ignoring ports with the MTU of `from`. The kernel does not let it follow its
    /// ports again. The kind of a tap cannot be changed.
    ///
    /// # Errors
    /// The kernel's refusal: [`Error::is_not_found`] when there is no such link.
    pub fn set_link(&self, index: u32, from: &Link, to: &Link) -> Result<(), Error> {
        self.change(index, from, to).map_err(|refused| {
            // The first refusal is the one to report.
            let _ = self.change(index, to, from);
            Operation::Change.of(format_args!("link {}", from.name))(refused)
        })
    }

    /// Deletes a link with its addresses and routes. Its ports become free.
    ///
    /// # Errors
    /// The kernel's refusal: [`Error::is_not_found`] when it is gone already.
    pub fn delete_link(&self, index: u32) -> Result<(), Error> {
        let message = LinkUnspec::new_with_index(index).build();
        self.command(RouteNetlinkMessage::DelLink(message), Intent::Existing).map_err(Operation::Delete.of(nth(index)))
    }

    /// Creates a veth pair.
    ///
    /// # Errors
    /// The kernel's refusal: [`Error::is_exists`] when one of the names is taken.
    pub fn add_veth(&self, name: &InterfaceName, peer: &InterfaceName) -> Result<(), Error> {
        let message = LinkVeth::new(name.as_str(), peer.as_str()).build();
        self.command(RouteNetlinkMessage::NewLink(message), Intent::Create)
            .map_err(Operation::Add.of(format_args!("link {name} with its peer {peer}")))
    }

    /// Makes a link a port of a bridge, or takes it out of its bridge.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn set_controller(&self, port: u32, bridge: Option<u32>) -> Result<(), Error> {
        self.set(port, |link| link.controller(bridge.unwrap_or(0)))
    }

    /// Sets a link administratively up or down.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn set_up(&self, index: u32, up: bool) -> Result<(), Error> {
        self.set(index, |link| if up { link.up() } else { link.down() })
    }

    /// Sets the length of a link's send queue, in packets (`txqueuelen`).
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn set_queue_length(&self, index: u32, packets: u32) -> Result<(), Error> {
        let request = Request::new(RTM_NEWLINK, &header(0, index)).with(IFLA_TXQLEN, &packets.to_ne_bytes());
        self.tell(request, Intent::Existing).map_err(Operation::Change.of(nth(index)))
    }

    /// Writes a text on a link, its alias, of 255 bytes at most.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn set_alias(&self, index: u32, alias: &str) -> Result<(), Error> {
        let request = Request::new(RTM_NEWLINK, &header(0, index)).with(IFLA_IFALIAS, alias.as_bytes());
        self.tell(request, Intent::Existing).map_err(Operation::Change.of(nth(index)))
    }

    /// Moves a link to another network namespace, where it is down and has no address.
    ///
    /// # Errors
    /// The kernel's refusal: [`Error::is_exists`] when its name is taken there.
    pub fn move_to_namespace(&self, index: u32, namespace: BorrowedFd<'_>) -> Result<(), Error> {
        self.set(index, |link| link.setns_by_fd(namespace.as_raw_fd()))
    }

    /// The index of a link that must be there.
    pub(crate) fn index(&self, name: &InterfaceName) -> Result<u32, Refused> {
        self.find(name).map(|link| link.index)
    }

    /// The name of a link that must be there.
    pub(crate) fn name(&self, index: u32) -> Result<InterfaceName, Refused> {
        self.raw(LinkUnspec::new_with_index(index).build()).map(|raw| raw.name)
    }

    fn mtu(&self, index: u32) -> Result<Option<u32>, Refused> {
        self.raw(LinkUnspec::new_with_index(index).build()).map(|raw| raw.mtu)
    }

    /// Every link that is a port.
    pub(crate) fn raw_ports(&self) -> Result<Vec<(InterfaceName, RawPort)>, Refused> {
        let request = RouteNetlinkMessage::GetLink(without_statistics(LinkMessage::default()));
        let links = self.request(request, Intent::List, read)?;
        Ok(links.into_iter().filter_map(|raw| Some((raw.name, raw.port?))).collect())
    }

    /// How a bridge treats its port.
    pub(crate) fn raw_port(&self, name: &InterfaceName) -> Result<Option<RawPort>, Refused> {
        self.raw(LinkUnspec::new_with_name(name.as_str()).build()).map(|raw| raw.port)
    }

    pub(crate) fn find(&self, name: &InterfaceName) -> Result<KernelLink, Refused> {
        let raw = self.raw(LinkUnspec::new_with_name(name.as_str()).build())?;
        Ok(raw.named(|index| self.name(index).ok()))
    }

    fn raw(&self, message: LinkMessage) -> Result<Raw, Refused> {
        let request = RouteNetlinkMessage::GetLink(without_statistics(message));
        let found = self.request(request, Intent::Existing, read)?;
        found.into_iter().next().ok_or(Refused::from_errno(ENODEV))
    }

    fn set(
        &self,
        index: u32,
        change: impl FnOnce(LinkMessageBuilder<LinkUnspec>) -> LinkMessageBuilder<LinkUnspec>,
    ) -> Result<(), Error> {
        let message = change(LinkUnspec::new_with_index(index)).build();
        self.command(RouteNetlinkMessage::SetLink(message), Intent::Existing).map_err(Operation::Change.of(nth(index)))
    }
}

/// The name of each link by its index.
pub(crate) fn names(links: &[KernelLink]) -> BTreeMap<u32, &InterfaceName> {
    links.iter().map(|known| (known.index, &known.link.name)).collect()
}

/// Omits counters, which are most of an answer and which nothing here reads.
fn without_statistics(mut message: LinkMessage) -> LinkMessage {
    message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    message
}

fn nth(index: u32) -> String {
    format!("link number {index}")
}

/// `struct ifinfomsg` of a link, or of everything.
pub(crate) fn header(family: u8, index: u32) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[0] = family;
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header
}
