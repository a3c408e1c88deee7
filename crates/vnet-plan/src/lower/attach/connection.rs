//! How a guest is attached: by what its interface says, or by a network, which may choose from a pool of devices.

use vnet_types::{InterfaceName, Inventory, LinkKind, NetworkName};
use vnet_xml::interface::{DirectMode, Source};
use vnet_xml::network::{ForwardMode, MacTableManager};
use vnet_xml::{BridgeName, Interface, Network};

use super::{AttachError, PortChoices};

/// How a guest is attached.
pub(super) enum Connection {
    /// By a port of a bridge.
    Bridge(Bridge),
    /// By a macvtap.
    Direct { lower: InterfaceName, mode: DirectMode },
    /// By a device that leads nowhere yet.
    Alone,
    /// By passt.
    Passt,
}

/// A bridge that guests are attached to.
pub(super) struct Bridge {
    pub(super) name: InterfaceName,
    pub(super) manager: Option<MacTableManager>,
    /// Is it made for the network?
    pub(super) own: bool,
    pub(super) mtu: Option<u32>,
    /// Does it look at VLANs?
    pub(super) filters: bool,
}

pub(super) fn connection(
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
            Ok(Connection::Bridge(bridge(&source.bridge, manager, false, inventory)?))
        }
        Source::Direct(source) => Ok(Connection::Direct { lower: source.dev.clone(), mode: source.mode }),
        Source::Ethernet(_) => Ok(Connection::Alone),
        Source::User { .. } | Source::Vhostuser(_) if interface.is_passt() => Ok(Connection::Passt),
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
        return Ok(Connection::Bridge(bridge(name.as_str(), manager, own, inventory)?));
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

fn bridge(
    name: &str,
    manager: Option<MacTableManager>,
    own: bool,
    inventory: &Inventory,
) -> Result<Bridge, AttachError> {
    let found = inventory.links.iter().find_map(|link| match &link.kind {
        LinkKind::Bridge(options) if link.name.as_str() == name => {
            Some(Bridge { name: link.name.clone(), manager, own, mtu: link.mtu, filters: options.vlan_filtering })
        }
        _ => None,
    });
    found.ok_or_else(|| AttachError::NoBridge(name.to_owned()))
}
