//! Makes changes one after the other, and takes them back when one fails. It decides nothing.

use vnet_plan::Change;

use crate::journal::Journal;
use crate::{Error, Host};

/// Makes the changes, each written ahead.
///
/// # Errors
/// [`Error::Step`]: the changes before the one that failed are undone, through their inverses in reverse.
pub(crate) fn execute(host: &mut impl Host, journal: &mut Journal, changes: &[Change]) -> Result<(), Error> {
    for (count, change) in changes.iter().enumerate() {
        if let Err(source) = step(host, journal, change) {
            let done = changes[..count].iter().rev();
            let rollback = done.filter_map(|done| step(host, journal, &done.inverse()).err()).collect();
            return Err(Error::Step { step: change.key(), source: Box::new(source), rollback });
        }
    }
    Ok(())
}

/// Makes the changes as far as they can be made, and tells what could not.
pub(crate) fn execute_all(host: &mut impl Host, journal: &mut Journal, changes: &[Change]) -> Vec<Error> {
    changes.iter().filter_map(|change| step(host, journal, change).err()).collect()
}

fn step(host: &mut impl Host, journal: &mut Journal, change: &Change) -> Result<(), Error> {
    journal.intent(change)?;
    match host.apply(change, &journal.receipt.facts) {
        Ok(fact) => journal.done(change, fact),
        Err(error) => {
            journal.refused()?;
            Err(error)
        }
    }
}
