//! Notifications of the kernel that something of the network has changed.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use netlink_sys::protocols::{NETLINK_NETFILTER, NETLINK_ROUTE};
use netlink_sys::{Socket, SocketAddr};
use nix::errno::Errno;
use nix::libc::{AF_UNSPEC, ENOBUFS, MSG_DONTWAIT};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};

use crate::ioctl;
use crate::link::{HEADER, RTM_DELLINK};
use crate::message::{Message, messages, number32};
use crate::{Error, Operation, Refused};

/// `RTNLGRP_LINK`.
const LINKS_GROUP: u32 = 1;
/// `RTNLGRP_TC`.
const TRAFFIC_GROUP: u32 = 4;
/// `RTNLGRP_IPV4_IFADDR`, `_IPV4_ROUTE`, `_IPV6_IFADDR`, `_IPV6_ROUTE`.
const NET_GROUPS: [u32; 4] = [5, 7, 9, 11];
/// `RTNLGRP_NEXTHOP`.
const NEXT_HOPS_GROUP: u32 = 32;
/// `NFNLGRP_NFTABLES`.
const RULES_GROUP: u32 = 7;
/// `NFNLGRP_NFTRACE`.
const TRACES_GROUP: u32 = 9;
/// Room for what the kernel tells of a hundred networks, a dozen messages of each.
const CHANGES: usize = 1 << 20;
/// Room for what the kernel tells of a hundred packets, a dozen messages of each.
const TRACES: usize = 1 << 21;
/// More than the kernel puts into one message about a packet.
const MESSAGE: usize = 1 << 14;

/// Tells that something has changed in the network namespace of the thread that opened it, and not
/// what: whoever wants to know looks at it.
///
/// Its file is readable when there is something.
#[derive(Debug)]
pub struct Monitor {
    socket: Socket,
}

impl Monitor {
    /// Tells of links, addresses, routes and traffic control.
    ///
    /// # Errors
    /// When the kernel refuses the socket. It needs no privilege.
    pub fn links() -> Result<Self, Error> {
        Self::open(NETLINK_ROUTE, &[&[LINKS_GROUP, TRAFFIC_GROUP][..], &NET_GROUPS].concat())
    }

    /// Tells of links, addresses, routes and next hops. Has room for what many of them change.
    pub(crate) fn lists() -> Result<Self, Error> {
        let monitor = Self::open(NETLINK_ROUTE, &[&[LINKS_GROUP][..], &NET_GROUPS].concat())?;
        // Linux before 5.3 has no next hops that are objects.
        let _ = monitor.socket.add_membership(NEXT_HOPS_GROUP);
        monitor.make_room(CHANGES);
        Ok(monitor)
    }

    /// Tells which links are removed, with [`removed`](Self::removed).
    ///
    /// # Errors
    /// When the kernel refuses the socket. It needs no privilege.
    pub fn removals() -> Result<Self, Error> {
        Self::open(NETLINK_ROUTE, &[LINKS_GROUP])
    }

    /// Tells of rules of nf_tables.
    ///
    /// # Errors
    /// When the kernel refuses the socket, as it does without `CAP_NET_ADMIN`.
    pub fn rules() -> Result<Self, Error> {
        Self::open(NETLINK_NETFILTER, &[RULES_GROUP])
    }

    /// Tells of the way of traced packets (`meta nftrace set 1`), with [`told`](Self::told).
    ///
    /// # Errors
    /// When the kernel refuses the socket, as it does without `CAP_NET_ADMIN`.
    pub fn traces() -> Result<Self, Error> {
        let monitor = Self::open(NETLINK_NETFILTER, &[TRACES_GROUP])?;
        monitor.make_room(TRACES);
        Ok(monitor)
    }

    /// Enlarges the buffer for what is told. Whoever is not root of the host gets less.
    fn make_room(&self, bytes: usize) {
        let _ = setsockopt(&self.socket, sockopt::RcvBufForce, &bytes)
            .or_else(|_| setsockopt(&self.socket, sockopt::RcvBuf, &bytes));
    }

    fn open(protocol: isize, groups: &[u32]) -> Result<Self, Error> {
        let open = || -> io::Result<Self> {
            let mut socket = Socket::new(protocol)?;
            socket.bind(&SocketAddr::new(0, 0))?;
            groups.iter().try_for_each(|group| socket.add_membership(*group))?;
            Ok(Self { socket })
        };
        open().map_err(|error| Operation::Open.of("a netlink socket for notifications")(Refused::from(error)))
    }

    /// Waits for messages, and returns each with its header. Empty when none comes in time. Where
    /// more was told than fits, some are lost.
    ///
    /// # Errors
    /// When the kernel refuses to be read.
    pub fn told(&self, wait: Duration) -> Result<Vec<Vec<u8>>, Error> {
        let mut files = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
        let wait = PollTimeout::try_from(wait).unwrap_or(PollTimeout::MAX);
        let ready = poll(&mut files, wait)
            .map_err(|errno| Operation::List.of("notifications")(Refused::from(io::Error::from(errno))))?;
        if ready == 0 {
            return Ok(Vec::new());
        }
        let mut datagram = Vec::with_capacity(MESSAGE);
        match self.socket.recv(&mut datagram, MSG_DONTWAIT) {
            Ok(_) => Ok(messages(&datagram).filter_map(Result::ok).map(|message| message.0.to_vec()).collect()),
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {
                Ok(Vec::new())
            }
            Err(error) if error.raw_os_error() == Some(ENOBUFS) => Ok(Vec::new()),
            Err(error) => Err(Operation::List.of("notifications")(Refused::from(error))),
        }
    }

    /// The indexes of the links that were removed since the last call. Does not wait. A link is
    /// told of when its name is free and nothing stands on it any more, which is before the kernel
    /// answers who has deleted it. Where more was told than fits, some are lost.
    ///
    /// # Errors
    /// When the kernel refuses to be read.
    pub fn removed(&self) -> Result<Vec<u32>, Error> {
        let mut removed = Vec::new();
        self.hear(|message| removed.extend(removed_link(message)))?;
        Ok(removed)
    }

    /// Goes through what was told since the last call. Does not wait. Returns whether that is all:
    /// where more was told than fits, some is lost.
    pub(crate) fn hear(&self, mut each: impl FnMut(Message<'_>)) -> Result<bool, Error> {
        let (mut datagram, mut is_all) = (Vec::with_capacity(MESSAGE), true);
        loop {
            datagram.clear();
            match self.socket.recv(&mut datagram, MSG_DONTWAIT) {
                Ok(_) => messages(&datagram).flatten().for_each(&mut each),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(is_all),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error() == Some(ENOBUFS) => is_all = false,
                Err(error) => return Err(Operation::List.of("notifications")(Refused::from(error))),
            }
        }
    }

    /// Whether a link is gone, by its index: it is not found any more. That is so while the kernel
    /// still deletes it, when it is down and told of nobody yet. Waits for nobody; netlink would.
    pub fn is_gone(&self, index: u32) -> bool {
        matches!(ioctl::find(&self.socket, index), Err(Errno::ENODEV))
    }

    /// Drops what was told so far. Returns whether there was something.
    ///
    /// # Errors
    /// When the kernel refuses to be read.
    pub fn drain(&self) -> Result<bool, Error> {
        let mut told = false;
        loop {
            // The rest of a longer message is dropped.
            let mut buffer = [0u8; 64];
            match self.socket.recv(&mut &mut buffer[..], MSG_DONTWAIT) {
                Ok(_) => told = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(told),
                // More was told than fits.
                Err(error) if error.raw_os_error() == Some(ENOBUFS) => told = true,
                Err(error) => return Err(Operation::List.of("notifications")(Refused::from(error))),
            }
        }
    }
}

/// The index of the link that a message says is removed. A link that only leaves its bridge is told
/// of by the same message of another family.
fn removed_link(message: Message<'_>) -> Option<u32> {
    let header = message.payload().first_chunk::<HEADER>()?;
    let is_removal = message.kind() == RTM_DELLINK && i32::from(header[0]) == AF_UNSPEC;
    number32(&header[4..]).filter(|_| is_removal)
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
