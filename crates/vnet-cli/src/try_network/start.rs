//! Starting a network on the imagined host, as `vnet start` does on a real one.

use std::path::Path;

use anyhow::{Context, bail};
use vnet_plan::{Choices, Files, HostState, Key, Resource, asks_features, lower};
use vnet_types::{Firewalld, InterfaceName};
use vnet_xml::Network;

use super::promises::{Guest, may_collide};
use crate::diagnostic::Checked;
use crate::directories::Directories;
use crate::host::Here;
use crate::port::probe;

/// What comes of a start.
pub(crate) enum Started {
    /// The network runs on this bridge.
    On(InterfaceName),
    /// Something on the host is in its way, which is now among what is to be said about the definition.
    Refused,
}

/// Starts a network. What the checks say about it and the host is added to `checked`, where there is a document.
pub(crate) fn start(network: &Network, guests: &[Guest], checked: Option<&mut Checked>) -> anyhow::Result<Started> {
    let directories = Directories::default();
    // The imagined host does not filter in bridges, whatever a new network namespace begins with.
    for switch in ["bridge-nf-call-iptables", "bridge-nf-call-ip6tables"] {
        let _ = std::fs::write(Path::new("/proc/sys/net/bridge").join(switch), "0");
    }
    let mut here = Here::open(&directories)?;
    let mut inventory = here.inventory()?;
    if asks_features(network) {
        probe(&mut inventory)?;
    }
    // The imagined host has the zone that is asked for, and refuses nothing in it.
    let zone = network.bridge.as_ref().and_then(|bridge| bridge.zone.clone());
    inventory.firewalld = zone.map(|zone| Firewalld { zones: [(zone, [].into())].into(), ..Firewalld::default() });
    if let Some(checked) = checked {
        checked.against(&inventory);
        if checked.sound().is_none() {
            return Ok(Started::Refused);
        }
    }
    let number = u8::try_from(inventory.networks.len()).unwrap_or(u8::MAX);
    let choices = Choices {
        directory: directories.store()?.directory(&network.name.parse()?),
        random: [0x76, 0x6e, number],
        bridge: None,
        mac: None,
    };
    let mut lowered = lower(network, &inventory, &choices)?;
    let Some(bridge) = lowered.bridge.clone() else {
        bail!("the guests of network `{}` use devices of the host: there is nothing of its own to try", network.name);
    };
    lowered.desired.remove(&Key::Zone(bridge.clone()));
    if !may_collide(network, guests) {
        offer_at_once(&mut lowered.desired, &choices.directory);
    }
    let lock = here.lock()?;
    here.start(&lock, &lowered, network.uuid).with_context(|| format!("network `{}` does not start", network.name))?;
    Ok(Started::On(bridge))
}

/// dnsmasq pings an address for 3 s before it offers it, one guest after the other. Here nobody can have it.
fn offer_at_once(desired: &mut HostState, directory: &Path) {
    let conf = Key::File(Files::new(directory).conf);
    if let Some(Resource::File(mut conf)) = desired.remove(&conf) {
        conf.contents = conf.contents.map(|text| text + "no-ping\n");
        desired.insert(conf);
    }
}
