//! Attaches guests' interfaces on the imagined host as on a real one: with the bridge port, VLANs,
//! bandwidth and all other settings of the network, its portgroup and the interface.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::thread;

use vnet_driver::AttachOptions;
use vnet_host::{LinuxHost, PortHeader, Store};
use vnet_lab::Namespace;
use vnet_netlink::{Netlink, Tap};
use vnet_plan::{Key, PortChoices, attach};
use vnet_types::{BridgeOptions, InterfaceName, Link, LinkKind, MacAddr, TapOptions};
use vnet_xml::interface::Source;
use vnet_xml::{BridgeName, Interface, Network};

use crate::error::{Failed, Result};
use crate::guest::Guest;
use crate::start::{STATE, driver};
use crate::world::{DEVICE, SWITCHES, Station, World};

/// Longer than any frame, even one that the kernel has not yet cut into segments.
const ROOM: usize = 1 << 17;

impl World {
    /// Attaches guests to a network that runs on this bridge; `number` is the network's number.
    ///
    /// With STP a port listens and learns for 4 s. There are no loops here, so STP is disabled from
    /// now on.
    pub(crate) fn attach(
        &self,
        network: &Network,
        number: usize,
        bridge: &InterfaceName,
        guests: &[Guest],
    ) -> Result<Vec<Station>> {
        let netlink = self.host.netlink();
        let found = netlink.link(bridge)?.ok_or_else(|| vnet_lab::Error::Gone(bridge.clone()))?;
        if let LinkKind::Bridge(options) = found.link.kind.clone() {
            let kind = LinkKind::Bridge(BridgeOptions { stp: false, ..options });
            netlink.set_link(found.index, &found.link, &Link { kind, ..found.link.clone() })?;
        }
        // A definition may leave the name open.
        let mut network = network.clone();
        network.bridge.get_or_insert_default().name = Some(BridgeName::Fixed(bridge.clone()));
        let has_taps = can_make_taps();
        let stations = guests.iter().enumerate().map(|(at, guest)| {
            let dev = format!("guest{number}x{at}").parse().map_err(|error| Failed::Other(format!("{error}")))?;
            station(self, &network, guest, &dev, has_taps)
                .map_err(Failed::doing(format!("{} cannot be attached to network `{}`", guest.name, network.name)))
        });
        stations.collect()
    }
}

/// Whether this process can create a tap. A container has `/dev/net/tun` only if it was told to,
/// and may not be allowed to open it.
fn can_make_taps() -> bool {
    let name = "probe%d".parse().expect("a name");
    Tap::create(&name, &TapOptions::default(), NonZeroU16::MIN).is_ok()
}

fn station(world: &World, network: &Network, guest: &Guest, dev: &InterfaceName, has_taps: bool) -> Result<Station> {
    let namespace = Namespace::new()?;
    namespace.set(&SWITCHES)?;
    let device: InterfaceName = DEVICE.parse().expect("a name");
    // A veth pair replaces the tap and the guest's card.
    let lay = || world.lay(dev, &namespace, &device);
    attach_to(network, guest, dev, (!has_taps).then_some(lay))?;
    if has_taps {
        let outer = Tap::open(dev, NonZeroU16::MIN)?;
        let name = DEVICE.parse().map_err(|_| Failed::Other(format!("`{DEVICE}` is not a name")))?;
        let inner = namespace.run(|| Ok::<_, Failed>(Tap::create(&name, &TapOptions::default(), NonZeroU16::MIN)?))?;
        let file = |tap: Tap| File::from(tap.into_queues().remove(0));
        join(file(outer), file(inner))?;
    }
    let mtu = world.host.netlink().link(dev)?.and_then(|found| found.link.mtu);
    Ok(Station { index: bring_up(&namespace, &device, guest.mac, mtu)?, namespace, device })
}

/// Attaches the guest's interface. If `instead` creates a device in place of the tap, only the rest
/// of the port is created.
fn attach_to(
    network: &Network,
    guest: &Guest,
    dev: &InterfaceName,
    instead: Option<impl FnOnce() -> Result<u32>>,
) -> Result<()> {
    let text = format!(
        "<interface type='network'><source network='-'/><mac address='{}'/><target dev='{dev}'/></interface>",
        guest.mac
    );
    let mut interface: Interface = text.parse().map_err(|error| Failed::Other(format!("{error}")))?;
    if let Source::Network(source) = &mut interface.source {
        source.network.clone_from(&network.name);
        source.port_group.clone_from(&guest.port_group);
    }
    let guest = Some(guest.name.clone());
    let Some(lay) = instead else {
        driver(true)?.attach(&interface, &AttachOptions { guest, persistent: true, ..AttachOptions::default() })?;
        return Ok(());
    };
    let mut host = LinuxHost::open()?;
    let store = Store::new(STATE);
    let mut inventory = vnet_host::inventory(&host, &store)?;
    inventory.features = Netlink::features()?.unwrap_or(inventory.features);
    let choices = PortChoices { guest, ..PortChoices::default() };
    let mut lowered = attach(&interface, Some(network), &inventory, &choices)?;
    lowered.desired.remove(&Key::Link(dev.clone()));
    let index = lay()?;
    let lock = store.lock()?;
    let header = PortHeader { port: lowered.port, namespace: LinuxHost::namespace()?, owner: None };
    vnet_host::start(&mut host, &lock, header, &lowered.desired)?;
    Ok(Netlink::open()?.set_up(index, true)?)
}

/// Gives the guest's card its MAC address and MTU, sets it up, and returns its index.
pub(crate) fn bring_up(namespace: &Namespace, device: &InterfaceName, mac: MacAddr, mtu: Option<u32>) -> Result<u32> {
    let netlink = namespace.netlink();
    let found = netlink.link(device)?.ok_or_else(|| vnet_lab::Error::Gone(device.clone()))?;
    let wanted = Link { mac: Some(mac), mtu: mtu.or(found.link.mtu), up: true, ..found.link.clone() };
    netlink.set_link(found.index, &found.link, &wanted)?;
    Ok(found.index)
}

/// Carries frames between the host's tap and the guest's card, as a hypervisor does.
pub(crate) fn join(outer: File, inner: File) -> Result<()> {
    let (to, from) = (outer.try_clone()?, inner.try_clone()?);
    thread::spawn(move || carry(from, to));
    thread::spawn(move || carry(outer, inner));
    Ok(())
}

fn carry(mut from: File, mut to: File) {
    let mut frame = vec![0; ROOM];
    while let Ok(length) = from.read(&mut frame) {
        // A link that is down drops the frame.
        let _ = to.write(&frame[..length]);
    }
}
