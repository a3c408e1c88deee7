//! The state of a network that OVN makes, by its rows.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use vnet_ovn::{OvnGuest, marked};
use vnet_ovsdb::{DatabaseOperation as Operation, OperationResult};
use vnet_types::{MacAddr, NetworkName, Uuid};
use vnet_xml::Network;

use super::change::OvnChange;
use super::network::{OvnNetwork, OvnPlan};
use crate::definitions::NetworkInfo;
use crate::driver::Driver;
use crate::error::Error;
use crate::state::State;

/// How long a database may take for an answer to those who list networks.
pub(super) const GLANCE: Duration = Duration::from_secs(2);

/// The state of a network that OVN makes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OvnStatus {
    /// Its name.
    pub name: NetworkName,
    /// Its UUID.
    pub uuid: Uuid,
    /// Its state. `None` when it has no rows.
    pub state: Option<State>,
    /// The server that was asked.
    pub northbound: String,
    /// How many times it was changed.
    pub generation: u64,
    /// The number of its rows.
    pub rows: usize,
    /// Its guests' ports, on all hosts.
    pub ports: Vec<OvnPort>,
    /// The state of its name server on this host. `None` where there is none.
    pub name_server: Option<State>,
    /// What would bring it to its definition.
    pub drift: Vec<OvnChange>,
}

/// A guest's port.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OvnPort {
    /// What identifies it, the `interfaceid` of its `<virtualport>`.
    pub id: Uuid,
    /// Its MAC address.
    pub mac: MacAddr,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// The guest's name.
    pub guest: Option<String>,
    /// The host that it is attached on, by the `system-id` of its Open vSwitch.
    pub chassis: Option<String>,
    /// Whether a host has connected it.
    pub is_up: bool,
}

impl Driver {
    /// The state of a network that OVN makes.
    ///
    /// # Errors
    /// [`Error::Ovn`].
    pub fn status_on_ovn(&self, network: &Network) -> Result<OvnStatus, Error> {
        let mut network = OvnNetwork::open(network)?;
        let uuid = network.uuid;
        let mut status = network.status_with(|| self.guests_here(uuid))?;
        status.name_server = self.state_of_names(&status.name)?;
        if status.name_server == Some(State::Drifted) && status.state.is_some() {
            status.state = Some(State::Drifted);
        }
        Ok(status)
    }

    /// Adds to networks that OVN makes what it has of them: their state, and the number of their
    /// guests. Returns why its database could not be asked, for each that stays as it was.
    pub fn look_on_ovn(&self, networks: &mut [NetworkInfo]) -> Vec<Error> {
        let mut failed = Vec::new();
        for info in networks.iter_mut().filter(|info| !info.is_active()) {
            let looked = self.kept_on_ovn(&info.name).and_then(|kept| {
                let Some(network) = kept else { return Ok(()) };
                let mut network = OvnNetwork::open(&network)?.patient_for(GLANCE);
                let uuid = network.uuid;
                let status = network.status_with(|| self.guests_here(uuid))?;
                (info.state, info.guests) = (status.state, status.ports.len());
                Ok(())
            });
            // A definition that cannot be read is told of by others.
            failed.extend(looked.err().filter(|error| matches!(error, Error::Ovn(_))));
        }
        failed
    }
}

impl OvnNetwork {
    /// The state of the network.
    ///
    /// # Errors
    /// [`Error::Ovn`].
    pub fn status(&mut self) -> Result<OvnStatus, Error> {
        self.status_with(|| Ok(Vec::new()))
    }

    /// The same, also with the guests that are attached to this host and have lost their rows.
    fn status_with(&mut self, here: impl FnOnce() -> Result<Vec<OvnGuest>, Error>) -> Result<OvnStatus, Error> {
        let observed = self.read()?;
        let guests = observed.guests();
        let plan = OvnPlan::new(&observed, self.rows(&self.with_lost(guests.clone(), here()?))?);
        let is_there = !observed.rows.is_empty();
        let state = is_there.then_some(if plan.changes.is_empty() { State::InSync } else { State::Drifted });
        let up = self.up()?;
        let ports = guests.into_iter().map(|guest| OvnPort {
            id: guest.id,
            mac: guest.mac,
            is_up: up.get(&guest.id).copied().unwrap_or_default(),
            addresses: guest.addresses,
            guest: guest.name,
            chassis: guest.chassis,
        });
        Ok(OvnStatus {
            name: self.name.clone(),
            uuid: self.uuid,
            state,
            northbound: self.northbound(),
            generation: observed.generation.unwrap_or_default(),
            rows: observed.rows.len(),
            ports: ports.collect(),
            name_server: None,
            drift: if is_there { plan.changes } else { Vec::new() },
        })
    }

    fn up(&mut self) -> Result<BTreeMap<Uuid, bool>, Error> {
        let select = Operation::select("Logical_Switch_Port", [marked(self.uuid)], &["name", "up"]);
        let rows = self.transact("read", &[select])?.into_iter().flat_map(OperationResult::rows);
        let up = rows.filter_map(|row| Some((row.text("name")?.parse().ok()?, row.boolean("up").unwrap_or_default())));
        Ok(up.collect())
    }
}
