//! Stopping networks and detaching ports.

use std::collections::BTreeSet;

use vnet_plan::{Change, HostState, Key, diff};
use vnet_types::{InterfaceName, IpNet, Link, LinkKind, NetworkName};

use crate::journal::{Journal, Receipt};
use crate::lifecycle::at_home;
use crate::resolve::resolve;
use crate::view::{View, goes_with};
use crate::{Error, Facts, Host, Lock, Named, Namespace, PortHeader, Subject, Unreadable};

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
    stop_all(host, lock, std::slice::from_ref(network), namespace).pop().expect("a result for each network")
}

/// Stops several networks, as [`stop`] does each. Their programs end at the same time, and their
/// links are deleted together, with those of their ports. The rules go in one transaction when the
/// bridges are down.
///
/// A stop of several networks may return when nobody finds their bridges any more and nothing stops
/// their deletion, which takes the kernel some 20 milliseconds for each bridge: `/sys/class/net`
/// shows them until then, and who makes or looks at a link waits for it.
pub fn stop_all(
    host: &mut impl Host,
    lock: &Lock,
    networks: &[NetworkName],
    namespace: Namespace,
) -> Vec<Result<Vec<Change>, Error>> {
    let begin = |network: &NetworkName| Stop::new(host, lock, network, namespace);
    let mut stops: Vec<Result<Stop, Error>> = networks.iter().map(begin).collect();
    if stops.iter().flatten().any(|stop| stop.changes(Stage::Links).next().is_some()) {
        host.expect_deletions(lock);
    }
    // Whoever comes after a process that was killed from here on goes on with the stop.
    stops.iter_mut().flatten().for_each(|stop| stop.network.begin(lock));
    hasten(host, lock, &stops, Stage::Programs);
    stops.iter_mut().flatten().for_each(|stop| stop.close(host, lock));
    let rest = stops.iter().flatten().flat_map(|stop| stop.network.changes(Stage::Rest));
    host.hasten(lock, &rest.collect::<Vec<_>>());
    stops.iter_mut().flatten().for_each(|stop| stop.network.open(host));
    if stops.len() > 1 {
        stops.iter_mut().flatten().for_each(|stop| stop.vacate(host));
    }
    // Nothing else that waits for the kernel's links comes while they are deleted.
    hasten(host, lock, &stops, Stage::Links);
    stops.into_iter().map(|stop| stop?.end(host, lock)).collect()
}

/// Begins a stage of all stops.
fn hasten(host: &mut impl Host, lock: &Lock, stops: &[Result<Stop, Error>], stage: Stage) {
    host.hasten(lock, &stops.iter().flatten().flat_map(|stop| stop.changes(stage)).collect::<Vec<_>>());
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
    detach_and(host, lock, port, namespace, |_| {})
}

/// The same, and does something else when the guest is cut off: while links are deleted, nothing
/// gets at the host's links.
///
/// # Errors
/// Those of [`stop`].
pub fn detach_and<H: Host>(
    host: &mut H,
    lock: &Lock,
    port: &InterfaceName,
    namespace: Namespace,
    meanwhile: impl FnOnce(&mut H),
) -> Result<Vec<Change>, Error> {
    let absent = || Error::Absent(Named::Port(port.clone()));
    let receipt = at_home(lock.store().port_receipt(port)?.ok_or_else(absent)?, namespace)?;
    let receipt = resolve(host, lock.store(), receipt)?;
    take_away(host, lock, receipt, meanwhile)
}

/// Removes everything that a receipt names, and the receipt.
pub(crate) fn take_away<S: Subject, H: Host>(
    host: &mut H,
    lock: &Lock,
    receipt: Receipt<S>,
    meanwhile: impl FnOnce(&mut H),
) -> Result<Vec<Change>, Error> {
    let mut removal = Removal::new(host, receipt)?;
    if removal.changes(Stage::Links).next().is_some() {
        host.expect_deletions(lock);
    }
    removal.begin(lock);
    host.hasten(lock, &removal.changes(Stage::Programs).collect::<Vec<_>>());
    removal.close(host);
    removal.open(host);
    meanwhile(host);
    host.hasten(lock, &removal.changes(Stage::Links).collect::<Vec<_>>());
    removal.end(host, lock)
}

/// A network that is being stopped, with its ports.
struct Stop {
    network: Removal<crate::Header>,
    ports: Vec<Removal<PortHeader>>,
    changes: Vec<Change>,
    errors: Vec<Error>,
}

impl Stop {
    fn new(host: &impl Host, lock: &Lock, network: &NetworkName, namespace: Namespace) -> Result<Self, Error> {
        let absent = || Error::Absent(Named::Network(network.clone()));
        let receipt = at_home(lock.store().receipt(network)?.ok_or_else(absent)?, namespace)?;
        let receipt = resolve(host, lock.store(), receipt)?;
        let (mut ports, mut errors) = (Vec::new(), Vec::new());
        for listed in lock.store().port_receipts()? {
            let port = match listed {
                Ok(port) if port.header.port.network.as_ref() == Some(network) => port,
                // Its device stays, which is told.
                Err(Unreadable { network: Some(its), error, .. }) if its == *network => {
                    errors.push(error);
                    continue;
                }
                _ => continue,
            };
            let Ok(port) = at_home(port, namespace) else { continue };
            match resolve(host, lock.store(), port).and_then(|port| Removal::new(host, port)) {
                Ok(port) => ports.push(port),
                Err(error) => errors.push(error),
            }
        }
        Ok(Self { network: Removal::new(host, receipt)?, ports, changes: Vec::new(), errors })
    }

    fn changes(&self, stage: Stage) -> impl Iterator<Item = (&Change, &Facts)> {
        self.ports.iter().flat_map(move |port| port.changes(stage)).chain(self.network.changes(stage))
    }

    /// Cuts the guests off, and removes what of them outlasts links.
    fn close(&mut self, host: &mut impl Host, lock: &Lock) {
        self.network.close(host);
        for port in &mut self.ports {
            port.begin(lock);
            port.open(host);
        }
    }

    /// Removes what would wait for the kernel while it deletes several bridges: it holds the lock
    /// on links for long then, which a program may need that ends. And what would show until it
    /// has: it keeps the routes to a link's own IPv4 addresses until then.
    fn vacate(&mut self, host: &mut impl Host) {
        self.ports.iter_mut().for_each(|port| port.remove(host, Stage::Programs));
        self.network.remove(host, Stage::Programs);
        for (change, facts) in self.network.changes(Stage::Addresses) {
            // One that stays goes with its link.
            let _ = host.apply(change, facts);
        }
    }

    fn end(mut self, host: &mut impl Host, lock: &Lock) -> Result<Vec<Change>, Error> {
        for port in self.ports {
            match port.end(host, lock) {
                Ok(gone) => self.changes.extend(gone),
                Err(error) => self.errors.push(error),
            }
        }
        let of = Named::Network(self.network.left.header.network.clone());
        match self.network.end(host, lock) {
            Ok(gone) => self.changes.extend(gone),
            Err(error) if self.errors.is_empty() => return Err(error),
            Err(error) => self.errors.push(error),
        }
        if self.errors.is_empty() { Ok(self.changes) } else { Err(Error::Leftover { of, errors: self.errors }) }
    }
}

/// What is removed when. Programs take long to end, and the kernel takes long to delete a link, so
/// both are begun before they are waited for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// What outlasts links.
    Rest,
    Links,
    /// The IPv4 addresses of these links: the kernel has removed them with them.
    Addresses,
    /// What else stands on these links.
    OnLinks,
    Programs,
    /// The files of programs.
    Files,
}

/// The removal of everything that a receipt names.
struct Removal<S> {
    /// What is left to be removed.
    left: Receipt<S>,
    changes: Vec<Change>,
    /// The links among them.
    links: BTreeSet<InterfaceName>,
    /// The stages that are over.
    over: BTreeSet<Stage>,
    journal: Option<Journal<S>>,
    errors: Vec<Error>,
}

impl<S: Subject> Removal<S> {
    fn new(host: &impl Host, receipt: Receipt<S>) -> Result<Self, Error> {
        let View { owned, facts } = View::new(host, &receipt.owned, &receipt.facts)?;
        let changes = diff(&without_shared(&owned), &HostState::new());
        let links = owned.links().map(|link| link.name.clone()).collect();
        let left = Receipt { owned, facts, settled: false, ..receipt };
        Ok(Self { left, changes, links, over: BTreeSet::new(), journal: None, errors: Vec::new() })
    }

    fn changes(&self, stage: Stage) -> impl Iterator<Item = (&Change, &Facts)> {
        self.changes.iter().filter(move |change| self.stage(change) == stage).map(|change| (change, &self.left.facts))
    }

    fn stage(&self, change: &Change) -> Stage {
        match change.key() {
            Key::Link(_) => Stage::Links,
            Key::Process(_) => Stage::Programs,
            Key::File(_) => Stage::Files,
            Key::Address(link, IpNet::V4(_)) if self.links.contains(&link) => Stage::Addresses,
            key if self.links.iter().any(|link| goes_with(&key, link)) => Stage::OnLinks,
            _ => Stage::Rest,
        }
    }

    /// Writes down what is to be removed.
    fn begin(&mut self, lock: &Lock) {
        // Removal continues when the disk is full: the receipt on disk already names everything.
        self.journal = Journal::begin(lock.store(), self.left.clone(), &self.changes).ok();
    }

    /// Sets bridges down, because guests may still be in them when the rules go, and pairs, because
    /// others may get the container's addresses before they go.
    fn close(&self, host: &mut impl Host) {
        let is_open = |link: &&Link| matches!(link.kind, LinkKind::Bridge(_) | LinkKind::Veth(_)) && link.up;
        for link in self.left.owned.links().filter(is_open) {
            let (from, to) = (link.clone().into(), Link { up: false, ..link.clone() }.into());
            // One that cannot be set down is deleted all the same.
            let _ = host.apply(&Change::Update { from, to }, &self.left.facts);
        }
    }

    /// Removes what outlasts links.
    fn open(&mut self, host: &mut impl Host) {
        self.remove(host, Stage::Rest);
    }

    /// Removes the rest, and the receipt.
    fn end(mut self, host: &mut impl Host, lock: &Lock) -> Result<Vec<Change>, Error> {
        let stages = [Stage::Links, Stage::Addresses, Stage::OnLinks, Stage::Programs, Stage::Files];
        stages.into_iter().for_each(|stage| self.remove(host, stage));
        let name = self.left.header.name().clone();
        if self.errors.is_empty() {
            lock.store().remove::<S>(&name)?;
            return Ok(self.changes);
        }
        if let Some(journal) = self.journal {
            // Otherwise the act stays open, and the next call looks at the host.
            let _ = journal.commit(&self.left);
        }
        Err(Error::Leftover { of: S::named(&name), errors: self.errors })
    }

    /// Removes what belongs to a stage, once.
    fn remove(&mut self, host: &mut impl Host, stage: Stage) {
        if !self.over.insert(stage) {
            return;
        }
        let changes: Vec<Change> = self.changes(stage).map(|(change, _)| change.clone()).collect();
        let is_on_links = matches!(stage, Stage::Addresses | Stage::OnLinks);
        for change in &changes {
            let is_gone = |link: &InterfaceName| self.left.owned.get(&Key::Link(link.clone())).is_none();
            let removed = match change.key().link() {
                Some(link) if is_on_links && is_gone(link) => Ok(None),
                _ => host.apply(change, &self.left.facts),
            };
            match removed {
                Ok(_) => {
                    change.apply_to(&mut self.left.owned);
                    self.left.facts.learn(change, None);
                }
                Err(error) => self.errors.push(error),
            }
        }
    }
}

pub(crate) fn without_shared(state: &HostState) -> HostState {
    state.iter().filter(|resource| !resource.key().is_shared()).cloned().collect()
}
