//! Checks an interface and makes the choices that it leaves open.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use vnet_host::{LinuxHost, Lock, Near, Owner, PortHeader, Receipt};
use vnet_passt::Passt;
use vnet_plan::{Change, File, HostState, LoweredPort, PortChoices, Resource, attach};
use vnet_types::{InterfaceName, Inventory, KnownPort, LinkKind, NetworkName};
use vnet_validate::{Finding, KnownHost};
use vnet_xml::interface::Source;
use vnet_xml::network::MacTableManager;
use vnet_xml::{Interface, Network, NetworkPort};

use super::container;
use super::device::Device;
use super::options::AttachOptions;
use super::outcome::PortOutcome;
use crate::definitions::fixed_bridge;
use crate::driver::{Driver, device_name, network_name};
use crate::error::Error;
use crate::features::{ask_switch, is_of_switch, is_switched};
use crate::findings::{on_host, sound};
use crate::hooks::{HookOperation, document};
use crate::network::is_told_near;
use crate::note::Note;

/// The file in a port's folder that keeps the definition it was attached with.
pub(super) const KEPT: &str = "interface.xml";
/// The file in a port's folder that says how it is attached to its network.
pub(crate) const RECORD: &str = "networkport.xml";

/// So many devices that are there are looked for by name.
const NAMES: usize = 8;

/// A valid interface, with its desired state on this host.
pub(crate) struct Prepared {
    pub(crate) lowered: LoweredPort,
    /// Its receipt, if it is attached.
    pub(crate) receipt: Option<Receipt<PortHeader>>,
    findings: Vec<Finding>,
}

/// The definition that a port was attached or recorded with.
pub(super) enum Kept {
    Interface(Box<Interface>),
    Record(Box<NetworkPort>),
}

impl Driver {
    /// Checks an interface, alone and on this host, and makes the choices that it leaves open. If
    /// the device that it names is attached, it is that port.
    pub(super) fn prepare_port(
        &self,
        interface: &Interface,
        options: &AttachOptions,
        host: &mut LinuxHost,
        lock: Option<&Lock>,
    ) -> Result<Prepared, Error> {
        if let Some(prepared) = self.prepare_port_near(interface, options, host)? {
            return Ok(prepared);
        }
        let inventory = self.inventory(host, lock, None)?;
        self.prepare_port_on(interface, options, inventory)
    }

    /// The same beside what is near to it: the bridge of its network, and devices of its name.
    /// `None` when the whole host has to be read: when something is in the way, for the words and
    /// the remedy, and when processes that have ended have left something.
    fn prepare_port_near(
        &self,
        interface: &Interface,
        options: &AttachOptions,
        host: &LinuxHost,
    ) -> Result<Option<Prepared>, Error> {
        let Ok(Some(network)) = self.network_of(interface) else { return Ok(None) };
        let bridge = fixed_bridge(&network).filter(|_| network.forward_mode().has_own_bridge());
        let Some(bridge) = bridge.cloned() else { return Ok(None) };
        let given = interface.target.as_ref().and_then(|target| device_name(target.dev.as_ref()?));
        let near = Near { links: [bridge].into_iter().chain(given).collect(), nets: Vec::new() };
        let (mut inventory, dead) = self.survey_near(host, &network, near)?;
        if !dead.is_empty() {
            return Ok(None);
        }
        for _ in 0..NAMES {
            let prepared = self.prepare_port_on(interface, options, inventory.clone());
            let Some(prepared) = prepared.ok().filter(|it| it.findings.iter().all(is_told_near)) else {
                return Ok(None);
            };
            let port = &prepared.lowered.port;
            if prepared.receipt.is_some() || !port.managed {
                return Ok(Some(prepared));
            }
            match host.link(&port.dev)? {
                Some(known) => inventory.links.push(known.link),
                None => return Ok(Some(prepared)),
            }
        }
        Ok(None)
    }

    /// The same on a host that was read.
    pub(crate) fn prepare_port_on(
        &self,
        interface: &Interface,
        options: &AttachOptions,
        mut inventory: Inventory,
    ) -> Result<Prepared, Error> {
        let on_ovn = self.as_on_ovn(interface)?;
        let interface = on_ovn.as_ref().map_or(interface, |it| &it.interface);
        let interface = &*self.as_attached(interface, options, &inventory)?;
        let findings = if options.is_judged { Vec::new() } else { sound(vnet_validate::check(interface))? };
        let networks = Vec::from_iter(self.network_of(interface)?);
        if interface.virtual_port.as_ref().is_some_and(is_of_switch) || networks.iter().any(is_switched) {
            ask_switch(&mut inventory);
        }
        let host = KnownHost::new(&inventory, &networks);
        let findings = on_host(findings, vnet_validate::check_against(interface, host))?;
        let named = interface.target.as_ref().and_then(|target| device_name(target.dev.as_ref()?));
        let mut receipt = named.and_then(|dev| self.store.port_receipt(&dev).transpose()).transpose()?;
        // The name of a port that is only recorded is not that of a device.
        receipt = receipt.filter(|receipt| !receipt.header.port.recorded);
        let mut options = options.clone();
        if interface.is_passt() {
            // Such a guest has no device that its definition could name: its name identifies it.
            receipt = receipt.filter(|receipt| passt(&receipt.owned).is_some());
            if receipt.is_none() {
                let guest = options.guest.or(options.guest_by_default.take()).unwrap_or_else(|| "guest".to_owned());
                receipt = self.behind(&guest)?;
                options.guest = Some(guest);
            }
        }
        let mut lowered = self.lower_port_in(interface, networks.first(), inventory, &options, receipt.as_ref())?;
        if let Some(on_ovn) = &on_ovn {
            self.keep_on_ovn(&mut lowered, on_ovn, receipt.as_ref())?;
        }
        Ok(Prepared { lowered, receipt, findings })
    }

    /// The interface with the device and the id of the port that its guest has attached with its
    /// MAC address, if the definition leaves them open.
    fn as_attached<'i>(
        &self,
        interface: &'i Interface,
        options: &AttachOptions,
        inventory: &Inventory,
    ) -> Result<Cow<'i, Interface>, Error> {
        let given = interface.target.as_ref().and_then(|target| target.dev.as_ref());
        let (Some(guest), Some(mac), None) = (&options.guest, &interface.mac, given) else {
            return Ok(Cow::Borrowed(interface));
        };
        let is_its = |port: &KnownPort| port.mac == mac.address && port.guest.as_ref() == Some(guest);
        let is_it = |port: &&KnownPort| is_its(port) && !port.recorded;
        let Some(port) = inventory.ports.iter().find(is_it) else { return Ok(Cow::Borrowed(interface)) };
        let mut interface = interface.clone();
        interface.target.get_or_insert_default().dev = Some(port.dev.to_string());
        if let (Source::Network(source), Source::Network(kept)) =
            (&mut interface.source, self.kept_interface(&port.dev)?.source)
        {
            source.port_id = source.port_id.or(kept.port_id);
        }
        Ok(Cow::Owned(interface))
    }

    /// Computes the desired state of an interface on this host, with the definition of its network
    /// and the files that describe it.
    pub(super) fn lower_port_in(
        &self,
        interface: &Interface,
        network: Option<&Network>,
        mut inventory: Inventory,
        options: &AttachOptions,
        attached: Option<&Receipt<PortHeader>>,
    ) -> Result<LoweredPort, Error> {
        if asks_features(interface, network) {
            self.probe(&mut inventory)?;
        }
        let (owner, group) = match (options.owner, options.group, attached) {
            (None, None, Some(attached)) => tap_owners(attached),
            (owner, group, _) => (owner, group),
        };
        let guest = options.guest.as_deref().or_else(|| attached?.header.port.guest.as_deref());
        let folder = guest.filter(|_| interface.is_passt()).map(|guest| self.passt_directory(guest)).transpose()?;
        let seed = self.imagined.as_ref().and_then(|imagined| imagined.seed);
        let choices = PortChoices {
            random: seed.map_or_else(LinuxHost::random, Ok)?,
            owner,
            group,
            guest: options.guest.clone(),
            guest_uuid: options.guest_uuid,
            folder: folder.unwrap_or_default(),
            kept: attached.map(|receipt| receipt.header.port.clone()),
            owned: attached.map(|receipt| receipt.owned.clone()).unwrap_or_default(),
            container: attached.and_then(container::of),
        };
        let mut lowered = attach(interface, network, &inventory, &choices)?;
        if let Some(mut passt) = passt(&lowered.desired).cloned() {
            passt.lifetime = options.passt.lifetime.unwrap_or(passt.lifetime);
            passt.options.process = options.passt.process.unwrap_or(passt.options.process);
            passt.connection = options.passt.connection.unwrap_or(passt.connection);
            lowered.desired.insert(Resource::Passt(Box::new(passt)));
        }
        Ok(self.with_files(lowered))
    }

    /// Adds the files that describe the port.
    pub(super) fn with_files(&self, mut lowered: LoweredPort) -> LoweredPort {
        let folder = self.store.port_directory(&lowered.port.dev);
        let kept = file(&folder, KEPT, lowered.interface.to_string());
        let record = lowered.record.as_ref().map(|record| record_file(&folder, record));
        lowered.desired.extend([kept].into_iter().chain(record).map(Resource::File));
        lowered
    }

    /// Attaches a new port. The hooks may refuse it before, and are told when it is not attached
    /// after all.
    pub(super) fn with_port_hooks<T>(
        &self,
        lowered: &LoweredPort,
        make: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let Some(network) = &lowered.port.network else { return make() };
        let document = || Ok(document(&self.definition(network)?, lowered.record.as_ref()));
        self.ask_hooks(HookOperation::PortCreated, network, document)?;
        make().inspect_err(|_| {
            if self.has_hooks()
                && let Ok(document) = document()
            {
                self.tell_hooks(HookOperation::PortDeleted, network, &document);
            }
        })
    }

    /// The definition of the interface's network. `None` when it does not run.
    fn network_of(&self, interface: &Interface) -> Result<Option<Network>, Error> {
        match &interface.source {
            Source::Network(source) => self.as_it_runs(&network_name(&source.network)?),
            _ => Ok(None),
        }
    }

    /// The file of the definition that a port is attached with. `None` when it is not attached.
    ///
    /// # Errors
    /// [`Error::Host`] when its receipt cannot be read.
    pub fn port_file(&self, port: &InterfaceName) -> Result<Option<PathBuf>, Error> {
        let receipt = self.store.port_receipt(port)?;
        let name = |receipt: Receipt<PortHeader>| if receipt.header.port.recorded { RECORD } else { KEPT };
        Ok(receipt.map(|receipt| self.store.port_directory(port).join(name(receipt))))
    }

    /// The definition that a port was attached or recorded with.
    pub(super) fn kept_port(&self, receipt: &Receipt<PortHeader>) -> Result<Kept, Error> {
        let dev = &receipt.header.port.dev;
        if !receipt.header.port.recorded {
            return Ok(Kept::Interface(Box::new(self.kept_interface(dev)?)));
        }
        let absent = || io::Error::from(io::ErrorKind::NotFound);
        let path = self.store.port_directory(dev).join(RECORD);
        let record = self.port_record(dev)?.ok_or_else(|| Error::Read { path, source: absent() });
        record.map(|record| Kept::Record(Box::new(record)))
    }

    /// The definition that a port was attached with.
    pub(super) fn kept_interface(&self, port: &InterfaceName) -> Result<Interface, Error> {
        let path = self.store.port_directory(port).join(KEPT);
        let text = fs::read_to_string(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        let interface = text.parse();
        interface.map_err(|error: vnet_xml::Refused| Error::Kept { path, what: "an interface", source: error.into() })
    }

    /// The port of a guest behind passt, by the guest's name.
    pub(super) fn behind(&self, guest: &str) -> Result<Option<Receipt<PortHeader>>, Error> {
        let receipts = self.store.port_receipts()?;
        let mut ports = receipts.into_iter().flatten().filter(|receipt| passt(&receipt.owned).is_some());
        Ok(ports.find(|receipt| receipt.header.port.guest.as_deref() == Some(guest)))
    }

    /// The ports of a network.
    pub(crate) fn ports_of(&self, network: &NetworkName) -> Result<Vec<KnownPort>, Error> {
        let ports = self.store.ports()?;
        Ok(ports.into_iter().filter(|port| port.network.as_ref() == Some(network)).collect())
    }
}

impl Prepared {
    /// The result of the changes, or of a plan.
    pub(super) fn outcome(self, host: &LinuxHost, changes: Vec<Change>) -> Result<PortOutcome, Error> {
        let Self { lowered, receipt, findings } = self;
        let (passt, device) = (passt(&lowered.desired).cloned(), Device::of(&lowered.port, host)?);
        let was_attached = receipt.is_some();
        let notes = host.unscoped().into_iter().map(Note::Unscoped).collect();
        Ok(PortOutcome { port: lowered.port, device, passt, was_attached, changes, findings, notes })
    }
}

/// The file that says how a port is attached to its network.
pub(super) fn record_file(folder: &Path, record: &NetworkPort) -> File {
    file(folder, RECORD, record.to_string())
}

pub(super) fn file(folder: &Path, name: &str, text: String) -> File {
    File { path: folder.join(name), contents: Some(text), mode: 0o600 }
}

/// The header of a port's receipt, with an owner.
pub(super) fn header(lowered: &LoweredPort, owner: Option<Owner>) -> Result<PortHeader, Error> {
    Ok(PortHeader { port: lowered.port.clone(), namespace: LinuxHost::namespace()?, owner })
}

/// The arguments of a port's passt, if it has one.
pub(super) fn passt(state: &HostState) -> Option<&Passt> {
    state.iter().find_map(|resource| match resource {
        Resource::Passt(passt) => Some(&**passt),
        _ => None,
    })
}

pub(super) fn asks_features(interface: &Interface, network: Option<&Network>) -> bool {
    let by_us = |manager: Option<MacTableManager>| manager == Some(MacTableManager::Libvirt);
    let own = matches!(&interface.source, Source::Bridge(source) if by_us(source.mac_table_manager));
    let group = network.is_some_and(|network| network.port_groups.iter().any(|group| group.vlan.is_some()));
    let of_network = network.is_some_and(|network| {
        network.vlan.is_some() || network.bridge.as_ref().is_some_and(|bridge| by_us(bridge.mac_table_manager))
    });
    let limited = network.is_some_and(|network| network.port_groups.iter().any(|group| group.bandwidth.is_some()));
    own || group || of_network || limited || interface.vlan.is_some() || interface.bandwidth.is_some()
}

/// The user and the group who may open the tap of a port.
fn tap_owners(receipt: &Receipt<PortHeader>) -> (Option<u32>, Option<u32>) {
    let tap = receipt.owned.iter().find_map(|resource| match resource {
        Resource::Link(link) => match &link.kind {
            LinkKind::Tap(tap) => Some((tap.owner, tap.group)),
            _ => None,
        },
        _ => None,
    });
    tap.unwrap_or_default()
}
