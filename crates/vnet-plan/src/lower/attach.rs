//! Turns a guest's interface into resources of the host: a tap or a macvtap, a port of a bridge, or
//! a passt (<https://libvirt.org/formatdomain.html#network-interfaces>,
//! <https://libvirt.org/formatnetworkport.html>).

mod bandwidth;
mod bridge_port;
mod connection;
mod container;
mod device;
mod error;
mod host_end;
mod name;
mod pool;
mod record;
mod recorded;
mod settings;
mod switch;
mod virtual_port;

use std::path::PathBuf;

use vnet_types::{Inventory, KnownContainer, KnownPort, MacAddr, Uuid};
use vnet_xml::interface::Source;
use vnet_xml::network_port::NetworkPort;
use vnet_xml::{Interface, Network, VirtualPort};

use super::{passt, runs_spanning_tree};
use crate::{ContainerEnd, HostState, LinkCoalesce};
use connection::{Connection, connection};
use settings::Settings;

pub use error::AttachError;
pub use pool::fill_pool;
pub use recorded::record_port;
pub use virtual_port::VirtualPortError;

/// What an interface leaves open, and the guest that it is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortChoices {
    /// Random bytes for the guest's MAC address, if the definition has none, and for the port's
    /// UUID.
    pub random: [u8; 16],
    /// The user that may open the tap without any capability. If `group` is absent too, this is the
    /// current user, because any user may open a tap without an owner.
    pub owner: Option<u32>,
    /// The group whose members may open the tap without any capability.
    pub group: Option<u32>,
    /// The guest's name.
    pub guest: Option<String>,
    /// The guest's UUID.
    pub guest_uuid: Option<Uuid>,
    /// The folder of the guest's passt, if it has one: an absolute path of a folder that belongs to
    /// this guest only.
    pub folder: PathBuf,
    /// The existing port, if it is changed: its device, its MAC address and its device of the pool
    /// are kept.
    pub kept: Option<KnownPort>,
    /// What was made for the existing port, from its receipt.
    pub owned: HostState,
    /// The end in a container, if the port is for a container: a veth pair takes the place of the
    /// tap.
    pub container: Option<(KnownContainer, ContainerEnd)>,
}

/// An interface with all open choices made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoweredPort {
    /// The port.
    pub port: KnownPort,
    /// The definition with the choices.
    pub interface: Interface,
    /// How it is attached to its network, if it is on a network.
    pub record: Option<NetworkPort>,
    /// The state that it requires of the host.
    pub desired: HostState,
}

/// Decides what the host must have for a guest's interface. For the type `network`, the argument
/// `network` is the definition of the running network.
///
/// Settings that the interface lacks come from its port group, or else from its network.
///
/// # Errors
/// [`AttachError`]; nothing has to be undone.
pub fn attach(
    interface: &Interface,
    network: Option<&Network>,
    inventory: &Inventory,
    choices: &PortChoices,
) -> Result<LoweredPort, AttachError> {
    let settings = Settings::of(interface, network);
    if let Some(finding) = vnet_validate::unsupported_interface(interface, network).into_iter().next() {
        return Err(AttachError::Unsupported(Box::new(finding)));
    }
    let mut virtual_port = virtual_port(interface, network, &settings)?;
    if let Some(port) = &mut virtual_port {
        virtual_port::complete(port, choices.random)?;
    }
    let connection = connection(interface, network, virtual_port.is_some(), inventory, choices)?;
    let mut port = port(interface, network, &connection, inventory, choices)?;
    let is_passt = matches!(connection, Connection::Passt);
    if choices.container.is_some() && !matches!(connection, Connection::Bridge(_) | Connection::Switch(_)) {
        return Err(AttachError::ContainerNeedsBridge);
    }
    let mut desired = HostState::new();
    if port.managed {
        match &connection {
            Connection::Function(it) => {
                device::add_function(&mut desired, &port, &it.function, settings.vlan, choices);
            }
            Connection::Direct { lower, mode } => {
                device::add_macvtap(&mut desired, &port, (lower, *mode), interface, settings.vlan, inventory, choices)?;
            }
            Connection::Alone => {
                desired.insert(device::tap(&port, interface, None, inventory, choices));
                host_end::add_to(&mut desired, &port.dev, interface)?;
            }
            Connection::Passt => {
                desired.insert(passt(interface, &choices.folder)?);
            }
            Connection::Switch(it) => {
                match &choices.container {
                    Some((_, end)) => {
                        container::add_to(&mut desired, &port, interface, (it.mtu, None), it.in_userspace, end);
                    }
                    None => desired.insert(device::tap(&port, interface, it.mtu, inventory, choices)),
                }
                if let Some(virtual_port) = &virtual_port {
                    desired.insert(switch::port(&port, it, virtual_port, &settings, choices));
                }
            }
            Connection::Bridge(bridge) => {
                match &choices.container {
                    Some((_, end)) => {
                        let has_tree = network.is_some_and(runs_spanning_tree);
                        let tree = Some(bridge.name.clone()).filter(|_| has_tree);
                        container::add_to(&mut desired, &port, interface, (bridge.mtu, tree), false, end);
                    }
                    None => desired.insert(device::tap(&port, interface, bridge.mtu, inventory, choices)),
                }
                bridge_port::add_to(&mut desired, &port, bridge, &settings, &inventory.features)?;
            }
        }
        if let Some(rx_frames) = interface.coalesce_rx_frames.filter(|frames| *frames > 0) {
            desired.insert(LinkCoalesce { link: port.dev.clone(), rx_frames });
        }
    }
    let is_switched = matches!(connection, Connection::Switch(_));
    if let Some(limits) = settings.bandwidth.filter(|_| is_switched) {
        // A port of Open vSwitch has its limits with its rows, and no floor.
        bandwidth::reserve(&mut port, limits, None, choices.kept.as_ref(), inventory)?;
    }
    // Like libvirt, vnet does not limit the bandwidth of a guest on passt.
    if let Some(limits) = settings.bandwidth.filter(|_| !is_passt && !is_switched) {
        let own = network.filter(|network| network.forward_mode().has_own_bridge());
        bandwidth::add_to(&mut desired, &mut port, limits, own, choices.kept.as_ref(), inventory)?;
    }
    let has_tc = port.function.is_none() && !is_passt && !is_switched && port.container.is_none();
    if port.managed && has_tc {
        bandwidth::add_rest(&mut desired, &port.dev);
    }
    let mut record = network.map(|_| record::record(interface, &settings, &connection, &port, choices));
    if let Some(record) = &mut record {
        record.virtual_port.clone_from(&virtual_port);
    }
    port.uuid = record.as_ref().map(|record| record.uuid);
    let mut interface = interface.clone();
    interface.target.get_or_insert_default().dev = Some(port.dev.as_str().to_owned());
    if interface.mac.is_none() {
        interface.mac = Some(port.mac.into());
    }
    if let Some(virtual_port) = virtual_port {
        // The switch knows the port by this for as long as it is attached.
        let own = interface.virtual_port.get_or_insert_default();
        (own.kind, own.interface_id) = (virtual_port.kind, virtual_port.interface_id);
    }
    if let (Source::Network(source), Some(record)) = (&mut interface.source, &record) {
        source.port_id = Some(record.uuid);
    }
    Ok(LoweredPort { port, interface, record, desired })
}

/// How Open vSwitch is told of the port, if it is: by the interface, its port group and its network
/// together.
fn virtual_port(
    interface: &Interface,
    network: Option<&Network>,
    settings: &Settings<'_>,
) -> Result<Option<VirtualPort>, AttachError> {
    let of_network = network.and_then(|network| network.virtual_port.as_ref());
    let of_group = settings.group.and_then(|group| group.virtual_port.as_ref());
    Ok(virtual_port::merged(interface.virtual_port.as_ref(), of_network, of_group)?)
}

/// The record of the port that is kept from now on.
fn port(
    interface: &Interface,
    network: Option<&Network>,
    connection: &Connection,
    inventory: &Inventory,
    choices: &PortChoices,
) -> Result<KnownPort, AttachError> {
    let kept = choices.kept.as_ref();
    let queues = interface.driver.as_ref().and_then(|driver| driver.queues).unwrap_or(1);
    let [first, second, third, ..] = choices.random;
    let mac = interface.mac_address().or(kept.map(|kept| kept.mac));
    let (prefix, bridge, lower) = match connection {
        Connection::Bridge(bridge) => ("vnet", Some(bridge.name.clone()), None),
        Connection::Switch(switch) => ("vnet", Some(switch.name.clone()), None),
        Connection::Direct { lower, .. } => ("macvtap", None, Some(lower.clone())),
        // libvirt's name for such a device.
        Connection::Function(_) => ("hostdev", None, None),
        Connection::Alone => ("vnet", None, None),
        Connection::Passt => ("passt", None, None),
    };
    let function = match connection {
        Connection::Function(it) => Some(it.function.address),
        _ => None,
    };
    let managed = !is_unmanaged(interface) || matches!(connection, Connection::Passt);
    let dev = if managed {
        name::name(interface, prefix, inventory, choices)?
    } else {
        name::existing(interface, queues, inventory)?
    };
    Ok(KnownPort {
        dev,
        managed,
        guest: choices.guest.clone().or_else(|| kept?.guest.clone()),
        network: network.and_then(|network| network.name.parse().ok()),
        bridge,
        lower,
        function,
        mac: mac.unwrap_or_else(|| MacAddr::from_random([first, second, third])),
        queues: u16::try_from(queues).ok().filter(|queues| *queues <= 256).ok_or(AttachError::TooManyQueues(queues))?,
        vnet_hdr: device::has_vnet_hdr(interface),
        floor: None,
        uuid: None,
        recorded: false,
        container: choices.container.as_ref().map(|(container, _)| container.clone()),
    })
}

/// Whether the device exists already and is used as it is.
fn is_unmanaged(interface: &Interface) -> bool {
    interface.target.as_ref().and_then(|target| target.managed) == Some(false)
}
