//! nf_tables rules of networks: read back into the value that they were made from, replaced in one
//! transaction.

use std::collections::BTreeSet;

use vnet_firewall::{Counts, Firewall, Judgement, Packet, Rule, Ruleset};
use vnet_plan::{Key, NetworkRules};
use vnet_types::NetworkName;

use super::seen::{self, Seen};
use super::{Kind, LinuxHost};
use crate::{Error, Fact};

/// How many networks come or go in one transaction. The message of so many with NAT and both
/// families is 166 kB long, and every user may send 212 (`net.core.wmem_default`).
const TOGETHER: usize = 100;
/// How often to add one network alone, for what it shares with others that lack it.
const ROUNDS: usize = 4;

impl LinuxHost {
    /// Adds the rules of several networks in one transaction, after those of one that brings what
    /// all share. Those that are refused are left to their own changes.
    pub(super) fn add_rules(&self, mut all: Vec<&NetworkRules>) {
        for _ in 0..ROUNDS {
            // Two of which one comes first are two transactions anyway.
            if all.len() < 3 {
                return;
            }
            // The last is the one that needs most of what is shared.
            all.sort_by_key(|rules| rules.ruleset.sets.len());
            let Some(first) = all.pop() else { return };
            if first.create(self).is_ok() {
                self.filtered.borrow_mut().insert(first.network.clone());
                self.replace_rules(&all, Firewall::add_all);
            }
            all.retain(|rules| !self.filtered.borrow().contains(&rules.network));
        }
    }

    /// Removes the rules of several networks in one transaction. Those that are refused are left to
    /// their own changes.
    pub(super) fn remove_rules(&self, all: &[&NetworkRules]) {
        if all.len() > 1 {
            self.replace_rules(all, Firewall::remove_all);
        }
    }

    fn replace_rules(&self, all: &[&NetworkRules], replace: fn(&Firewall, &[&Ruleset]) -> BTreeSet<String>) {
        let Ok(firewall) = self.firewall() else { return };
        for together in all.chunks(TOGETHER) {
            let rulesets: Vec<&Ruleset> = together.iter().map(|rules| &*rules.ruleset).collect();
            let replaced = replace(firewall, &rulesets);
            let is_replaced = |rules: &&&NetworkRules| replaced.contains(&rules.ruleset.network);
            let names = together.iter().filter(is_replaced).map(|rules| rules.network.clone());
            self.filtered.borrow_mut().extend(names);
        }
    }

    /// The packet filter. Its sockets stay open, because closing one after rules were deleted takes
    /// some milliseconds.
    pub(super) fn firewall(&self) -> Result<&Firewall, Error> {
        seen::once(&self.firewall, || {
            let firewall = Firewall::open().map_err(Error::Firewall)?;
            self.ledger.iter().for_each(|ledger| ledger.read(&firewall));
            Ok(firewall)
        })
    }

    /// What the firewall rules of other programs do with packets.
    ///
    /// # Errors
    /// [`Error::Firewall`] where the rules cannot be read.
    pub fn judge<'a>(&self, packets: impl Iterator<Item = &'a Packet>) -> Result<Vec<Judgement>, Error> {
        let Some(seen) = &self.seen else { return self.firewall()?.judge(packets).map_err(Error::Firewall) };
        let (foreign, links) = (seen.foreign(self.firewall()?)?, seen.links(&self.netlink)?);
        Ok(packets.map(|packet| foreign.judge(packet, |name| links.named(name).map(|known| known.index))).collect())
    }

    /// Whether iptables-legacy filters packets, by tables of its own that nobody else can read.
    pub fn filters_by_legacy(&self) -> bool {
        self.seen.as_ref().map_or_else(seen::filters_by_legacy, Seen::filters_by_legacy)
    }

    /// The counters of a network's rules. Each has its chain, or the set that has the rule as an
    /// element.
    ///
    /// # Errors
    /// [`Error::Rules`], [`Error::Firewall`] where the rules cannot be read.
    pub fn counts(&self, network: &NetworkName) -> Result<Vec<(String, Rule, Counts)>, Error> {
        match &self.seen {
            Some(seen) => Ok(seen.rules(&self.netlink, self.firewall()?)?.counts(network.as_str())),
            None => {
                let table = self.firewall()?.read().map_err(Error::rules(network))?;
                Ok(table.counts(network.as_str()).collect())
            }
        }
    }

    /// Whether the kernel can let established connections skip the rules
    /// ([`Firewall::has_flowtables`](vnet_firewall::Firewall::has_flowtables)).
    pub fn has_flowtables(&self) -> Option<bool> {
        self.firewall().ok()?.has_flowtables()
    }
}

impl Kind for NetworkRules {
    fn look(&self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Self>, Error> {
        let firewall = host.firewall()?;
        let found = match &host.seen {
            Some(seen) => {
                seen.rules(&host.netlink, firewall).map(|rules| firewall.find_in(rules, &self.ruleset.network))
            }
            None => firewall.read_all_of(&self.ruleset).map_err(Error::rules(&self.network)),
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
        if host.filtered.borrow_mut().remove(&self.network) {
            return Ok(None);
        }
        host.firewall()?.replace(None, Some(&self.ruleset)).map_err(Error::rules(&self.network))?;
        Ok(None)
    }

    fn update(&self, to: &Self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Fact>, Error> {
        host.firewall()?.replace(Some(&self.ruleset), Some(&to.ruleset)).map_err(Error::rules(&to.network))?;
        Ok(None)
    }

    fn delete(&self, host: &LinuxHost, _: Option<Fact>) -> Result<(), Error> {
        if host.filtered.borrow_mut().remove(&self.network) {
            return Ok(());
        }
        host.firewall()?.replace(Some(&self.ruleset), None).map_err(Error::rules(&self.network))
    }
}
