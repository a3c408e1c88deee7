//! Forwarded ports of guests, let through libvirt's rules by rules of ours among them.

use vnet_firewall::LibvirtForwards;

use super::{Kind, LinuxHost};
use crate::{Error, Fact};

impl Kind for LibvirtForwards {
    fn look(&self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Self>, Error> {
        host.found_or(self, host.firewall()?.forwards_in_libvirt(self).map_err(Error::Firewall))
    }

    fn create(&self, host: &LinuxHost) -> Result<Option<Fact>, Error> {
        host.firewall()?.replace_forwards_in_libvirt(self, Some(self)).map_err(Error::Firewall)?;
        Ok(None)
    }

    fn update(&self, to: &Self, host: &LinuxHost, fact: Option<Fact>) -> Result<Option<Fact>, Error> {
        host.firewall()?.replace_forwards_in_libvirt(self, Some(to)).map_err(Error::Firewall)?;
        Ok(fact)
    }

    fn delete(&self, host: &LinuxHost, _: Option<Fact>) -> Result<(), Error> {
        host.firewall()?.replace_forwards_in_libvirt(self, None).map_err(Error::Firewall)
    }
}
