//! The networks that are examined: those of vnet, and those of libvirt.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use vnet_plan::{Change, Intent, Key};
use vnet_types::{InterfaceName, Inventory, KnownPort, MacAddr, NetworkName};
use vnet_xml::Network;

use super::Complaint;
use super::scratch::Findings;
use super::symptom::Mend;
use crate::definitions::fixed_bridge;
use crate::driver::{Driver, network_name};
use crate::error::Error;
use crate::libvirt::{LibvirtFolders, running};
use crate::network::NetworkStatus;
use crate::ovn::Sight;
use crate::state::State;

/// A network that is examined.
pub(super) struct Patient {
    pub(super) name: String,
    /// Whether somebody has asked for this network, and not for all.
    pub(super) is_meant: bool,
    pub(super) keeper: Keeper,
    /// The definition as it runs, or as it is kept.
    pub(super) definition: Option<Network>,
    pub(super) bridge: Option<InterfaceName>,
    /// Whether it runs in this network namespace.
    pub(super) runs: bool,
    /// What it promises to its guests.
    pub(super) intent: Option<Intent>,
    /// The attached guests that are examined.
    pub(super) ports: Vec<KnownPort>,
    /// Whether somebody has asked for a guest.
    pub(super) has_guest: bool,
    /// What a made-up guest has found. `None` when none was made up.
    pub(super) tried: Option<Result<Findings, String>>,
    /// What can be seen of a network that OVN makes. `None` for others.
    pub(super) on_ovn: Option<Sight>,
}

/// Who runs a network.
pub(super) enum Keeper {
    Vnet {
        name: NetworkName,
        status: Result<Option<Box<NetworkStatus>>, Error>,
    },
    Libvirt {
        autostart: bool,
        /// The file of a definition that cannot be used.
        unusable: Option<PathBuf>,
    },
}

impl Driver {
    /// The networks that somebody asks about.
    pub(super) fn patients(&self, complaint: &Complaint, inventory: &Inventory) -> Result<Vec<Patient>, Error> {
        let mut patients = match &complaint.network {
            Some(given) => match self.patient(given)? {
                Some(patient) => vec![Patient { is_meant: true, ..patient }],
                None if complaint.guest.is_none() => {
                    let guest = inventory.ports.iter().find(|port| is_called(port, given));
                    let network = guest.and_then(|port| self.network_of_port(port));
                    let patient = network.map_or(Ok(None), |network| self.patient(network.as_str()))?;
                    let patient = patient.ok_or_else(|| Error::NoNetwork(given.clone()))?;
                    return Ok(vec![Patient { is_meant: true, ..patient }.with(given)?]);
                }
                None => return Err(Error::NoNetwork(given.clone())),
            },
            None => self.all_patients()?,
        };
        if let Some(guest) = &complaint.guest {
            patients.retain(|patient| patient.ports.iter().any(|port| is_called(port, guest)) || patient.is_meant);
            if patients.is_empty() {
                return Err(Error::NoGuest(guest.clone()));
            }
            patients = patients.into_iter().map(|patient| patient.with(guest)).collect::<Result<_, _>>()?;
        }
        Ok(patients)
    }

    fn all_patients(&self) -> Result<Vec<Patient>, Error> {
        let mut names: BTreeSet<String> = self.definitions.names()?.iter().map(ToString::to_string).collect();
        names.extend(self.store.networks()?.into_iter().map(|known| known.name.to_string()));
        names.extend(running().into_iter().map(|there| there.network.name));
        names.extend(LibvirtFolders::system().names().unwrap_or_default());
        let all = names.iter().filter_map(|name| self.patient(name).transpose());
        all.collect()
    }

    /// The network of this name or UUID: that of vnet, unless only libvirt runs it.
    fn patient(&self, given: &str) -> Result<Option<Patient>, Error> {
        let name = match self.lookup(given) {
            Ok(name) => Some(name),
            Err(Error::NoNetwork(_)) => None,
            Err(error) => return Err(error),
        };
        let is_of_libvirt = match &name {
            // A receipt that cannot be read is one of vnet's.
            Some(name) => {
                !self.is_ours_to_run(name) && running().iter().any(|there| there.network.name == name.as_str())
            }
            None => true,
        };
        if is_of_libvirt && let Some(patient) = self.patient_of_libvirt(given)? {
            return Ok(Some(patient));
        }
        let Some(name) = name else { return Ok(None) };
        let status = match self.status(&name) {
            Ok(status) => Ok(Some(Box::new(status))),
            Err(Error::NotRunning(_)) => Ok(None),
            Err(error) => Err(error),
        };
        let seen = status.as_ref().ok().and_then(Option::as_ref);
        let runs = seen.is_some_and(|status| status.state != State::Elsewhere);
        let definition = match self.as_it_runs(&name) {
            Ok(Some(running)) => Some(running),
            _ => self.kept(&name).ok().flatten(),
        };
        let bridge = match seen {
            Some(status) => status.bridge.clone(),
            None => definition.as_ref().and_then(fixed_bridge).cloned(),
        };
        let ports = match definition.as_ref().is_some_and(Network::is_on_ovn) {
            true => {
                let ports = self.store.ports()?.into_iter();
                ports.filter(|port| self.network_of_port(port).as_ref() == Some(&name)).collect()
            }
            false => self.ports_of(&name)?,
        };
        let keeper = Keeper::Vnet { name: name.clone(), status };
        Ok(Some(Patient::of(name.to_string(), keeper, definition, bridge, runs, ports)))
    }

    /// Whether vnet runs a network, and libvirt does not.
    fn is_ours_to_run(&self, name: &NetworkName) -> bool {
        self.store.header(name).map_or(true, |header| header.is_some_and(|header| !header.of_libvirt))
    }

    fn patient_of_libvirt(&self, given: &str) -> Result<Option<Patient>, Error> {
        let is_it =
            |network: &Network| network.name == given || network.uuid.is_some_and(|uuid| uuid.to_string() == given);
        let there = running().into_iter().find(|there| is_it(&there.network));
        let folders = LibvirtFolders::system();
        let (definition, bridge, runs) = match there {
            Some(there) => (there.network, there.bridge, true),
            None => {
                let Ok(text) = fs::read(folders.file(given)) else { return Ok(None) };
                let Ok(network) = Network::parse(&text).into_result() else {
                    let keeper = Keeper::Libvirt {
                        autostart: folders.starts_at_boot(given),
                        unusable: Some(folders.file(given)),
                    };
                    return Ok(Some(Patient::of(given.to_owned(), keeper, None, None, false, Vec::new())));
                };
                let bridge = fixed_bridge(&network).cloned();
                (network, bridge, false)
            }
        };
        let autostart = folders.starts_at_boot(&definition.name);
        let (name, keeper) = (definition.name.clone(), Keeper::Libvirt { autostart, unusable: None });
        let network = network_name(&name).ok();
        let ports = network.map_or(Ok(Vec::new()), |network| self.ports_of(&network))?;
        Ok(Some(Patient::of(name, keeper, Some(definition), bridge, runs, ports)))
    }
}

impl Patient {
    fn of(
        name: String,
        keeper: Keeper,
        definition: Option<Network>,
        bridge: Option<InterfaceName>,
        runs: bool,
        ports: Vec<KnownPort>,
    ) -> Self {
        let both = definition.as_ref().zip(bridge.as_ref());
        let own = both.filter(|(definition, _)| definition.forward_mode().has_own_bridge());
        let intent = own.and_then(|(definition, bridge)| Intent::of(definition, bridge).ok());
        let (is_meant, has_guest, tried) = (false, false, None);
        let on_ovn = definition.as_ref().filter(|network| !runs && network.is_on_ovn()).map(Sight::of);
        Self { name, is_meant, keeper, definition, bridge, runs, intent, ports, has_guest, tried, on_ovn }
    }

    /// The same with one of its guests.
    fn with(mut self, guest: &str) -> Result<Self, Error> {
        self.ports.retain(|port| is_called(port, guest));
        if self.ports.is_empty() {
            return Err(Error::NoGuest(guest.to_owned()));
        }
        self.has_guest = true;
        Ok(self)
    }

    pub(super) fn status(&self) -> Option<&NetworkStatus> {
        match &self.keeper {
            Keeper::Vnet { status, .. } => status.as_ref().ok().and_then(Option::as_deref),
            Keeper::Libvirt { .. } => None,
        }
    }

    /// The changes that would repair it, of resources with such a key.
    pub(super) fn drift(&self, is_it: impl Fn(&Key) -> bool) -> Vec<&Change> {
        let drift = self.status().map_or(&[][..], |status| &status.drift);
        drift.iter().filter(|change| is_it(&change.key())).collect()
    }

    /// What vnet can do about something that is not as it was made.
    pub(super) fn repair(&self) -> Option<Mend> {
        match &self.keeper {
            Keeper::Vnet { name, .. } => Some(Mend::Repair(name.clone())),
            Keeper::Libvirt { .. } => None,
        }
    }

    /// What makes the network anew where vnet does not run it.
    pub(super) fn restart(&self) -> Option<String> {
        match &self.keeper {
            Keeper::Vnet { .. } => None,
            Keeper::Libvirt { .. } => {
                Some(format!("virsh net-destroy {0} && virsh net-start {0}, with its guests shut down", self.name))
            }
        }
    }
}

/// Whether a guest is meant by its name, its MAC address or its device.
pub(crate) fn is_called(port: &KnownPort, given: &str) -> bool {
    port.guest.as_deref() == Some(given)
        || port.dev.as_str() == given
        || given.parse::<MacAddr>().is_ok_and(|mac| mac == port.mac)
}
