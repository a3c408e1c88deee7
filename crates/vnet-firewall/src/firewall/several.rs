//! Several networks in one transaction.

use super::{Error, Firewall};
use crate::kernel::Intact;
use crate::shared::Share;
use crate::{Batch, Ruleset};

impl Firewall {
    /// Adds several networks in one transaction, if the shared parts that they need are there and
    /// nobody has changed a rule of the host since this firewall has seen them. Returns whether it
    /// has; otherwise nothing has changed, and each can be added alone.
    ///
    /// A call after [`replace`](Self::replace) has added one such network finds the shared parts.
    pub fn add_all(&self, all: &[&Ruleset]) -> bool {
        let known = self.intact().take();
        known.is_some_and(|known| self.add(all, known).unwrap_or(false))
    }

    /// Removes several networks in one transaction, if each has these rules. Returns whether it
    /// has; otherwise nothing has changed, and each can be removed alone.
    pub fn remove_all(&self, all: &[&Ruleset]) -> bool {
        self.try_remove_all(all).unwrap_or(false)
    }

    /// Adds networks without reading anything, if the shared parts were intact and nobody has
    /// changed a rule of the host since, which the kernel checks. Returns false if somebody has, or
    /// if a part of a network exists.
    pub(super) fn add(&self, all: &[&Ruleset], known: Intact) -> Result<bool, Error> {
        let has = |ruleset: &&Ruleset| Share::of(ruleset).iter().all(|share| known.shares.contains(share));
        // What is known of the table does not say which devices its flowtable has.
        if all.iter().any(|ruleset| ruleset.flowtable.is_some() || !has(ruleset)) {
            return Ok(false);
        }
        let links = self.links();
        let batch = Batch::adding(&known.table, all, &|name| links.index(name))?;
        if self.commit(&batch).is_err() {
            return Ok(false);
        }
        self.carry_over(&known.table, &batch, &[], all);
        *self.intact() = Some(known.after(&batch, false, Vec::new()));
        Ok(true)
    }

    fn try_remove_all(&self, all: &[&Ruleset]) -> Result<bool, Error> {
        self.intact().take();
        self.last().take();
        let links = self.links();
        let installed = self.near(all, true, &links)?;
        // A listing of the whole table shows what else the others have.
        if all.iter().any(|ruleset| installed.ruleset(&ruleset.network).as_ref() != Some(*ruleset)) {
            return Ok(false);
        }
        let batch = Batch::removing(&installed, all, &|name| links.index(name))?;
        self.commit(&batch)?;
        self.carry_over(&installed, &batch, all, &[]);
        *self.intact() = installed.intact().map(|intact| intact.after(&batch, true, Vec::new()));
        Ok(true)
    }
}
