//! Links: bridges, veth pairs, and who is whose port (rtnetlink(7), `linux/if_link.h`).

use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    BridgeStpState, InfoBridge, InfoData, InfoKind, LinkAttribute, LinkExtentMask, LinkFlags, LinkHeader, LinkMessage,
};
use nix::libc::ENODEV;
use rtnetlink::{LinkMessageBuilder, LinkUnspec, LinkVeth};
use vnet_types::{BridgeOptions, InterfaceName, Link, LinkKind, MacAddr};

use crate::message::{Message, attribute, number32, text};
use crate::{Error, Intent, Netlink, Operation, Refused};

/// Length of `struct ifinfomsg`.
const HEADER: usize = 16;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_BR_FORWARD_DELAY: u16 = 1;
const IFLA_BR_STP_STATE: u16 = 5;

/// A link as the kernel has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KernelLink {
    /// Its number in its network namespace; never used twice while the namespace lives.
    pub index: u32,
    /// The link, with its MAC address (if it has one of Ethernet's) and its MTU.
    pub link: Link,
    /// The index of the bridge, or the like, that it is a port of.
    pub controller: Option<u32>,
}

impl Netlink {
    /// Lists every link. One whose name cannot be an [`InterfaceName`] (it has bytes that are no text) is left out.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn links(&self) -> Result<Vec<KernelLink>, Error> {
        let request = RouteNetlinkMessage::GetLink(without_statistics(LinkMessage::default()));
        self.request(request, Intent::List, read).map_err(Operation::List.of("links"))
    }

    /// Looks one link up by its name.
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

    /// Creates a link and returns its index. A bridge is made in one message, but for its MTU.
    ///
    /// # Errors
    /// The kernel's refusal: [`Error::is_exists`] for a name that is taken.
    pub fn add_link(&self, link: &Link) -> Result<u32, Error> {
        self.create(link).map_err(Operation::Add.of(format_args!("link {}", link.name)))
    }

    /// Changes what differs between two states of a link. When the kernel refuses a part, what was changed before it
    /// is changed back.
    ///
    /// # Errors
    /// The kernel's refusal: [`Error::is_not_found`] when there is no such link.
    pub fn set_link(&self, index: u32, from: &Link, to: &Link) -> Result<(), Error> {
        self.change(index, from, to).map_err(|refused| {
            // The refusal of the whole is the news; this one would only repeat it.
            let _ = self.change(index, to, from);
            Operation::Change.of(format_args!("link {}", from.name))(refused)
        })
    }

    /// Deletes a link. Its addresses and routes go with it, and its ports are free.
    ///
    /// # Errors
    /// The kernel's refusal: [`Error::is_not_found`] when it is gone already.
    pub fn delete_link(&self, index: u32) -> Result<(), Error> {
        let message = LinkUnspec::new_with_index(index).build();
        self.command(RouteNetlinkMessage::DelLink(message), Intent::Existing).map_err(Operation::Delete.of(nth(index)))
    }

    /// Creates two links that are the ends of one cable.
    ///
    /// # Errors
    /// The kernel's refusal: [`Error::is_exists`] when one of the names is taken.
    pub fn add_veth(&self, name: &InterfaceName, peer: &InterfaceName) -> Result<(), Error> {
        let message = LinkVeth::new(name.as_str(), peer.as_str()).build();
        self.command(RouteNetlinkMessage::NewLink(message), Intent::Create)
            .map_err(Operation::Add.of(format_args!("link {name} with its peer {peer}")))
    }

    /// Makes a link a port of a bridge, or of none.
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

    fn find(&self, name: &InterfaceName) -> Result<KernelLink, Refused> {
        let request = without_statistics(LinkUnspec::new_with_name(name.as_str()).build());
        let found = self.request(RouteNetlinkMessage::GetLink(request), Intent::Existing, read)?;
        found.into_iter().next().ok_or(Refused::from_errno(ENODEV))
    }

    fn create(&self, link: &Link) -> Result<u32, Refused> {
        // A bridge that is born with an MTU gives it up for the smallest of its ports; one that is given it, keeps it.
        let born = match link.kind {
            LinkKind::Bridge(_) => &Link { mtu: None, ..link.clone() },
            LinkKind::Other(_) => link,
        };
        self.command(RouteNetlinkMessage::NewLink(difference(None, born).build()), Intent::Create)?;
        let index = self.index(&link.name)?;
        let grown = self.change(index, born, link);
        if grown.is_err() {
            // The refusal of the whole is the news.
            let _ = self.delete_link(index);
        }
        grown.map(|()| index)
    }

    fn change(&self, index: u32, from: &Link, to: &Link) -> Result<(), Refused> {
        if from == to {
            return Ok(());
        }
        let set = |message: LinkMessageBuilder<LinkUnspec>| {
            self.command(RouteNetlinkMessage::NewLink(message.index(index).build()), Intent::Existing)
        };
        if let (LinkKind::Bridge(from), LinkKind::Bridge(to)) = (&from.kind, &to.kind)
            && from.stp
            && !to.stp
        {
            // The kernel sets the delay before it looks at stp, and with stp it refuses one below 200.
            set(of_kind(&LinkKind::Bridge(BridgeOptions { stp: false, ..*from })))?;
        }
        set(difference(Some(from), to))
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

/// A message with what `to` has and `from` has not.
fn difference(from: Option<&Link>, to: &Link) -> LinkMessageBuilder<LinkUnspec> {
    let mut message = match from {
        Some(from) if from.kind == to.kind => LinkMessageBuilder::<LinkUnspec>::new(),
        _ => of_kind(&to.kind),
    };
    if from.is_none_or(|from| from.name != to.name) {
        message = message.name(to.name.as_str());
    }
    if let Some(mac) = to.mac.filter(|mac| from.is_none_or(|from| from.mac != Some(*mac))) {
        message = message.address(mac.0.to_vec());
    }
    if let Some(mtu) = to.mtu.filter(|mtu| from.is_none_or(|from| from.mtu != Some(*mtu))) {
        message = message.mtu(mtu);
    }
    match (from.is_some_and(|from| from.up), to.up) {
        (false, true) => message.up(),
        (true, false) => message.down(),
        _ => message,
    }
}

/// A message with a link's kind and the settings that belong to it.
fn of_kind(kind: &LinkKind) -> LinkMessageBuilder<LinkUnspec> {
    match kind {
        LinkKind::Other(word) => LinkMessageBuilder::new_with_info_kind(InfoKind::Other(word.clone())),
        LinkKind::Bridge(options) => {
            let stp = if options.stp { BridgeStpState::KernelStp } else { BridgeStpState::Disabled };
            let data = vec![InfoBridge::ForwardDelay(options.forward_delay), InfoBridge::StpState(stp)];
            LinkMessageBuilder::new_with_info_kind(InfoKind::Bridge).set_info_data(InfoData::Bridge(data))
        }
    }
}

/// Counters are most of what the kernel says of a link, and nobody asks for them here.
fn without_statistics(mut message: LinkMessage) -> LinkMessage {
    message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    message
}

fn nth(index: u32) -> String {
    format!("link number {index}")
}

fn read(message: Message<'_>) -> Option<KernelLink> {
    let header = LinkHeader::parse(message.payload()).ok()?;
    let attributes = message.payload().get(HEADER..)?;
    let number = |kind| attribute(attributes, kind).and_then(number32);
    let link = Link {
        name: text(attribute(attributes, IFLA_IFNAME)?).parse().ok()?,
        kind: read_kind(attribute(attributes, IFLA_LINKINFO).unwrap_or_default()),
        mac: attribute(attributes, IFLA_ADDRESS).and_then(|mac| mac.try_into().ok()).map(MacAddr),
        mtu: number(IFLA_MTU),
        up: header.flags.contains(LinkFlags::Up),
    };
    Some(KernelLink { index: header.index, link, controller: number(IFLA_MASTER) })
}

fn read_kind(info: &[u8]) -> LinkKind {
    let word = attribute(info, IFLA_INFO_KIND).map(text).unwrap_or_default();
    if word != "bridge" {
        return LinkKind::Other(word);
    }
    let data = attribute(info, IFLA_INFO_DATA).unwrap_or_default();
    let number = |kind| attribute(data, kind).and_then(number32).unwrap_or_default();
    LinkKind::Bridge(BridgeOptions {
        stp: number(IFLA_BR_STP_STATE) != 0,
        forward_delay: number(IFLA_BR_FORWARD_DELAY),
    })
}
