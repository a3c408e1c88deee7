//! The condition of a link at this moment: what no definition says and no change sets.

use std::thread;
use std::time::{Duration, Instant};

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkFlags, LinkHeader};
use rtnetlink::{LinkMessageBuilder, LinkUnspec};
use vnet_types::InterfaceName;

use super::{HEADER, IFLA_INFO_SLAVE_DATA, IFLA_LINKINFO, IFLA_MASTER, without_statistics};
use crate::message::{Message, attribute, number32};
use crate::{Error, Intent, Netlink, Operation};

/// How long to wait at most between two looks.
const LONGEST_PAUSE: Duration = Duration::from_millis(10);
const IFLA_XDP: u16 = 43;
const IFLA_XDP_ATTACHED: u16 = 2;
const IFLA_BRPORT_STATE: u16 = 1;
const IFLA_BRPORT_GUARD: u16 = 5;
const IFLA_BRPORT_PROTECT: u16 = 6;
const IFLA_BRPORT_MCAST_FLOOD: u16 = 27;
const IFLA_BRPORT_BCAST_FLOOD: u16 = 30;
const IFLA_BRPORT_LOCKED: u16 = 39;

/// The condition of a link at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkCondition {
    /// Administratively up (`IFF_UP`).
    pub up: bool,
    /// Whether something is at its other end (`IFF_LOWER_UP`): for a tap, a program that has it
    /// open.
    pub carrier: bool,
    /// Whether it asks and answers by ARP (`IFF_NOARP` is not set).
    pub arp: bool,
    /// Whether an XDP program sees its frames first, and may drop them.
    pub xdp: bool,
    /// The index of the bridge, or another controller, that it is a port of.
    pub controller: Option<u32>,
    /// The state of a port of a bridge.
    pub port: Option<PortState>,
    /// Whether a port takes frames only from MAC addresses that the bridge has an entry for.
    pub locked: bool,
    /// Whether the bridge sends broadcasts by the port.
    pub broadcasts: bool,
    /// Whether the bridge sends multicasts by the port that nobody behind it has asked for.
    pub multicasts: bool,
    /// Whether the bridge closes the port when a message of spanning tree comes in by it
    /// (`bpdu_guard`), or takes no better root from it (`root_block`).
    pub guarded: bool,
}

/// The state of a port of a bridge (`BR_STATE_*` of `linux/if_bridge.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortState {
    /// It carries nothing: it is down, or has no carrier.
    Disabled,
    /// Spanning tree waits. It carries nothing.
    Listening,
    /// Spanning tree learns MAC addresses. It carries nothing.
    Learning,
    /// It carries frames.
    Forwarding,
    /// Spanning tree has closed it: there is another way.
    Blocking,
}

impl PortState {
    fn of(number: u8) -> Option<Self> {
        [Self::Disabled, Self::Listening, Self::Learning, Self::Forwarding, Self::Blocking]
            .get(usize::from(number))
            .copied()
    }

    /// The word of `bridge link`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Listening => "listening",
            Self::Learning => "learning",
            Self::Forwarding => "forwarding",
            Self::Blocking => "blocking",
        }
    }
}

impl Netlink {
    /// Reads the condition of a link. `None` when there is no such link.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn condition(&self, link: &InterfaceName) -> Result<Option<LinkCondition>, Error> {
        let message: LinkMessageBuilder<LinkUnspec> = LinkUnspec::new_with_name(link.as_str());
        let request = RouteNetlinkMessage::GetLink(without_statistics(message.build()));
        match self.request(request, Intent::Existing, read) {
            Ok(found) => Ok(found.into_iter().next()),
            Err(refused) if refused.is_not_found() => Ok(None),
            Err(refused) => Err(Operation::List.of(format_args!("link {link}"))(refused)),
        }
    }

    /// Waits until a bridge forwards the frames of a port, at most until the deadline. Returns
    /// whether it does: it does not learn any more, somebody has opened the tap, and the kernel has
    /// noticed both.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn wait_until_forwarding(&self, port: &InterfaceName, deadline: Instant) -> Result<bool, Error> {
        let mut pause = Duration::from_millis(1);
        while self.condition(port)?.and_then(|it| it.port) != Some(PortState::Forwarding) {
            if Instant::now() > deadline {
                return Ok(false);
            }
            thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Ok(true)
    }
}

fn read(message: Message<'_>) -> Option<LinkCondition> {
    let header = LinkHeader::parse(message.payload()).ok()?;
    let attributes = message.payload().get(HEADER..)?;
    let data = attribute(attributes, IFLA_LINKINFO).and_then(|info| attribute(info, IFLA_INFO_SLAVE_DATA));
    let byte = |within: Option<&[u8]>, kind| within.and_then(|it| attribute(it, kind)?.first().copied());
    Some(LinkCondition {
        up: header.flags.contains(LinkFlags::Up),
        carrier: header.flags.contains(LinkFlags::LowerUp),
        arp: !header.flags.contains(LinkFlags::Noarp),
        xdp: byte(attribute(attributes, IFLA_XDP), IFLA_XDP_ATTACHED).is_some_and(|attached| attached != 0),
        controller: attribute(attributes, IFLA_MASTER).and_then(number32),
        port: byte(data, IFLA_BRPORT_STATE).and_then(PortState::of),
        locked: byte(data, IFLA_BRPORT_LOCKED) == Some(1),
        broadcasts: byte(data, IFLA_BRPORT_BCAST_FLOOD) != Some(0),
        multicasts: byte(data, IFLA_BRPORT_MCAST_FLOOD) != Some(0),
        guarded: [IFLA_BRPORT_GUARD, IFLA_BRPORT_PROTECT].iter().any(|kind| byte(data, *kind) == Some(1)),
    })
}
