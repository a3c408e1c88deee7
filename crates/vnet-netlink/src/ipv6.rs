//! The IPv6 switches of links, as one list (`linux/ipv6.h`, `IFLA_INET6_CONF`).

use std::collections::BTreeMap;

use nix::libc::AF_INET6;

use crate::link::{HEADER, RTM_GETLINK, header};
use crate::message::{Message, Request, attribute, number32};
use crate::{Error, Intent, Netlink, Operation};

const IFLA_PROTINFO: u16 = 12;
const IFLA_INET6_CONF: u16 = 2;
const ACCEPT_RA: usize = 3;
const AUTOCONF: usize = 5;
const DISABLE_IPV6: usize = 26;

/// What `/proc/sys/net/ipv6/conf` has for a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ipv6Switches {
    /// `disable_ipv6`
    pub disable_ipv6: u32,
    /// `accept_ra`
    pub accept_ra: u32,
    /// `autoconf`
    pub autoconf: u32,
}

impl Netlink {
    /// The IPv6 switches of all links that have some, by index.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn ipv6_switches(&self) -> Result<BTreeMap<u32, Ipv6Switches>, Error> {
        let family = u8::try_from(AF_INET6).unwrap_or_default();
        let listed = self.ask(Request::new(RTM_GETLINK, &header(family, 0)), Intent::List, read);
        Ok(listed.map_err(Operation::List.of("IPv6 switches"))?.into_iter().collect())
    }
}

fn read(message: Message<'_>) -> Option<(u32, Ipv6Switches)> {
    let (header, attributes) = message.payload().split_at_checked(HEADER)?;
    let conf = attribute(attribute(attributes, IFLA_PROTINFO)?, IFLA_INET6_CONF)?;
    let switch = |number: usize| number32(conf.get(number * 4..)?);
    let switches = Ipv6Switches {
        disable_ipv6: switch(DISABLE_IPV6)?,
        accept_ra: switch(ACCEPT_RA)?,
        autoconf: switch(AUTOCONF)?,
    };
    Some((number32(header.get(4..)?)?, switches))
}
