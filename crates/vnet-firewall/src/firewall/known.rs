//! What a firewall knows of the rules of all networks.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, MutexGuard, PoisonError};

use super::{Error, Firewall};
use crate::{Batch, Ledger, Ruleset, Table};

/// The socket of nf_tables, for who passes it to another process, which then waits when it closes
/// it.
impl AsFd for Firewall {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.netfilter.as_fd()
    }
}

impl Firewall {
    /// What is known of all networks, for [`remember`](Self::remember) in another process.
    pub fn ledger(&self) -> Option<Arc<Ledger>> {
        self.locked_ledger().clone()
    }

    /// The same, if nobody has changed the rules of the host since.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn current_ledger(&self) -> Result<Option<Arc<Ledger>>, Error> {
        let Some(ledger) = self.ledger() else { return Ok(None) };
        let now = self.netfilter.find(&Table::generation_request()).map_err(Error::Read)?;
        Ok(Some(ledger).filter(|ledger| ledger.is_now(&now)))
    }

    /// Takes over what another firewall knew in this network namespace. It counts as long as nobody
    /// has changed the rules of the host.
    pub fn remember(&self, ledger: impl Into<Arc<Ledger>>) {
        *self.locked_ledger() = Some(ledger.into());
    }

    /// Records all rules of a network, as a listing has them.
    pub(super) fn learn(&self, table: &Table, listed: Option<&Ruleset>) {
        let mut known = self.locked_ledger();
        if !known.as_ref().is_some_and(|known| known.is_about(table)) {
            *known = Ledger::of(table).map(Arc::new);
        }
        // In one generation a network has the same rules.
        if known.as_ref().zip(listed).is_some_and(|(known, listed)| known.knows(&listed.network)) {
            return;
        }
        if let (Some(known), Some(listed)) = (&mut *known, listed) {
            Arc::make_mut(known).note(listed);
        }
    }

    fn locked_ledger(&self) -> MutexGuard<'_, Option<Arc<Ledger>>> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries the ledger over to the generation after a transaction. A host without the table has
    /// no networks.
    pub(super) fn carry_over(&self, before: &Table, batch: &Batch, from: &[&Ruleset], to: &[&Ruleset]) {
        let mut known = self.locked_ledger();
        let current = known.take().filter(|known| known.is_about(before)).map(Arc::unwrap_or_clone);
        *known = current.or_else(|| Ledger::of(before)).map(|known| known.after(batch, from, to).into());
    }
}
