//! Several networks in one call: one lock, one look at the host, programs that start and end at the
//! same time. One that fails is undone alone.

use vnet_host::{Header, LinuxHost, Lock, Receipt};
use vnet_plan::{Change, HostState, Lowered, Resource};
use vnet_types::{Inventory, KnownNetwork, NetworkName};
use vnet_xml::Network;

use super::outcome::NetworkOutcome;
use super::prepare::{Prepared, chosen};
use crate::driver::Driver;
use crate::error::Error;
use crate::hooks::{Departure, HookOperation, document};
use crate::port::Followed;

/// The result for each network, in the order of the call.
type Each<T> = Vec<Result<T, Error>>;

impl Driver {
    /// Starts several networks, as [`start`](Self::start) does each.
    ///
    /// # Errors
    /// [`Error::Host`] where the host or the folder cannot be read or locked. What concerns one
    /// network is its result.
    pub fn start_all(&self, networks: &[Network]) -> Result<Each<NetworkOutcome>, Error> {
        self.realise(networks, Aim::Start, &mut self.host()?, &self.lock()?)
    }

    /// Brings several networks and their ports to their definitions, as [`apply`](Self::apply) does
    /// each.
    ///
    /// # Errors
    /// Those of [`start_all`](Self::start_all).
    pub fn apply_all(&self, networks: &[Network]) -> Result<Each<NetworkOutcome>, Error> {
        self.realise(networks, Aim::Change, &mut self.host()?, &self.lock()?)
    }

    /// Stops several networks, as [`stop`](Self::stop) does each. May return while the kernel still
    /// works on the deletion of their bridges, as [`vnet_host::stop_all`] says.
    ///
    /// # Errors
    /// Those of [`start_all`](Self::start_all).
    pub fn stop_all(&self, networks: &[NetworkName]) -> Result<Each<Vec<Change>>, Error> {
        let mut host = self.host()?;
        let lock = self.lock()?;
        let refused: Vec<_> = networks.iter().map(|network| self.is_not_of_libvirt(network)).collect();
        let on_ovn: Vec<_> = networks.iter().map(|network| self.kept_on_ovn(network).ok().flatten()).collect();
        let is_ours = networks.iter().zip(&refused).filter(|(_, refused)| refused.is_ok());
        let ours: Vec<NetworkName> = is_ours.map(|(network, _)| network.clone()).collect();
        let departures: Vec<Departure> = ours.iter().map(|it| Departure::of_network(self, it)).collect();
        let mut stopped = vnet_host::stop_all(&mut host, &lock, &ours, LinuxHost::namespace()?).into_iter();
        departures.into_iter().for_each(|departure| departure.tell(self));
        let mut result = |network| self.after_stop(&lock, network, stopped.next().expect("a result for each"));
        let results = networks.iter().zip(refused).map(|(network, refused)| refused.and_then(|()| result(network)));
        let either = results.zip(on_ovn).map(|(result, on_ovn)| match on_ovn {
            Some(network) => self.stop_on_ovn(&network).map(|_| Vec::new()),
            None => result,
        });
        Ok(either.collect())
    }

    /// Starts or changes several networks, with the lock held: those of this host, and those that
    /// OVN makes.
    pub(super) fn realise(
        &self,
        networks: &[Network],
        aim: Aim,
        host: &mut LinuxHost,
        lock: &Lock,
    ) -> Result<Each<NetworkOutcome>, Error> {
        let of_host: Vec<Network> = networks.iter().filter(|it| !it.is_on_ovn()).cloned().collect();
        let mut results = self.realise_here(&of_host, aim, host, lock)?.into_iter();
        let result = |network: &Network| match (network.is_on_ovn(), aim) {
            (false, _) => results.next().expect("a result for each"),
            (true, Aim::Change) => self.apply_on_ovn(network),
            // A host that boots with an old definition must not bring all others to it.
            (true, Aim::Start | Aim::Repair) => self.start_on_ovn(network),
        };
        Ok(networks.iter().map(result).collect())
    }

    fn realise_here(
        &self,
        networks: &[Network],
        aim: Aim,
        host: &mut LinuxHost,
        lock: &Lock,
    ) -> Result<Each<NetworkOutcome>, Error> {
        let inventory = self.inventory(host, Some(lock), None)?;
        host.look_once();
        let wanted = self.prepare_all(networks, host, lock, inventory, aim)?;
        let sound = || wanted.iter().flatten().map(|it| (it.header.clone(), &it.prepared.lowered.desired));
        let pairs: Vec<(Header, &HostState)> = sound().collect();
        let mut made = match aim {
            Aim::Start => vnet_host::start_all(host, lock, pairs),
            Aim::Change | Aim::Repair => vnet_host::apply_all(host, lock, pairs),
        }
        .into_iter();
        let mut results = Vec::new();
        for (network, wanted) in networks.iter().zip(wanted) {
            let finish = |wanted: Wanted| {
                let made = made.next().expect("a result for each that was wanted");
                let name = &wanted.prepared.lowered.name;
                let changes = made.map_err(|error| {
                    // The first error is the one to report.
                    let _ = self.forget_data(lock, name);
                    wanted.prepared.refusal(network, error)
                })?;
                let mut all = Followed::default();
                if !wanted.runs || wanted.header.awaits_hooks {
                    self.started(host, lock, name)?;
                }
                if wanted.runs {
                    all = self.follow(host, lock, name)?;
                    if !(changes.is_empty() && all.changes.is_empty()) {
                        self.ask_hooks(HookOperation::Updated, name, || self.document_of(name))?;
                    }
                }
                all.changes.splice(..0, changes);
                Ok(wanted.prepared.outcome(self, host, all))
            };
            results.push(wanted.and_then(finish));
        }
        Ok(results)
    }

    /// Checks all definitions. Each is checked beside those before it.
    fn prepare_all(
        &self,
        networks: &[Network],
        host: &LinuxHost,
        lock: &Lock,
        mut inventory: Inventory,
        aim: Aim,
    ) -> Result<Each<Wanted>, Error> {
        let here = LinuxHost::namespace()?;
        let has_probed = self.look_closer(networks, host, &mut inventory)?;
        let (mut wanted, mut instances) = (Vec::new(), Vec::new());
        if aim != Aim::Start {
            let names = networks.iter().filter_map(|network| network.name.parse().ok());
            self.store.read_ahead(&names.collect::<Vec<_>>());
        }
        for network in networks {
            self.imagine(&mut inventory, Some(network));
            let mut one = || -> Result<Wanted, Error> {
                let prepared = self.prepare_on(network, host, &inventory, has_probed)?;
                if aim == Aim::Change {
                    self.is_confirmed(&prepared.lowered.name)?;
                }
                let is_here = |receipt: &&Receipt| receipt.header.namespace.is(&here);
                let receipt = prepared.receipt.as_ref().filter(is_here);
                let runs = receipt.is_some_and(|receipt| aim != Aim::Start || receipt.settled);
                if runs && aim == Aim::Start {
                    return Err(Error::AlreadyRuns(prepared.lowered.name));
                }
                // When its owner has ended, the network belongs to nobody.
                let owner = receipt.and_then(|receipt| receipt.header.owner).filter(|owner| !owner.is_gone());
                let header = prepared.header(owner.filter(|_| runs), self.has_hooks())?;
                if !runs {
                    instances.extend(prepared.take_instance()?);
                    let wanted = || Ok(document(&chosen(network, prepared.uuid, &prepared.lowered), None));
                    // A transient network begins without the leases of one before it.
                    self.forget_data(lock, &prepared.lowered.name)?;
                    self.ask_hooks(HookOperation::Start, &prepared.lowered.name, wanted)?;
                }
                self.make_data(lock, &prepared.lowered)?;
                Ok(Wanted { prepared, header, runs })
            };
            let one = one();
            if let Ok(Wanted { prepared, header, runs }) = &one
                && !(*runs && prepared.is_as_it_runs())
            {
                inventory = with(&inventory, &prepared.lowered, header);
            }
            wanted.push(one);
        }
        Ok(wanted)
    }
}

/// What is to become of networks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    /// They are started. None may run.
    Start,
    /// They are started, or brought to their definitions.
    Change,
    /// They are brought to the definitions that they run with.
    Repair,
}

/// A network that is to be started or changed.
struct Wanted {
    prepared: Prepared,
    header: Header,
    runs: bool,
}

/// The host with a network that is about to be started.
fn with(inventory: &Inventory, lowered: &Lowered, header: &Header) -> Inventory {
    let mut with = inventory.beside(lowered.name.as_str());
    let (name, bridge) = (lowered.name.clone(), lowered.bridge.clone());
    with.networks.push(KnownNetwork { name, uuid: header.uuid, bridge });
    for resource in lowered.desired.iter() {
        match resource {
            Resource::Link(link) => with.links.push(link.clone()),
            Resource::Address(it) => with.addresses.push((it.link.clone(), it.address)),
            Resource::Route(route) => with.routes.push(route.clone()),
            _ => {}
        }
    }
    with
}
