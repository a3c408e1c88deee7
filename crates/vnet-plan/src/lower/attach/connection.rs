//! How a guest is attached: as its interface says, or as its network says, which may choose from a
//! pool of devices.

use vnet_types::{InterfaceName, Inventory, LinkKind, MacAddr, NetworkName, PciAddress, VirtualFunction};
use vnet_xml::interface::{DirectMode, HostdevAddress, Source};
use vnet_xml::network::{ForwardMode, MacTableManager};
use vnet_xml::{BridgeName, HostdevDriver, Interface, Network};

use super::switch::switch;
use super::{AttachError, PortChoices, pool};

/// How a guest is attached.
pub(super) enum Connection {
    /// By a port of a bridge.
    Bridge(Bridge),
    /// By a port of Open vSwitch.
    Switch(Switch),
    /// By a macvtap.
    Direct { lower: InterfaceName, mode: DirectMode },
    /// By a virtual function that is assigned to the guest.
    Function(Box<Function>),
    /// By a device that is not connected to anything yet.
    Alone,
    /// By passt.
    Passt,
}

/// A bridge that guests are attached to.
pub(super) struct Bridge {
    pub(super) name: InterfaceName,
    pub(super) manager: Option<MacTableManager>,
    /// Whether it is created for the network.
    pub(super) own: bool,
    pub(super) mtu: Option<u32>,
    /// Whether it filters VLANs.
    pub(super) filters: bool,
    /// The MAC addresses of guests that may reach themselves by ports of the host, which takes more
    /// than rules.
    pub(super) leads_to: Vec<MacAddr>,
}

/// A bridge of Open vSwitch.
pub(super) struct Switch {
    pub(super) name: InterfaceName,
    pub(super) mtu: Option<u32>,
    /// Whether a process carries its frames, and not the kernel.
    pub(super) in_userspace: bool,
}

/// A virtual function that is assigned to a guest, and how.
pub(super) struct Function {
    pub(super) function: VirtualFunction,
    pub(super) managed: bool,
    pub(super) driver: Option<HostdevDriver>,
}

pub(super) fn connection(
    interface: &Interface,
    network: Option<&Network>,
    is_switched: bool,
    inventory: &Inventory,
    choices: &PortChoices,
) -> Result<Connection, AttachError> {
    match &interface.source {
        Source::Network(source) => {
            let network = network.ok_or_else(|| AttachError::NoNetwork(source.network.clone()))?;
            connection_of(network, is_switched, inventory, choices)
        }
        Source::Bridge(source) if is_switched => Ok(Connection::Switch(switch(&source.bridge, inventory)?)),
        Source::Bridge(source) => {
            let manager = source.mac_table_manager;
            Ok(Connection::Bridge(bridge(&source.bridge, manager, false, inventory)?))
        }
        Source::Direct(source) => Ok(Connection::Direct { lower: source.dev.clone(), mode: source.mode }),
        Source::Ethernet(_) => Ok(Connection::Alone),
        Source::User { .. } | Source::Vhostuser(_) if interface.is_passt() => Ok(Connection::Passt),
        Source::Hostdev(source) => match source.address {
            HostdevAddress::Pci(address) => {
                if let Some(port) = pool::user_of(address, inventory, choices) {
                    return Err(AttachError::FunctionTaken { address, port: port.dev.clone() });
                }
                function(address, source.managed, source.driver.as_ref(), inventory)
            }
            HostdevAddress::Usb { .. } => Err(AttachError::Type(interface.source.word())),
        },
        other => Err(AttachError::Type(other.word())),
    }
}

/// How the guests of a network are attached.
fn connection_of(
    network: &Network,
    is_switched: bool,
    inventory: &Inventory,
    choices: &PortChoices,
) -> Result<Connection, AttachError> {
    let mode = network.forward_mode();
    let written = network.bridge.as_ref();
    let manager = written.and_then(|bridge| bridge.mac_table_manager);
    if let Some(BridgeName::Fixed(name)) = written.and_then(|bridge| bridge.name.as_ref()) {
        if is_switched {
            return Ok(Connection::Switch(switch(name.as_str(), inventory)?));
        }
        let own = mode.has_own_bridge();
        let bridge = bridge(name.as_str(), manager, own, inventory)?;
        return Ok(Connection::Bridge(Bridge { leads_to: leads_to(network, inventory), ..bridge }));
    }
    let name: NetworkName = network.name.parse().map_err(|_| AttachError::NoNetwork(network.name.clone()))?;
    if mode == ForwardMode::Hostdev {
        let address = pool::function(network, &name, inventory, choices)?;
        let forward = network.forward.as_ref();
        let managed = forward.is_some_and(|forward| forward.managed);
        return function(address, managed, forward.and_then(|forward| forward.driver.as_ref()), inventory);
    }
    let mode = direct_mode(mode).ok_or_else(|| AttachError::NoNetwork(network.name.clone()))?;
    let exclusive = mode == DirectMode::Passthrough;
    Ok(Connection::Direct { lower: pool::device(network, &name, exclusive, inventory, choices)?, mode })
}

/// The mode of the macvtaps of a network's guests. `None` when they have none.
pub(super) fn direct_mode(mode: ForwardMode) -> Option<DirectMode> {
    match mode {
        ForwardMode::Bridge => Some(DirectMode::Bridge),
        ForwardMode::Private => Some(DirectMode::Private),
        ForwardMode::Vepa => Some(DirectMode::Vepa),
        ForwardMode::Passthrough => Some(DirectMode::Passthrough),
        ForwardMode::None | ForwardMode::Nat | ForwardMode::Route | ForwardMode::Open | ForwardMode::Hostdev => None,
    }
}

fn function(
    address: PciAddress,
    managed: bool,
    driver: Option<&HostdevDriver>,
    inventory: &Inventory,
) -> Result<Connection, AttachError> {
    let found = inventory.functions.iter().find(|function| function.address == address);
    let function = found.cloned().ok_or(AttachError::NoFunction(address))?;
    Ok(Connection::Function(Box::new(Function { function, managed, driver: driver.cloned() })))
}

fn bridge(
    name: &str,
    manager: Option<MacTableManager>,
    own: bool,
    inventory: &Inventory,
) -> Result<Bridge, AttachError> {
    let found = inventory.links.iter().find_map(|link| match &link.kind {
        LinkKind::Bridge(options) if link.name.as_str() == name => {
            let (name, filters) = (link.name.clone(), options.vlan_filtering);
            Some(Bridge { name, manager, own, mtu: link.mtu, filters, leads_to: Vec::new() })
        }
        _ => None,
    });
    found.ok_or_else(|| AttachError::NoBridge(name.to_owned()))
}

/// With br_netfilter, a frame whose destination was translated to the guest that sent it does not
/// pass the host's routing: the bridge itself has to send it back, which it does in hairpin mode
/// only. That mode returns broadcasts, too, so only guests that ports lead to have it.
fn leads_to(network: &Network, inventory: &Inventory) -> Vec<MacAddr> {
    let hosts = || network.ips.iter().filter_map(|ip| ip.dhcp.as_ref()).flat_map(|dhcp| &dhcp.hosts);
    let forwards = network.extensions.port_forwards.iter().filter(|_| inventory.bridge_netfilter);
    let macs = forwards.flat_map(|forward| {
        let addresses = network.addresses_of(&forward.guest);
        hosts().filter(move |host| addresses.contains(&host.ip)).filter_map(|host| Some(host.mac.as_ref()?.get()))
    });
    macs.collect()
}
