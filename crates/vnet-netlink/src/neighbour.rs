//! The neighbour tables (`ip neighbour`, `linux/neighbour.h`).

use std::net::IpAddr;

use nix::libc::{AF_INET, AF_INET6};
use vnet_types::{InterfaceName, MacAddr, Neighbour};

use crate::address::octets;
use crate::message::{Message, Request, attribute};
use crate::{Error, Intent, Netlink, Operation};

const RTM_DELNEIGH: u16 = 29;
const RTM_GETNEIGH: u16 = 30;
/// Length of `struct ndmsg`.
const HEADER: usize = 12;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const NDA_IFINDEX: u16 = 8;
/// The states in which a neighbour has answered: reachable, stale, delay, probe and permanent.
const ANSWERED: u16 = 0x02 | 0x04 | 0x08 | 0x10 | 0x80;
const PERMANENT: u16 = 0x80;
/// The states in which it was asked and has not answered: incomplete and failed.
const SILENT: u16 = 0x01 | 0x20;

/// What the kernel knows of who has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// Somebody has answered.
    Answered(MacAddr),
    /// Somebody has written it down, and the kernel asks nobody.
    Permanent(MacAddr),
    /// Nobody has answered.
    Silent,
}

/// An address, the state of its entry, and the MAC address.
type Entry = (IpAddr, u16, Option<MacAddr>);

impl Netlink {
    /// Lists who has answered at which address behind a link. Empty when there is no such link.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn neighbours(&self, link: &InterfaceName) -> Result<Vec<Neighbour>, Error> {
        let Some(known) = self.link(link)? else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for family in [AF_INET, AF_INET6] {
            let answered = |(ip, state, mac): Entry| {
                Some(Neighbour { ip, mac: mac.filter(|_| state & ANSWERED != 0)?, link: link.clone() })
            };
            found.extend(self.entries(link, known.index, family)?.into_iter().filter_map(answered));
        }
        found.sort();
        Ok(found)
    }

    /// Lists the addresses behind a link for which somebody has written down who has them: the
    /// kernel asks nobody.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn permanent_neighbours(&self, link: &InterfaceName) -> Result<Vec<Neighbour>, Error> {
        let Some(known) = self.link(link)? else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for family in [AF_INET, AF_INET6] {
            let written = |(ip, state, mac): Entry| {
                Some(Neighbour { ip, mac: mac.filter(|_| state & PERMANENT != 0)?, link: link.clone() })
            };
            found.extend(self.entries(link, known.index, family)?.into_iter().filter_map(written));
        }
        found.sort();
        Ok(found)
    }

    /// What the kernel knows of who has an address behind a link. `None` when it has never asked.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn whereabouts(&self, link: &InterfaceName, of: IpAddr) -> Result<Option<Whereabouts>, Error> {
        let Some(known) = self.link(link)? else { return Ok(None) };
        let found = self.entries(link, known.index, family(of))?.into_iter().find(|(ip, ..)| *ip == of);
        Ok(found.and_then(|(_, state, mac)| match mac {
            Some(mac) if state & PERMANENT != 0 => Some(Whereabouts::Permanent(mac)),
            Some(mac) if state & ANSWERED != 0 => Some(Whereabouts::Answered(mac)),
            _ => (state & SILENT != 0).then_some(Whereabouts::Silent),
        }))
    }

    /// The entries of a family behind a link.
    fn entries(&self, link: &InterfaceName, index: u32, family: i32) -> Result<Vec<Entry>, Error> {
        let mut header = [0; HEADER];
        header[0] = family.to_ne_bytes()[0];
        let request = Request::new(RTM_GETNEIGH, &header).with(NDA_IFINDEX, &index.to_ne_bytes());
        let entries = self.ask(request, Intent::List, |message: Message<'_>| read(message, index));
        entries.map_err(Operation::List.of(format_args!("neighbours of {link}")))
    }

    /// Forgets who has answered at an address behind a link. It is no error when nobody has.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn forget_neighbour(&self, link: &InterfaceName, at: IpAddr) -> Result<(), Error> {
        let Some(known) = self.link(link)? else { return Ok(()) };
        let mut header = [0; HEADER];
        header[0] = family(at).to_ne_bytes()[0];
        header[4..8].copy_from_slice(&known.index.to_ne_bytes());
        match self.tell(Request::new(RTM_DELNEIGH, &header).with(NDA_DST, &octets(at)), Intent::Existing) {
            Err(refused) if !refused.is_not_found() => {
                Err(Operation::Delete.of(format_args!("neighbour {at} of {link}"))(refused))
            }
            _ => Ok(()),
        }
    }
}

fn family(address: IpAddr) -> i32 {
    if address.is_ipv4() { AF_INET } else { AF_INET6 }
}

fn read(message: Message<'_>, link: u32) -> Option<Entry> {
    let (header, attributes) = message.payload().split_at_checked(HEADER)?;
    let index = u32::from_ne_bytes(header[4..8].try_into().ok()?);
    let state = u16::from_ne_bytes([header[8], header[9]]);
    if index != link {
        return None;
    }
    let destination = attribute(attributes, NDA_DST)?;
    let ip = match destination.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(destination).ok()?),
        _ => IpAddr::from(<[u8; 16]>::try_from(destination).ok()?),
    };
    let mac = attribute(attributes, NDA_LLADDR).and_then(|mac| Some(MacAddr(mac.try_into().ok()?)));
    Some((ip, state, mac))
}
