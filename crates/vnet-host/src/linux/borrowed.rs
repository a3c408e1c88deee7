//! MAC addresses of host devices that a guest has for itself.

use vnet_netlink::{KernelLink, Netlink};
use vnet_plan::{Borrowed, Key};
use vnet_types::{Link, MacAddr};

use super::{Kind, LinuxHost};
use crate::{Error, Fact};

impl Kind for Borrowed {
    /// The device is lent while it has the guest's MAC address.
    fn look(&self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Self>, Error> {
        let lent = host.link(&self.link)?.is_some_and(|known| known.link.mac == Some(self.mac));
        Ok(lent.then(|| self.clone()))
    }

    fn create(&self, host: &LinuxHost) -> Result<Option<Fact>, Error> {
        lend(&host.netlink, self, self.was).map(|()| None)
    }

    fn update(&self, to: &Self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Fact>, Error> {
        lend(&host.netlink, to, self.mac).map(|()| None)
    }

    /// Restores the device's MAC address, unless somebody else has changed it since.
    fn delete(&self, host: &LinuxHost, _: Option<Fact>) -> Result<(), Error> {
        match host.netlink.link(&self.link)? {
            Some(known) if known.link.mac == Some(self.mac) => set_mac(&host.netlink, &known, self.mac, self.was),
            _ => Ok(()),
        }
    }
}

fn lend(netlink: &Netlink, to: &Borrowed, was: MacAddr) -> Result<(), Error> {
    let known = netlink.link(&to.link)?.ok_or_else(|| Error::Unexpected(Key::Borrowed(to.link.clone())))?;
    set_mac(netlink, &known, was, to.mac)
}

fn set_mac(netlink: &Netlink, known: &KernelLink, from: MacAddr, to: MacAddr) -> Result<(), Error> {
    let with = |mac| Link { mac: Some(mac), ..known.link.clone() };
    Ok(netlink.set_link(known.index, &with(from), &with(to))?)
}
