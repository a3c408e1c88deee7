//! Links, taps, addresses, routes, ports of bridges, traffic control, and transactions of
//! nf_tables, over one small blocking netlink socket (netlink(7), rtnetlink(7)).
//!
//! A [`Netlink`] is a socket in the network namespace of the thread that opens it. Afterwards any
//! thread can use it, and async code through its runtime's `spawn_blocking`. If the kernel refuses
//! a call, the [`Error`] has the operation, its object and the kernel's reason. The crate makes no
//! decisions, and keeps no state between calls but in [`KeptLists`].
//!
//! | of | calls |
//! |---|---|
//! | links | [`Netlink::links`], [`link`](Netlink::link), [`add_link`](Netlink::add_link), [`set_link`](Netlink::set_link), [`delete_link`](Netlink::delete_link), [`delete_links`](Netlink::delete_links) |
//! | a guest's end | [`Tap::create`], [`Tap::open`], [`Tap::open_macvtap`] |
//! | a bridge's ports | [`Netlink::port`], [`set_port`](Netlink::set_port), [`fdb`](Netlink::fdb), [`vlans`](Netlink::vlans) |
//! | virtual functions | [`Netlink::vfs`], [`set_vf`](Netlink::set_vf) |
//! | traffic control | [`Netlink::qdiscs`], [`classes`](Netlink::classes), [`filter`](Netlink::filter) |
//! | how things are now | [`Netlink::condition`], [`way`](Netlink::way) |
//! | neighbours, changes | [`Netlink::neighbours`], [`Monitor`] |
//! | what is near a subnet, again and again | [`KeptLists`] |
//! | abilities of the kernel | [`Netlink::features`], [`Cause::Missing`], [`Error::missing_capability`] |
//!
//! `rtnetlink` and `netlink-packet-route` build the requests, and their types stay private;
//! `vnet-nlattr` builds those that they lack. Answers are read attribute by attribute, so an
//! unknown attribute of a newer kernel does not make a list fail.
//!
//! ```no_run
//! use vnet_netlink::Netlink;
//! use vnet_types::{Address, BridgeOptions, Link, LinkKind};
//!
//! let netlink = Netlink::open()?;
//! let bridge = Link {
//!     name: "virbr0".parse()?,
//!     kind: LinkKind::Bridge(BridgeOptions::default()),
//!     mac: Some("52:54:00:12:34:56".parse()?),
//!     mtu: None,
//!     up: true,
//! };
//! let index = netlink.add_link(&bridge)?;
//! netlink.add_address(&bridge.name, &Address { net: "192.168.122.1/24".parse()?, broadcast: None })?;
//! for route in netlink.routes()? {
//!     println!("{route}");
//! }
//! netlink.delete_link(index)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

/// Compiles the README's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod address;
mod cause;
mod checksum;
mod coalesce;
mod error;
mod fdb;
mod help;
mod ioctl;
mod ipsec;
mod ipv6;
mod kept;
mod link;
mod message;
mod monitor;
mod neighbour;
mod netfilter;
mod port;
mod probe;
mod route;
mod tap;
mod traffic;
mod transport;
mod vf;
mod vlan;
mod way;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;

pub use cause::{Capability, Cause, Missing};
pub use coalesce::Coalesce;
pub use error::{Error, Operation, Refused};
pub use ipsec::{IpsecPolicy, IpsecWay};
pub use ipv6::Ipv6Switches;
pub use kept::{KeptLists, Nearby};
pub use link::{KernelLink, LinkCondition, PortState};
pub use monitor::Monitor;
pub use neighbour::Whereabouts;
pub use netfilter::Netfilter;
pub use tap::{Tap, TapName, TapNameError};
pub use traffic::Classifier;
pub use way::{Traveller, Way};

use message::{Message, Request};
use transport::Transport;

/// A socket to the kernel's links, addresses and routes.
///
/// It works in the network namespace of the thread that opened it. Calls from several threads take
/// turns.
#[derive(Debug)]
pub struct Netlink {
    transport: Transport,
}

/// What a request is for, in the flags of its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intent {
    /// Create what does not exist.
    Create,
    /// Change, delete, or read, what exists.
    Existing,
    /// Read everything.
    List,
}

impl Intent {
    fn flags(self) -> u16 {
        match self {
            Self::Create => NLM_F_CREATE | NLM_F_EXCL,
            Self::Existing => 0,
            Self::List => NLM_F_DUMP,
        }
    }
}

impl Netlink {
    /// Opens the socket.
    ///
    /// # Errors
    /// When the kernel refuses the socket. Opening it needs no privilege.
    pub fn open() -> Result<Self, Error> {
        let transport = Transport::open(netlink_sys::protocols::NETLINK_ROUTE);
        Ok(Self { transport: transport.map_err(Operation::Open.of("a netlink socket"))? })
    }

    /// Sends a request and reads a value from each reply that holds one. `read` asks nothing: the
    /// socket is in use.
    fn request<T>(
        &self,
        message: RouteNetlinkMessage,
        intent: Intent,
        read: impl FnMut(Message<'_>) -> Option<T>,
    ) -> Result<Vec<T>, Refused> {
        self.exchange(&message::encode(message, intent.flags()), read)
    }

    fn exchange<T>(&self, request: &[u8], read: impl FnMut(Message<'_>) -> Option<T>) -> Result<Vec<T>, Refused> {
        self.transport.exchange(request, read)
    }

    /// [`Netlink::request`] for a request written by hand.
    fn ask<T>(
        &self,
        request: Request,
        intent: Intent,
        read: impl FnMut(Message<'_>) -> Option<T>,
    ) -> Result<Vec<T>, Refused> {
        self.exchange(&request.finish(intent.flags()), read)
    }

    /// [`Netlink::command`] for a request written by hand.
    fn tell(&self, request: Request, intent: Intent) -> Result<(), Refused> {
        self.ask(request, intent, |_| None::<()>).map(drop)
    }

    /// [`Netlink::request`] for a request that only gets an acknowledgement.
    fn command(&self, message: RouteNetlinkMessage, intent: Intent) -> Result<(), Refused> {
        self.request(message, intent, |_| None::<()>).map(drop)
    }
}
