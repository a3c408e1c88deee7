//! nf_tables rules of networks: read back into the value that they were made from, replaced in one
//! transaction.

use vnet_plan::{Key, NetworkRules};

use super::{Kind, LinuxHost};
use crate::{Error, Fact};

impl LinuxHost {
    /// Whether the kernel can let established connections skip the rules
    /// ([`Firewall::has_flowtables`](vnet_firewall::Firewall::has_flowtables)).
    pub fn has_flowtables(&self) -> Option<bool> {
        self.firewall.has_flowtables()
    }
}

impl Kind for NetworkRules {
    fn look(&self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Self>, Error> {
        let found = match &host.seen {
            Some(seen) => seen
                .rules(&host.netlink, &host.firewall)
                .map(|rules| host.firewall.find_in(rules, &self.ruleset.network)),
            None => host.firewall.read_all_of(&self.ruleset).map_err(Error::rules(&self.network)),
        };
        let found =
            found.map(|found| found.map(|ruleset| Self { ruleset: ruleset.into(), network: self.network.clone() }));
        let found = host.found_or(self, found)?;
        if !host.has_not_read(&Key::Ruleset(self.network.clone())) && found.as_ref() == Some(self) {
            host.has_seen(self);
        }
        Ok(found)
    }

    fn create(&self, host: &LinuxHost) -> Result<Option<Fact>, Error> {
        host.firewall.replace(None, Some(&self.ruleset)).map_err(Error::rules(&self.network))?;
        Ok(None)
    }

    fn update(&self, to: &Self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Fact>, Error> {
        host.firewall.replace(Some(&self.ruleset), Some(&to.ruleset)).map_err(Error::rules(&to.network))?;
        Ok(None)
    }

    fn delete(&self, host: &LinuxHost, _: Option<Fact>) -> Result<(), Error> {
        host.firewall.replace(Some(&self.ruleset), None).map_err(Error::rules(&self.network))
    }
}
