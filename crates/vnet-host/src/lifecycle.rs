//! Starting, changing and stopping networks and ports: each function makes the difference of two
//! states.

use vnet_plan::{Change, HostState, Key, Resource, diff};
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
    if let Some(receipt) = lock.store().read::<S>(header.name())? {
        let receipt = at_home(receipt, header.namespace())?;
        if receipt.settled {
            return Err(Error::Running(S::named(header.name())));
        }
        take_away(host, lock, resolve(host, lock.store(), receipt)?)?;
    }
    realise(host, lock, Receipt::new(header.clone()), None, header, desired)
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
    let mut changes = realise(host, lock, before, previous, header.clone(), &with_rules)?;
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
    let receipt = lock.store().read::<S>(header.name())?;
    let receipt = receipt.map(|receipt| at_home(receipt, header.namespace())).transpose()?;
    let receipt = receipt.map(|receipt| resolve(host, lock.store(), receipt)).transpose()?;
    let before = receipt.clone().unwrap_or_else(|| Receipt::new(header.clone()));
    realise(host, lock, before, receipt, header, desired)
}

/// Stops a network and detaches its ports. Removes everything that was made for them and nothing
/// else. Continues when one part fails.
///
/// # Errors
/// [`Error::Absent`]; [`Error::Leftover`] with what could not be removed. The call can be repeated.
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

/// Detaches a port. Removes everything that was made for it and nothing else. Continues when one
/// part fails.
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

/// The changes that would bring the host back to what was made: its drift.
///
/// # Errors
/// [`Error::Absent`]; [`Error::Elsewhere`]; [`Error`] where the host cannot be read.
pub fn drift<N: Name>(host: &impl Host, store: &Store, name: &N, namespace: Namespace) -> Result<Vec<Change>, Error> {
    let receipt = store.read::<N::Header>(name)?.ok_or_else(|| Error::Absent(N::Header::named(name)))?;
    drift_of(host, receipt, namespace)
}

/// The same for a receipt that was read.
///
/// # Errors
/// Those of [`drift`], except [`Error::Absent`].
pub fn drift_of<S: Subject>(host: &impl Host, receipt: Receipt<S>, namespace: Namespace) -> Result<Vec<Change>, Error> {
    let receipt = at_home(receipt, namespace)?;
    let observed = View::new(host, &receipt.owned, &receipt.facts)?.observe(host)?;
    Ok(diff(&observed, &receipt.owned))
}

/// Brings a host from `before`, which we own, to `desired`, completely or not at all. `previous` is
/// the receipt of before.
fn realise<S: Subject>(
    host: &mut impl Host,
    lock: &Lock,
    before: Receipt<S>,
    previous: Option<Receipt<S>>,
    header: S,
    desired: &HostState,
) -> Result<Vec<Change>, Error> {
    let store = lock.store();
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
            // The host is not as before, so the act stays open. The next call looks at the host.
            let restored =
                restored.and_then(|()| if error.is_undone() { restore(store, &journal, previous) } else { Ok(()) });
            if let Err(another) = restored {
                error.not_undone(another);
            }
            Err(error)
        }
    }
}

/// Restores the receipt of before an undone act.
fn restore<S: Subject>(store: &Store, journal: &Journal<S>, previous: Option<Receipt<S>>) -> Result<(), Error> {
    match previous {
        None => store.remove::<S>(journal.before.header.name()),
        Some(previous) if previous.owned == journal.before.owned && journal.facts == previous.facts => journal.abort(),
        Some(previous) => journal.commit(&Receipt { facts: journal.facts.of(&previous.owned), ..previous }),
    }
}

/// Refuses to attach to a network that is incomplete: its rules may allow more than they should.
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
    // Removal continues when the disk is full: the receipt on disk already names everything.
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
        // Otherwise the act stays open, and the next call looks at the host.
        let _ = journal.commit(&left);
    }
    Err(Error::Leftover { of: S::named(&name), errors })
}

/// The receipt, if it is of this namespace. A receipt of an earlier boot keeps only its files.
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
