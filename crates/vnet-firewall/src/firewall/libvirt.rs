//! libvirt's rules, and ours among them.

use super::{ATTEMPTS, Error, Firewall};
use crate::kernel::{Installed, Passages};
use crate::{LibvirtForwards, LibvirtRules, Table};

impl Firewall {
    /// Whether libvirt has rules for one of its networks.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn has_rules_of_libvirt(&self, network: &LibvirtRules) -> Result<bool, Error> {
        Ok(self.rules_of_libvirt(network)?.has_rules())
    }

    /// Removes libvirt's rules for one of its networks, in one transaction, with libvirt's chains
    /// and tables when nobody else has a rule in them. Libvirt's own daemon must not run meanwhile.
    /// A network without rules is not an error.
    ///
    /// # Errors
    /// [`Error`]: nothing has changed then.
    pub fn remove_rules_of_libvirt(&self, network: &LibvirtRules) -> Result<(), Error> {
        self.intact().take();
        for _ in 0..ATTEMPTS {
            let Some(batch) = self.rules_of_libvirt(network)?.removal() else { return Ok(()) };
            match self.netfilter.commit(&batch) {
                Err(refused) if refused.is_outdated() => {}
                Err(source) => {
                    let subject = format!("the removal of libvirt's rules for {}", network.bridge);
                    return Err(Error::Refused { subject, source });
                }
                Ok(()) => return Ok(()),
            }
        }
        Err(Error::Busy)
    }

    fn rules_of_libvirt(&self, network: &LibvirtRules) -> Result<Installed, Error> {
        let mut messages = self.netfilter.find(&Table::generation_request()).map_err(Error::Read)?;
        for request in Installed::requests() {
            messages.extend(self.netfilter.find(&request).map_err(Error::Read)?);
        }
        Ok(Installed::decode(&messages, network, self.links().index(&network.bridge)))
    }

    /// Which of these ports are let through libvirt's rules. `None` without a rule of ours.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn forwards_in_libvirt(&self, expected: &LibvirtForwards) -> Result<Option<LibvirtForwards>, Error> {
        Ok(self.passages(expected)?.found(expected))
    }

    /// Lets ports of guests through libvirt's rules, in one transaction. `network` says which
    /// network it is; its ports are closed again unless `to` has them.
    ///
    /// # Errors
    /// [`Error::NoRulesOfLibvirt`]; [`Error`]: nothing has changed then.
    pub fn replace_forwards_in_libvirt(
        &self,
        network: &LibvirtForwards,
        to: Option<&LibvirtForwards>,
    ) -> Result<(), Error> {
        self.intact().take();
        for _ in 0..ATTEMPTS {
            let passages = self.passages(network)?;
            if let Some(to) = to.filter(|to| !passages.has_room_for(to)) {
                return Err(Error::NoRulesOfLibvirt(to.bridge.clone()));
            }
            let Some(batch) = passages.replacement(to) else { return Ok(()) };
            match self.netfilter.commit(&batch) {
                Err(refused) if refused.is_outdated() => {}
                Err(source) => {
                    let subject = format!("the rules for forwards among those of libvirt for {}", network.bridge);
                    return Err(Error::Refused { subject, source });
                }
                Ok(()) => return Ok(()),
            }
        }
        Err(Error::Busy)
    }

    fn passages(&self, network: &LibvirtForwards) -> Result<Passages, Error> {
        let mut messages = Vec::new();
        for request in Passages::requests() {
            messages.extend(self.netfilter.find(&request).map_err(Error::Read)?);
        }
        Ok(Passages::decode(&messages, network, self.links().index(&network.bridge)))
    }
}
