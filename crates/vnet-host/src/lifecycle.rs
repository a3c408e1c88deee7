//! The life of a network, or a port, on a host: each function is a difference of two states, made.

use vnet_plan::{Change, HostState, Key, Resource, Zone, diff};
use vnet_types::{InterfaceName, Inventory, NetworkName};

use crate::execute::{execute, execute_all};
use crate::journal::{Journal, Receipt};
use crate::store;
use crate::{Error, Facts, Header, Host, Lock, Name, Named, Namespace, Owner, PortHeader, Store, Subject};

/// What the host has, with the networks that vnet runs on it and the ports of guests.
///
/// # Errors
/// [`Error`] where it cannot be read.
pub fn inventory(host: &impl Host, store: &Store) -> Result<Inventory, Error> {
    survey(host, store).map(|survey| survey.inventory)
}

/// What the host has, and the processes that networks and ports on it are for.
#[derive(Clone, Debug)]
pub struct Survey {
    /// What the host has, with the networks that vnet runs on it and the ports of guests.
    pub inventory: Inventory,
    /// The networks and ports of this state folder that are for a process.
    pub owners: Vec<(Named, Owner)>,
}

/// Reads the host and the receipts once.
///
/// # Errors
/// [`Error`] where one of them cannot be read.
pub fn survey(host: &impl Host, folder: &Store) -> Result<Survey, Error> {
    let (networks, ports) = (folder.headers::<Header>()?, folder.headers::<PortHeader>()?);
    let owners = store::owners(&networks).chain(store::owners(&ports)).collect();
    let networks = networks.into_iter().map(Header::into_known).collect();
    let ports = ports.into_iter().map(|header| header.port).collect();
    let mut inventory = Inventory { networks, ports, ..host.inventory()? };
    if let Some(firewalld) = &mut inventory.firewalld {
        for receipt in folder.receipts()?.into_iter().flatten() {
            for resource in receipt.owned.iter() {
                if let Resource::Zone(Zone { link, was, .. }) = resource {
                    firewalld.put(link, was.as_deref());
                }
            }
        }
    }
    Ok(Survey { inventory, owners })
}

/// What [`start`] or [`apply`] would do.
///
/// # Errors
/// [`Error::Conflict`] where something is in the way; [`Error`] where the host cannot be read.
pub fn plan<N: Name>(host: &impl Host, store: &Store, name: &N, desired: &HostState) -> Result<Vec<Change>, Error> {
    let receipt = store.read::<N::Header>(name)?;
    let nothing = (HostState::new(), Facts::default());
    let (owned, facts) = receipt.map_or(nothing, |receipt| (receipt.owned, receipt.facts));
    changes(host, &owned, &facts, desired)
}

/// Brings a network up, or attaches a port. What a start that was killed has left is taken away first.
///
/// # Errors
/// [`Error::Running`]; [`Error::Conflict`], with nothing done, where something is in the way; [`Error::Step`], with
/// everything undone, where a step fails.
pub fn start<S: Subject>(
    host: &mut impl Host,
    lock: &Lock,
    header: S,
    desired: &HostState,
) -> Result<Vec<Change>, Error> {
    if let Some(receipt) = lock.store().read::<S>(header.name())? {
        at_home(&receipt, header.namespace())?;
        if receipt.settled {
            return Err(Error::Running(S::named(header.name())));
        }
        take_away(host, lock, receipt)?;
    }
    bring_up(host, lock, header, desired)
}

/// Makes a network or a port as `desired`, in place: starts it, changes it, repairs it.
///
/// # Errors
/// Those of [`start`], but for [`Error::Running`].
pub fn apply<S: Subject>(
    host: &mut impl Host,
    lock: &Lock,
    header: S,
    desired: &HostState,
) -> Result<Vec<Change>, Error> {
    let Some(receipt) = lock.store().read::<S>(header.name())? else { return bring_up(host, lock, header, desired) };
    at_home(&receipt, header.namespace())?;
    let changes = changes(host, &receipt.owned, &receipt.facts, desired)?;
    let before = receipt.clone();
    let mut journal = Journal::open(&lock.store().receipt_path::<S>(header.name()), receipt)?;
    journal.rehead(header)?;
    let made = execute(host, &mut journal, &changes);
    match &made {
        Ok(()) => settle(&mut journal, desired)?,
        Err(Error::Step { rollback, .. }) if rollback.is_empty() && before.settled => {
            journal.rehead(before.header)?;
            settle(&mut journal, &before.owned)?;
        }
        Err(_) => {}
    }
    made.map(|()| changes)
}

/// Takes a network away, after the ports that guests are attached to it by: everything that was made for them and
/// nothing else. Goes on past what fails.
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
    let receipt = lock.store().receipt(network)?.ok_or_else(absent)?;
    at_home(&receipt, namespace)?;
    let mut changes = Vec::new();
    let mut errors = Vec::new();
    for port in lock.store().port_receipts()?.into_iter().flatten() {
        if port.header.port.network.as_ref() == Some(network) && at_home(&port, namespace).is_ok() {
            match take_away(host, lock, port) {
                Ok(gone) => changes.extend(gone),
                Err(error) => errors.push(error),
            }
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
    let receipt = lock.store().port_receipt(port)?.ok_or_else(absent)?;
    at_home(&receipt, namespace)?;
    take_away(host, lock, receipt)
}

/// What is not as it was made: the changes that would repair it.
///
/// # Errors
/// [`Error::Absent`]; [`Error::Elsewhere`]; [`Error`] where the host cannot be read.
pub fn drift<N: Name>(host: &impl Host, store: &Store, name: &N, namespace: Namespace) -> Result<Vec<Change>, Error> {
    let receipt = store.read::<N::Header>(name)?.ok_or_else(|| Error::Absent(N::Header::named(name)))?;
    at_home(&receipt, namespace)?;
    let observed = host.observe(&receipt.owned, &receipt.facts)?;
    Ok(diff(&observed, &receipt.owned))
}

fn bring_up<S: Subject>(
    host: &mut impl Host,
    lock: &Lock,
    header: S,
    desired: &HostState,
) -> Result<Vec<Change>, Error> {
    let changes = changes(host, &HostState::new(), &Facts::default(), desired)?;
    let (store, name) = (lock.store(), header.name().clone());
    store.make::<S>(&name)?;
    let journal = Journal::create(&store.receipt_path::<S>(&name), header);
    let mut journal = journal.inspect_err(|_| drop(store.remove::<S>(&name)))?;
    let made = execute(host, &mut journal, &changes);
    match &made {
        Ok(()) => settle(&mut journal, desired)?,
        Err(Error::Step { rollback, .. }) if rollback.is_empty() => store.remove::<S>(&name)?,
        Err(_) => {}
    }
    made.map(|()| changes)
}

/// Ends a change: of the switches that everyone shares, the network relies on those of `desired`. What it no longer
/// has, and was gone already, is not its own any more.
fn settle(journal: &mut Journal<impl Subject>, desired: &HostState) -> Result<(), Error> {
    for change in diff(&journal.receipt.owned, desired) {
        match change {
            Change::Create { to } | Change::Update { to, .. } if to.key().is_shared() => journal.rely_on(&to)?,
            Change::Create { .. } | Change::Update { .. } => {}
            Change::Delete { from } => journal.forget(&from)?,
        }
    }
    journal.settled()
}

fn take_away<S: Subject>(host: &mut impl Host, lock: &Lock, receipt: Receipt<S>) -> Result<Vec<Change>, Error> {
    let name = receipt.header.name().clone();
    let changes = diff(&without_shared(&receipt.owned), &HostState::new());
    let mut journal = Journal::open(&lock.store().receipt_path::<S>(&name), receipt)?;
    let errors = execute_all(host, &mut journal, &changes);
    if !errors.is_empty() {
        return Err(Error::Leftover { of: S::named(&name), errors });
    }
    lock.store().remove::<S>(&name)?;
    Ok(changes)
}

/// From what is there to what is wanted. What is there, not ours and in the way is a conflict.
fn changes(host: &impl Host, owned: &HostState, facts: &Facts, desired: &HostState) -> Result<Vec<Change>, Error> {
    // Of what is ours it counts as what it was made: a process with its old configuration is not the wanted one.
    let expected: HostState = desired.iter().chain(owned.iter()).cloned().collect();
    let mut observed = host.observe(&expected, facts)?;
    // The bridge gives every port its default VLAN: on a port of ours that is nobody's.
    let is_default = |key: &Key| matches!(key, Key::Vlans(link) if owned.get(&Key::Port(link.clone())).is_some());
    let in_the_way = |resource: &&Resource| {
        let key = resource.key();
        owned.get(&key).is_none() && !key.is_shared() && !is_default(&key)
    };
    // What a program writes is there or not as it likes; ours is only to remove it.
    let written = |resource: &&Resource| matches!(resource, Resource::File(file) if file.contents.is_none());
    let foreign = observed.iter().filter(in_the_way).filter(|resource| !written(resource));
    let conflicts: Vec<Key> = foreign.map(Resource::key).collect();
    if !conflicts.is_empty() {
        return Err(Error::Conflict(conflicts));
    }
    let unmade: Vec<Key> = observed.iter().filter(in_the_way).map(Resource::key).collect();
    unmade.iter().for_each(|key| drop(observed.remove(key)));
    let left: Vec<Key> = observed.iter().map(Resource::key).filter(Key::is_shared).collect();
    left.iter().filter(|key| desired.get(key).is_none()).for_each(|key| drop(observed.remove(key)));
    Ok(diff(&observed, desired))
}

fn at_home<S: Subject>(receipt: &Receipt<S>, namespace: Namespace) -> Result<(), Error> {
    if receipt.header.namespace().is(&namespace) {
        return Ok(());
    }
    Err(Error::Elsewhere(S::named(receipt.header.name())))
}

fn without_shared(state: &HostState) -> HostState {
    state.iter().filter(|resource| !resource.key().is_shared()).cloned().collect()
}
