//! libvirt's rules for a network that vnet takes over: looked for and removed, never made.

use vnet_firewall::LibvirtRules;
use vnet_plan::Key;

use super::{Kind, LinuxHost};
use crate::{Error, Fact};

impl Kind for LibvirtRules {
    fn look(&self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Self>, Error> {
        let has_rules = host.firewall()?.has_rules_of_libvirt(self).map_err(Error::Firewall)?;
        Ok(has_rules.then(|| self.clone()))
    }

    /// Only libvirt makes its rules.
    fn create(&self, _: &LinuxHost) -> Result<Option<Fact>, Error> {
        Err(Error::Unexpected(Key::LibvirtRules(self.bridge.clone())))
    }

    /// Which subnets they are for is not written in them.
    fn update(&self, _: &Self, _: &LinuxHost, fact: Option<Fact>) -> Result<Option<Fact>, Error> {
        Ok(fact)
    }

    fn delete(&self, host: &LinuxHost, _: Option<Fact>) -> Result<(), Error> {
        host.firewall()?.remove_rules_of_libvirt(self).map_err(Error::Firewall)
    }
}
