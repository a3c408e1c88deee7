//! Stopping networks and detaching ports.

use vnet_plan::{Change, HostState, Key, diff};
use vnet_types::{InterfaceName, NetworkName};

use crate::journal::{Journal, Receipt};
use crate::lifecycle::at_home;
use crate::resolve::resolve;
use crate::view::View;
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
/// links are deleted together, with those of their ports: the rules go when nobody is connected.
pub fn stop_all(
    host: &mut impl Host,
    lock: &Lock,
    networks: &[NetworkName],
    namespace: Namespace,
) -> Vec<Result<Vec<Change>, Error>> {
    let begin = |network: &NetworkName| Stop::new(host, lock, network, namespace);
    let mut stops: Vec<Result<Stop, Error>> = networks.iter().map(begin).collect();
    // Whoever comes after a process that was killed from here on goes on with the stop.
    stops.iter_mut().flatten().for_each(|stop| stop.network.begin(lock));
    let mut long: Vec<(&Change, &Facts)> = Vec::new();
    for stop in stops.iter().flatten() {
        for stage in [Stage::Programs, Stage::Links] {
            long.extend(stop.ports.iter().flat_map(|port| port.changes(stage)).chain(stop.network.changes(stage)));
        }
    }
    host.hasten(&long);
    for stop in stops.iter_mut().flatten() {
        stop.open(host, lock);
    }
    stops.into_iter().map(|stop| stop?.end(host, lock)).collect()
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
    let receipt = resolve(host, lock.store(), receipt)?;
    take_away(host, lock, receipt)
}

/// Removes everything that a receipt names, and the receipt.
pub(crate) fn take_away<S: Subject>(
    host: &mut impl Host,
    lock: &Lock,
    receipt: Receipt<S>,
) -> Result<Vec<Change>, Error> {
    let mut removal = Removal::new(host, receipt)?;
    removal.begin(lock);
    host.hasten(&removal.changes(Stage::Programs).collect::<Vec<_>>());
    removal.open(host);
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

    /// Detaches the ports, and removes what stands on the network's links.
    fn open(&mut self, host: &mut impl Host, lock: &Lock) {
        for mut port in std::mem::take(&mut self.ports) {
            port.begin(lock);
            port.open(host);
            match port.end(host, lock) {
                Ok(gone) => self.changes.extend(gone),
                Err(error) => self.errors.push(error),
            }
        }
        self.network.open(host);
    }

    fn end(mut self, host: &mut impl Host, lock: &Lock) -> Result<Vec<Change>, Error> {
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
/// they are waited for last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// What stands on links.
    Rest,
    Links,
    Programs,
    /// The files of programs.
    Files,
}

impl Stage {
    fn of(change: &Change) -> Self {
        match change.key() {
            Key::Link(_) => Self::Links,
            Key::Process(_) => Self::Programs,
            Key::File(_) => Self::Files,
            _ => Self::Rest,
        }
    }
}

/// The removal of everything that a receipt names.
struct Removal<S> {
    /// What is left to be removed.
    left: Receipt<S>,
    changes: Vec<Change>,
    journal: Option<Journal<S>>,
    errors: Vec<Error>,
}

impl<S: Subject> Removal<S> {
    fn new(host: &impl Host, receipt: Receipt<S>) -> Result<Self, Error> {
        let View { owned, facts } = View::new(host, &receipt.owned, &receipt.facts)?;
        let changes = diff(&without_shared(&owned), &HostState::new());
        let left = Receipt { owned, facts, settled: false, ..receipt };
        Ok(Self { left, changes, journal: None, errors: Vec::new() })
    }

    fn changes(&self, stage: Stage) -> impl Iterator<Item = (&Change, &Facts)> {
        self.changes.iter().filter(move |change| Stage::of(change) == stage).map(|change| (change, &self.left.facts))
    }

    /// Writes down what is to be removed.
    fn begin(&mut self, lock: &Lock) {
        // Removal continues when the disk is full: the receipt on disk already names everything.
        self.journal = Journal::begin(lock.store(), self.left.clone(), &self.changes).ok();
    }

    /// Removes what stands on links.
    fn open(&mut self, host: &mut impl Host) {
        self.remove(host, Stage::Rest);
    }

    /// Removes the rest, and the receipt.
    fn end(mut self, host: &mut impl Host, lock: &Lock) -> Result<Vec<Change>, Error> {
        [Stage::Links, Stage::Programs, Stage::Files].iter().for_each(|stage| self.remove(host, *stage));
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

    fn remove(&mut self, host: &mut impl Host, stage: Stage) {
        for change in self.changes.iter().filter(|change| Stage::of(change) == stage) {
            match host.apply(change, &self.left.facts) {
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
