//! The changes to make on a host and its state before them. They are made in order, and undone when
//! a step fails.

use std::collections::BTreeSet;
use std::ops::Range;

use vnet_plan::{Change, HostState, Key, Resource, diff, renames};
use vnet_types::{Link, LinkKind};

use crate::journal::Journal;
use crate::view::View;
use crate::{Error, Facts, Host, Subject};

/// The changes from the state of the host to the wanted state.
pub(crate) struct Task {
    /// What we owned before, under current names.
    pub(crate) owned: HostState,
    pub(crate) facts: Facts,
    pub(crate) changes: Vec<Change>,
    /// Everything that may be touched, under current names.
    expected: HostState,
    /// What the host has of that.
    before: HostState,
    /// What the host has of that and that is not checked: it is nobody's or shared.
    ignored: BTreeSet<Key>,
    /// The guests' ports in a bridge that is recreated. Their own receipts name them.
    guests: HostState,
    /// Whether shared switches stay as they are set when the rest is undone.
    leaves_shared: bool,
}

/// A part of several tasks that can begin for all at once.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    /// The rules of networks.
    Rules,
    /// The programs that are started last.
    Programs,
}

/// Why a task was not finished.
pub(crate) struct Failure {
    /// The step. `None` for the final write of the receipt.
    step: Option<Key>,
    source: Box<Error>,
    /// How many changes are made, or may be.
    made: usize,
}

impl Task {
    /// The changes from the observed state to the wanted one. A resource that exists, is not ours
    /// and is wanted is a conflict.
    pub(crate) fn new(host: &impl Host, owned: &HostState, facts: &Facts, desired: &HostState) -> Result<Self, Error> {
        let View { owned, facts } = View::new(host, owned, facts)?;
        let mut wanted = desired.clone();
        let mut conflicts = Vec::new();
        for (from, to) in renames(&owned, desired) {
            let new: HostState = desired.get(&Key::Link(to.clone())).cloned().into_iter().collect();
            conflicts.extend(host.observe(&new, &Facts::default())?.iter().map(Resource::key));
            wanted.rename(&to, &from);
        }
        // Our own resources compare as they were made: a process with an old configuration is not
        // the wanted one.
        let expected: HostState = wanted.iter().chain(owned.iter()).cloned().collect();
        let mut before = host.observe(&expected, &facts)?;
        // What is not ours and cannot be read is taken to be absent.
        for key in expected.iter().map(Resource::key).filter(|key| owned.get(key).is_none() && host.is_unread(key)) {
            before.remove(&key);
        }
        // The bridge gives every port its default VLAN. On our own port, that VLAN is nobody's.
        let is_default = |key: &Key| matches!(key, Key::Vlans(link) if owned.get(&Key::Port(link.clone())).is_some());
        let not_ours = |resource: &&Resource| {
            let key = resource.key();
            // A link has its switches from the moment it is created.
            let is_born = is_default(&key) || matches!(key, Key::LinkSysctl(_));
            owned.get(&key).is_none() && !key.is_shared() && !is_born
        };
        // A program writes this file when it likes. We only remove it.
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
        Ok(Self { owned, facts, changes, expected, before, ignored, guests: HostState::new(), leaves_shared: false })
    }

    /// Whether the bridge is created or deleted: then its ports need attention.
    pub(crate) fn moves_bridge(&self) -> bool {
        let is_bridge =
            |resource: &Resource| matches!(resource, Resource::Link(Link { kind: LinkKind::Bridge(_), .. }));
        self.changes.iter().any(|change| match change {
            Change::Create { to: resource } | Change::Delete { from: resource } => is_bridge(resource),
            Change::Update { .. } | Change::Rename { .. } => false,
        })
    }

    /// Adds the guests' bridge ports, before and after the change.
    pub(crate) fn add_guests(&mut self, host: &impl Host, now: &HostState, then: HostState) -> Result<(), Error> {
        self.before.extend(host.observe(now, &Facts::default())?.iter().cloned());
        self.expected.extend(now.iter().cloned());
        if self.changes.iter().any(|change| matches!(change, Change::Create { to: Resource::Link(_) })) {
            self.guests = then;
        }
        Ok(())
    }

    /// The number of the first change of a part, and those changes that can begin for several tasks
    /// at once.
    pub(crate) fn part(&self, part: Part) -> (usize, &[Change]) {
        let is_program = |change: &Change| matches!(change, Change::Create { to: Resource::Process(_) });
        let programs = self.changes.iter().rposition(|change| !is_program(change)).map_or(0, |last| last + 1);
        match part {
            Part::Programs => (programs, &self.changes[programs..]),
            Part::Rules => match self.changes.iter().position(brings_rules) {
                Some(rules) => (rules, &self.changes[rules..=rules]),
                None => (programs, &[]),
            },
        }
    }

    /// The shared switches that it sets. From now on they stay so when the rest is undone, because
    /// others that were begun at the same time rely on them.
    pub(crate) fn leave_shared(&mut self) -> Vec<Change> {
        self.leaves_shared = true;
        let is_shared = |change: &&Change| change.key().is_shared();
        let changes: Vec<Change> = self.changes.iter().filter(is_shared).cloned().collect();
        for key in changes.iter().map(Change::key) {
            self.before.remove(&key);
            self.ignored.insert(key);
        }
        changes
    }

    /// Makes the changes from a number on, and puts guests back into the bridge.
    pub(crate) fn finish(
        &self,
        host: &mut impl Host,
        journal: &mut Journal<impl Subject>,
        from: usize,
    ) -> Result<(), Failure> {
        let made = self.changes.len();
        self.make(host, journal, from..made)?;
        let failed = |key| move |source| Failure { step: key, source: Box::new(source), made };
        let there = host.observe(&self.guests, &Facts::default()).map_err(failed(None))?;
        for change in diff(&there, &self.guests) {
            host.apply(&change, &Facts::default()).map_err(failed(Some(change.key())))?;
        }
        Ok(())
    }

    /// Makes some changes, and notes the facts that they tell.
    pub(crate) fn make(
        &self,
        host: &mut impl Host,
        journal: &mut Journal<impl Subject>,
        which: Range<usize>,
    ) -> Result<(), Failure> {
        for number in which {
            let change = &self.changes[number];
            let failed = |made| move |source| Failure { step: Some(change.key()), source: Box::new(source), made };
            // A program that failed to restart has ended.
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
        Ok(())
    }

    /// A failure after the last change.
    pub(crate) fn unrecorded(&self, source: Error) -> Failure {
        Failure { step: None, source: Box::new(source), made: self.changes.len() }
    }

    /// Undoes what was made, checks that everything is as before, and repairs what is not.
    pub(crate) fn undo(&self, host: &mut impl Host, journal: &mut Journal<impl Subject>, failure: Failure) -> Error {
        let mut errors = Vec::new();
        let mut step_back =
            |host: &mut _, journal: &mut Journal<_>, change: &Change| match Host::apply(host, change, &journal.facts) {
                Ok(fact) => journal.facts.learn(change, fact),
                Err(error) => errors.push(error),
            };
        let stays = |change: &&Change| self.leaves_shared && change.key().is_shared();
        let done = self.changes[..failure.made].iter().filter(|change| !stays(change));
        // A program can be started as before once its files are restored.
        let (late, early): (Vec<&Change>, Vec<&Change>) = done.partition(|change| starts_again(change));
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

    /// The changes that would restore the earlier state.
    fn difference(&self, host: &impl Host, facts: &Facts) -> Result<Vec<Change>, Error> {
        let view = View::new(host, &self.expected, facts)?;
        let mut there = view.observe(host)?;
        self.ignored.iter().for_each(|key| drop(there.remove(key)));
        Ok(diff(&there, &self.before))
    }
}

/// A bridge is set down before its rules are deleted, because guests may still be in it, and set up
/// when they are there. A port is set up when it is in its bridge: the host would route what a link
/// outside a bridge receives. libvirt's rules go after ours have come.
fn closed_first(mut changes: Vec<Change>) -> Vec<Change> {
    changes.sort_by_key(|change| matches!(change, Change::Delete { from: Resource::LibvirtRules(_) }));
    let is_rise = |change: &Change| match change {
        Change::Update { from: Resource::Link(from), to: Resource::Link(to) } => !from.up && to.up,
        _ => false,
    };
    while let Some((at, last)) = changes.iter().enumerate().find_map(|(at, change)| {
        let Key::Link(link) = change.key() else { return None };
        let stands = |later: &Change| later.key().link() == Some(&link) && !matches!(later.key(), Key::Address(..));
        let is_entered = |later: &Change| matches!(later, Change::Create { to: Resource::Port(_) }) && stands(later);
        let rest = changes.get(at + 1..).filter(|rest| is_rise(change) && rest.iter().any(is_entered))?;
        Some((at, at + 1 + rest.iter().rposition(stands)?))
    }) {
        changes[at..=last].rotate_left(1);
    }
    let is_bridge = |change: &Change| match change {
        Change::Update { to: Resource::Link(link), .. } => matches!(link.kind, LinkKind::Bridge(_)),
        _ => false,
    };
    let rise = changes.iter().position(|change| is_bridge(change) && is_rise(change));
    if let (Some(rise), Some(rules)) = (rise, changes.iter().position(brings_rules))
        && rise < rules
    {
        changes[rise..=rules].rotate_left(1);
    }
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

fn brings_rules(change: &Change) -> bool {
    matches!(change, Change::Create { to: Resource::Ruleset(_) })
}

fn is_restart(change: &Change) -> bool {
    matches!(change, Change::Update { from: Resource::Process(_) | Resource::Passt(_) | Resource::Relay(_), .. })
}

/// Whether undoing the change starts a program.
fn starts_again(change: &Change) -> bool {
    is_restart(change)
        || matches!(change, Change::Delete { from: Resource::Process(_) | Resource::Passt(_) | Resource::Relay(_) })
}
