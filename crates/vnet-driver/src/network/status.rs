//! The state of the networks that run.

use std::collections::BTreeSet;
use std::fs;

use vnet_firewall::{Counts, Rule};
use vnet_host::{Header, Host, LinuxHost, Listed, PortHeader, Receipt, Unread};
use vnet_plan::{Change, Files, Intent, Key, LinkAddress, Resource};
use vnet_types::{InterfaceName, Inventory, IpNet, KnownPort, NetworkName, Route};
use vnet_xml::Network;

use super::prepare::RUNNING;
use crate::driver::Driver;
use crate::error::Error;
use crate::hooks::HookOperation;
use crate::manager;
use crate::obstacle::Obstacle;
use crate::port::Device;
use crate::receipts::Ports;
use crate::state::State;

/// A network that runs, as a row of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NetworkSummary {
    /// Its name.
    pub name: NetworkName,
    /// Its state.
    pub state: State,
    /// Its bridge. `None` when its guests are attached to an existing device of the host.
    pub bridge: Option<InterfaceName>,
    /// The number of attached guests.
    pub guests: usize,
    /// What of it could not be read.
    pub unread: BTreeSet<Unread>,
    /// Whether libvirt runs it. Only forwards and egress are then ours.
    pub runs_in_libvirt: bool,
    /// The definition that it runs with, as its receipt has it.
    pub(crate) definition: Option<String>,
}

/// A network that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NetworkStatus {
    /// Its name.
    pub name: NetworkName,
    /// Its state.
    pub state: State,
    /// Its bridge. `None` when its guests are attached to an existing device of the host.
    pub bridge: Option<InterfaceName>,
    /// The host's addresses in it.
    pub addresses: Vec<IpNet>,
    /// Its routes.
    pub routes: Vec<Route>,
    /// The process number of its dnsmasq, if it runs.
    pub dnsmasq: Option<i32>,
    /// The number of leases. `None` when the network needs no dnsmasq.
    pub leases: Option<usize>,
    /// The attached guests.
    pub ports: Vec<(KnownPort, Device)>,
    /// The counters of its rules.
    pub rules: Vec<Counted>,
    /// The changes that would repair it.
    pub drift: Vec<Change>,
    /// Rules of other programs that block it.
    pub obstacles: Vec<Obstacle>,
    /// What of it could not be read.
    pub unread: BTreeSet<Unread>,
    /// Whether libvirt runs it. Only forwards and egress are then ours.
    pub runs_in_libvirt: bool,
}

/// The state of a network.
struct Look {
    state: State,
    /// The changes that would repair it.
    drift: Vec<Change>,
    unread: BTreeSet<Unread>,
}

/// A rule and its counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Its chain, or the set whose element stands for it.
    pub chain: String,
    /// The rule.
    pub rule: Rule,
    /// Its counters.
    pub counts: Counts,
}

impl Driver {
    /// Lists the networks that run. Leftovers of processes that have ended are removed first.
    ///
    /// # Errors
    /// [`Error::Host`] when the folder or the host cannot be read. A network whose receipt cannot
    /// be read is an entry.
    pub fn networks(&self) -> Result<Vec<Listed<NetworkSummary>>, Error> {
        let mut host = self.onlooker()?;
        let (networks, ports) = self.receipts(&mut host)?;
        each(networks, |receipt| self.summarised(&host, receipt, ports.of(&receipt.header.network)))
    }

    /// A network as a row of a list. `None` when it does not run.
    pub(crate) fn summary(&self, network: &NetworkName) -> Result<Option<NetworkSummary>, Error> {
        let mut host = self.onlooker()?;
        let Some(receipt) = self.store.receipt(network)? else { return Ok(None) };
        let ports = self.read_ports()?;
        host.look_once();
        self.summarised(&host, &receipt, ports.of(network))
    }

    /// `None` when it was stopped meanwhile.
    fn summarised(
        &self,
        host: &LinuxHost,
        receipt: &Receipt,
        ports: &[Receipt<PortHeader>],
    ) -> Result<Option<NetworkSummary>, Error> {
        let Some(Look { state, unread, .. }) = self.state_of(host, receipt, ports)? else { return Ok(None) };
        let (name, bridge) = (receipt.header.network.clone(), receipt.header.bridge.clone());
        let (guests, runs_in_libvirt) = (ports.len(), receipt.header.of_libvirt);
        let definition = self.definition_in(receipt).map(str::to_owned);
        Ok(Some(NetworkSummary { guests, name, state, bridge, unread, runs_in_libvirt, definition }))
    }

    /// The state of a network.
    ///
    /// # Errors
    /// [`Error::NotRunning`]; [`Error::Host`] when the host cannot be read.
    pub fn status(&self, network: &NetworkName) -> Result<NetworkStatus, Error> {
        let absent = || Error::NotRunning(network.clone());
        let mut host = self.onlooker()?;
        let receipt = self.store.receipt(network)?.ok_or_else(absent)?;
        let ports = self.read_ports()?;
        host.look_once();
        let inventory = host.ways_out()?;
        self.look(&host, &inventory, &receipt, &ports)?.ok_or_else(absent)
    }

    /// The state of all networks that run.
    ///
    /// # Errors
    /// [`Error::Host`] when the folder or the host cannot be read. A network whose receipt cannot
    /// be read is an entry.
    pub fn statuses(&self) -> Result<Vec<Listed<NetworkStatus>>, Error> {
        let mut host = self.onlooker()?;
        let (networks, ports) = self.receipts(&mut host)?;
        let inventory = host.ways_out()?;
        each(networks, |receipt| self.look(&host, &inventory, receipt, &ports))
    }

    /// `None` when it was stopped meanwhile.
    fn look(
        &self,
        host: &LinuxHost,
        inventory: &Inventory,
        receipt: &Receipt,
        all: &Ports,
    ) -> Result<Option<NetworkStatus>, Error> {
        let ports = all.of(&receipt.header.network);
        let Some(Look { state, drift, unread }) = self.state_of(host, receipt, ports)? else { return Ok(None) };
        let name = receipt.header.network.clone();
        let mut status = NetworkStatus {
            state,
            bridge: receipt.header.bridge.clone(),
            addresses: Vec::new(),
            routes: Vec::new(),
            dnsmasq: None,
            leases: None,
            ports: Vec::new(),
            rules: if unread.contains(&Unread::Rules) { Vec::new() } else { counts(host, &receipt.header.network)? },
            obstacles: self.obstacles_among(host, inventory, receipt, ports.iter().map(|it| &it.header.port.dev))?,
            drift,
            unread,
            runs_in_libvirt: receipt.header.of_libvirt,
            name,
        };
        let bridge = receipt.header.bridge.as_ref();
        status.obstacles.extend(all.obstacles(host, &status.name, bridge)?);
        for resource in receipt.owned.iter() {
            match resource {
                Resource::Address(LinkAddress { address, .. }) => status.addresses.push(address.net),
                Resource::Route(route) => status.routes.push(route.clone()),
                Resource::Process(_) => {
                    status.leases = Some(self.count_leases(&status.name)?);
                    status.dnsmasq = self.dnsmasq(&status);
                }
                _ => {}
            }
        }
        for port in ports {
            let port = port.header.port.clone();
            let device = Device::of(&port, host)?;
            status.ports.push((port, device));
        }
        Ok(Some(status))
    }

    /// What the host does against a network with these ports.
    pub(super) fn obstacles_among<'p>(
        &self,
        host: &LinuxHost,
        inventory: &Inventory,
        receipt: &'p Receipt,
        ports: impl Iterator<Item = &'p InterfaceName>,
    ) -> Result<Vec<Obstacle>, Error> {
        let network = self.promised_by(receipt);
        let both = network.as_ref().zip(receipt.header.bridge.as_ref());
        let intent = both.map(|(network, bridge)| Intent::of(network, bridge)).transpose()?;
        let mut obstacles = self.obstacles(host, &receipt.owned, intent.as_ref(), inventory)?;
        obstacles.extend(self.unconfirmed_obstacle(&receipt.header.network)?);
        obstacles.extend(unheard(&receipt.header));
        obstacles.extend(self.untold(&receipt.header));
        if receipt.header.namespace.is(&host.namespace()?) {
            let links: Vec<InterfaceName> = receipt.header.bridge.iter().chain(ports).cloned().collect();
            obstacles.extend(manager::obstacles(host, &links)?);
            if let Some(network) = &network {
                obstacles.extend(self.unaccelerated(host, receipt, network)?);
            }
        }
        Ok(obstacles)
    }

    /// What it means that libvirt does not tell of the network.
    fn untold(&self, header: &Header) -> Option<Obstacle> {
        (header.of_libvirt && !self.has_libvirt_hook()).then(|| {
            Obstacle::by(
                "forwards and egress of the network begin and end with it",
                "libvirt's hook is gone, so that libvirt does not tell of it".to_owned(),
                "`vnet libvirt install-hook` brings it back".to_owned(),
            )
        })
    }

    /// The definition that a network runs with, as its receipt has it.
    fn definition_in<'r>(&self, receipt: &'r Receipt) -> Option<&'r str> {
        let file = self.store.directory(&receipt.header.network).join(RUNNING);
        match receipt.owned.get(&Key::File(file))? {
            Resource::File(file) => file.contents.as_deref(),
            _ => None,
        }
    }

    /// The definition that a network runs with, which says what it promises its guests. `None` when
    /// libvirt keeps the promises.
    fn promised_by(&self, receipt: &Receipt) -> Option<Network> {
        let text = self.definition_in(receipt).filter(|_| !receipt.header.of_libvirt)?;
        text.parse().ok()
    }

    /// The process number of its dnsmasq, if it runs.
    fn dnsmasq(&self, status: &NetworkStatus) -> Option<i32> {
        let is_down = |change: &Change| matches!(change, Change::Create { to: Resource::Process(_) });
        if status.drift.iter().any(is_down) {
            return None;
        }
        let file = Files::new(&self.store.directory(&status.name)).pid_file;
        fs::read_to_string(file).ok()?.trim().parse().ok()
    }

    /// `None` when it was stopped meanwhile.
    fn state_of(
        &self,
        host: &LinuxHost,
        receipt: &Receipt,
        ports: &[Receipt<PortHeader>],
    ) -> Result<Option<Look>, Error> {
        let here = host.namespace()?;
        // What was not read of another network does not count here.
        host.unread();
        let mut drift = vnet_host::drift_of(host, receipt, here).map_err(Error::from);
        for port in ports {
            drift = drift.and_then(|mut drift| {
                drift.extend(vnet_host::drift_of(host, port, here)?);
                Ok(drift)
            });
        }
        // It may have been changed or stopped since its receipt was read.
        if drift.as_ref().is_ok_and(|drift| !drift.is_empty()) && self.has_changed(receipt, ports)? {
            drift = self.drift(&self.onlooker()?, &receipt.header.network);
        }
        let unread = host.unread();
        match drift {
            Err(Error::NotRunning(_)) => Ok(None),
            Err(Error::Host(error)) if matches!(*error, vnet_host::Error::Elsewhere(_)) => {
                Ok(Some(Look { state: State::Elsewhere, drift: Vec::new(), unread: BTreeSet::new() }))
            }
            drift => {
                let drift = drift?;
                let state = State::of(receipt.settled && !receipt.header.awaits_hooks, !drift.is_empty());
                Ok(Some(Look { state: state.without(&unread), drift, unread }))
            }
        }
    }

    fn has_changed(&self, receipt: &Receipt, ports: &[Receipt<PortHeader>]) -> Result<bool, Error> {
        let mut has_changed = self.store.receipt(&receipt.header.network)?.as_ref() != Some(receipt);
        for port in ports {
            has_changed |= self.store.port_receipt(&port.header.port.dev)?.as_ref() != Some(port);
        }
        Ok(has_changed)
    }
}

/// What it means that the hooks have yet to agree that a network runs.
fn unheard(header: &Header) -> Option<Obstacle> {
    header.awaits_hooks.then(|| {
        Obstacle::by(
            "the network runs when its hooks agree",
            format!("they have yet to answer at `{}`", HookOperation::Started.word()),
            format!("unless they still run, `vnet apply {}` asks them again", header.network),
        )
    })
}

fn counts(host: &LinuxHost, network: &NetworkName) -> Result<Vec<Counted>, Error> {
    let counts = host.counts(network)?.into_iter();
    Ok(counts.map(|(chain, rule, counts)| Counted { chain, rule, counts }).collect())
}

/// The results for all networks whose receipts can be read, without those that were stopped
/// meanwhile.
fn each<T>(
    receipts: Vec<Listed<Receipt>>,
    mut look: impl FnMut(&Receipt) -> Result<Option<T>, Error>,
) -> Result<Vec<Listed<T>>, Error> {
    let mut seen = Vec::new();
    for listed in receipts {
        match listed {
            Ok(receipt) => seen.extend(look(&receipt)?.map(Ok)),
            Err(unreadable) => seen.push(Err(unreadable)),
        }
    }
    Ok(seen)
}
