//! Start, apply, plan and stop of networks that OVN makes.

use vnet_types::NetworkName;
use vnet_xml::Network;

use super::change::OvnChange;
use super::failure::OvnFailure;
use super::network::{OvnNetwork, OvnPlan};
use crate::driver::Driver;
use crate::error::Error;
use crate::network::NetworkOutcome;

/// What was done in OVN's northbound database, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OvnOutcome {
    /// The rows. Empty where the network is as defined.
    pub changes: Vec<OvnChange>,
    /// Whether every host has done it in time.
    pub in_force: bool,
}

impl Driver {
    /// The kept definition of a network that OVN makes. `None` where this host makes it, or none is
    /// kept.
    ///
    /// # Errors
    /// Those of [`kept`](Self::kept).
    pub fn kept_on_ovn(&self, name: &NetworkName) -> Result<Option<Network>, Error> {
        if self.runs(name)? {
            return Ok(None);
        }
        Ok(self.kept(name)?.filter(Network::is_on_ovn))
    }

    /// Starts a network on OVN. One that is there already, as defined, is left as it is.
    pub(crate) fn start_on_ovn(&self, network: &Network) -> Result<NetworkOutcome, Error> {
        let mut network = OvnNetwork::open(network)?;
        let plan = network.plan()?;
        match plan.is_there && !plan.changes.is_empty() {
            true => {
                let name = network.name().clone();
                Err(OvnFailure::Differs { network: name, rows: plan.changes.len() }.into())
            }
            false => done(&mut network, plan),
        }
    }

    /// Brings a network on OVN to its definition.
    pub(crate) fn apply_on_ovn(&self, network: &Network) -> Result<NetworkOutcome, Error> {
        let mut network = OvnNetwork::open(network)?;
        let plan = network.plan()?;
        done(&mut network, plan)
    }

    /// What [`apply`](Self::apply) would change of a network on OVN.
    pub(crate) fn plan_on_ovn(&self, network: &Network) -> Result<NetworkOutcome, Error> {
        let mut network = OvnNetwork::open(network)?;
        let plan = network.plan()?;
        Ok(outcome(&network, plan, true))
    }

    /// Stops a network that OVN makes: removes its rows, those of its guests' ports with them.
    ///
    /// # Errors
    /// [`Error::NotRunning`]; [`Error::Ovn`].
    pub fn stop_on_ovn(&self, network: &Network) -> Result<NetworkOutcome, Error> {
        let mut network = OvnNetwork::open(network)?;
        let plan = network.removal()?;
        done(&mut network, plan)
    }
}

fn done(network: &mut OvnNetwork, plan: OvnPlan) -> Result<NetworkOutcome, Error> {
    let number = network.carry_out(&plan)?;
    let in_force = number.map_or(Ok(true), |number| network.is_in_force(number))?;
    Ok(outcome(network, plan, in_force))
}

fn outcome(network: &OvnNetwork, plan: OvnPlan, in_force: bool) -> NetworkOutcome {
    NetworkOutcome {
        name: network.name().clone(),
        bridge: None,
        changes: Vec::new(),
        findings: Vec::new(),
        notes: Vec::new(),
        obstacles: Vec::new(),
        ovn: Some(OvnOutcome { changes: plan.changes, in_force }),
    }
}
