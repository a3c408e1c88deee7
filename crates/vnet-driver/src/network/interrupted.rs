//! Ends what processes that were killed have left half done.

use std::collections::BTreeSet;

use vnet_host::{LinuxHost, Namespace, Receipt, Subject};

use crate::driver::Driver;
use crate::error::Error;

impl Driver {
    /// Ends what processes that were killed have left half done, so that each network and port is
    /// as it was before the last act or as it is after it: a start is taken back, a stop goes on, a
    /// change is made anew. Where nothing is half done, receipts are looked at, and no more.
    /// Returns what could not be ended.
    ///
    /// # Errors
    /// [`Error::Host`] when the state folder cannot be read, or the lock cannot be taken.
    pub fn end_interrupted(&self) -> Result<Vec<Error>, Error> {
        if self.store.is_settled()? && self.store.pair()?.is_none() {
            return Ok(Vec::new());
        }
        // An act that is under way ends first.
        let (mut host, lock, here) = (self.host()?, self.lock()?, LinuxHost::namespace()?);
        let (mut errors, mut changed) = (Vec::new(), BTreeSet::new());
        for receipt in self.store.receipts()?.into_iter().flatten().filter(|it| is_interrupted(it, &here)) {
            match receipt.starts_or_stops() {
                true => errors.extend(self.stop_locked(&mut host, &lock, &receipt.header.network).err()),
                false => drop(changed.insert(receipt.header.network)),
            }
        }
        for receipt in self.store.port_receipts()?.into_iter().flatten().filter(|it| is_interrupted(it, &here)) {
            match receipt.starts_or_stops() {
                true => {
                    let detached = self.detach_locked(&mut host, &lock, &receipt.header.port.dev);
                    errors.extend(detached.err());
                }
                // A network brings its ports along.
                false => changed.extend(receipt.header.port.network),
            }
        }
        let attempts = self.bring_up(changed.into_iter().collect(), &lock)?;
        errors.extend(attempts.into_iter().filter_map(|attempt| attempt.result.err()));
        Ok(errors)
    }
}

fn is_interrupted<S: Subject>(receipt: &Receipt<S>, here: &Namespace) -> bool {
    !receipt.settled && receipt.header.namespace().is(here)
}
