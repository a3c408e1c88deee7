//! Checks a definition beside the part of the host that it can be in conflict with, so that a start
//! does not take longer where many networks run.

use std::collections::HashSet;

use vnet_host::{LinuxHost, Near};
use vnet_types::{InterfaceName, Inventory, KnownNetwork};
use vnet_validate::{Finding, Stage, rule};
use vnet_xml::{BridgeName, BridgeTemplate, Network};

use super::prepare::Prepared;
use crate::definitions::fixed_bridge;
use crate::driver::{Driver, network_name};
use crate::error::Error;

impl Driver {
    /// Checks a definition and makes the choices that it leaves open, beside what is near. `None`
    /// when the whole host has to be read: when something is in the way, for the words and the
    /// remedy, and when processes that have ended have left something.
    pub(super) fn prepare_near(&self, network: &Network, host: &LinuxHost) -> Result<Option<Prepared>, Error> {
        let Some(near) = near(network) else { return Ok(None) };
        let (mut inventory, dead) = self.survey_near(host, network, near)?;
        if !dead.is_empty() || !self.look_for_bridge(network, host, &mut inventory)? {
            return Ok(None);
        }
        let has_probed = self.look_closer(std::slice::from_ref(network), host, &mut inventory)?;
        match self.prepare_on(network, host, &inventory, has_probed) {
            Ok(prepared) if prepared.findings.iter().all(is_told_near) => Ok(Some(prepared)),
            _ => Ok(None),
        }
    }

    /// Adds the links whose names come before the first free one, where the definition leaves the
    /// bridge's name open. Returns whether a name is free.
    fn look_for_bridge(&self, network: &Network, host: &LinuxHost, inventory: &mut Inventory) -> Result<bool, Error> {
        let template = match network.bridge.as_ref().and_then(|bridge| bridge.name.as_ref()) {
            Some(BridgeName::Fixed(_)) => return Ok(true),
            Some(BridgeName::Template(template)) => template.clone(),
            None => BridgeTemplate::virbr(),
        };
        let name = network_name(&network.name)?;
        let reserved: Vec<KnownNetwork> = self.reserved(&name).collect();
        let others = inventory.networks.iter().filter(|known| known.name != name).chain(&reserved);
        let taken: HashSet<&InterfaceName> = others.filter_map(|known| known.bridge.as_ref()).collect();
        let mut found = Vec::new();
        for candidate in template.names().filter(|candidate| !taken.contains(candidate)) {
            let Some(known) = host.link(&candidate)? else {
                inventory.links.extend(found);
                return Ok(true);
            };
            found.push(known.link);
        }
        Ok(false)
    }
}

/// What of a host can matter to a definition. `None` for one whose guests use devices of the host.
pub(super) fn near(network: &Network) -> Option<Near> {
    if !network.forward_mode().has_own_bridge() {
        return None;
    }
    let forward = network.forward.iter();
    let ways_out = forward.flat_map(|forward| forward.interfaces.iter().map(|it| &it.dev).chain(&forward.pf));
    let subnets = network.ips.iter().filter_map(|ip| ip.net());
    let routes = network.routes.iter().filter_map(|route| route.destination());
    Some(Near {
        links: ways_out.chain(fixed_bridge(network)).cloned().collect(),
        nets: subnets.chain(routes).collect(),
    })
}

/// Whether a finding is the same beside the whole host: what is missing is named, or is a route
/// that is near to every subnet.
pub(crate) fn is_told_near(finding: &Finding) -> bool {
    let told = [
        "host-without-default-route",
        "host-forward-interface-missing",
        "host-flowtable-without-way-out",
        "host-without-flowtables",
    ];
    rule(finding.code).is_none_or(|rule| rule.stage != Stage::Host || told.contains(&rule.name))
}
