//! This host, as the commands see it.

use std::path::PathBuf;

use anyhow::anyhow;
use serde::Serialize;
use vnet_firewall::{Counts, Firewall, Judgement, Packet, Rule};
use vnet_host::{Facts, Header, Host, LinuxHost, Listed, Lock, PortHeader, Receipt, Store};
use vnet_plan::{Change, HostState, Lowered, LoweredPort, NetworkRules, Resource};
use vnet_types::{InterfaceName, Inventory, KnownPort, MacAddr, NetworkName, Uuid};

use crate::definition::refuse;
use crate::directories::Directories;
use crate::failure;
use crate::output::Answer;

/// This host and the state that vnet keeps of it.
pub(crate) struct Here {
    pub(crate) directories: Directories,
    host: LinuxHost,
    store: Store,
}

/// A network that runs.
pub(crate) struct Running {
    pub(crate) name: NetworkName,
    /// `None` where its guests are attached to what the host has already.
    pub(crate) bridge: Option<InterfaceName>,
    /// The bridge's MAC address.
    pub(crate) mac: Option<MacAddr>,
    /// What was made for it.
    pub(crate) desired: HostState,
    /// Did its last start, stop or change not come to its end?
    pub(crate) interrupted: bool,
}

/// How a network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// As it was made.
    InSync,
    /// Something is not as it was made.
    Drifted,
    /// A start, stop or change did not come to its end.
    Interrupted,
    /// It is in another network namespace, which cannot be seen from here.
    Elsewhere,
}

impl State {
    /// The state of what differs so from what was made.
    fn of(settled: bool, drift: &[Change]) -> Self {
        match (settled, drift.is_empty()) {
            (false, _) => Self::Interrupted,
            (true, true) => Self::InSync,
            (true, false) => Self::Drifted,
        }
    }

    /// For people.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::InSync => "in sync",
            Self::Drifted => "drifted",
            Self::Interrupted => "interrupted",
            Self::Elsewhere => "elsewhere",
        }
    }
}

impl Here {
    /// Opens the host in whose network namespace this process is.
    pub(crate) fn open(directories: &Directories) -> anyhow::Result<Self> {
        let store = directories.store()?;
        Ok(Self { directories: directories.clone(), host: LinuxHost::open()?, store })
    }

    /// What the host has.
    pub(crate) fn inventory(&self) -> anyhow::Result<Inventory> {
        Ok(vnet_host::inventory(&self.host, &self.store)?)
    }

    /// The network of a name, where it runs.
    pub(crate) fn running(&self, name: &NetworkName) -> anyhow::Result<Option<Running>> {
        Ok(self.store.receipt(name)?.map(Running::from))
    }

    /// All networks that run.
    pub(crate) fn all(&self) -> anyhow::Result<Vec<Running>> {
        Ok(readable(self.store.receipts()?).map(Running::from).collect())
    }

    /// Waits for the right to change networks. What is decided before this may not hold when it is done.
    pub(crate) fn lock(&self) -> anyhow::Result<Lock> {
        Ok(self.store.lock()?)
    }

    /// What start or apply would change.
    pub(crate) fn plan(&self, lowered: &Lowered) -> anyhow::Result<Vec<Change>> {
        Ok(vnet_host::plan(&self.host, &self.store, &lowered.name, &lowered.desired)?)
    }

    /// Brings a network up.
    pub(crate) fn start(&mut self, lock: &Lock, lowered: &Lowered, uuid: Option<Uuid>) -> anyhow::Result<Vec<Change>> {
        Ok(vnet_host::start(&mut self.host, lock, header(lowered, uuid)?, &lowered.desired)?)
    }

    /// Changes, repairs or brings up a network.
    pub(crate) fn apply(&mut self, lock: &Lock, lowered: &Lowered, uuid: Option<Uuid>) -> anyhow::Result<Vec<Change>> {
        Ok(vnet_host::apply(&mut self.host, lock, header(lowered, uuid)?, &lowered.desired)?)
    }

    /// Takes a network away.
    pub(crate) fn stop(mut self, lock: &Lock, name: &NetworkName) -> anyhow::Result<Vec<Change>> {
        Ok(vnet_host::stop(&mut self.host, lock, name, LinuxHost::namespace()?)?)
    }

    /// What would repair a network and its ports.
    pub(crate) fn drift(&self, name: &NetworkName) -> anyhow::Result<Vec<Change>> {
        let mut drift = vnet_host::drift(&self.host, &self.store, name, LinuxHost::namespace()?)?;
        for port in self.ports_of(name)? {
            drift.extend(self.port_drift(&port.dev)?.unwrap_or_default());
        }
        Ok(drift)
    }

    /// The folder of a port.
    pub(crate) fn port_directory(&self, port: &InterfaceName) -> PathBuf {
        self.store.port_directory(port)
    }

    /// The receipt of a port, where it is attached.
    pub(crate) fn port(&self, port: &InterfaceName) -> anyhow::Result<Option<Receipt<PortHeader>>> {
        Ok(self.store.port_receipt(port)?)
    }

    /// The receipts of all ports.
    pub(crate) fn ports(&self) -> anyhow::Result<Vec<Receipt<PortHeader>>> {
        Ok(readable(self.store.port_receipts()?).collect())
    }

    /// What attaching, or applying where it is attached, would change.
    pub(crate) fn plan_port(&self, lowered: &LoweredPort) -> anyhow::Result<Vec<Change>> {
        Ok(vnet_host::plan(&self.host, &self.store, &lowered.port.dev, &lowered.desired)?)
    }

    /// Attaches a port.
    pub(crate) fn attach(&mut self, lock: &Lock, lowered: &LoweredPort) -> anyhow::Result<Vec<Change>> {
        Ok(vnet_host::start(&mut self.host, lock, port_header(lowered)?, &lowered.desired)?)
    }

    /// Changes, repairs or attaches a port.
    pub(crate) fn apply_port(&mut self, lock: &Lock, lowered: &LoweredPort) -> anyhow::Result<Vec<Change>> {
        Ok(vnet_host::apply(&mut self.host, lock, port_header(lowered)?, &lowered.desired)?)
    }

    /// Takes a port away.
    pub(crate) fn detach(&mut self, lock: &Lock, port: &InterfaceName) -> anyhow::Result<Vec<Change>> {
        Ok(vnet_host::detach(&mut self.host, lock, port, LinuxHost::namespace()?)?)
    }

    /// How a port is. `None` where it was detached since.
    pub(crate) fn port_state(&self, receipt: &Receipt<PortHeader>) -> anyhow::Result<Option<State>> {
        Ok(match vnet_host::drift(&self.host, &self.store, &receipt.header.port.dev, LinuxHost::namespace()?) {
            Err(vnet_host::Error::Absent(_)) => None,
            Err(vnet_host::Error::Elsewhere(_)) => Some(State::Elsewhere),
            drift => Some(State::of(receipt.settled, &drift?)),
        })
    }

    /// What would repair a port. `None` where it was detached since.
    pub(crate) fn port_drift(&self, port: &InterfaceName) -> anyhow::Result<Option<Vec<Change>>> {
        match vnet_host::drift(&self.host, &self.store, port, LinuxHost::namespace()?) {
            Err(vnet_host::Error::Absent(_)) => Ok(None),
            drift => Ok(Some(drift?)),
        }
    }

    /// The ports of a network.
    pub(crate) fn ports_of(&self, network: &NetworkName) -> anyhow::Result<Vec<KnownPort>> {
        let ports = self.store.ports()?;
        Ok(ports.into_iter().filter(|port| port.network.as_ref() == Some(network)).collect())
    }

    /// Is a bridge still to be put into the zone of firewalld that a state has for it?
    pub(crate) fn is_to_be_put(&self, desired: &HostState) -> anyhow::Result<bool> {
        let is_zone = |resource: &&Resource| matches!(resource, Resource::Zone(_));
        let zones: HostState = desired.iter().filter(is_zone).cloned().collect();
        Ok(!zones.is_empty() && self.host.observe(&zones, &Facts::default())? != zones)
    }

    /// How a network is, and what would repair it. `None` where it was stopped since.
    pub(crate) fn state(&self, running: &Running) -> anyhow::Result<Option<(State, Vec<Change>)>> {
        let drift = match self.drift(&running.name) {
            Err(error) => match error.downcast_ref() {
                Some(vnet_host::Error::Absent(_)) => return Ok(None),
                Some(vnet_host::Error::Elsewhere(_)) => return Ok(Some((State::Elsewhere, Vec::new()))),
                _ => return Err(error),
            },
            Ok(drift) => drift,
        };
        Ok(Some((State::of(!running.interrupted, &drift), drift)))
    }

    /// What the rules of a network have counted, by chain, or by the set that stands for them.
    pub(crate) fn counts(&self, running: &Running) -> anyhow::Result<Vec<(String, Rule, Counts)>> {
        let expected = running.desired.iter().find_map(|resource| match resource {
            Resource::Ruleset(NetworkRules { ruleset, .. }) => Some(ruleset),
            _ => None,
        });
        let Some(expected) = expected else { return Ok(Vec::new()) };
        let table = Firewall::open()?.read_near(expected)?;
        Ok(table.counts(running.name.as_str()).collect())
    }

    /// What becomes of packets under the rules of others.
    pub(crate) fn judge<'a>(&self, packets: impl Iterator<Item = &'a Packet>) -> anyhow::Result<Vec<Judgement>> {
        Ok(self.host.judge(packets)?)
    }

    /// The answer where no such network runs.
    pub(crate) fn refuse_absent(network: &NetworkName) -> anyhow::Result<Answer> {
        refuse(anyhow!("network `{network}` does not run; `vnet list` shows those that do"))
    }
}

/// The receipts that can be read. People are told of the others.
fn readable<T>(listed: Vec<Listed<T>>) -> impl Iterator<Item = T> {
    listed.into_iter().filter_map(|listed| listed.map_err(|unreadable| failure::report(&unreadable.into())).ok())
}

impl From<Receipt> for Running {
    fn from(receipt: Receipt) -> Self {
        let mac = receipt.owned.iter().find_map(|resource| match resource {
            Resource::Link(link) if Some(&link.name) == receipt.header.bridge.as_ref() => link.mac,
            _ => None,
        });
        Self {
            name: receipt.header.network,
            bridge: receipt.header.bridge,
            mac,
            desired: receipt.owned,
            interrupted: !receipt.settled,
        }
    }
}

fn port_header(lowered: &LoweredPort) -> anyhow::Result<PortHeader> {
    Ok(PortHeader { port: lowered.port.clone(), namespace: LinuxHost::namespace()?, owner: None })
}

fn header(lowered: &Lowered, uuid: Option<Uuid>) -> anyhow::Result<Header> {
    let namespace = LinuxHost::namespace()?;
    Ok(Header { network: lowered.name.clone(), uuid, bridge: lowered.bridge.clone(), namespace, owner: None })
}
