//! Checks definitions on this host without changing it.

use std::borrow::Cow;

use vnet_host::{LinuxHost, listeners};
use vnet_plan::preview;
use vnet_types::Inventory;
use vnet_validate::{Finding, KnownHost, Together};
use vnet_xml::{Definition, Network, Severity};

use crate::driver::{Driver, network_name};
use crate::error::Error;
use crate::features::ask_switch;
use crate::findings::join;
use crate::obstacle::Obstacle;

/// The state of the host at one time, to check many definitions against.
pub struct Checker<'d> {
    driver: &'d Driver,
    host: LinuxHost,
    inventory: Inventory,
    /// The definitions of the networks that run, as far as they can be read.
    networks: Vec<Network>,
}

/// The result of checking a definition on this host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// Findings about it, alone and on this host.
    pub findings: Vec<Finding>,
    /// Rules of other programs that block a network without errors.
    pub obstacles: Vec<Obstacle>,
}

impl Driver {
    /// Reads the host once, to check definitions against it.
    ///
    /// # Errors
    /// [`Error::Host`] when it cannot be read.
    pub fn checker(&self) -> Result<Checker<'_>, Error> {
        let host = self.host()?;
        let (mut inventory, _) = self.survey(&host, None)?;
        self.probe(&mut inventory)?;
        ask_switch(&mut inventory);
        // What cannot be read only makes the advice worse.
        self.reserve(&mut inventory)?;
        inventory.listeners = listeners();
        inventory.resolved = inventory.resolved || host.has_resolved()?;
        let receipts = self.store.receipts()?.into_iter().flatten();
        let networks = receipts.filter_map(|receipt| self.as_it_runs(&receipt.header.network).ok().flatten()).collect();
        Ok(Checker { driver: self, host, inventory, networks })
    }

    /// Checks a network, alone and on this host. Nothing is refused.
    ///
    /// # Errors
    /// [`Error::Host`] when the host cannot be read.
    pub fn check(&self, network: &Network) -> Result<Check, Error> {
        self.checker()?.check(&Definition::Network(Box::new(network.clone())))
    }
}

impl Checker<'_> {
    /// The host, for comparing definitions with each other.
    pub fn together(&self) -> Together {
        Together::on(self.inventory.clone())
    }

    /// Checks a definition, alone and on this host.
    ///
    /// # Errors
    /// [`Error::Host`] when the host cannot be read; [`Error::Lower`].
    pub fn check(&self, definition: &Definition) -> Result<Check, Error> {
        let mut inventory = Cow::Borrowed(&self.inventory);
        if matches!(definition, Definition::Network(network) if network.extensions.flowtable == Some(true)) {
            // The kernel may load modules for the answer.
            inventory.to_mut().features.flowtable = self.host.has_flowtables().unwrap_or(true);
        }
        let host = KnownHost::new(&inventory, &self.networks);
        let findings = join(vnet_validate::check(definition), vnet_validate::check_against(definition, host));
        let is_sound = findings.iter().all(|finding| finding.severity != Severity::Error);
        let obstacles = match definition {
            Definition::Network(network) if is_sound => self.obstacles(network, &inventory)?,
            _ => Vec::new(),
        };
        Ok(Check { findings, obstacles })
    }

    fn obstacles(&self, network: &Network, inventory: &Inventory) -> Result<Vec<Obstacle>, Error> {
        let name = network_name(&network.name)?;
        let receipt = self.driver.store.receipt(&name)?;
        let choices = self.driver.choices(network, &name, receipt.as_ref());
        let lowered = preview(network, inventory, &choices)?;
        self.driver.obstacles(&self.host, &lowered.desired, lowered.intent.as_ref(), inventory)
    }
}
