//! Start, apply, plan and stop of networks that OVN makes.

use std::collections::BTreeMap;

use vnet_ovn::NorthboundRow;
use vnet_types::{NetworkName, Uuid};
use vnet_xml::Network;

use super::change::OvnChange;
use super::failure::OvnFailure;
use super::network::{OvnNetwork, OvnPlan};
use crate::definitions::uuid_of;
use crate::driver::Driver;
use crate::error::Error;
use crate::hooks::{HookOperation, document};
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
        let plan = self.plan_here(&mut network)?;
        match plan.is_there && !plan.changes.is_empty() {
            true => {
                let name = network.name().clone();
                Err(OvnFailure::Differs { network: name, rows: plan.changes.len() }.into())
            }
            false => self.carry_out_on_ovn(network, plan),
        }
    }

    /// Brings a network on OVN to its definition.
    pub(crate) fn apply_on_ovn(&self, network: &Network) -> Result<NetworkOutcome, Error> {
        let mut network = OvnNetwork::open(network)?;
        self.is_confirmed(network.name())?;
        let plan = self.plan_here(&mut network)?;
        self.carry_out_on_ovn(network, plan)
    }

    /// The same, for a change that has to be confirmed. What is not confirmed is undone by the kept
    /// definition.
    pub(crate) fn apply_unconfirmed_on_ovn(&self, network: &Network) -> Result<NetworkOutcome, Error> {
        let mut network = OvnNetwork::open(network)?;
        let kept = self.kept_on_ovn(network.name())?.map(|kept| OvnNetwork::open(&kept)).transpose()?;
        if !kept.is_some_and(|kept| kept.is_at_home_of(&network)) {
            return Err(OvnFailure::NotKept(network.name).into());
        }
        let plan = self.plan_here(&mut network)?;
        self.carry_out_on_ovn(network, plan)
    }

    /// The definition that brings a network on OVN back, if it is there: the kept one. `None` where
    /// none is kept.
    pub(crate) fn before_on_ovn(&self, name: &NetworkName) -> Result<Option<Network>, Error> {
        let Some(kept) = self.kept_on_ovn(name)? else { return Ok(None) };
        let plan = OvnNetwork::open(&kept)?.plan()?;
        match (plan.is_there, plan.changes.len()) {
            (false, _) => Ok(None),
            (true, 0) => Ok(Some(kept)),
            (true, rows) => Err(OvnFailure::NotAsKept { network: name.clone(), rows }.into()),
        }
    }

    /// What brings a network to its definition, and gives guests that are attached to this host
    /// their rows back.
    fn plan_here(&self, network: &mut OvnNetwork) -> Result<OvnPlan, Error> {
        let uuid = network.uuid;
        network.plan_with(|| self.guests_here(uuid))
    }

    /// Carries a plan out. The hooks of this host are asked as for its own networks; where nothing
    /// is to be done, as where another host has started the network, they are not.
    fn carry_out_on_ovn(&self, mut network: OvnNetwork, plan: OvnPlan) -> Result<NetworkOutcome, Error> {
        let (told, name) = (network.told(), network.name.clone());
        let ask = |operation| self.ask_hooks(operation, &name, || Ok(document(&told, None)));
        if plan.operations() == 0 {
            return self.done(&mut network, plan);
        }
        if plan.is_there {
            let outcome = self.done(&mut network, plan)?;
            return ask(HookOperation::Updated).map(|()| outcome);
        }
        ask(HookOperation::Start)?;
        let wanted = plan.wanted.clone();
        let outcome = self.done(&mut network, plan)?;
        let Err(mut error) = ask(HookOperation::Started) else { return Ok(outcome) };
        // Its name server on this host goes with the rows.
        if let Err(left) = network.remove_again(&wanted).and_then(|()| self.end_names(&name)) {
            match &mut error {
                Error::Hook(failure) => failure.left = Some(Box::new(left)),
                _ => return Err(error.undone(Err(left))),
            }
        }
        self.tell_hooks(HookOperation::Stopped, &name, &document(&told, None));
        Err(error)
    }

    /// What [`apply`](Self::apply) would change of a network on OVN.
    pub(crate) fn plan_on_ovn(&self, network: &Network) -> Result<NetworkOutcome, Error> {
        let mut network = OvnNetwork::open(network)?;
        let plan = self.plan_here(&mut network)?;
        let changes = if plan.is_there { self.plan_names(&mut network)? } else { Vec::new() };
        Ok(NetworkOutcome { changes, ..outcome(&network, plan, true) })
    }

    /// Stops a network that OVN makes: removes its rows, those of its guests' ports with them.
    ///
    /// # Errors
    /// [`Error::NotRunning`]; [`Error::Ovn`].
    pub fn stop_on_ovn(&self, network: &Network) -> Result<NetworkOutcome, Error> {
        let mut network = OvnNetwork::open(network)?;
        let plan = match network.removal() {
            // The name server here goes with it, also when another host was first.
            Err(error @ Error::NotRunning(_)) => return self.end_names(&network.name).and(Err(error)),
            plan => plan?,
        };
        let outcome = done(&mut network, plan)?;
        // What does not run has no change to confirm.
        self.forget_record(network.name())?;
        self.tell_hooks(HookOperation::Stopped, network.name(), &document(&network.told(), None));
        Ok(NetworkOutcome { changes: self.end_names(&network.name)?, ..outcome })
    }

    /// Carries a plan out, and brings the name server of this host to it.
    fn done(&self, network: &mut OvnNetwork, plan: OvnPlan) -> Result<NetworkOutcome, Error> {
        let outcome = done(network, plan)?;
        Ok(NetworkOutcome { changes: self.follow_names(network)?, ..outcome })
    }
}

impl OvnNetwork {
    /// What hooks are told of it.
    fn told(&self) -> Network {
        as_told(&self.network)
    }

    /// Whether it is the same network as another, in the same database.
    fn is_at_home_of(&self, other: &Self) -> bool {
        let northbound = |it: &Self| it.network.extensions.ovn.as_ref().map(|engine| engine.northbound.clone());
        self.uuid == other.uuid && northbound(self) == northbound(other)
    }

    /// Removes a network that was just made, unless somebody has changed it meanwhile.
    fn remove_again(&mut self, made: &BTreeMap<Uuid, NorthboundRow>) -> Result<(), Error> {
        let observed = self.read()?;
        if observed.rows != *made {
            return Err(OvnFailure::ChangedMeanwhile(self.name.clone()).into());
        }
        self.carry_out(&OvnPlan::new(&observed, BTreeMap::new())).map(drop)
    }
}

/// A definition as hooks are told it, with the UUID.
pub(super) fn as_told(network: &Network) -> Network {
    let mut told = network.clone();
    told.uuid = Some(uuid_of(network));
    told
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
