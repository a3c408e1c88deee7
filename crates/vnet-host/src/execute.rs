//! Makes changes one after the other, and takes them back when one fails. It decides nothing.

use vnet_plan::{Change, Resource};

use crate::journal::Journal;
use crate::{Error, Host, Subject};

/// Makes the changes, each written ahead.
///
/// # Errors
/// [`Error::Step`]: the changes before the one that failed are undone, through their inverses in reverse.
pub(crate) fn execute(
    host: &mut impl Host,
    journal: &mut Journal<impl Subject>,
    changes: &[Change],
) -> Result<(), Error> {
    for (count, change) in changes.iter().enumerate() {
        if let Err(Failure { made, source }) = step(host, journal, change) {
            // A program that did not start anew has ended: it starts as it was once its files are as they were.
            let restart = matches!(change, Change::Update { from: Resource::Process(_) | Resource::Passt(_), .. });
            let first = Some(change).filter(|_| made && !restart);
            let last = Some(change).filter(|_| restart);
            let done = first.into_iter().chain(changes[..count].iter().rev()).chain(last);
            let rollback = done.filter_map(|done| step_back(host, journal, &done.inverse()).err()).collect();
            return Err(Error::Step { step: change.key(), source: Box::new(source), rollback });
        }
    }
    Ok(())
}

/// Makes changes that take away, as far as they can be made, and tells what could not.
pub(crate) fn execute_all(host: &mut impl Host, journal: &mut Journal<impl Subject>, changes: &[Change]) -> Vec<Error> {
    changes.iter().filter_map(|change| step_back(host, journal, change).err()).collect()
}

struct Failure {
    /// Is the change made, though nobody could write so down?
    made: bool,
    source: Error,
}

fn step(host: &mut impl Host, journal: &mut Journal<impl Subject>, change: &Change) -> Result<(), Failure> {
    let failed = |source| Failure { made: false, source };
    journal.intent(change).map_err(failed)?;
    match host.apply(change, &journal.receipt.facts) {
        Ok(fact) => journal.done(change, fact).map_err(|source| Failure { made: true, source }),
        Err(source) => {
            // That it was not made is worth writing down, but why is the news.
            let _ = journal.refused();
            Err(failed(source))
        }
    }
}

/// Takes away, or back. Only what comes to be anew must be written ahead: the rest the receipt names as it stands, and
/// a full disk is no reason to leave it.
fn step_back(host: &mut impl Host, journal: &mut Journal<impl Subject>, change: &Change) -> Result<(), Error> {
    let creates = matches!(change, Change::Create { .. });
    let needed = |written: Result<(), Error>| if creates { written } else { Ok(()) };
    needed(journal.intent(change))?;
    match host.apply(change, &journal.receipt.facts) {
        Ok(fact) => needed(journal.done(change, fact)),
        Err(error) => {
            let _ = journal.refused();
            Err(error)
        }
    }
}
