//! Keeps a definition.

use std::collections::BTreeSet;

use vnet_host::{Lock, Replaced};
use vnet_types::{InterfaceName, Inventory, KnownNetwork, NetworkName};
use vnet_validate::Finding;
use vnet_xml::{Network, Severity};

use super::fill::{fixed_bridge, takes_free_bridge};
use crate::driver::{Driver, network_name};
use crate::error::Error;
use crate::findings::{join, sound};

/// The result of keeping a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Defined {
    /// The network's name.
    pub name: NetworkName,
    /// The definition that is kept, with UUID, bridge name and MAC address.
    pub network: Network,
    /// Whether no definition of this network was kept before.
    pub is_new: bool,
    /// Whether the network runs.
    pub is_running: bool,
    /// Warnings about the definition, alone and on this host. What would prevent a start here is a
    /// warning too.
    pub findings: Vec<Finding>,
}

impl Driver {
    /// Keeps the definition of a network, in place of the one before. Nothing that runs is touched:
    /// a network that runs becomes persistent, and its next start uses this definition.
    ///
    /// UUID, bridge name and MAC address are filled in where the definition leaves them open: as
    /// the network has them already, else with free ones.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::NameTaken`], [`Error::UuidTaken`], [`Error::BridgeTaken`];
    /// [`Error::Host`] when it cannot be written: then the definition before is still kept.
    pub fn define(&self, network: &Network) -> Result<Defined, Error> {
        // Errors of the definition are reported even when the lock cannot be taken.
        let findings = sound(vnet_validate::check(network))?;
        self.keep_sound(&self.lock()?, network, findings).map(|(defined, _)| defined)
    }

    /// Keeps the definition of a network that is not defined yet.
    ///
    /// # Errors
    /// [`Error::AlreadyDefined`]; those of [`define`](Self::define).
    pub fn define_new(&self, network: &Network) -> Result<Defined, Error> {
        sound(vnet_validate::check(network))?;
        let lock = self.lock()?;
        let name = network_name(&network.name)?;
        if self.definitions.has(&name)? {
            return Err(Error::AlreadyDefined(name));
        }
        self.keep(&lock, network)
    }

    /// Keeps a changed definition of a network, if the one that is kept is still as it was read.
    ///
    /// # Errors
    /// [`Error::Renamed`]; [`Error::ChangedMeanwhile`] when the kept text is not `before`; those of
    /// [`define`](Self::define).
    pub fn redefine(&self, name: &NetworkName, before: &[u8], network: &Network) -> Result<Defined, Error> {
        if network.name != name.as_str() {
            return Err(Error::Renamed { name: name.clone(), inside: network.name.clone() });
        }
        sound(vnet_validate::check(network))?;
        let lock = self.lock()?;
        if self.kept_text(name)?.as_deref() != Some(before) {
            return Err(Error::ChangedMeanwhile(name.clone()));
        }
        self.keep(&lock, network)
    }

    /// The same as [`define`](Self::define) with the lock held.
    pub(crate) fn keep(&self, lock: &Lock, network: &Network) -> Result<Defined, Error> {
        self.keep_for_now(lock, network).map(|(defined, _)| defined)
    }

    /// The same, in a way that can be undone.
    pub(crate) fn keep_for_now(&self, lock: &Lock, network: &Network) -> Result<(Defined, Replaced), Error> {
        let findings = sound(vnet_validate::check(network))?;
        self.keep_sound(lock, network, findings)
    }

    /// The same for a definition without an error.
    fn keep_sound(&self, lock: &Lock, network: &Network, findings: Vec<Finding>) -> Result<(Defined, Replaced), Error> {
        let name = network_name(&network.name)?;
        let kept = readable(self.kept(&name))?;
        let runs = readable(self.as_it_runs(&name))?;
        let others = self.known_others(Some(&name))?;
        self.is_free(&name, network, [&kept, &runs], &others)?;
        let known = kept.as_ref().or(runs.as_ref());
        // OVN makes its network for all hosts, whatever this one has.
        let warns = self.warns && !network.is_on_ovn();
        let (filled, on_host) = if warns || takes_free_bridge(network, known) {
            // A definition can be kept on a host that cannot be read.
            let inventory = self.host().and_then(|host| self.survey(&host, None)).map(|(inventory, _)| inventory);
            let inventory = inventory.unwrap_or_default().beside(name.as_str());
            let filled = self.filled(network, known, &bridges(&inventory, &others))?;
            let mut on_host = vnet_validate::check_against(&filled, &inventory);
            on_host.iter_mut().for_each(|finding| finding.severity = Severity::Warning);
            (filled, on_host)
        } else {
            (self.filled(network, known, &BTreeSet::new())?, Vec::new())
        };
        let is_new = kept.is_none() && !self.definitions.has(&name)?;
        let is_running = runs.is_some() || self.runs(&name)?;
        let text = filled.inactive().to_string();
        let replaced = self.definitions.write(lock, &name, &text)?;
        let network = text.parse().unwrap_or(filled);
        Ok((Defined { name, network, is_new, is_running, findings: join(findings, on_host) }, replaced))
    }

    /// Refuses the clashes that libvirt refuses.
    fn is_free(
        &self,
        name: &NetworkName,
        network: &Network,
        known: [&Option<Network>; 2],
        others: &[KnownNetwork],
    ) -> Result<(), Error> {
        let running = self.store.networks()?;
        if let Some(uuid) = network.uuid {
            let own = known.into_iter().flatten().find_map(|known| known.uuid);
            if let Some(uuid) = own.filter(|own| *own != uuid) {
                return Err(Error::NameTaken { name: name.clone(), uuid });
            }
            let running = running.iter().filter(|other| other.uuid == Some(uuid)).map(|other| &other.name);
            let kept = others.iter().filter(|other| other.uuid == Some(uuid)).map(|other| &other.name);
            if let Some(other) = running.chain(kept).find(|other| *other != name) {
                return Err(Error::UuidTaken { name: other.clone(), uuid });
            }
        }
        if let Some(bridge) = fixed_bridge(network) {
            let running = running.iter().filter(|other| other.bridge.as_ref() == Some(bridge)).map(|other| &other.name);
            let kept = others.iter().filter(|other| other.bridge.as_ref() == Some(bridge)).map(|other| &other.name);
            if let Some(other) = running.chain(kept).find(|other| *other != name) {
                return Err(Error::BridgeTaken { bridge: bridge.clone(), name: other.clone() });
            }
        }
        Ok(())
    }
}

/// A definition as it was, as far as it can be read. A new one replaces what cannot be read.
fn readable(known: Result<Option<Network>, Error>) -> Result<Option<Network>, Error> {
    match known {
        Err(Error::Read { .. } | Error::Kept { .. } | Error::OtherName { .. }) => Ok(None),
        known => known,
    }
}

/// The names that a bridge cannot get: those of links, and of the bridges of other networks.
fn bridges(inventory: &Inventory, others: &[KnownNetwork]) -> BTreeSet<InterfaceName> {
    let links = inventory.links.iter().map(|link| &link.name);
    let networks = inventory.networks.iter().chain(others).filter_map(|known| known.bridge.as_ref());
    links.chain(networks).cloned().collect()
}
