//! The definition that a command is given: found, read, checked, and refused where something is wrong with it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use vnet_netlink::Netlink;
use vnet_plan::{Change, Choices, File, Key, Lowered, Resource, asks_features, lower, mends_checksums};
use vnet_types::{Inventory, NetworkName, Uuid, fnv1a};
use vnet_xml::{BridgeName, Network, Severity};

use crate::diagnostic::{Checked, human};
use crate::directories::Directories;
use crate::document::Document;
use crate::failure;
use crate::host::{Here, Running};
use crate::obstacle::Obstacle;
use crate::output::{Answer, Format, note};
use crate::port::probe;

/// Reads and checks a definition, and tells people what is to be said about it. Where it is sound, it is checked
/// against a host too.
pub(crate) fn read(
    document: Document,
    inventory: impl FnOnce(&Network) -> anyhow::Result<Option<Inventory>>,
    format: Format,
) -> anyhow::Result<Checked> {
    let mut checked = Checked::of_network(document);
    let inventory = checked.sound_network().map(inventory).transpose()?.flatten();
    if let Some(inventory) = inventory {
        checked.against(&inventory);
    }
    if format == Format::Human {
        note(human(&checked))?;
    }
    Ok(checked)
}

/// A definition that is sound, and what it asks of this host.
pub(crate) struct Prepared {
    pub(crate) checked: Checked,
    /// `None` where it was refused.
    pub(crate) lowered: Option<Lowered>,
    pub(crate) uuid: Option<Uuid>,
    /// The network, where it runs already.
    pub(crate) running: Option<Running>,
    /// What this host cannot do for it.
    pub(crate) notes: Vec<&'static str>,
    /// Rules of others that are in its way.
    pub(crate) obstacles: Vec<Obstacle>,
}

const NO_CHECKSUMS: &str = "this kernel cannot fill in the checksums of DHCP answers (act_csum): guests whose DHCP client \
    checks them, as very old ones do, get no address";

/// Finds a definition, checks it, alone and on this host, and decides what it leaves open.
pub(crate) fn prepare(given: &str, here: &Here, format: Format) -> anyhow::Result<Prepared> {
    prepare_document(Document::read(&locate(given, &here.directories)?)?, here, format)
}

/// [`prepare`] for a definition that is found.
pub(crate) fn prepare_document(document: Document, here: &Here, format: Format) -> anyhow::Result<Prepared> {
    let mut inventory = None;
    let mut notes = Vec::new();
    let look = |network: &Network| {
        let mut found = here.inventory()?;
        let mends = mends_checksums(network);
        let mut is_known = !mends || Netlink::open()?.fills_checksums().is_some();
        if asks_features(network) || !is_known {
            is_known |= probe(&mut found)?;
        }
        if mends && is_known && !found.features.csum {
            notes.push(NO_CHECKSUMS);
        }
        inventory = Some(found);
        Ok(inventory.clone())
    };
    let checked = read(document, look, format)?;
    let (Some(network), Some(inventory)) = (checked.sound_network(), inventory) else {
        return Ok(Prepared { checked, lowered: None, uuid: None, running: None, notes, obstacles: Vec::new() });
    };
    let name = network_name(&network.name)?;
    let running = here.running(&name)?;
    let choices = choices(network, &name, running.as_ref(), here)?;
    let mut lowered = lower(network, &inventory, &choices)?;
    let file = stored(network, &lowered, &choices.directory);
    lowered.desired.insert(file);
    let uuid = network.uuid;
    let obstacles = Obstacle::find(here, &lowered.desired, lowered.intent.as_ref(), &inventory)?;
    if format == Format::Human {
        note(notes.iter().map(|text| format!("\x1b[1;33mnote\x1b[0m\x1b[1m: {text}\x1b[0m\n")).collect::<String>())?;
        note(Obstacle::human(&obstacles, Severity::Warning))?;
    }
    Ok(Prepared { checked, lowered: Some(lowered), uuid, running, notes, obstacles })
}

impl Prepared {
    /// Looks again for what is in the way, once firewalld has another zone for the bridge.
    pub(crate) fn look_again(&mut self, here: &Here, made: &[Change], format: Format) -> anyhow::Result<()> {
        let Some(lowered) = &self.lowered else { return Ok(()) };
        if !made.iter().any(|change| matches!(change.key(), Key::Zone(_))) {
            return Ok(());
        }
        let mut found = Obstacle::find(here, &lowered.desired, lowered.intent.as_ref(), &here.inventory()?)?;
        if format == Format::Human {
            let told = std::mem::take(&mut self.obstacles);
            found.retain(|obstacle| !told.contains(obstacle));
            note(Obstacle::human(&found, Severity::Warning))?;
        }
        self.obstacles = found;
        Ok(())
    }
}

/// What is decided where a definition leaves it open.
pub(crate) fn choices(
    network: &Network,
    name: &NetworkName,
    running: Option<&Running>,
    here: &Here,
) -> anyhow::Result<Choices> {
    Ok(Choices {
        directory: here.directories.store()?.directory(name),
        random: random(network),
        bridge: running.and_then(|running| running.bridge.clone()),
        mac: running.and_then(|running| running.mac),
    })
}

/// The file that is meant: what has a `/`, ends in `.xml` or is `-` is one, anything else is the name of a network
/// whose definition is kept.
pub(crate) fn locate(given: &str, directories: &Directories) -> anyhow::Result<PathBuf> {
    if given == "-" || given.contains('/') || given.ends_with(".xml") {
        return Ok(PathBuf::from(given));
    }
    let file = directories.definition(&network_name(given)?)?;
    if !file.exists() {
        let hint = if Path::new(given).is_file() { format!("; the file here is `./{given}`") } else { String::new() };
        anyhow::bail!("no network `{given}` is defined: there is no `{}`{hint}", file.display());
    }
    Ok(file)
}

/// A network's name as an argument.
pub(crate) fn network_name(given: &str) -> anyhow::Result<NetworkName> {
    given.parse().with_context(|| format!("`{given}` cannot be the name of a network"))
}

/// The answer no, with its reason.
pub(crate) fn refuse(reason: impl Into<anyhow::Error>) -> anyhow::Result<Answer> {
    failure::report(&reason.into());
    Ok(Answer::No)
}

/// The definition of a running network, with what it left open filled in.
pub(crate) fn as_it_runs(directories: &Directories, name: &NetworkName) -> anyhow::Result<Network> {
    let file = directories.store()?.directory(name).join(STORED);
    let text = fs::read_to_string(&file).with_context(|| format!("`{}` cannot be read", file.display()))?;
    text.parse().with_context(|| format!("`{}` is no network", file.display()))
}

/// Where that is kept, in the network's folder.
const STORED: &str = "network.xml";

fn stored(network: &Network, lowered: &Lowered, directory: &Path) -> File {
    let mut network = network.clone();
    if let Some(name) = &lowered.bridge {
        network.bridge.get_or_insert_default().name = Some(BridgeName::Fixed(name.clone()));
    }
    if network.mac.is_none() {
        network.mac = lowered.desired.iter().find_map(|resource| match resource {
            Resource::Link(link) if Some(&link.name) == lowered.bridge.as_ref() => link.mac,
            _ => None,
        });
    }
    File { path: directory.join(STORED), contents: Some(network.inactive().to_string()), mode: 0o600 }
}

/// Bytes for what a definition leaves to chance. They follow from the network's name and UUID (FNV-1a), so that a
/// plan shows what start does, and guests find the same bridge after a restart.
fn random(network: &Network) -> [u8; 3] {
    let identity = format!("{}\0{}", network.name, network.uuid.map(|uuid| uuid.to_string()).unwrap_or_default());
    let [first, second, third, ..] = fnv1a(identity.bytes()).to_be_bytes();
    [first, second, third]
}
