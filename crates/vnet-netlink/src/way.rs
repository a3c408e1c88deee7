//! The way of one packet, as the kernel finds it (`ip route get`): through every table and rule of
//! policy routing.

use std::net::IpAddr;

use nix::libc::{AF_INET, AF_INET6};
use vnet_types::InterfaceName;

use crate::address::{ip, octets};
use crate::message::{Message, Request, attribute, number32};
use crate::{Error, Intent, Netlink, Operation, Refused};

const RTM_GETROUTE: u16 = 26;
/// Length of `struct rtmsg`.
const HEADER: usize = 12;
const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_IIF: u16 = 3;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTN_LOCAL: u8 = 2;

/// A packet whose way is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traveller {
    /// Where it goes to.
    pub to: IpAddr,
    /// Its source, of the same family. `None`: the kernel chooses.
    pub from: Option<IpAddr>,
    /// The link that it comes in by. `None`: this host sends it.
    pub incoming: Option<InterfaceName>,
}

/// The way of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Way {
    /// Whether it is for this host.
    pub local: bool,
    /// The link that it leaves by.
    pub link: Option<InterfaceName>,
    /// The next router.
    pub gateway: Option<IpAddr>,
}

impl Netlink {
    /// Asks the kernel for the way of a packet. `Err` inside: the kernel has none, or refuses to
    /// take the packet from where it comes.
    ///
    /// # Errors
    /// The kernel's refusal to answer.
    pub fn way(&self, of: &Traveller) -> Result<Result<Way, Refused>, Error> {
        let mut header = [0; HEADER];
        let (family, length) = if of.to.is_ipv4() { (AF_INET, 32) } else { (AF_INET6, 128) };
        header[0] = family.to_ne_bytes()[0];
        header[1] = length;
        header[2] = if of.from.is_some() { length } else { 0 };
        let mut request = Request::new(RTM_GETROUTE, &header).with(RTA_DST, &octets(of.to));
        if let Some(from) = of.from {
            request = request.with(RTA_SRC, &octets(from));
        }
        if let Some(incoming) = &of.incoming {
            let index = self.index(incoming).map_err(Operation::List.of(format_args!("route to {}", of.to)))?;
            request = request.with(RTA_IIF, &index.to_ne_bytes());
        }
        let found = match self.ask(request, Intent::Existing, read) {
            Ok(found) => found.into_iter().next(),
            Err(refused) => return Ok(Err(refused)),
        };
        let Some((kind, link, gateway)) = found else {
            return Ok(Err(Refused::from_errno(nix::libc::ENETUNREACH)));
        };
        let link = link.map_or(Ok(None), |index| self.link_name(index))?;
        Ok(Ok(Way { local: kind == RTN_LOCAL, link, gateway }))
    }
}

fn read(message: Message<'_>) -> Option<(u8, Option<u32>, Option<IpAddr>)> {
    let (header, attributes) = message.payload().split_at_checked(HEADER)?;
    let link = attribute(attributes, RTA_OIF).and_then(number32);
    Some((header[7], link, attribute(attributes, RTA_GATEWAY).and_then(ip)))
}
