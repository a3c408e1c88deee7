//! Several networks in one transaction.

use std::collections::BTreeSet;

use super::{Error, Firewall};
use crate::kernel::Intact;
use crate::{Batch, Networks, Ruleset};

impl Firewall {
    /// Adds those of several networks whose shared parts are there, in one transaction, if nobody
    /// has changed a rule of the host since this firewall has seen these parts. Returns the names
    /// of those that it has added: all that it could, or none. The others can be added alone.
    ///
    /// A call after [`replace`](Self::replace) has added one network finds the parts of that.
    pub fn add_all(&self, all: &[&Ruleset]) -> BTreeSet<String> {
        let Some(known) = self.intact().take() else { return BTreeSet::new() };
        let some: Vec<&Ruleset> = all.iter().copied().filter(|ruleset| known.has_parts_of(ruleset)).collect();
        if some.is_empty() {
            *self.intact() = Some(known);
            return BTreeSet::new();
        }
        let is_added = self.add(&some, known).unwrap_or(false);
        names(&some, is_added)
    }

    /// Removes those of several networks that have exactly these rules, in one transaction. Returns
    /// the names of those that it has removed: all that it could, or none. The others can be
    /// removed alone.
    pub fn remove_all(&self, all: &[&Ruleset]) -> BTreeSet<String> {
        self.intact().take();
        self.last().take();
        let links = self.links();
        let Ok(installed) = self.near(all, true, &links) else { return BTreeSet::new() };
        let networks = Networks::from(installed);
        let installed = networks.table();
        let is_expected = |ruleset: &&Ruleset| networks.ruleset(&ruleset.network).as_ref() == Some(*ruleset);
        let some: Vec<&Ruleset> = all.iter().copied().filter(is_expected).collect();
        let Ok(batch) = Batch::removing(installed, &some, &|name| links.index(name)) else { return BTreeSet::new() };
        let is_removed = self.commit(&batch).is_ok();
        if is_removed {
            self.carry_over(installed, &batch, &some, &[]);
            *self.intact() = installed.intact().map(|intact| intact.after(&batch, true, Vec::new()));
        }
        names(&some, is_removed)
    }

    /// Adds networks whose shared parts were intact, without reading anything, if nobody has
    /// changed a rule of the host since, which the kernel checks. Returns false if somebody has, or
    /// if a part of a network exists.
    pub(super) fn add(&self, all: &[&Ruleset], known: Intact) -> Result<bool, Error> {
        let links = self.links();
        let batch = Batch::adding(&known.table, all, &|name| links.index(name))?;
        if self.commit(&batch).is_err() {
            return Ok(false);
        }
        self.carry_over(&known.table, &batch, &[], all);
        *self.intact() = Some(known.after(&batch, false, Vec::new()));
        Ok(true)
    }
}

fn names(all: &[&Ruleset], are: bool) -> BTreeSet<String> {
    all.iter().filter(|_| are).map(|ruleset| ruleset.network.clone()).collect()
}
