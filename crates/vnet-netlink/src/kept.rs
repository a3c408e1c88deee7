//! What the host has near a subnet, for those who ask again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use netlink_packet_core::NLM_F_REPLACE;
use nix::libc::{RTM_DELADDR, RTM_DELLINK, RTM_DELROUTE, RTM_NEWADDR, RTM_NEWLINK, RTM_NEWROUTE};
use vnet_types::{Address, InterfaceName, IpNet, Route};

use crate::address::{self, overlaps};
use crate::message::{Message, number32};
use crate::route::{Told, links_of};
use crate::{Error, Monitor, Netlink, Operation, Refused};

const RTM_NEWNEXTHOP: u16 = 104;
const RTM_DELNEXTHOP: u16 = 105;
/// The index of the loopback device in each network namespace (`LOOPBACK_IFINDEX`).
const LOOPBACK: u32 = 1;

/// The addresses and routes of a network namespace. They are listed once; afterwards a call reads
/// those links anew of which the kernel has told something since the last one. So its cost hardly
/// grows with the number of links.
#[derive(Debug)]
pub struct KeptLists {
    monitor: Monitor,
    links: BTreeMap<u32, Standing>,
    /// Whether nothing is missing but what the monitor has to tell.
    is_whole: bool,
}

/// What is near to some subnets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Nearby {
    /// [`Netlink::addresses_near`].
    pub addresses: Vec<(InterfaceName, Address)>,
    /// [`Netlink::routes_near`].
    pub routes: Vec<Route>,
}

/// What stands on a link.
#[derive(Debug, Default)]
struct Standing {
    addresses: Vec<Address>,
    /// A route with several next hops is among those of each of its links.
    routes: Vec<Told>,
}

/// What the kernel has told.
#[derive(Default)]
struct Changes {
    links: BTreeSet<u32>,
    /// Addresses that the host does not have any more.
    gone: BTreeSet<IpAddr>,
    /// Whether routes may have gone that were not told of: those through a next hop that is an
    /// object, and the one in whose place another has come.
    is_partial: bool,
}

impl KeptLists {
    /// Begins to listen in the network namespace of this thread.
    ///
    /// # Errors
    /// When the kernel refuses the socket. It needs no privilege.
    pub fn open() -> Result<Self, Error> {
        Ok(Self { monitor: Monitor::lists()?, links: BTreeMap::new(), is_whole: false })
    }

    /// What is near to these subnets. The socket is one of the network namespace in which these
    /// were opened.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn near(&mut self, netlink: &Netlink, nets: &[IpNet]) -> Result<Nearby, Error> {
        self.catch_up(netlink)?;
        let mut nearby = Nearby::default();
        for (index, standing) in &self.links {
            let mut its_addresses = standing.addresses.iter().filter(|it| overlaps(it.net, nets)).peekable();
            let mut its_routes = standing.routes.iter().filter(|it| it.is_near(nets)).peekable();
            if its_addresses.peek().is_none() && its_routes.peek().is_none() {
                continue;
            }
            // A link that has gone meanwhile has taken them with it.
            let Some(name) = netlink.link_name(*index)? else { continue };
            nearby.addresses.extend(its_addresses.map(|address| (name.clone(), *address)));
            nearby.routes.extend(its_routes.flat_map(|route| route.through(*index, &name)));
        }
        Ok(nearby)
    }

    /// Reads what has changed.
    fn catch_up(&mut self, netlink: &Netlink) -> Result<(), Error> {
        let mut changes = Changes::default();
        // What is told from here on may be read already. Then it is read again next time.
        let is_told = self.monitor.hear(|message| changes.add(message))?;
        let is_whole = std::mem::take(&mut self.is_whole) && is_told && !changes.is_partial;
        if !(is_whole && changes.links.is_empty()) {
            // The kernel tells that a link goes down, or an address, before the routes are gone,
            // and has its lock on links until they are. This request waits for the lock.
            netlink.link_name(LOOPBACK)?;
            let read = if is_whole { self.read_some(netlink, changes) } else { self.read_all(netlink) };
            read.map_err(Operation::List.of("addresses and routes"))?;
        }
        self.is_whole = true;
        Ok(())
    }

    fn read_all(&mut self, netlink: &Netlink) -> Result<(), Refused> {
        self.links.clear();
        for (index, address) in address::told(netlink, None)? {
            self.links.entry(index).or_default().addresses.push(address);
        }
        for route in Told::all(netlink, None)? {
            for index in route.links() {
                self.links.entry(index).or_default().routes.push(route.clone());
            }
        }
        Ok(())
    }

    fn read_some(&mut self, netlink: &Netlink, changes: Changes) -> Result<(), Refused> {
        let Changes { links: mut changed, gone, .. } = changes;
        // Older kernels do not tell of IPv4 routes of other links that go with an address; 6.18
        // does.
        let has_lost = |standing: &Standing| {
            standing.routes.iter().any(|route| route.source.is_some_and(|source| gone.contains(&source)))
        };
        if !gone.is_empty() {
            changed.extend(self.links.iter().filter(|(_, standing)| has_lost(standing)).map(|(index, _)| *index));
        }
        // A route with several next hops may go with the link of one.
        let of_changed = changed.iter().filter_map(|index| self.links.get(index));
        let beside: Vec<u32> = of_changed.flat_map(|standing| &standing.routes).flat_map(Told::links).collect();
        for index in changed.into_iter().chain(beside).collect::<BTreeSet<_>>() {
            match Standing::read(netlink, index) {
                Ok(standing) => drop(self.links.insert(index, standing)),
                Err(refused) if refused.is_not_found() => drop(self.links.remove(&index)),
                Err(refused) => return Err(refused),
            }
        }
        Ok(())
    }
}

impl Standing {
    /// What stands on a link, which must be there.
    fn read(netlink: &Netlink, index: u32) -> Result<Self, Refused> {
        let addresses = address::told(netlink, Some(index))?.into_iter().map(|(_, address)| address).collect();
        Ok(Self { addresses, routes: Told::all(netlink, Some(index))? })
    }
}

impl Changes {
    fn add(&mut self, message: Message<'_>) {
        match message.kind() {
            RTM_NEWROUTE | RTM_DELROUTE => self.links.extend(links_of(message)),
            RTM_NEWNEXTHOP | RTM_DELNEXTHOP => self.is_partial = true,
            RTM_NEWADDR | RTM_DELADDR | RTM_NEWLINK | RTM_DELLINK => {
                // The second number of `struct ifaddrmsg` and of `struct ifinfomsg`.
                self.links.extend(message.payload().get(4..).and_then(number32));
            }
            _ => {}
        }
        if message.kind() == RTM_NEWROUTE && message.flags() & NLM_F_REPLACE != 0 {
            self.is_partial = true;
        }
        if message.kind() == RTM_DELADDR {
            self.gone.extend(address::read(message).map(|(_, address)| address.net.addr()));
        }
    }
}
