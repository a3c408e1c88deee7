//! The life of a network, or a port, on a host: each function is a difference of two states, made.

use vnet_plan::{Change, HostState, Resource, diff};
use vnet_types::{InterfaceName, NetworkName};

use crate::journal::{self, Journal, Receipt};
use crate::resolve::resolve;
use crate::task::Task;
use crate::view::View;
use crate::{Error, Facts, Host, Lock, Name, Named, Namespace, Store, Subject, guests};

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

/// Brings a network up, or attaches a port. What a start that was killed has left is taken away
/// first.
///
/// # Errors
/// [`Error::Running`]; [`Error::Unfinished`]; [`Error::Conflict`], with nothing done, where
/// something is in the way; [`Error::Step`] where a step fails, with everything undone where its
/// `rollback` is empty.
pub fn start<S: Subject>(
    host: &mut impl Host,
    lock: &Lock,
    header: S,
    desired: &HostState,
) -> Result<Vec<Change>, Error> {
    if let Some(receipt) = lock.store().read::<S>(header.name())? {
        let receipt = at_home(receipt, header.namespace())?;
        if receipt.settled {
            return Err(Error::Running(S::named(header.name())));
        }
        take_away(host, lock, resolve(host, lock.store(), receipt)?)?;
    }
    realise(host, lock, header, None, desired)
}

/// Makes a network or a port as `desired`, in place: starts it, changes it, repairs it. The guests
/// of a network whose bridge is made anew, or gets another name, stay in it.
///
/// # Errors
/// Those of [`start`], but for [`Error::Running`].
pub fn apply<S: Subject>(
    host: &mut impl Host,
    lock: &Lock,
    header: S,
    desired: &HostState,
) -> Result<Vec<Change>, Error> {
    let receipt = lock.store().read::<S>(header.name())?;
    let receipt = receipt.map(|receipt| at_home(receipt, header.namespace())).transpose()?;
    let receipt = receipt.map(|receipt| resolve(host, lock.store(), receipt)).transpose()?;
    realise(host, lock, header, receipt, desired)
}

/// Takes a network away, after the ports that guests are attached to it by: everything that was
/// made for them and nothing else. Goes on past what fails.
///
/// # Errors
/// [`Error::Absent`]; [`Error::Leftover`] with what could not be taken away: it can be tried again.
pub fn stop(
    host: &mut impl Host,
    lock: &Lock,
    network: &NetworkName,
    namespace: Namespace,
) -> Result<Vec<Change>, Error> {
    let absent = || Error::Absent(Named::Network(network.clone()));
    let receipt = at_home(lock.store().receipt(network)?.ok_or_else(absent)?, namespace)?;
    let receipt = resolve(host, lock.store(), receipt)?;
    let mut changes = Vec::new();
    let mut errors = Vec::new();
    for port in guests::receipts(lock.store(), network)? {
        let Ok(port) = at_home(port, namespace) else { continue };
        match resolve(host, lock.store(), port).and_then(|port| take_away(host, lock, port)) {
            Ok(gone) => changes.extend(gone),
            Err(error) => errors.push(error),
        }
    }
    match take_away(host, lock, receipt) {
        Ok(gone) => changes.extend(gone),
        Err(error) if errors.is_empty() => return Err(error),
        Err(error) => errors.push(error),
    }
    if errors.is_empty() { Ok(changes) } else { Err(Error::Leftover { of: Named::Network(network.clone()), errors }) }
}

/// Takes a port away: everything that was made for it and nothing else. Goes on past what fails.
///
/// # Errors
/// Those of [`stop`].
pub fn detach(
    host: &mut impl Host,
    lock: &Lock,
    port: &InterfaceName,
    namespace: Namespace,
) -> Result<Vec<Change>, Error> {
    let absent = || Error::Absent(Named::Port(port.clone()));
    let receipt = at_home(lock.store().port_receipt(port)?.ok_or_else(absent)?, namespace)?;
    take_away(host, lock, resolve(host, lock.store(), receipt)?)
}

/// What is not as it was made: the changes that would repair it.
///
/// # Errors
/// [`Error::Absent`]; [`Error::Elsewhere`]; [`Error`] where the host cannot be read.
pub fn drift<N: Name>(host: &impl Host, store: &Store, name: &N, namespace: Namespace) -> Result<Vec<Change>, Error> {
    let receipt = store.read::<N::Header>(name)?.ok_or_else(|| Error::Absent(N::Header::named(name)))?;
    let receipt = at_home(receipt, namespace)?;
    let observed = View::new(host, &receipt.owned, &receipt.facts)?.observe(host)?;
    Ok(diff(&observed, &receipt.owned))
}

/// Makes a host as `desired`, of which `previous` is ours. Either all of it, or nothing.
fn realise<S: Subject>(
    host: &mut impl Host,
    lock: &Lock,
    header: S,
    previous: Option<Receipt<S>>,
    desired: &HostState,
) -> Result<Vec<Change>, Error> {
    let store = lock.store();
    is_finished(store, &header)?;
    let before = previous.clone().unwrap_or_else(|| Receipt::new(header.clone()));
    let mut task = Task::new(host, &before.owned, &before.facts, desired)?;
    if task.moves_bridge() {
        let now = guests::places(host, store, &before.header)?;
        let mut then = now.clone();
        if let (Some(from), Some(to)) = (before.header.bridge(), header.bridge()) {
            then.rename(from, to);
        }
        task.add_guests(host, &now, then)?;
    }
    let after = |facts: &Facts| Receipt {
        header: header.clone(),
        owned: desired.clone(),
        facts: facts.of(desired),
        settled: true,
        act: None,
    };
    if task.changes.is_empty() {
        let after = after(&task.facts);
        if previous.as_ref() != Some(&after) {
            journal::write(store, &after)?;
        }
        return Ok(Vec::new());
    }
    let snapshot = Receipt { owned: task.owned.clone(), facts: task.facts.clone(), ..before };
    let mut journal = Journal::begin(store, snapshot, &task.changes)?;
    let mut made = task.execute(host, &mut journal);
    if made.is_ok() {
        let follow = guests::follow(store, &journal.before.header, &header);
        made = follow.and_then(|()| journal.commit(&after(&journal.facts))).map_err(|error| task.unrecorded(error));
    }
    match made {
        Ok(()) => Ok(task.changes),
        Err(failure) => {
            let mut error = task.undo(host, &mut journal, failure);
            let restored = guests::follow(store, &header, &journal.before.header);
            // Where it is not as before, what was begun stays open: who comes next looks at what
            // there is.
            let restored =
                restored.and_then(|()| if error.is_undone() { restore(store, &journal, previous) } else { Ok(()) });
            if let Err(another) = restored {
                error.not_undone(another);
            }
            Err(error)
        }
    }
}

/// Makes the receipt what it was before an act that is undone.
fn restore<S: Subject>(store: &Store, journal: &Journal<S>, previous: Option<Receipt<S>>) -> Result<(), Error> {
    match previous {
        None => store.remove::<S>(journal.before.header.name()),
        Some(previous) if previous.owned == journal.before.owned && journal.facts == previous.facts => journal.abort(),
        Some(previous) => journal.commit(&Receipt { facts: journal.facts.of(&previous.owned), ..previous }),
    }
}

/// Nobody is attached to a network that is not whole: it may let more pass than it should.
fn is_finished(store: &Store, header: &impl Subject) -> Result<(), Error> {
    let Some(network) = header.network() else { return Ok(()) };
    match store.receipt(network)? {
        Some(receipt) if !receipt.settled => Err(Error::Unfinished(network.clone())),
        _ => Ok(()),
    }
}

fn take_away<S: Subject>(host: &mut impl Host, lock: &Lock, receipt: Receipt<S>) -> Result<Vec<Change>, Error> {
    let (store, name) = (lock.store(), receipt.header.name().clone());
    let View { owned, mut facts } = View::new(host, &receipt.owned, &receipt.facts)?;
    let changes = diff(&without_shared(&owned), &HostState::new());
    let mut left = Receipt { owned, facts: facts.clone(), settled: false, ..receipt };
    // A full disk is no reason to leave something: the receipt names it as it stands.
    let journal = Journal::begin(store, left.clone(), &changes);
    let mut errors = Vec::new();
    for change in &changes {
        match host.apply(change, &facts) {
            Ok(_) => {
                change.apply_to(&mut left.owned);
                facts.learn(change, None);
            }
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        store.remove::<S>(&name)?;
        return Ok(changes);
    }
    left.facts = facts;
    if let Ok(journal) = journal {
        // Else it stays open, and who comes next looks at what there is.
        let _ = journal.commit(&left);
    }
    Err(Error::Leftover { of: S::named(&name), errors })
}

/// The receipt, where it is of this namespace. Of one of an earlier boot only files are left.
fn at_home<S: Subject>(receipt: Receipt<S>, namespace: Namespace) -> Result<Receipt<S>, Error> {
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

fn without_shared(state: &HostState) -> HostState {
    state.iter().filter(|resource| !resource.key().is_shared()).cloned().collect()
}
