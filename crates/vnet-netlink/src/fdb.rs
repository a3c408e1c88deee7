//! The forwarding database of bridges (bridge(8), `linux/neighbour.h`).

use nix::libc::AF_BRIDGE;
use vnet_types::{Fdb, FdbOrigin, InterfaceName, MacAddr};

use crate::link::names;
use crate::message::{Message, Request, attribute, number16};
use crate::{Error, Intent, Netlink, Operation, Refused};

const RTM_NEWNEIGH: u16 = 28;
const RTM_DELNEIGH: u16 = 29;
const RTM_GETNEIGH: u16 = 30;
/// Length of `struct ndmsg`.
const HEADER: usize = 12;
const NDA_LLADDR: u16 = 2;
const NDA_VLAN: u16 = 5;
const NDA_MASTER: u16 = 9;
const NUD_REACHABLE: u16 = 0x02;
const NUD_NOARP: u16 = 0x40;
const NUD_PERMANENT: u16 = 0x80;
const NTF_MASTER: u8 = 0x04;

impl Netlink {
    /// Lists the MAC addresses that bridges know behind their ports.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn fdb(&self) -> Result<Vec<Fdb>, Error> {
        let links = self.links()?;
        let names = names(&links);
        let request = Request::new(RTM_GETNEIGH, &listing(0));
        let entries = self.ask(request, Intent::List, read).map_err(Operation::List.of("the forwarding database"))?;
        let named = entries.into_iter().filter_map(|(index, mac, vlan, origin)| {
            Some(Fdb { mac, port: (*names.get(&index)?).clone(), vlan, origin })
        });
        Ok(named.collect())
    }

    /// Lists those of [`Netlink::fdb`] that are behind one port. A link that does not exist has
    /// none.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn fdb_of(&self, port: &InterfaceName) -> Result<Vec<Fdb>, Error> {
        let list = || {
            let index = self.index(port)?;
            let entries = self.ask(Request::new(RTM_GETNEIGH, &listing(index)), Intent::List, read)?;
            // A kernel before 5.0 lists every port.
            Ok(entries.into_iter().filter(|entry| entry.0 == index).collect::<Vec<_>>())
        };
        match list() {
            Err(refused) if Refused::is_not_found(&refused) => Ok(Vec::new()),
            listed => {
                let listed = listed.map_err(Operation::List.of(format_args!("fdb entries of {port}")))?;
                let named = |(_, mac, vlan, origin)| Fdb { mac, port: port.clone(), vlan, origin };
                Ok(listed.into_iter().map(named).collect())
            }
        }
    }

    /// Adds an entry to a bridge: the port of a MAC address, in the VLAN of the entry or in every
    /// VLAN of the port.
    ///
    /// # Errors
    /// The kernel's refusal: [`Error::is_exists`] when the bridge has an entry for the address,
    /// [`Error::is_not_found`] when there is no such link, `EINVAL` when it is not a port.
    pub fn add_fdb(&self, entry: &Fdb) -> Result<(), Error> {
        let state = match entry.origin {
            FdbOrigin::Learned => NUD_REACHABLE,
            FdbOrigin::Static => NUD_NOARP | NUD_REACHABLE,
            FdbOrigin::Local => NUD_PERMANENT,
        };
        let add = || self.tell(self.entry(RTM_NEWNEIGH, entry, state)?, Intent::Create);
        add().map_err(Operation::Add.of(format_args!("fdb entry {entry}")))
    }

    /// Removes an entry from a bridge.
    ///
    /// # Errors
    /// The kernel's refusal: [`Error::is_not_found`] when it is gone, with or without its port.
    pub fn delete_fdb(&self, entry: &Fdb) -> Result<(), Error> {
        let delete = || self.tell(self.entry(RTM_DELNEIGH, entry, 0)?, Intent::Existing);
        delete().map_err(Operation::Delete.of(format_args!("fdb entry {entry}")))
    }

    fn entry(&self, kind: u16, entry: &Fdb, state: u16) -> Result<Request, Refused> {
        let request = Request::new(kind, &header(self.index(&entry.port)?, state)).with(NDA_LLADDR, &entry.mac.0);
        Ok(match entry.vlan {
            Some(vlan) => request.with(NDA_VLAN, &vlan.to_ne_bytes()),
            None => request,
        })
    }
}

/// `struct ndmsg` of a list: of one port, or of all. It takes no flags.
fn listing(index: u32) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[0] = AF_BRIDGE.to_ne_bytes()[0];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header
}

/// `struct ndmsg` of one entry in the bridge's table.
fn header(index: u32, state: u16) -> [u8; HEADER] {
    let mut header = listing(index);
    header[8..10].copy_from_slice(&state.to_ne_bytes());
    header[10] = NTF_MASTER;
    header
}

fn read(message: Message<'_>) -> Option<(u32, MacAddr, Option<u16>, FdbOrigin)> {
    let (header, attributes) = message.payload().split_at_checked(HEADER)?;
    // Entries without a bridge belong to the link itself, such as its multicast addresses.
    attribute(attributes, NDA_MASTER)?;
    let index = u32::from_ne_bytes(header[4..8].try_into().ok()?);
    let state = u16::from_ne_bytes([header[8], header[9]]);
    let origin = match state {
        state if state & NUD_PERMANENT != 0 => FdbOrigin::Local,
        state if state & NUD_NOARP != 0 => FdbOrigin::Static,
        _ => FdbOrigin::Learned,
    };
    let mac = MacAddr(attribute(attributes, NDA_LLADDR)?.try_into().ok()?);
    Some((index, mac, attribute(attributes, NDA_VLAN).and_then(number16), origin))
}
