//! What is to be done to a host, and what there is before: made one after the other, and taken back
//! when a step fails.

use std::collections::BTreeSet;

use vnet_plan::{Change, HostState, Key, Resource, diff, renames};
use vnet_types::{Link, LinkKind};

use crate::journal::Journal;
use crate::view::View;
use crate::{Error, Facts, Host, Subject};

/// The changes that lead from what a host has to what is wanted.
pub(crate) struct Task {
    /// What is ours before, under the names of now.
    pub(crate) owned: HostState,
    pub(crate) facts: Facts,
    pub(crate) changes: Vec<Change>,
    /// All that may be touched, under the names of now.
    expected: HostState,
    /// What is there of that.
    before: HostState,
    /// What is there of that and is not looked at: it is nobody's, or everybody's.
    ignored: BTreeSet<Key>,
    /// The places of guests in a bridge that is made anew, which their own receipts have.
    guests: HostState,
}

/// Why a task did not come to its end.
pub(crate) struct Failure {
    /// The step. `None` for the last line of the receipt.
    step: Option<Key>,
    source: Box<Error>,
    /// How many changes are made, or may be.
    made: usize,
}

impl Task {
    /// From what is there to what is wanted. What is there, not ours and in the way is a conflict.
    pub(crate) fn new(host: &impl Host, owned: &HostState, facts: &Facts, desired: &HostState) -> Result<Self, Error> {
        let View { owned, facts } = View::new(host, owned, facts)?;
        let mut wanted = desired.clone();
        let mut conflicts = Vec::new();
        for (from, to) in renames(&owned, desired) {
            let new: HostState = desired.get(&Key::Link(to.clone())).cloned().into_iter().collect();
            conflicts.extend(host.observe(&new, &Facts::default())?.iter().map(Resource::key));
            wanted.rename(&to, &from);
        }
        // Of what is ours it counts as what it was made: a process with its old configuration is
        // not the wanted one.
        let expected: HostState = wanted.iter().chain(owned.iter()).cloned().collect();
        let mut before = host.observe(&expected, &facts)?;
        // The bridge gives every port its default VLAN: on a port of ours that is nobody's.
        let is_default = |key: &Key| matches!(key, Key::Vlans(link) if owned.get(&Key::Port(link.clone())).is_some());
        let not_ours = |resource: &&Resource| {
            let key = resource.key();
            // A link has its switches from birth.
            let is_born = is_default(&key) || matches!(key, Key::LinkSysctl(_));
            owned.get(&key).is_none() && !key.is_shared() && !is_born
        };
        // What a program writes is there or not as it likes; ours is only to remove it.
        let written = |resource: &&Resource| matches!(resource, Resource::File(file) if file.contents.is_none());
        let foreign = before.iter().filter(not_ours).filter(|resource| !written(resource));
        conflicts.extend(foreign.map(Resource::key));
        if !conflicts.is_empty() {
            return Err(Error::Conflict(conflicts));
        }
        let unmade = before.iter().filter(not_ours).map(Resource::key);
        let left = before.iter().map(Resource::key).filter(|key| key.is_shared() && desired.get(key).is_none());
        let ignored: BTreeSet<Key> = unmade.chain(left).collect();
        ignored.iter().for_each(|key| drop(before.remove(key)));
        let changes = closed_first(diff(&before, desired));
        Ok(Self { owned, facts, changes, expected, before, ignored, guests: HostState::new() })
    }

    /// Whether the bridge comes or goes: what stands in it has to be looked after.
    pub(crate) fn moves_bridge(&self) -> bool {
        let is_bridge =
            |resource: &Resource| matches!(resource, Resource::Link(Link { kind: LinkKind::Bridge(_), .. }));
        self.changes.iter().any(|change| match change {
            Change::Create { to: resource } | Change::Delete { from: resource } => is_bridge(resource),
            Change::Update { .. } | Change::Rename { .. } => false,
        })
    }

    /// Adds the places of guests in the bridge, as they are now and as they are to be.
    pub(crate) fn add_guests(&mut self, host: &impl Host, now: &HostState, then: HostState) -> Result<(), Error> {
        self.before.extend(host.observe(now, &Facts::default())?.iter().cloned());
        self.expected.extend(now.iter().cloned());
        if self.changes.iter().any(|change| matches!(change, Change::Create { to: Resource::Link(_) })) {
            self.guests = then;
        }
        Ok(())
    }

    /// Makes the changes. What they tell is noted.
    pub(crate) fn execute(&self, host: &mut impl Host, journal: &mut Journal<impl Subject>) -> Result<(), Failure> {
        for (number, change) in self.changes.iter().enumerate() {
            let failed = |made| move |source| Failure { step: Some(change.key()), source: Box::new(source), made };
            // A program that did not start anew has ended.
            let made = number + usize::from(is_restart(change));
            let fact = host.apply(change, &journal.facts).map_err(failed(made))?;
            let known = journal.facts.get(&change.key());
            journal.facts.learn(change, fact);
            if let Some(fact) = fact
                && (known != Some(fact) || matches!(change, Change::Create { .. }))
            {
                journal.note(number, fact).map_err(failed(number + 1))?;
            }
        }
        let made = self.changes.len();
        let failed = |key| move |source| Failure { step: key, source: Box::new(source), made };
        let there = host.observe(&self.guests, &Facts::default()).map_err(failed(None))?;
        for change in diff(&there, &self.guests) {
            host.apply(&change, &Facts::default()).map_err(failed(Some(change.key())))?;
        }
        Ok(())
    }

    /// A failure after the last change.
    pub(crate) fn unrecorded(&self, source: Error) -> Failure {
        Failure { step: None, source: Box::new(source), made: self.changes.len() }
    }

    /// Takes back what was made, looks whether everything is as before, and repairs what is not.
    pub(crate) fn undo(&self, host: &mut impl Host, journal: &mut Journal<impl Subject>, failure: Failure) -> Error {
        let mut errors = Vec::new();
        let mut step_back =
            |host: &mut _, journal: &mut Journal<_>, change: &Change| match Host::apply(host, change, &journal.facts) {
                Ok(fact) => journal.facts.learn(change, fact),
                Err(error) => errors.push(error),
            };
        let done = &self.changes[..failure.made];
        // A program starts as it was once its files are as they were.
        let (late, early): (Vec<&Change>, Vec<&Change>) = done.iter().partition(|change| starts_again(change));
        for change in early.into_iter().rev().chain(late) {
            step_back(host, journal, &change.inverse());
        }
        let repaired = match self.difference(host, &journal.facts) {
            Ok(repair) if repair.is_empty() => Ok(repair),
            Ok(repair) => {
                repair.iter().for_each(|change| step_back(host, journal, change));
                self.difference(host, &journal.facts)
            }
            error => error,
        };
        let rollback = match repaired {
            Ok(left) if left.is_empty() => Vec::new(),
            Ok(left) => {
                errors.push(Error::NotAsBefore(left.iter().map(Change::key).collect()));
                errors
            }
            Err(error) => {
                errors.push(error);
                errors
            }
        };
        let source = failure.source;
        match failure.step {
            Some(step) => Error::Step { step, source, rollback },
            None => Error::Unrecorded { source, rollback },
        }
    }

    /// What would make everything as before.
    fn difference(&self, host: &impl Host, facts: &Facts) -> Result<Vec<Change>, Error> {
        let view = View::new(host, &self.expected, facts)?;
        let mut there = view.observe(host)?;
        self.ignored.iter().for_each(|key| drop(there.remove(key)));
        Ok(diff(&there, &self.before))
    }
}

/// A bridge that goes is down before its rules go: its guests, which may still be in it, reach
/// nobody without them.
fn closed_first(mut changes: Vec<Change>) -> Vec<Change> {
    let going = changes.iter_mut().find_map(|change| match change {
        Change::Delete { from: Resource::Link(link) } if matches!(link.kind, LinkKind::Bridge(_)) && link.up => {
            Some(link)
        }
        _ => None,
    });
    if let Some(link) = going {
        let from = link.clone();
        link.up = false;
        let to = link.clone();
        changes.insert(0, Change::Update { from: from.into(), to: to.into() });
    }
    changes
}

fn is_restart(change: &Change) -> bool {
    matches!(change, Change::Update { from: Resource::Process(_) | Resource::Passt(_), .. })
}

/// Whether taking it back starts a program.
fn starts_again(change: &Change) -> bool {
    is_restart(change) || matches!(change, Change::Delete { from: Resource::Process(_) | Resource::Passt(_) })
}
