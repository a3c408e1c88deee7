//! A guest's interface becomes what the host has for it: a tap or a macvtap, and a port of a bridge
//! (<https://libvirt.org/formatdomain.html#network-interfaces>, <https://libvirt.org/formatnetworkport.html>).

use vnet_types::{
    BridgePort, BridgeVlan, Fdb, FdbOrigin, InterfaceName, Inventory, KnownPort, Link, LinkKind, MacAddr, MacvtapMode,
    MacvtapOptions, NetworkName, TapOptions, Uuid,
};
use vnet_xml::interface::{DirectMode, LinkState, NetworkSource, Source};
use vnet_xml::network::{ForwardMode, MacTableManager, PortGroup};
use vnet_xml::network_port::{NetworkPort, Owner, Plug};
use vnet_xml::{BridgeName, Interface, Network, VirtualPortType, Vlan};

use super::bandwidth::FloorError;
use super::port_bandwidth;
use crate::{HostState, Resource};

/// What an interface leaves open, and who it is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortChoices {
    /// Random bytes for the guest's MAC address, where the definition has none, and for the port's UUID.
    pub random: [u8; 16],
    /// The user that may open the tap without any capability.
    pub owner: Option<u32>,
    /// The group whose members may open the tap without any capability.
    pub group: Option<u32>,
    /// The guest's name.
    pub guest: Option<String>,
    /// The guest's UUID.
    pub guest_uuid: Option<Uuid>,
    /// The port that is there already, when it is to be changed: its device, MAC address and place in a pool are kept.
    pub kept: Option<KnownPort>,
}

/// An interface with everything that was open decided.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoweredPort {
    /// What it is.
    pub port: KnownPort,
    /// The definition, with what was decided.
    pub interface: Interface,
    /// How it is attached to its network, where it has one.
    pub record: Option<NetworkPort>,
    /// What it asks of the host.
    pub desired: HostState,
}

/// Why an interface cannot be attached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// It is connected by something that has no end on the host which vnet makes.
    #[error("an interface of type `{0}` is not attached on the host")]
    Type(&'static str),
    /// Something that this version does nothing with: the interface would not be what it says.
    #[error("an interface with {0} cannot be attached")]
    Unsupported(UnsupportedPort),
    /// The port is for another switch.
    #[error("`<virtualport type='{0}'>` needs a switch that vnet does not know")]
    VirtualPort(VirtualPortType),
    /// Its network does not run.
    #[error("network `{0}` does not run; start it first")]
    NoNetwork(String),
    /// No such bridge.
    #[error("there is no bridge `{0}` on this host")]
    NoBridge(String),
    /// No such device.
    #[error("there is no device `{0}` on this host")]
    NoDevice(InterfaceName),
    /// The network has no device for guests.
    #[error("network `{0}` has no device that guests could be attached to")]
    NoPool(NetworkName),
    /// All devices of the network are taken.
    #[error("network `{network}` gives each guest a device of its own, and all {count} are taken")]
    PoolUsedUp {
        /// Which network.
        network: NetworkName,
        /// How many devices it has.
        count: usize,
    },
    /// The name of the device is none.
    #[error("`{0}` cannot be the name of a device, nor a template for one such as vnet%d")]
    Name(String),
    /// No name is free.
    #[error("no name is free for the template `{0}`")]
    NoFreeName(String),
    /// The device is there already.
    #[error("the device `{0}` exists already; with `managed='no'` in `<target>` it is used as it is")]
    Exists(InterfaceName),
    /// An unmanaged device needs a name.
    #[error("with `managed='no'`, `<target>` has to name the device in `dev`")]
    Unnamed,
    /// An unmanaged device that is not there.
    #[error("with `managed='no'` the device `{0}` has to exist, and there is none")]
    Missing(InterfaceName),
    /// An unmanaged device that is no tap.
    #[error("the device `{0}` is neither a tap nor a macvtap")]
    NotATap(InterfaceName),
    /// An unmanaged tap with one queue only.
    #[error("`<driver queues='{queues}'>` needs a tap that was made with multi_queue, and `{dev}` was not")]
    Queues {
        /// Which.
        dev: InterfaceName,
        /// What the definition says.
        queues: u32,
    },
    /// More queues than a tap can have.
    #[error("a tap has at most 256 queues, not {0}")]
    TooManyQueues(u32),
    /// The port cannot be in a VLAN.
    #[error("guests of network `{0}` cannot be in a VLAN: it is a network of its own")]
    VlanOfNetwork(NetworkName),
    /// The bridge does not look at VLANs.
    #[error("bridge `{0}` does not filter VLANs; `ip link set {0} type bridge vlan_filtering 1` makes it")]
    NotFiltering(InterfaceName),
    /// The kernel cannot filter VLANs.
    #[error("this kernel cannot filter VLANs in bridges (CONFIG_BRIDGE_VLAN_FILTERING), which {0} needs")]
    NoVlanFiltering(&'static str),
    /// The number of a VLAN is none.
    #[error("a VLAN has a number from 1 to 4094, not {0}")]
    VlanId(u16),
    /// No bandwidth can be kept for the guest.
    #[error("the `floor` of `<bandwidth>` cannot be kept")]
    Floor(#[from] FloorError),
    /// A macvtap has no owner.
    #[error("an owner can be given to a tap, not to the macvtap of an interface of type `direct`")]
    OwnerOfMacvtap,
}

/// A part of an interface that [`attach`] does nothing with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnsupportedPort {
    /// Limited bandwidth, of its own or of its port group, on a device that is used as it is.
    #[error("`<bandwidth>` and `managed='no'`")]
    Bandwidth,
    /// Rules of libvirt's nwfilter.
    #[error("`<filterref>`")]
    Filter,
    /// A program that is run when the device is made or taken away.
    #[error("`<script>` or `<downscript>`")]
    Script,
    /// Addresses and routes of the host's end.
    #[error("`<ip>` or `<route>` in `<source>`")]
    HostAddresses,
    /// Another device file than `/dev/net/tun`.
    #[error("`<backend tap>`")]
    Backend,
}

/// How a guest is attached.
enum Connection {
    /// By a port of a bridge.
    Bridge { bridge: InterfaceName, manager: Option<MacTableManager>, own: bool },
    /// By a macvtap.
    Direct { lower: InterfaceName, mode: DirectMode },
    /// By a device that leads nowhere yet.
    Alone,
}

/// Decides what the host must have for a guest's interface. Of type `network`, `network` is the definition of its
/// network as it runs.
///
/// What an interface does not say, its port group says, then its network.
///
/// # Errors
/// [`AttachError`], with nothing that would have to be undone.
pub fn attach(
    interface: &Interface,
    network: Option<&Network>,
    inventory: &Inventory,
    choices: &PortChoices,
) -> Result<LoweredPort, AttachError> {
    let group = network.and_then(|network| port_group(interface, network));
    refuse_unsupported(interface, network, group)?;
    let connection = connection(interface, network, inventory, choices)?;
    let queues = interface.driver.as_ref().and_then(|driver| driver.queues).unwrap_or(1);
    let mac = interface.mac_address().or(choices.kept.as_ref().map(|kept| kept.mac));
    let [first, second, third, ..] = choices.random;
    let mac = mac.unwrap_or_else(|| MacAddr::from_random([first, second, third]));
    let managed = interface.target.as_ref().and_then(|target| target.managed) != Some(false);
    let (prefix, bridge, lower) = match &connection {
        Connection::Bridge { bridge, .. } => ("vnet", Some(bridge.clone()), None),
        Connection::Direct { lower, .. } => ("macvtap", None, Some(lower.clone())),
        Connection::Alone => ("vnet", None, None),
    };
    let dev =
        if managed { name(interface, prefix, inventory, choices)? } else { existing(interface, queues, inventory)? };
    let mut port = KnownPort {
        dev: dev.clone(),
        managed,
        guest: choices.guest.clone().or(choices.kept.as_ref().and_then(|kept| kept.guest.clone())),
        network: network.and_then(|network| network.name.parse().ok()),
        bridge,
        lower,
        mac,
        queues: u16::try_from(queues).ok().filter(|queues| *queues <= 256).ok_or(AttachError::TooManyQueues(queues))?,
        vnet_hdr: has_vnet_hdr(interface),
        floor: None,
    };
    let vlan =
        merged(interface.vlan.as_ref(), group.and_then(|group| group.vlan.as_ref()), network, |it| it.vlan.as_ref());
    let isolated = interface.port_isolated.or(network.and_then(|network| network.port_isolated)) == Some(true);
    let mut desired = HostState::new();
    if managed {
        match &connection {
            Connection::Direct { lower, mode } => {
                add_macvtap(&mut desired, &port, lower, *mode, interface, inventory, choices)?;
            }
            Connection::Alone => desired.insert(Resource::Link(tap(&port, interface, None, choices))),
            Connection::Bridge { bridge, manager, own } => {
                let known = inventory.links.iter().find(|link| link.name == *bridge);
                let mtu = known.and_then(|link| link.mtu);
                desired.insert(Resource::Link(tap(&port, interface, mtu, choices)));
                let by_us = *manager == Some(MacTableManager::Libvirt);
                if by_us && !inventory.features.vlan_filtering {
                    return Err(AttachError::NoVlanFiltering("macTableManager='libvirt'"));
                }
                let joined =
                    BridgePort { learning: !by_us, unicast_flood: !by_us, isolated, ..BridgePort::new(bridge.clone()) };
                desired.insert(Resource::Port { link: dev.clone(), port: joined });
                if by_us {
                    let origin = FdbOrigin::Static;
                    desired.insert(Resource::Fdb(Fdb { mac, port: dev.clone(), vlan: None, origin }));
                }
                if let Some(vlan) = vlan {
                    if let (true, Some(network)) = (own, &port.network) {
                        return Err(AttachError::VlanOfNetwork(network.clone()));
                    }
                    if !inventory.features.vlan_filtering {
                        return Err(AttachError::NoVlanFiltering("`<vlan>`"));
                    }
                    let filters =
                        known.is_some_and(|link| matches!(&link.kind, LinkKind::Bridge(it) if it.vlan_filtering));
                    if !filters && !by_us {
                        return Err(AttachError::NotFiltering(bridge.clone()));
                    }
                    desired.insert(Resource::Vlans { link: dev.clone(), vlans: vlans(vlan)? });
                }
            }
        }
        if let Some(rx_frames) = interface.coalesce_rx_frames.filter(|frames| *frames > 0) {
            desired.insert(Resource::Coalesce { link: dev.clone(), rx_frames });
        }
    }
    let limits = interface.bandwidth.as_ref().or(group.and_then(|group| group.bandwidth.as_ref()));
    if let Some(limits) = limits {
        let own = network.filter(|network| network.forward_mode().has_own_bridge());
        port_bandwidth::add_to(&mut desired, &mut port, limits, own, choices.kept.as_ref(), inventory)?;
    }
    let record = network.map(|network| record(interface, network, group, &connection, &port, vlan, isolated, choices));
    let mut interface = interface.clone();
    interface.target.get_or_insert_default().dev = Some(dev.as_str().to_owned());
    if interface.mac.is_none() {
        interface.mac = Some(mac.into());
    }
    if let (Source::Network(source), Some(record)) = (&mut interface.source, &record) {
        source.port_id = Some(record.uuid);
    }
    Ok(LoweredPort { port, interface, record, desired })
}

/// The port group that holds: the one that is named, or the default. One that does not exist is none, as for libvirt.
fn port_group<'a>(interface: &Interface, network: &'a Network) -> Option<&'a PortGroup> {
    let Source::Network(NetworkSource { port_group, .. }) = &interface.source else { return None };
    network.port_groups.iter().find(|group| match port_group {
        Some(name) => group.name == *name,
        None => group.default,
    })
}

/// What the interface says, else the port group, else the network.
fn merged<'a, T>(
    own: Option<&'a T>,
    group: Option<&'a T>,
    network: Option<&'a Network>,
    of: impl FnOnce(&'a Network) -> Option<&'a T>,
) -> Option<&'a T> {
    own.or(group).or_else(|| network.and_then(of))
}

fn refuse_unsupported(
    interface: &Interface,
    network: Option<&Network>,
    group: Option<&PortGroup>,
) -> Result<(), AttachError> {
    let switches = [
        interface.virtual_port.as_ref(),
        network.and_then(|network| network.virtual_port.as_ref()),
        group.and_then(|group| group.virtual_port.as_ref()),
    ];
    if let Some(kind) = switches.into_iter().flatten().find_map(|port| port.kind) {
        return Err(AttachError::VirtualPort(kind));
    }
    let unmanaged = interface.target.as_ref().and_then(|target| target.managed) == Some(false);
    let limited = interface.bandwidth.is_some() || group.is_some_and(|group| group.bandwidth.is_some());
    let addresses = matches!(&interface.source, Source::Ethernet(it) if !it.ips.is_empty() || !it.routes.is_empty());
    let tun = interface.backend.as_ref().and_then(|backend| backend.tap.as_deref());
    let parts = [
        (limited && unmanaged, UnsupportedPort::Bandwidth),
        (interface.filter.is_some(), UnsupportedPort::Filter),
        (interface.script.is_some() || interface.downscript.is_some(), UnsupportedPort::Script),
        (addresses, UnsupportedPort::HostAddresses),
        (tun.is_some_and(|tun| tun != "/dev/net/tun"), UnsupportedPort::Backend),
    ];
    match parts.into_iter().find(|(there, _)| *there) {
        Some((_, part)) => Err(AttachError::Unsupported(part)),
        None => Ok(()),
    }
}

fn connection(
    interface: &Interface,
    network: Option<&Network>,
    inventory: &Inventory,
    choices: &PortChoices,
) -> Result<Connection, AttachError> {
    match &interface.source {
        Source::Network(source) => {
            let network = network.ok_or_else(|| AttachError::NoNetwork(source.network.clone()))?;
            connection_of(network, inventory, choices)
        }
        Source::Bridge(source) => {
            let manager = source.mac_table_manager;
            Ok(Connection::Bridge { bridge: bridge(&source.bridge, inventory)?, manager, own: false })
        }
        Source::Direct(source) => Ok(Connection::Direct { lower: source.dev.clone(), mode: source.mode }),
        Source::Ethernet(_) => Ok(Connection::Alone),
        other => Err(AttachError::Type(other.word())),
    }
}

/// How the guests of a network are attached.
fn connection_of(network: &Network, inventory: &Inventory, choices: &PortChoices) -> Result<Connection, AttachError> {
    let mode = network.forward_mode();
    let written = network.bridge.as_ref();
    let manager = written.and_then(|bridge| bridge.mac_table_manager);
    if let Some(BridgeName::Fixed(name)) = written.and_then(|bridge| bridge.name.as_ref()) {
        let own = mode.has_own_bridge();
        return Ok(Connection::Bridge { bridge: bridge(name.as_str(), inventory)?, manager, own });
    }
    let mode = match mode {
        ForwardMode::Bridge => DirectMode::Bridge,
        ForwardMode::Private => DirectMode::Private,
        ForwardMode::Vepa => DirectMode::Vepa,
        ForwardMode::Passthrough => DirectMode::Passthrough,
        ForwardMode::Hostdev => return Err(AttachError::Type("hostdev")),
        ForwardMode::None | ForwardMode::Nat | ForwardMode::Route | ForwardMode::Open => {
            return Err(AttachError::NoNetwork(network.name.clone()));
        }
    };
    let name: NetworkName = network.name.parse().map_err(|_| AttachError::NoNetwork(network.name.clone()))?;
    Ok(Connection::Direct { lower: from_pool(network, &name, mode, inventory, choices)?, mode })
}

/// The device of a pool that the fewest guests are attached to, the first of several; with passthrough, one that nobody
/// is attached to.
fn from_pool(
    network: &Network,
    name: &NetworkName,
    mode: DirectMode,
    inventory: &Inventory,
    choices: &PortChoices,
) -> Result<InterfaceName, AttachError> {
    let pool = network.forward.as_ref().map(|forward| forward.interfaces.as_slice()).unwrap_or_default();
    let kept = choices.kept.as_ref().and_then(|kept| kept.lower.as_ref());
    if let Some(kept) = kept.filter(|kept| pool.iter().any(|device| device.dev == **kept)) {
        return Ok(kept.clone());
    }
    let guests = |device: &InterfaceName| {
        inventory
            .ports
            .iter()
            .filter(|port| port.network.as_ref() == Some(name) && port.lower.as_ref() == Some(device))
            .count()
    };
    let (guests, device) = pool
        .iter()
        .map(|device| (guests(&device.dev), &device.dev))
        .min_by_key(|(guests, _)| *guests)
        .ok_or_else(|| AttachError::NoPool(name.clone()))?;
    if mode == DirectMode::Passthrough && guests > 0 {
        return Err(AttachError::PoolUsedUp { network: name.clone(), count: pool.len() });
    }
    Ok(device.clone())
}

fn bridge(name: &str, inventory: &Inventory) -> Result<InterfaceName, AttachError> {
    let found =
        inventory.links.iter().find(|link| link.name.as_str() == name && matches!(link.kind, LinkKind::Bridge(_)));
    found.map(|link| link.name.clone()).ok_or_else(|| AttachError::NoBridge(name.to_owned()))
}

/// The name of a device that is to be made.
fn name(
    interface: &Interface,
    prefix: &str,
    inventory: &Inventory,
    choices: &PortChoices,
) -> Result<InterfaceName, AttachError> {
    if let Some(kept) = &choices.kept {
        return Ok(kept.dev.clone());
    }
    // Such names were chosen for another run of the guest.
    let chosen = |name: &&str| ["vnet", "macvtap", "macvlan"].iter().any(|prefix| name.starts_with(prefix));
    let given = interface.target.as_ref().and_then(|target| target.dev.as_deref());
    let given = given.filter(|name| !chosen(name) || name.contains('%'));
    let taken = |name: &InterfaceName| {
        inventory.links.iter().any(|link| link.name == *name) || inventory.ports.iter().any(|port| port.dev == *name)
    };
    let template = match given {
        None => format!("{prefix}%d"),
        Some(given) if given.contains('%') => given.to_owned(),
        Some(given) => {
            let name: InterfaceName = given.parse().map_err(|_| AttachError::Name(given.to_owned()))?;
            return if taken(&name) { Err(AttachError::Exists(name)) } else { Ok(name) };
        }
    };
    let Some((before, after)) = template.split_once("%d").filter(|(_, after)| !after.contains('%')) else {
        return Err(AttachError::Name(template));
    };
    let names = (0..10_000).filter_map(|number| format!("{before}{number}{after}").parse::<InterfaceName>().ok());
    let free = names.into_iter().find(|name| !taken(name));
    free.ok_or(AttachError::NoFreeName(template))
}

/// The device that is to be used as it is.
fn existing(interface: &Interface, queues: u32, inventory: &Inventory) -> Result<InterfaceName, AttachError> {
    let given = interface.target.as_ref().and_then(|target| target.dev.as_deref()).ok_or(AttachError::Unnamed)?;
    let dev: InterfaceName = given.parse().map_err(|_| AttachError::Name(given.to_owned()))?;
    let link = inventory.links.iter().find(|link| link.name == dev).ok_or_else(|| AttachError::Missing(dev.clone()))?;
    match &link.kind {
        LinkKind::Tap(tap) if queues > 1 && !tap.multi_queue => Err(AttachError::Queues { dev, queues }),
        LinkKind::Tap(_) | LinkKind::Macvtap(_) => Ok(dev),
        LinkKind::Other(word) if word == "macvtap" => Ok(dev),
        LinkKind::Bridge(_) | LinkKind::Other(_) => Err(AttachError::NotATap(dev)),
    }
}

/// Do frames come with the header of virtio-net? The network cards of these models know offloads.
fn has_vnet_hdr(interface: &Interface) -> bool {
    let model = interface.model.as_deref().unwrap_or_default();
    model.starts_with("virtio") || matches!(model, "e1000e" | "igb" | "vmxnet3")
}

/// The tap's own address: the guest's with another first byte, so that no bridge takes the guest's for its own.
fn tap_mac(guest: MacAddr) -> MacAddr {
    let MacAddr([first, rest @ ..]) = guest;
    let [a, b, c, d, e] = rest;
    MacAddr([if first == 0xfe { 0xfa } else { 0xfe }, a, b, c, d, e])
}

fn tap(port: &KnownPort, interface: &Interface, bridge_mtu: Option<u32>, choices: &PortChoices) -> Link {
    let options = TapOptions {
        owner: choices.owner,
        group: choices.group,
        multi_queue: port.queues > 1,
        vnet_hdr: port.vnet_hdr,
    };
    Link {
        name: port.dev.clone(),
        kind: LinkKind::Tap(options),
        mac: Some(tap_mac(port.mac)),
        mtu: interface.mtu.filter(|mtu| *mtu > 0).or(bridge_mtu),
        up: interface.link != Some(LinkState::Down),
    }
}

fn add_macvtap(
    desired: &mut HostState,
    port: &KnownPort,
    lower: &InterfaceName,
    mode: DirectMode,
    interface: &Interface,
    inventory: &Inventory,
    choices: &PortChoices,
) -> Result<(), AttachError> {
    if choices.owner.is_some() || choices.group.is_some() {
        return Err(AttachError::OwnerOfMacvtap);
    }
    let below = inventory.links.iter().find(|link| link.name == *lower);
    let below = below.ok_or_else(|| AttachError::NoDevice(lower.clone()))?;
    if let (DirectMode::Passthrough, Some(was)) = (mode, below.mac)
        && was != port.mac
    {
        // In this mode the macvtap has whatever address the device has.
        desired.insert(Resource::Borrowed { link: lower.clone(), mac: port.mac, was });
    }
    let mode = match mode {
        DirectMode::Vepa => MacvtapMode::Vepa,
        DirectMode::Private => MacvtapMode::Private,
        DirectMode::Bridge => MacvtapMode::Bridge,
        DirectMode::Passthrough => MacvtapMode::Passthrough,
    };
    desired.insert(Resource::Link(Link {
        name: port.dev.clone(),
        kind: LinkKind::Macvtap(MacvtapOptions { lower: lower.clone(), mode }),
        mac: Some(port.mac),
        mtu: None,
        up: interface.link != Some(LinkState::Down),
    }));
    Ok(())
}

/// The VLANs of a port: of an access port the one whose tag the guest does not see, of a trunk all that are listed, with
/// the native one for frames without a tag.
fn vlans(vlan: &Vlan) -> Result<Vec<BridgeVlan>, AttachError> {
    let one = |tag: &vnet_xml::VlanTag| {
        let vlan = if !vlan.trunk {
            BridgeVlan::access(tag.id)
        } else {
            match tag.native_mode {
                None => BridgeVlan::tagged(tag.id),
                Some(vnet_xml::NativeMode::Untagged) => BridgeVlan::access(tag.id),
                Some(vnet_xml::NativeMode::Tagged) => BridgeVlan { pvid: true, ..BridgeVlan::tagged(tag.id) },
            }
        };
        if vlan.is_valid() { Ok(vlan) } else { Err(AttachError::VlanId(tag.id)) }
    };
    let mut all = vlan.tags.iter().map(one).collect::<Result<Vec<_>, _>>()?;
    all.sort_unstable();
    all.dedup();
    // The kernel tells of neighbours with the same flags as of one.
    let mut joined: Vec<BridgeVlan> = Vec::new();
    for vlan in all {
        match joined.last_mut() {
            Some(last) if !last.pvid && !vlan.pvid && last.untagged == vlan.untagged && last.last + 1 == vlan.first => {
                last.last = vlan.last;
            }
            _ => joined.push(vlan),
        }
    }
    Ok(joined)
}

#[allow(clippy::too_many_arguments, reason = "all of it is written down")]
fn record(
    interface: &Interface,
    network: &Network,
    group: Option<&PortGroup>,
    connection: &Connection,
    port: &KnownPort,
    vlan: Option<&Vlan>,
    isolated: bool,
    choices: &PortChoices,
) -> NetworkPort {
    let kept = match &interface.source {
        Source::Network(source) => source.port_id,
        _ => None,
    };
    let uuid = kept.unwrap_or_else(|| Uuid::from_random(choices.random));
    let owner = Owner {
        name: port.guest.clone().unwrap_or_else(|| port.dev.as_str().to_owned()),
        uuid: choices.guest_uuid.unwrap_or(uuid),
    };
    let mut record = NetworkPort::new(uuid, owner, port.mac);
    record.group = group.map(|group| group.name.clone());
    record.vlan = vlan.cloned();
    record.bandwidth = interface.bandwidth.clone().or(group.and_then(|group| group.bandwidth.clone()));
    if let (Some(bandwidth), Some(floor)) = (&mut record.bandwidth, port.floor) {
        bandwidth.class_id = Some(floor.class.into());
    }
    record.isolated = isolated.then_some(true);
    record.trust_guest_rx_filters = interface
        .trust_guest_rx_filters
        .or(group.and_then(|group| group.trust_guest_rx_filters))
        .or(network.trust_guest_rx_filters);
    record.plug = match connection {
        Connection::Bridge { bridge, manager, own: true } => {
            Some(Plug::Network { bridge: bridge.clone(), mac_table_manager: *manager })
        }
        Connection::Bridge { bridge, manager, own: false } => {
            Some(Plug::Bridge { bridge: bridge.clone(), mac_table_manager: *manager })
        }
        Connection::Direct { lower, mode } => Some(Plug::Direct { dev: lower.clone(), mode: *mode }),
        Connection::Alone => None,
    };
    record
}
