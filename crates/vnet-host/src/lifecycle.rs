//! Starting and changing networks and ports: each function makes the difference of two states.

use std::borrow::Cow;
use std::collections::BTreeSet;

use vnet_plan::{Change, HostState, Key, Resource, diff};
use vnet_types::NetworkName;

use crate::act::Act;
use crate::journal::{self, Receipt};
use crate::resolve::resolve;
use crate::stop::take_away;
use crate::task::{Part, Task};
use crate::view::View;
use crate::{Error, Facts, Host, Lock, Name, Named, Namespace, Store, Subject};

/// What [`start`] or [`apply`] would do.
///
/// # Errors
/// [`Error::Conflict`] where something is in the way; [`Error`] where the host cannot be read.
pub fn plan<N: Name>(host: &impl Host, store: &Store, name: &N, desired: &HostState) -> Result<Vec<Change>, Error> {
    let receipt = store.read::<N::Header>(name)?;
    let nothing = (HostState::new(), Facts::default());
    let (owned, facts) = receipt.map_or(nothing, |receipt| (receipt.owned, receipt.facts));
    Ok(Task::new(host, &owned, &facts, desired)?.changes)
}

/// Starts a network, or attaches a port. Leftovers of a start that was killed are removed first.
///
/// [`Error::Running`]; [`Error::Unfinished`]; [`Error::Conflict`] when something is in the way,
/// with nothing done; [`Error::Step`] when a step fails. An empty `rollback` means that everything
/// was undone.
pub fn start<S: Subject>(
    host: &mut impl Host,
    lock: &Lock,
    header: S,
    desired: &HostState,
) -> Result<Vec<Change>, Error> {
    only(start_all(host, lock, vec![(header, desired)]))
}

/// Starts several networks, or attaches several ports, as [`start`] does each. Their rules come in
/// one transaction, and their programs start at the same time. One that fails is undone alone.
pub fn start_all<S: Subject>(
    host: &mut impl Host,
    lock: &Lock,
    wanted: Vec<(S, &HostState)>,
) -> Vec<Result<Vec<Change>, Error>> {
    realise(host, lock, wanted, |host, header| {
        if let Some(receipt) = lock.store().read::<S>(header.name())? {
            let receipt = at_home(receipt, header.namespace())?;
            if receipt.settled {
                return Err(Error::Running(S::named(header.name())));
            }
            let receipt = resolve(host, lock.store(), receipt)?;
            take_away(host, lock, receipt, |_| {})?;
        }
        Ok((Receipt::new(header.clone()), None))
    })
}

/// Takes over what libvirt runs: what the host has of `theirs` becomes ours as it is, and is then
/// changed to `desired` in place. libvirt's rules go last, when ours are there and nothing else can
/// fail. A take-over that was killed is continued.
///
/// # Errors
/// Those of [`start`].
pub fn take_over<S: Subject>(
    host: &mut impl Host,
    lock: &Lock,
    header: S,
    theirs: &HostState,
    desired: &HostState,
) -> Result<Vec<Change>, Error> {
    let store = lock.store();
    let previous = match store.read::<S>(header.name())? {
        Some(receipt) => Some(resolve(host, store, at_home(receipt, header.namespace())?)?),
        None => None,
    };
    let is_rules = |resource: &&Resource| matches!(resource, Resource::LibvirtRules(_));
    let before = match &previous {
        Some(receipt) if receipt.settled && !receipt.owned.iter().any(|it| is_rules(&it)) => {
            return Err(Error::Running(S::named(header.name())));
        }
        Some(receipt) => receipt.clone(),
        None => adopted(host, header.clone(), theirs)?,
    };
    let mut with_rules = desired.clone();
    with_rules.extend(before.owned.iter().filter(is_rules).cloned());
    let begin = |_: &mut _, _: &S| Ok((before.clone(), previous.clone()));
    let mut changes = only(realise(host, lock, vec![(header.clone(), &with_rules)], begin))?;
    changes.extend(apply(host, lock, header, desired)?);
    Ok(changes)
}

/// A receipt that owns what is on the host.
fn adopted<S: Subject>(host: &impl Host, header: S, theirs: &HostState) -> Result<Receipt<S>, Error> {
    let owned = host.observe(theirs, &Facts::default())?;
    let mut facts = Facts::default();
    for link in owned.links() {
        let known = host.locate(link, None)?;
        facts.set(Key::Link(link.name.clone()), known.map(|(_, fact)| fact));
    }
    Ok(Receipt { owned, facts, ..Receipt::new(header) })
}

/// Brings a network or a port to the state `desired`, in place: starts it, changes it, repairs it.
/// Guests stay connected when the network's bridge is recreated or renamed.
///
/// # Errors
/// Those of [`start`], except [`Error::Running`].
pub fn apply<S: Subject>(
    host: &mut impl Host,
    lock: &Lock,
    header: S,
    desired: &HostState,
) -> Result<Vec<Change>, Error> {
    only(apply_all(host, lock, vec![(header, desired)]))
}

/// Brings several networks or ports to their wanted states, as [`apply`] does each. Rules that are
/// missing come in one transaction, and programs start at the same time. One that fails is undone
/// alone.
pub fn apply_all<S: Subject>(
    host: &mut impl Host,
    lock: &Lock,
    wanted: Vec<(S, &HostState)>,
) -> Vec<Result<Vec<Change>, Error>> {
    realise(host, lock, wanted, |host, header| {
        let receipt = lock.store().read::<S>(header.name())?;
        let receipt = receipt.map(|receipt| at_home(receipt, header.namespace())).transpose()?;
        let receipt = receipt.map(|receipt| resolve(host, lock.store(), receipt)).transpose()?;
        Ok((receipt.clone().unwrap_or_else(|| Receipt::new(header.clone())), receipt))
    })
}

/// Replaces files and rules of a network that runs, and programs that read the files again, and
/// touches nothing else: what has drifted stays so. A replacement of the same resources that was
/// killed is brought to its end.
///
/// # Errors
/// [`Error::Absent`]; [`Error::Elsewhere`]; [`Error::Unfinished`] when its last change did not end,
/// or was made before the host booted; [`Error::Step`], with the file as it was.
pub fn replace(
    host: &mut impl Host,
    lock: &Lock,
    network: &NetworkName,
    namespace: Namespace,
    resources: Vec<Resource>,
) -> Result<Vec<Change>, Error> {
    let store = lock.store();
    let receipt = store.receipt(network)?.ok_or_else(|| Error::Absent(Named::Network(network.clone())))?;
    let keys: BTreeSet<Key> = resources.iter().map(Resource::key).collect();
    let receipt = replaced(host, store, at_home(receipt, namespace)?, &keys)?;
    if !receipt.settled {
        return Err(Error::Unfinished(network.clone()));
    }
    let mut desired = receipt.owned.clone();
    desired.extend(resources);
    match Act::replace(host, store, receipt, &desired, &keys)? {
        Some(act) => act.end(host, store),
        None => Ok(Vec::new()),
    }
}

/// Closes an act that was to replace these resources alone: what files and rules are now can be
/// seen. A program may not have read them again, so it counts as one that has not.
fn replaced(host: &impl Host, store: &Store, receipt: Receipt, keys: &BTreeSet<Key>) -> Result<Receipt, Error> {
    let is_of_them = |act: &&journal::Act| {
        act.was_settled && act.changes.iter().all(|change| keys.contains(&change.key()) && is_replacement(change))
    };
    let Some(act) = receipt.act.as_ref().filter(is_of_them) else { return Ok(receipt) };
    let seen = keys.iter().filter(|key| !matches!(key, Key::Process(_)));
    let expected = seen.filter_map(|key| receipt.owned.get(key)).cloned().collect();
    let mut owned = act.owned.clone();
    owned.extend(host.observe(&expected, &receipt.facts)?.iter().cloned());
    let receipt = Receipt { owned, settled: true, act: None, ..receipt };
    journal::write(store, &receipt)?;
    Ok(receipt)
}

/// Whether a change is that of a file or of rules, or makes a program read its files again.
fn is_replacement(change: &Change) -> bool {
    match change {
        Change::Update { from: Resource::Process(from), to: Resource::Process(to) } => {
            from.restart_on == to.restart_on && from.args == to.args
        }
        other => matches!(other.key(), Key::File(_) | Key::Ruleset(_)),
    }
}

/// Notes that the hooks of a network agree that it runs.
///
/// # Errors
/// [`Error`] where the receipt cannot be read or written.
pub fn hooks_agreed(lock: &Lock, network: &NetworkName) -> Result<(), Error> {
    let store = lock.store();
    if !store.header(network)?.is_some_and(|header| header.awaits_hooks) {
        return Ok(());
    }
    match store.receipt(network)? {
        Some(mut receipt) if receipt.act.is_none() => {
            receipt.header.awaits_hooks = false;
            journal::write(store, &receipt)
        }
        _ => Ok(()),
    }
}

fn only<T>(mut all: Vec<T>) -> T {
    all.pop().expect("a result for each that was wanted")
}

/// The changes that would bring the host back to what was made: its drift.
///
/// # Errors
/// [`Error::Absent`]; [`Error::Elsewhere`]; [`Error`] where the host cannot be read.
pub fn drift<N: Name>(host: &impl Host, store: &Store, name: &N, namespace: Namespace) -> Result<Vec<Change>, Error> {
    let receipt = store.read::<N::Header>(name)?.ok_or_else(|| Error::Absent(N::Header::named(name)))?;
    drift_of(host, &receipt, namespace)
}

/// The same for a receipt that was read.
///
/// # Errors
/// Those of [`drift`], except [`Error::Absent`].
pub fn drift_of<S: Subject>(
    host: &impl Host,
    receipt: &Receipt<S>,
    namespace: Namespace,
) -> Result<Vec<Change>, Error> {
    let receipt = match receipt.header.namespace().is(&namespace) {
        true => Cow::Borrowed(receipt),
        false => Cow::Owned(at_home(receipt.clone(), namespace)?),
    };
    let observed = View::new(host, &receipt.owned, &receipt.facts)?.observe(host)?;
    Ok(diff(&observed, &receipt.owned))
}

/// Brings a host from what we own, as `before` tells it with the receipt, to the wanted states,
/// each completely or not at all.
fn realise<S: Subject, H: Host>(
    host: &mut H,
    lock: &Lock,
    wanted: Vec<(S, &HostState)>,
    before: impl Fn(&mut H, &S) -> Result<(Receipt<S>, Option<Receipt<S>>), Error>,
) -> Vec<Result<Vec<Change>, Error>> {
    let begin = |(header, desired)| {
        let (before, previous) = before(host, &header)?;
        Act::begin(host, lock.store(), before, previous, header, desired)
    };
    let mut begun: Vec<Result<Option<Act<'_, S>>, Error>> = wanted.into_iter().map(begin).collect();
    let mut switches: Vec<(usize, Change)> = Vec::new();
    if begun.len() > 1 {
        for (number, act) in begun.iter_mut().enumerate() {
            let set = act.iter_mut().flatten().flat_map(Act::leave_shared);
            switches.extend(set.map(|change| (number, change)));
        }
    }
    let mut acts = begun;
    for part in [Part::Rules, Part::Programs] {
        let advance = |act| match act {
            Ok(Some(act)) => Act::advance(act, host, lock.store(), part).map(Some),
            nothing => nothing,
        };
        acts = acts.into_iter().map(advance).collect();
        let begins = acts.iter().flatten().flatten().flat_map(|act| act.part(part));
        host.hasten(lock, &begins.collect::<Vec<_>>());
    }
    let end = |act: Result<Option<Act<'_, S>>, Error>| match act? {
        Some(act) => act.end(host, lock.store()),
        None => Ok(Vec::new()),
    };
    let made: Vec<Result<Vec<Change>, Error>> = acts.into_iter().map(end).collect();
    // A switch is set back when nobody who needs it was started.
    let is_needed = |key: &Key| switches.iter().any(|(number, change)| change.key() == *key && made[*number].is_ok());
    for change in switches.iter().rev().map(|(_, change)| change).filter(|change| !is_needed(&change.key())) {
        // The first error, that of the network, is the one to report.
        let _ = host.apply(&change.inverse(), &Facts::default());
    }
    made
}

/// The receipt, if it is of this namespace. A receipt of an earlier boot keeps only its files.
pub(crate) fn at_home<S: Subject>(receipt: Receipt<S>, namespace: Namespace) -> Result<Receipt<S>, Error> {
    let theirs = receipt.header.namespace();
    if theirs.is(&namespace) {
        return Ok(receipt);
    }
    if !theirs.is_of_an_earlier_boot(&namespace) {
        return Err(Error::Elsewhere(S::named(receipt.header.name())));
    }
    let files = receipt.owned.iter().filter(|resource| matches!(resource, Resource::File(_))).cloned().collect();
    Ok(Receipt { owned: files, ..Receipt::new(receipt.header) })
}
