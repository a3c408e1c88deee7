//! Checks a definition and makes the choices that it leaves open.

use std::borrow::Cow;
use std::path::Path;

use vnet_host::{Header, LinuxHost, Lock, Owner, Receipt, listeners};
use vnet_netlink::Netlink;
use vnet_plan::{
    Choices, File, Files, HostState, Key, Lowered, Resource, asks_features, beside_libvirt, lower, mends_checksums,
};
use vnet_types::{InterfaceName, Inventory, KnownNetwork, MacAddr, NetworkName, Uuid, fnv1a};
use vnet_validate::Finding;
use vnet_xml::{BridgeName, Network, NodePath};

use super::outcome::NetworkOutcome;
use crate::definitions::fixed_bridge;
use crate::driver::{Driver, network_name};
use crate::error::Error;
use crate::features::{ask_switch, is_switched};
use crate::findings::{on_host, sound};
use crate::note::Note;
use crate::obstacle::Obstacle;
use crate::port::Followed;

/// The file in a network's folder that has the definition it runs with.
pub(crate) const RUNNING: &str = "network.xml";

/// A valid definition, with its desired state on this host.
pub(crate) struct Prepared {
    pub(crate) lowered: Lowered,
    /// Its receipt, if it runs.
    pub(super) receipt: Option<Receipt>,
    pub(super) uuid: Uuid,
    pub(super) findings: Vec<Finding>,
    notes: Vec<Note>,
    obstacles: Vec<Obstacle>,
    /// Whether libvirt runs the network.
    of_libvirt: bool,
}

impl Driver {
    /// Checks a definition, alone and on this host, and makes the choices that it leaves open.
    pub(super) fn prepare(
        &self,
        network: &Network,
        host: &mut LinuxHost,
        lock: Option<&Lock>,
    ) -> Result<Prepared, Error> {
        if let Some(receipt) = self.receipt_beside(network)? {
            return self.prepare_beside(network, host, Some(receipt));
        }
        // What is wrong alone is refused before the host is read.
        sound(vnet_validate::check(network))?;
        if let Some(prepared) = self.prepare_near(network, host)? {
            return Ok(prepared);
        }
        let mut inventory = self.inventory(host, lock, Some(network))?;
        let has_probed = self.look_closer(std::slice::from_ref(network), host, &mut inventory)?;
        self.prepare_on(network, host, &inventory, has_probed)
    }

    /// The same on a host with this inventory, which [`look_closer`](Self::look_closer) has
    /// completed.
    pub(crate) fn prepare_on(
        &self,
        network: &Network,
        host: &LinuxHost,
        inventory: &Inventory,
        has_probed: bool,
    ) -> Result<Prepared, Error> {
        if let Some(receipt) = self.receipt_beside(network)? {
            return self.prepare_beside(network, host, Some(receipt));
        }
        self.prepare_whole(network, host, inventory, has_probed)
    }

    /// The same for a network that vnet runs, or is to take over.
    pub(crate) fn prepare_whole(
        &self,
        network: &Network,
        host: &LinuxHost,
        inventory: &Inventory,
        has_probed: bool,
    ) -> Result<Prepared, Error> {
        let findings = sound(vnet_validate::check(network))?;
        let mut inventory = Cow::Borrowed(inventory);
        let lacks = has_probed && mends_checksums(network) && !inventory.features.csum;
        let notes = if lacks { vec![Note::NoChecksums] } else { Vec::new() };
        let name = network_name(&network.name)?;
        let receipt = self.store.receipt(&name)?.filter(|receipt| !receipt.header.of_libvirt);
        // The inventory passes over what it cannot read: a network's own bridge must not seem to be
        // somebody else's.
        if let Some(Receipt { header, .. }) = &receipt
            && inventory.networks.iter().all(|known| known.name != name)
        {
            let bridge = header.bridge.clone();
            inventory.to_mut().networks.push(KnownNetwork { name: name.clone(), uuid: header.uuid, bridge });
        }
        let findings = on_host(findings, vnet_validate::check_against(network, &*inventory))?;
        let uuid = self.identity(network, &name, receipt.as_ref())?;
        let choices = self.choices(network, &name, receipt.as_ref());
        if choices.bridge.is_none() && fixed_bridge(network).is_none() {
            inventory.to_mut().networks.extend(self.reserved(&name));
        }
        let mut lowered = lower(network, &inventory, &choices)?;
        if let Some(imagined) = &self.imagined {
            if let Some(bridge) = lowered.bridge.clone().filter(|_| imagined.zones) {
                lowered.desired.remove(&Key::Zone(bridge.clone()));
                lowered.desired.remove(&Key::Resolver(bridge));
            }
            if imagined.offers_at_once {
                offer_at_once(&mut lowered, &choices.directory);
            }
        }
        let file = running(network, uuid, &lowered, &choices.directory);
        lowered.desired.insert(Resource::File(file));
        let obstacles = self.obstacles(host, &lowered.desired, lowered.intent.as_ref(), &inventory)?;
        Ok(Prepared { lowered, receipt, uuid, findings, notes, obstacles, of_libvirt: false })
    }

    /// The receipt of a network that libvirt runs.
    fn receipt_beside(&self, network: &Network) -> Result<Option<Receipt>, Error> {
        let name = network_name(&network.name)?;
        match self.store.header(&name)?.is_some_and(|header| header.of_libvirt) {
            true => Ok(self.store.receipt(&name)?),
            false => Ok(None),
        }
    }

    /// Checks the forwards and the egress of a network that libvirt runs. The rest of its
    /// definition is libvirt's matter.
    pub(crate) fn prepare_beside(
        &self,
        network: &Network,
        host: &LinuxHost,
        receipt: Option<Receipt>,
    ) -> Result<Prepared, Error> {
        let extensions = NodePath::root("network").element("metadata").to_string();
        let about = |mut findings: Vec<Finding>| {
            findings.retain(|finding| finding.path.to_string().starts_with(&extensions));
            findings
        };
        let findings = sound(about(vnet_validate::check(network)))?;
        let (mut inventory, _) = self.survey(host, None)?;
        inventory.listeners = listeners();
        let findings = on_host(findings, about(vnet_validate::check_against(network, &inventory)))?;
        let mut lowered = beside_libvirt(network)?;
        // It is libvirt's network, whatever is kept here by its name.
        let uuid = match network.uuid {
            Some(uuid) => uuid,
            None => self.identity(network, &lowered.name, receipt.as_ref())?,
        };
        let file = running(network, uuid, &lowered, &self.store.directory(&lowered.name));
        lowered.desired.insert(Resource::File(file));
        let notes = if network.extensions.flowtable == Some(true) { vec![Note::NotAccelerated] } else { Vec::new() };
        Ok(Prepared { lowered, receipt, uuid, findings, notes, obstacles: Vec::new(), of_libvirt: true })
    }

    /// The choices that a definition leaves open.
    pub(crate) fn choices(&self, network: &Network, name: &NetworkName, receipt: Option<&Receipt>) -> Choices {
        let bridge = receipt.and_then(|receipt| receipt.header.bridge.clone());
        let leases = Some(self.data.leases(name));
        Choices { directory: self.store.directory(name), random: random(network), bridge, leases }
    }
}

impl Prepared {
    /// Whether the network runs with this definition already, as far as its receipt says.
    pub(super) fn is_as_it_runs(&self) -> bool {
        self.receipt.as_ref().is_some_and(|receipt| receipt.owned == self.lowered.desired)
    }

    /// The header of its receipt, with an owner, on a driver that has hooks or none.
    pub(crate) fn header(&self, owner: Option<Owner>, has_hooks: bool) -> Result<Header, Error> {
        let Lowered { name, bridge, .. } = &self.lowered;
        let (network, bridge, namespace) = (name.clone(), bridge.clone(), LinuxHost::namespace()?);
        let runs = self.receipt.as_ref().filter(|receipt| receipt.header.namespace.is(&namespace));
        let awaits_hooks = runs.map_or(has_hooks, |receipt| receipt.header.awaits_hooks);
        let (uuid, of_libvirt) = (Some(self.uuid), self.of_libvirt);
        Ok(Header { network, uuid, bridge, namespace, owner, awaits_hooks, of_libvirt })
    }

    /// The result of the changes. Obstacles are looked up again when the bridge has changed its
    /// firewalld zone.
    pub(crate) fn outcome(self, driver: &Driver, host: &LinuxHost, made: Followed) -> NetworkOutcome {
        let Followed { changes: made, obstacles: more } = made;
        let Self { lowered, findings, mut notes, mut obstacles, .. } = self;
        notes.extend(host.unscoped().into_iter().map(Note::Unscoped));
        // The changes are made. If the host cannot be read again, the obstacles from before are
        // reported.
        if made.iter().any(|change| matches!(change.key(), Key::Zone(_)))
            && let Ok((inventory, _)) = driver.survey(host, None)
            && let Ok(found) = driver.obstacles(host, &lowered.desired, lowered.intent.as_ref(), &inventory)
        {
            obstacles = found;
        }
        obstacles.extend(more);
        let Lowered { name, bridge, .. } = lowered;
        NetworkOutcome { name, bridge, changes: made, findings, notes, obstacles, ovn: None }
    }

    /// The result of a plan.
    pub(super) fn planned(self, Followed { changes, obstacles: more }: Followed) -> NetworkOutcome {
        let Self { lowered, findings, notes, mut obstacles, .. } = self;
        obstacles.extend(more);
        let Lowered { name, bridge, .. } = lowered;
        NetworkOutcome { name, bridge, changes, findings, notes, obstacles, ovn: None }
    }
}

impl Driver {
    /// Reads what only some networks depend on, if one of these does: who listens on the host,
    /// whether systemd-resolved runs, and the kernel's features. Returns whether the features are
    /// known then.
    pub(crate) fn look_closer(
        &self,
        networks: &[Network],
        host: &LinuxHost,
        inventory: &mut Inventory,
    ) -> Result<bool, Error> {
        if networks.iter().any(|network| !network.extensions.port_forwards.is_empty()) {
            inventory.listeners = listeners();
        }
        if !inventory.resolved && networks.iter().any(|network| network.registered_domain().is_some()) {
            inventory.resolved = host.has_resolved()?;
        }
        if networks.iter().any(is_switched) {
            ask_switch(inventory);
        }
        let mends = networks.iter().any(mends_checksums);
        let is_known = !mends || Netlink::open()?.fills_checksums().is_some();
        let asks = !is_known || networks.iter().any(asks_features);
        let has_probed = (asks && self.probe(inventory)?) || is_known;
        if networks.iter().any(|network| network.extensions.flowtable == Some(true)) {
            inventory.features.flowtable = host.has_flowtables().unwrap_or(true);
        }
        Ok(has_probed)
    }
}

/// dnsmasq pings an address for three seconds before it offers it, one guest after the other.
fn offer_at_once(lowered: &mut Lowered, directory: &Path) {
    let conf = Key::File(Files::new(directory).conf);
    if let Some(Resource::File(mut conf)) = lowered.desired.remove(&conf) {
        conf.contents = conf.contents.map(|text| text + "no-ping\n");
        lowered.desired.insert(Resource::File(conf));
    }
}

/// The definition with open choices filled in, as a file in the network's folder.
fn running(network: &Network, uuid: Uuid, lowered: &Lowered, directory: &Path) -> File {
    let network = chosen(network, uuid, lowered);
    File { path: directory.join(RUNNING), contents: Some(network.inactive().to_string()), mode: 0o600 }
}

/// The definition with open choices filled in.
pub(super) fn chosen(network: &Network, uuid: Uuid, lowered: &Lowered) -> Network {
    let mut network = network.clone();
    network.uuid = Some(uuid);
    if let Some(name) = &lowered.bridge {
        network.bridge.get_or_insert_default().name = Some(BridgeName::Fixed(name.clone()));
    }
    if network.mac.is_none() {
        network.mac = lowered.bridge.as_ref().and_then(|bridge| mac_of(&lowered.desired, bridge));
    }
    network
}

/// The MAC address that a state has for a link.
fn mac_of(state: &HostState, link: &InterfaceName) -> Option<MacAddr> {
    match state.get(&Key::Link(link.clone()))? {
        Resource::Link(link) => link.mac,
        _ => None,
    }
}

/// Bytes for choices that are random in libvirt. They are derived from the network's name and UUID,
/// so a plan shows what start does, and guests find the same bridge after a restart.
pub(crate) fn random(network: &Network) -> [u8; 3] {
    let identity = format!("{}\0{}", network.name, network.uuid.map(|uuid| uuid.to_string()).unwrap_or_default());
    let [first, second, third, ..] = fnv1a(identity.bytes()).to_be_bytes();
    [first, second, third]
}
