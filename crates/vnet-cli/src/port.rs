//! Guests' interfaces on this host: read, checked, decided on, attached.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Serialize;
use vnet_host::{LinuxHost, Lock, PortHeader, Receipt};
use vnet_netlink::{Netlink, Tap};
use vnet_passt::Passt;
use vnet_plan::{Change, File, HostState, LoweredPort, PortChoices, Resource, attach};
use vnet_types::{InterfaceName, Inventory, KnownPort, LinkKind, NetworkName, Uuid};
use vnet_xml::interface::Source;
use vnet_xml::network::MacTableManager;
use vnet_xml::{Definition, Interface, Network};

use crate::changes::{ChangeJson, changes};
use crate::definition::{as_it_runs, network_name};
use crate::diagnostic::{Checked, DiagnosticJson, diagnostics, human};
use crate::directories::Directories;
use crate::document::Document;
use crate::host::Here;
use crate::hypervisor::PasstJson;
use crate::output::{Answer, Format, note, print_json};

/// Who an interface is for.
#[derive(Clone, Debug, Default, PartialEq, clap::Args)]
pub(crate) struct For {
    /// The user who may open the tap without any capability, by name or number; without --group too: you
    #[arg(long, value_name = "USER", value_parser = user)]
    owner: Option<u32>,
    /// The group whose members may open the tap without any capability, by name or number
    #[arg(long, value_name = "GROUP", value_parser = group)]
    group: Option<u32>,
    /// The guest's name, for `vnet ports` and the network's record
    #[arg(long, value_name = "NAME")]
    guest: Option<String>,
    /// The guest's UUID, for the network's record
    #[arg(long, value_name = "UUID")]
    guest_uuid: Option<Uuid>,
}

impl For {
    /// For a guest of this name.
    pub(crate) fn guest(guest: Option<String>) -> Self {
        Self { guest, ..Self::default() }
    }
}

/// An interface that is sound, and what it asks of this host.
pub(crate) struct Prepared {
    pub(crate) checked: Checked,
    /// `None` where it was refused.
    pub(crate) lowered: Option<LoweredPort>,
    /// The port is there already.
    pub(crate) is_attached: bool,
}

/// An interface and what attaching it changes; the shape is described in `docs/json.md`.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// `None` where it was refused.
    port: Option<PortJson>,
    diagnostics: Vec<DiagnosticJson>,
    changes: Vec<ChangeJson>,
}

/// A port, for programs: what a hypervisor needs.
#[derive(Debug, Serialize)]
pub(crate) struct PortJson {
    name: String,
    /// `None` while it is not there.
    ifindex: Option<u32>,
    queues: u16,
    vnet_hdr: bool,
    /// The guest's.
    mac: String,
    /// `None` while the device is not there.
    mtu: Option<u32>,
    /// The file of a macvtap; a tap's is `/dev/net/tun`.
    device_node: Option<String>,
    managed: bool,
    guest: Option<String>,
    network: Option<String>,
    bridge: Option<String>,
    lower: Option<String>,
    /// `None` where the guest is not behind passt.
    passt: Option<PasstJson>,
    /// The PCI address of the device that the guest has for itself; then `name` is that of no link.
    function: Option<String>,
}

/// Does the document define a guest's interface, or a domain with one on passt?
pub(crate) fn is_interface(document: &Document) -> bool {
    match Definition::parse(&document.bytes).value {
        Some(Definition::Interface(_)) => true,
        Some(Definition::Domain(domain)) => domain.interfaces.iter().any(Interface::is_passt),
        _ => false,
    }
}

/// The definition that is meant: that of an attached port, by its name, else a file or a network's.
pub(crate) fn locate(given: &str, here: &Here) -> anyhow::Result<PathBuf> {
    let located = crate::definition::locate(given, &here.directories);
    let dev = given.parse::<InterfaceName>().ok().filter(|_| located.is_err());
    match dev.map(|dev| Ok::<_, anyhow::Error>((here.port(&dev)?, dev))).transpose()? {
        Some((Some(_), dev)) => Ok(here.port_directory(&dev).join(KEPT)),
        _ => located,
    }
}

/// Checks an interface and decides what it leaves open. One whose device is named and attached already is that port.
pub(crate) fn prepare(document: Document, here: &Here, asked: &For, format: Format) -> anyhow::Result<Prepared> {
    let mut checked = Checked::new(document);
    let inventory = here.inventory()?;
    checked.against(&inventory);
    if format == Format::Human {
        note(human(&checked))?;
    }
    let Some(definition) = checked.sound() else {
        return Ok(Prepared { checked, lowered: None, is_attached: false });
    };
    let (interface, domain) = interface(definition, &checked.document)?;
    let named = interface.target.as_ref().and_then(|target| target.dev.as_ref()?.parse().ok());
    let mut receipt = named.and_then(|dev: InterfaceName| here.port(&dev).transpose()).transpose()?;
    let mut asked = asked.clone();
    if interface.is_passt() {
        // Such a guest has no device that its definition could name: it is known by its name.
        receipt = receipt.filter(|receipt| passt(&receipt.owned).is_some());
        if receipt.is_none() {
            let guest = asked.guest.unwrap_or_else(|| guest(domain, &checked.document));
            receipt = behind(here, &guest)?;
            asked.guest = Some(guest);
        }
    }
    let lowered = lower(interface, here, inventory, &asked, receipt.as_ref())?;
    Ok(Prepared { lowered: Some(lowered), is_attached: receipt.is_some(), checked })
}

/// The name of a guest that nobody has named: its domain's, else the file's.
pub(crate) fn guest(domain: Option<&str>, document: &Document) -> String {
    let file = Path::new(&document.name).file_stem().filter(|_| document.name != "<stdin>");
    let file = file.map(|file| file.to_string_lossy().into_owned());
    domain.map(str::to_owned).or(file).unwrap_or_else(|| "guest".to_owned())
}

/// The folder of a guest's passt.
pub(crate) fn folder(guest: &str, directories: &Directories) -> anyhow::Result<PathBuf> {
    let name: NetworkName = guest.parse().with_context(|| format!("`{guest}` cannot be the name of a guest"))?;
    // No folder of a network begins with this character.
    Ok(directories.state()?.join("@passt").join(name.file_name()))
}

/// The interface that a document defines, or the one on passt of its domain, with the domain's name.
pub(crate) fn interface<'a>(
    definition: &'a Definition,
    document: &Document,
) -> anyhow::Result<(&'a Interface, Option<&'a str>)> {
    let file = &document.name;
    match definition {
        Definition::Interface(interface) => Ok((interface, None)),
        Definition::Domain(domain) => {
            let mut found = domain.interfaces.iter().filter(|interface| interface.is_passt());
            match (found.next(), found.next()) {
                (Some(one), None) => Ok((one, Some(&domain.name))),
                (None, _) => bail!("`{file}` has no interface with `<backend type='passt'/>`"),
                _ => bail!("`{file}` has several interfaces on passt: give the one in a file of its own"),
            }
        }
        _ => bail!("`{file}` defines no guest's interface"),
    }
}

/// What a port's passt is told, where it has one.
pub(crate) fn passt(state: &HostState) -> Option<&Passt> {
    state.iter().find_map(|resource| match resource {
        Resource::Passt(passt) => Some(&**passt),
        _ => None,
    })
}

/// The port of a guest behind passt, by the guest's name.
pub(crate) fn behind(here: &Here, guest: &str) -> anyhow::Result<Option<Receipt<PortHeader>>> {
    let mut ports = here.ports()?.into_iter().filter(|receipt| passt(&receipt.owned).is_some());
    Ok(ports.find(|receipt| receipt.header.port.guest.as_deref() == Some(guest)))
}

/// The file, in its folder, of the definition that a port was attached with.
const KEPT: &str = "interface.xml";

/// The definition that a port was attached with.
pub(crate) fn definition(here: &Here, port: &InterfaceName) -> anyhow::Result<Interface> {
    let file = here.port_directory(port).join(KEPT);
    let text = fs::read_to_string(&file).with_context(|| format!("`{}` cannot be read", file.display()))?;
    text.parse().with_context(|| format!("`{}` is no interface", file.display()))
}

/// Decides what an interface asks of this host, with the files that tell of it.
pub(crate) fn lower(
    interface: &Interface,
    here: &Here,
    mut inventory: Inventory,
    asked: &For,
    attached: Option<&Receipt<PortHeader>>,
) -> anyhow::Result<LoweredPort> {
    let network = match &interface.source {
        Source::Network(source) => running(here, &source.network)?,
        _ => None,
    };
    if asks_features(interface, network.as_ref()) {
        probe(&mut inventory)?;
    }
    let (owner, group) = match (asked.owner, asked.group, attached) {
        (None, None, Some(attached)) => owners(attached),
        (owner, group, _) => (owner, group),
    };
    let guest = asked.guest.as_deref().or_else(|| attached?.header.port.guest.as_deref());
    let folder = guest.filter(|_| interface.is_passt()).map(|guest| folder(guest, &here.directories)).transpose()?;
    let choices = PortChoices {
        random: LinuxHost::random()?,
        owner,
        group,
        guest: asked.guest.clone(),
        guest_uuid: asked.guest_uuid,
        folder: folder.unwrap_or_default(),
        kept: attached.map(|receipt| receipt.header.port.clone()),
        owned: attached.map(|receipt| receipt.owned.clone()).unwrap_or_default(),
    };
    let mut lowered = attach(interface, network.as_ref(), &inventory, &choices)?;
    let folder = here.port_directory(&lowered.port.dev);
    let mut keep = |name: &str, text: String| {
        let file = File { path: folder.join(name), contents: Some(text), mode: 0o600 };
        lowered.desired.insert(file);
    };
    keep(KEPT, lowered.interface.to_string());
    if let Some(record) = &lowered.record {
        keep("networkport.xml", record.to_string());
    }
    Ok(lowered)
}

/// Brings the ports of a network in line with it, after it has changed.
pub(crate) fn follow(here: &mut Here, lock: &Lock, network: &vnet_types::NetworkName) -> anyhow::Result<Vec<Change>> {
    let mut made = Vec::new();
    for receipt in here.ports()?.iter().filter(|receipt| receipt.header.port.network.as_ref() == Some(network)) {
        let dev = &receipt.header.port.dev;
        let failed = || format!("port `{dev}` of network `{network}` stays as it was");
        let interface = definition(here, dev).with_context(failed)?;
        let inventory = here.inventory().with_context(failed)?;
        let lowered = lower(&interface, here, inventory, &For::default(), Some(receipt)).with_context(failed)?;
        made.extend(here.apply_port(lock, &lowered).with_context(failed)?);
    }
    Ok(made)
}

/// Tries what the kernel can do; answers whether one may.
pub(crate) fn probe(inventory: &mut Inventory) -> anyhow::Result<bool> {
    let features = Netlink::features()?;
    inventory.features = features.unwrap_or(inventory.features);
    Ok(features.is_some())
}

/// The network of a name as it runs.
fn running(here: &Here, name: &str) -> anyhow::Result<Option<Network>> {
    let name = network_name(name)?;
    if here.running(&name)?.is_none() {
        return Ok(None);
    }
    as_it_runs(&here.directories, &name).map(Some)
}

fn asks_features(interface: &Interface, network: Option<&Network>) -> bool {
    let by_us = |manager: Option<MacTableManager>| manager == Some(MacTableManager::Libvirt);
    let own = matches!(&interface.source, Source::Bridge(source) if by_us(source.mac_table_manager));
    let group = network.is_some_and(|network| network.port_groups.iter().any(|group| group.vlan.is_some()));
    let of_network = network.is_some_and(|network| {
        network.vlan.is_some() || network.bridge.as_ref().is_some_and(|bridge| by_us(bridge.mac_table_manager))
    });
    let limited = network.is_some_and(|network| network.port_groups.iter().any(|group| group.bandwidth.is_some()));
    own || group || of_network || limited || interface.vlan.is_some() || interface.bandwidth.is_some()
}

/// Who owns the tap of a port.
fn owners(receipt: &Receipt<PortHeader>) -> (Option<u32>, Option<u32>) {
    let tap = receipt.owned.iter().find_map(|resource| match resource {
        Resource::Link(link) => match &link.kind {
            LinkKind::Tap(tap) => Some((tap.owner, tap.group)),
            _ => None,
        },
        _ => None,
    });
    tap.unwrap_or_default()
}

fn user(text: &str) -> Result<u32, String> {
    let known = |name: &str| nix::unistd::User::from_name(name).ok().flatten().map(|user| user.uid.as_raw());
    text.parse().ok().or_else(|| known(text)).ok_or_else(|| format!("there is no user `{text}`"))
}

fn group(text: &str) -> Result<u32, String> {
    let known = |name: &str| nix::unistd::Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw());
    text.parse().ok().or_else(|| known(text)).ok_or_else(|| format!("there is no group `{text}`"))
}

impl Report {
    /// Tells programs of an interface that was refused; people have been told.
    pub(crate) fn refuse(checked: &Checked, format: Format) -> anyhow::Result<Answer> {
        if format == Format::Json {
            print_json(&Self { port: None, diagnostics: diagnostics(checked), changes: Vec::new() })?;
        }
        Ok(Answer::No)
    }

    /// An interface that changes something.
    pub(crate) fn changed(checked: &Checked, lowered: &LoweredPort, made: &[Change]) -> anyhow::Result<Self> {
        let port = PortJson::of(&lowered.port, &lowered.desired)?;
        Ok(Self { port: Some(port), diagnostics: diagnostics(checked), changes: changes(made) })
    }
}

impl PortJson {
    /// A port and what was made for it, with what the kernel says of it.
    pub(crate) fn of(port: &KnownPort, made: &HostState) -> anyhow::Result<Self> {
        let passt = passt(made).map(|passt| PasstJson::of(passt, Some(port.mac)));
        Ok(Self { passt, ..Self::look(port)? })
    }

    /// A port, with what the kernel says of it.
    pub(crate) fn look(port: &KnownPort) -> anyhow::Result<Self> {
        let known = Netlink::open()?.link(&port.dev)?;
        let is_macvtap = known.as_ref().is_some_and(|known| match &known.link.kind {
            LinkKind::Macvtap(_) => true,
            LinkKind::Other(word) => word == "macvtap",
            LinkKind::Bridge(_) | LinkKind::Tap(_) => false,
        });
        let ifindex = known.as_ref().map(|known| known.index);
        Ok(Self {
            name: port.dev.to_string(),
            ifindex,
            queues: port.queues,
            vnet_hdr: port.vnet_hdr,
            mac: port.mac.to_string(),
            mtu: known.and_then(|known| known.link.mtu),
            device_node: ifindex.filter(|_| is_macvtap).map(|index| Tap::device_node(index).display().to_string()),
            managed: port.managed,
            guest: port.guest.clone(),
            network: port.network.as_ref().map(ToString::to_string),
            bridge: port.bridge.as_ref().map(ToString::to_string),
            lower: port.lower.as_ref().map(ToString::to_string),
            passt: None,
            function: port.function.as_ref().map(ToString::to_string),
        })
    }
}

/// What a port is on, for people.
pub(crate) fn place(port: &KnownPort) -> String {
    let on = port.bridge.as_ref().or(port.lower.as_ref()).map(ToString::to_string);
    on.or(port.function.map(|address| address.to_string())).unwrap_or_else(|| "-".to_owned())
}
