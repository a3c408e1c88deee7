//! A guest's interface becomes what the host has for it: a tap or a macvtap, and a port of a
//! bridge, or a passt
//! (<https://libvirt.org/formatdomain.html#network-interfaces>, <https://libvirt.org/formatnetworkport.html>).

mod bandwidth;
mod bridge_port;
mod connection;
mod device;
mod error;
mod host_end;
mod name;
mod pool;
mod record;
mod settings;

use std::path::PathBuf;

use vnet_types::{Inventory, KnownPort, MacAddr, Uuid};
use vnet_xml::interface::Source;
use vnet_xml::network_port::NetworkPort;
use vnet_xml::{Interface, Network};

use super::passt;
use crate::{HostState, LinkCoalesce};
use connection::{Connection, connection};
use settings::Settings;

pub use error::AttachError;
pub use pool::fill_pool;

/// What an interface leaves open, and who it is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortChoices {
    /// Random bytes for the guest's MAC address, where the definition has none, and for the port's
    /// UUID.
    pub random: [u8; 16],
    /// The user that may open the tap without any capability; where `group` is absent too, who
    /// asks: a tap of nobody is one that anybody may open.
    pub owner: Option<u32>,
    /// The group whose members may open the tap without any capability.
    pub group: Option<u32>,
    /// The guest's name.
    pub guest: Option<String>,
    /// The guest's UUID.
    pub guest_uuid: Option<Uuid>,
    /// The folder of the guest's passt, where it has one: absolute, and nobody else's.
    pub folder: PathBuf,
    /// The port that is there already, when it is to be changed: its device, MAC address and place
    /// in a pool are kept.
    pub kept: Option<KnownPort>,
    /// What was made for that one, as its receipt has it.
    pub owned: HostState,
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

/// Decides what the host must have for a guest's interface. Of type `network`, `network` is the
/// definition of its network as it runs.
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
    let settings = Settings::of(interface, network);
    if let Some(finding) = vnet_validate::unsupported_interface(interface, network).into_iter().next() {
        return Err(AttachError::Unsupported(Box::new(finding)));
    }
    let connection = connection(interface, network, inventory, choices)?;
    let mut port = port(interface, network, &connection, inventory, choices)?;
    let is_passt = matches!(connection, Connection::Passt);
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
            Connection::Bridge(bridge) => {
                desired.insert(device::tap(&port, interface, bridge.mtu, inventory, choices));
                bridge_port::add_to(&mut desired, &port, bridge, &settings, &inventory.features)?;
            }
        }
        if let Some(rx_frames) = interface.coalesce_rx_frames.filter(|frames| *frames > 0) {
            desired.insert(LinkCoalesce { link: port.dev.clone(), rx_frames });
        }
    }
    // Like libvirt, vnet does not limit the bandwidth of a guest of passt.
    if let Some(limits) = settings.bandwidth.filter(|_| !is_passt) {
        let own = network.filter(|network| network.forward_mode().has_own_bridge());
        bandwidth::add_to(&mut desired, &mut port, limits, own, choices.kept.as_ref(), inventory)?;
    }
    if port.managed && port.function.is_none() && !is_passt {
        bandwidth::add_rest(&mut desired, &port.dev);
    }
    let record = network.map(|_| record::record(interface, &settings, &connection, &port, choices));
    let mut interface = interface.clone();
    interface.target.get_or_insert_default().dev = Some(port.dev.as_str().to_owned());
    if interface.mac.is_none() {
        interface.mac = Some(port.mac.into());
    }
    if let (Source::Network(source), Some(record)) = (&mut interface.source, &record) {
        source.port_id = Some(record.uuid);
    }
    Ok(LoweredPort { port, interface, record, desired })
}

/// What is known of the port from now on.
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
        Connection::Direct { lower, .. } => ("macvtap", None, Some(lower.clone())),
        // As libvirt calls such a device of a guest.
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
    })
}

/// Whether the device exists already and is used as it is.
fn is_unmanaged(interface: &Interface) -> bool {
    interface.target.as_ref().and_then(|target| target.managed) == Some(false)
}
