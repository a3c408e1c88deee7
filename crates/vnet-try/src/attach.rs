//! Attaches guests' interfaces on the imagined host as on a real one: with the bridge port, VLANs,
//! bandwidth and all other settings of the network, its portgroup and the interface.
//!
//! The guests' own namespaces and cards are made before, beside the networks.

use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use vnet_driver::{AttachOptions, Driver};
use vnet_host::{LinuxHost, PortHeader, Store};
use vnet_lab::{Namespace, join};
use vnet_netlink::{Netlink, Tap};
use vnet_plan::{Key, PortChoices, asks_features, attach};
use vnet_types::{BridgeOptions, Family, Features, InterfaceName, Link, LinkKind, MacAddr, TapOptions};
use vnet_xml::interface::Source;
use vnet_xml::{BridgeName, Interface, Network};

use crate::cluster::Cluster;
use crate::error::{Failed, Result};
use crate::guest::Guest;
use crate::judge::side_by_side;
use crate::ready;
use crate::start::STATE;
use crate::world::{DEVICE, SWITCHES, Station, World};

/// How long a network may take to hear a guest. Then guests ask all the same.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many seats are made at the same time.
const AT_A_TIME: usize = 8;

/// A guest's namespace before it is attached.
pub(crate) struct Seat {
    namespace: Namespace,
    /// The frames of its card. `None` where this process cannot create a tap: a container has
    /// `/dev/net/tun` only if it was told to, and may not be allowed to open it.
    card: Option<OwnedFd>,
}

/// The seats of so many guests.
pub(crate) fn seats(count: usize) -> Result<Vec<Seat>> {
    let mut seats = Vec::new();
    while seats.len() < count {
        seats.extend(side_by_side(seats.len()..count.min(seats.len() + AT_A_TIME), |_| Seat::new())?);
    }
    Ok(seats)
}

/// What the kernel supports, as far as these networks depend on it. `None` where it is to be asked
/// when it is needed.
pub(crate) fn features(networks: &[&Network], seats: &[Seat]) -> Result<Option<Features>> {
    let limits = |network: &Network| network.port_groups.iter().any(|group| group.bandwidth.is_some());
    if networks.iter().any(|network| asks_features(network) || limits(network)) {
        return Ok(Netlink::features()?);
    }
    let Some(Seat { namespace, card: Some(_) }) = seats.first() else { return Ok(None) };
    let csum = namespace.netlink().fills_checksums_on(&DEVICE.parse().expect("a name"))?;
    Ok(Some(Features { csum, ..Features::default() }))
}

impl Seat {
    fn new() -> Result<Self> {
        let namespace = Namespace::new()?;
        namespace.set(&SWITCHES)?;
        Ok(Self { card: card(&namespace).ok(), namespace })
    }
}

/// Puts a card into a guest's namespace, and returns its frames. It ends with the namespace: who
/// closes a tap that ends with its file waits until the kernel has deleted it.
pub(crate) fn card(namespace: &Namespace) -> Result<OwnedFd> {
    let name = DEVICE.parse().map_err(|_| Failed::Other(format!("`{DEVICE}` is not a name")))?;
    namespace.run(|| {
        let tap = Tap::create(&name, &TapOptions::default(), NonZeroU16::MIN)?;
        tap.persist(true)?;
        Ok(frames(tap))
    })
}

fn frames(tap: Tap) -> OwnedFd {
    tap.into_queues().remove(0)
}

impl World {
    /// Attaches guests, on their seats, to a network that runs on this bridge; `number` is the
    /// network's number.
    ///
    /// With STP a port listens and learns for 4 s. There are no loops here, so STP is disabled from
    /// now on.
    pub(crate) fn attach(
        &self,
        driver: &Driver,
        network: &Network,
        number: usize,
        bridge: &InterfaceName,
        guests: &[Guest],
        seats: Vec<Seat>,
    ) -> Result<Vec<Station>> {
        let seated = guests.iter().zip(seats).enumerate();
        if let Some(cluster) = &self.cluster {
            return side_by_side(seated, |(at, (guest, seat))| {
                let attached = named(number, at).and_then(|dev| on_cluster(cluster, network, (at, guest), &dev, seat));
                attached.map_err(not_attached(network, guest))
            });
        }
        let netlink = self.host.netlink();
        let found = netlink.link(bridge)?.ok_or_else(|| vnet_lab::Error::Gone(bridge.clone()))?;
        if let LinkKind::Bridge(options) = found.link.kind.clone() {
            let kind = LinkKind::Bridge(BridgeOptions { stp: false, ..options });
            netlink.set_link(found.index, &found.link, &Link { kind, ..found.link.clone() })?;
        }
        // A definition may leave the name open.
        let mut network = network.clone();
        network.bridge.get_or_insert_default().name = Some(BridgeName::Fixed(bridge.clone()));
        let device: InterfaceName = DEVICE.parse().expect("a name");
        let mut plugged = Vec::new();
        for (at, (guest, Seat { namespace, card })) in seated {
            let dev = named(number, at)?;
            // A veth pair replaces the tap and the guest's card.
            let lay = || Ok(self.host.lay(&dev, &namespace, &device, guest.mac)?);
            let carried = attach_to(driver, &network, guest, &dev, card.is_none().then_some(lay))
                .and_then(|()| card.map(|card| carry(&dev, card)).transpose());
            let is_carried = carried.map_err(not_attached(&network, guest))?.is_some();
            plugged.push((guest, dev, namespace, is_carried));
        }
        // The kernel asks for a router once, as soon as a card is up. A question that is lost is
        // asked again a second later.
        if network.has_dnsmasq() && network.has_family(Family::Ipv6) {
            let carried = || plugged.iter().filter(|(.., is_carried)| *is_carried);
            for (_, dev, ..) in carried() {
                netlink.wait_until_forwarding(dev, Instant::now() + PATIENCE)?;
            }
            if carried().next().is_some() {
                let dhcp = network.has_dhcp(Family::Ipv6);
                self.host.run(|| ready::ipv6_services(bridge, dhcp, Instant::now() + PATIENCE))?;
            }
        }
        let stations = plugged.into_iter().map(|(guest, dev, namespace, _)| {
            let mtu = netlink.link(&dev)?.and_then(|found| found.link.mtu);
            let index = bring_up(&namespace, &device, guest.mac, mtu)?;
            Ok(Station { index, namespace, device: device.clone() })
        });
        stations.collect()
    }
}

/// Carries the frames between a guest's port and its card.
fn carry(dev: &InterfaceName, card: OwnedFd) -> Result<()> {
    Ok(join(frames(Tap::open(dev, NonZeroU16::MIN)?), card)?)
}

/// The name of a guest's port.
fn named(number: usize, at: usize) -> Result<InterfaceName> {
    format!("guest{number}x{at}").parse().map_err(|error| Failed::Other(format!("{error}")))
}

fn not_attached(network: &Network, guest: &Guest) -> impl FnOnce(Failed) -> Failed {
    Failed::doing(format!("{} cannot be attached to network `{}`", guest.name, network.name))
}

/// Attaches a guest, with its number, to a network of OVN, on the guest's host.
fn on_cluster(
    cluster: &Cluster,
    network: &Network,
    (at, guest): (usize, &Guest),
    dev: &InterfaceName,
    Seat { namespace, card }: Seat,
) -> Result<Station> {
    let (host, driver) = cluster.host(at)?;
    let options = AttachOptions { guest: Some(guest.name.clone()), persistent: true, ..AttachOptions::default() };
    let interface = interface_of(network, guest, dev)?;
    let card = card.ok_or(Failed::NoTaps)?;
    host.namespace.run(|| {
        driver.attach(&interface, &options)?;
        carry(dev, card)
    })?;
    let mtu = host.namespace.netlink().link(dev)?.and_then(|found| found.link.mtu);
    let device: InterfaceName = DEVICE.parse().expect("a name");
    Ok(Station { index: bring_up(&namespace, &device, guest.mac, mtu)?, namespace, device })
}

fn interface_of(network: &Network, guest: &Guest, dev: &InterfaceName) -> Result<Interface> {
    let text = format!(
        "<interface type='network'><source network='-'/><mac address='{}'/><target dev='{dev}'/></interface>",
        guest.mac
    );
    let mut interface: Interface = text.parse().map_err(|error| Failed::Other(format!("{error}")))?;
    if let Source::Network(source) = &mut interface.source {
        source.network.clone_from(&network.name);
        source.port_group.clone_from(&guest.port_group);
    }
    Ok(interface)
}

/// Attaches the guest's interface. If `instead` creates a device in place of the tap, only the rest
/// of the port is created.
fn attach_to(
    driver: &Driver,
    network: &Network,
    guest: &Guest,
    dev: &InterfaceName,
    instead: Option<impl FnOnce() -> Result<u32>>,
) -> Result<()> {
    let interface = interface_of(network, guest, dev)?;
    let guest = Some(guest.name.clone());
    let Some(lay) = instead else {
        driver.attach(&interface, &AttachOptions { guest, persistent: true, ..AttachOptions::default() })?;
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
