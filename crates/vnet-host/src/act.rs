//! One change of a network or a port, from the journal's begin to its end.

use std::collections::BTreeSet;

use vnet_plan::{Change, HostState, Key};

use crate::journal::{self, Journal, Receipt};
use crate::task::{Failure, Part, Task};
use crate::{Error, Facts, Host, Store, Subject, guests};

/// An act that is under way.
pub(crate) struct Act<'a, S> {
    task: Task,
    journal: Journal<S>,
    header: S,
    desired: &'a HostState,
    /// The receipt of before.
    previous: Option<Receipt<S>>,
    /// How many changes are made.
    made: usize,
}

impl<'a, S: Subject> Act<'a, S> {
    /// Decides how to bring a host from `before`, which we own, to `desired`, and writes it down.
    /// `None` when there is nothing to do.
    pub(crate) fn begin(
        host: &impl Host,
        store: &Store,
        before: Receipt<S>,
        previous: Option<Receipt<S>>,
        header: S,
        desired: &'a HostState,
    ) -> Result<Option<Self>, Error> {
        is_finished(store, &header)?;
        let mut task = Task::new(host, &before.owned, &before.facts, desired)?;
        if task.moves_bridge() {
            let now = guests::places(host, store, &before.header)?;
            let mut then = now.clone();
            if let (Some(from), Some(to)) = (before.header.bridge(), header.bridge()) {
                then.rename(from, to);
            }
            task.add_guests(host, &now, then)?;
        }
        if task.changes.is_empty() {
            let after = settled(header, desired, &task.facts);
            if previous.as_ref() != Some(&after) {
                journal::write(store, &after)?;
            }
            return Ok(None);
        }
        let snapshot = Receipt { owned: task.owned.clone(), facts: task.facts.clone(), ..before };
        let journal = Journal::begin(store, snapshot, &task.changes)?;
        Ok(Some(Self { task, journal, header, desired, previous, made: 0 }))
    }

    /// Decides how to replace some resources of what we own, whatever has become of the others.
    /// `desired` is what we own then. `None` when there is nothing to do.
    pub(crate) fn replace(
        host: &impl Host,
        store: &Store,
        before: Receipt<S>,
        desired: &'a HostState,
        keys: &BTreeSet<Key>,
    ) -> Result<Option<Self>, Error> {
        let only = |state: &HostState| keys.iter().filter_map(|key| state.get(key)).cloned().collect::<HostState>();
        let task = Task::new(host, &only(&before.owned), &before.facts, &only(desired))?;
        let (header, previous) = (before.header.clone(), Some(before.clone()));
        if task.changes.is_empty() {
            let after = settled(header, desired, &before.facts);
            if before != after {
                journal::write(store, &after)?;
            }
            return Ok(None);
        }
        let journal = Journal::begin(store, before, &task.changes)?;
        Ok(Some(Self { task, journal, header, desired, previous, made: 0 }))
    }

    /// The shared switches that it sets and from now on leaves to the others of the call.
    pub(crate) fn leave_shared(&mut self) -> Vec<Change> {
        self.task.leave_shared()
    }

    /// The changes of a part that can begin for several acts at once, for [`Host::hasten`].
    pub(crate) fn part(&self, part: Part) -> impl Iterator<Item = (&Change, &Facts)> {
        self.task.part(part).1.iter().map(|change| (change, &self.journal.facts))
    }

    /// Makes the changes before a part.
    pub(crate) fn advance(mut self, host: &mut impl Host, store: &Store, part: Part) -> Result<Self, Error> {
        let (end, _) = self.task.part(part);
        match self.task.make(host, &mut self.journal, self.made..end) {
            Ok(()) => Ok(Self { made: end, ..self }),
            Err(failure) => Err(self.give_up(host, store, failure)),
        }
    }

    /// Makes the rest of the changes.
    pub(crate) fn end(mut self, host: &mut impl Host, store: &Store) -> Result<Vec<Change>, Error> {
        let mut made = self.task.finish(host, &mut self.journal, self.made);
        if made.is_ok() {
            let follow = guests::follow(store, &self.journal.before.header, &self.header);
            let after = settled(self.header.clone(), self.desired, &self.journal.facts);
            let written = follow.and_then(|()| self.journal.commit(&after));
            made = written.map_err(|error| self.task.unrecorded(error));
        }
        match made {
            Ok(()) => Ok(self.task.changes),
            Err(failure) => Err(self.give_up(host, store, failure)),
        }
    }

    fn give_up(mut self, host: &mut impl Host, store: &Store, failure: Failure) -> Error {
        let mut error = self.task.undo(host, &mut self.journal, failure);
        let mut restored = guests::follow(store, &self.header, &self.journal.before.header);
        // Unless the host is as before, the act stays open, and the next call looks at the host.
        if error.is_undone() {
            restored = restored.and_then(|()| restore(store, &self.journal, self.previous));
        }
        if let Err(another) = restored {
            error.not_undone(another);
        }
        error
    }
}

/// The receipt of a network or a port that is as it was wanted.
fn settled<S: Subject>(header: S, desired: &HostState, facts: &Facts) -> Receipt<S> {
    Receipt { header, owned: desired.clone(), facts: facts.of(desired), settled: true, act: None }
}

/// Restores the receipt of before an undone act.
fn restore<S: Subject>(store: &Store, journal: &Journal<S>, previous: Option<Receipt<S>>) -> Result<(), Error> {
    match previous {
        None => store.remove::<S>(journal.before.header.name()),
        Some(previous) if previous.owned == journal.before.owned && journal.facts == previous.facts => journal.abort(),
        Some(previous) => journal.commit(&Receipt { facts: journal.facts.of(&previous.owned), ..previous }),
    }
}

/// Refuses to attach to a network that is incomplete: its rules may allow more than they should, or
/// its hooks may refuse it.
fn is_finished(store: &Store, header: &impl Subject) -> Result<(), Error> {
    let Some(network) = header.network() else { return Ok(()) };
    match store.receipt_but_rules(network)? {
        Some(receipt) if receipt.header.of_libvirt => Err(Error::OfLibvirt(network.clone())),
        Some(receipt) if !receipt.settled || receipt.header.awaits_hooks => Err(Error::Unfinished(network.clone())),
        _ => Ok(()),
    }
}
