//! A port of a network whose device another program makes, such as virtqemud: what it is attached
//! to is decided and recorded here, and its floor is kept on the network's bridge
//! (<https://libvirt.org/formatnetworkport.html>).

use vnet_types::{InterfaceName, Inventory, KnownPort, NetworkName};
use vnet_xml::interface::{DirectMode, NetworkSource, Source};
use vnet_xml::network::ForwardMode;
use vnet_xml::network_port::{NetworkPort, Plug};
use vnet_xml::{BridgeName, Interface, Network, VirtualPort, VirtualPortType};

use super::connection::direct_mode;
use super::settings::Settings;
use super::{AttachError, LoweredPort, PortChoices, bandwidth, name, pool, virtual_port};
use crate::HostState;

/// Decides what a port is attached to that another program connects, and what its floor requires of
/// the host. `network` is the definition of the running network.
///
/// A port with a `<plug>` keeps it: it is attached already.
///
/// # Errors
/// [`AttachError`]; nothing has to be undone.
pub fn record_port(
    port: &NetworkPort,
    network: &Network,
    inventory: &Inventory,
    choices: &PortChoices,
) -> Result<LoweredPort, AttachError> {
    let name: NetworkName = network.name.parse().map_err(|_| AttachError::NoNetwork(network.name.clone()))?;
    let interface = interface(port, network);
    let mut record = port.clone();
    match &choices.kept {
        Some(kept) => follow(&mut record, kept, bridge(network)),
        None if port.plug.is_some() => claim(&record, network, &name, inventory, choices)?,
        None => allocate(&mut record, &interface, network, &name, inventory, choices)?,
    }
    let (lower, function) = match &record.plug {
        Some(Plug::Direct { dev, .. }) => (Some(dev.clone()), None),
        Some(Plug::HostdevPci { address, .. }) => (None, Some(*address)),
        _ => (None, None),
    };
    let mut known = KnownPort {
        dev: match &choices.kept {
            Some(kept) => kept.dev.clone(),
            None => name::free("port%d", inventory)?,
        },
        managed: false,
        guest: Some(record.owner.name.clone()),
        network: Some(name),
        bridge: bridge(network).filter(|_| lower.is_none() && function.is_none()).cloned(),
        lower,
        function,
        mac: record.mac,
        queues: 1,
        vnet_hdr: false,
        floor: None,
        uuid: Some(record.uuid),
        recorded: true,
        container: None,
    };
    let mut desired = HostState::new();
    if let Some(limits) = &mut record.bandwidth {
        let own = Some(network).filter(|network| network.forward_mode().has_own_bridge());
        desired.extend(bandwidth::reserve(&mut known, limits, own, choices.kept.as_ref(), inventory)?);
        limits.class_id = known.floor.map(|floor| floor.class.into());
    }
    Ok(LoweredPort { port: known, interface, record: Some(record), desired })
}

/// The interface that such a port is for, as far as the port has it.
fn interface(port: &NetworkPort, network: &Network) -> Interface {
    let mut source = NetworkSource::default();
    source.network.clone_from(&network.name);
    source.port_group.clone_from(&port.group);
    source.port_id = Some(port.uuid);
    let mut interface = Interface::new(Source::Network(source));
    interface.mac = Some(port.mac.into());
    interface.vlan.clone_from(&port.vlan);
    interface.bandwidth.clone_from(&port.bandwidth);
    interface.port_isolated = port.isolated;
    interface.trust_guest_rx_filters = port.trust_guest_rx_filters;
    interface
}

/// Fills in a new port, as libvirt does: with the settings that it lacks, and with what the guest
/// is attached to.
fn allocate(
    record: &mut NetworkPort,
    interface: &Interface,
    network: &Network,
    name: &NetworkName,
    inventory: &Inventory,
    choices: &PortChoices,
) -> Result<(), AttachError> {
    let settings = Settings::of(interface, Some(network));
    let of_group = settings.group.and_then(|group| group.virtual_port.as_ref());
    record.bandwidth = settings.bandwidth.cloned();
    if let Some(limits) = &mut record.bandwidth {
        limits.class_id = None;
    }
    record.vlan = settings.vlan.cloned();
    record.trust_guest_rx_filters = settings.trust_guest_rx_filters;
    record.isolated = record.isolated.or(network.port_isolated);
    record.virtual_port = virtual_port::merged(record.virtual_port.as_ref(), network.virtual_port.as_ref(), of_group)?;
    let is_bridged = bridge(network).is_some();
    if let Some(port) = &mut record.virtual_port {
        virtual_port::fit(port, network, is_bridged)?;
        virtual_port::complete(port, choices.random)?;
    }
    record.plug = Some(plug(record.virtual_port.as_ref(), network, name, inventory, choices)?);
    Ok(())
}

fn plug(
    virtual_port: Option<&VirtualPort>,
    network: &Network,
    name: &NetworkName,
    inventory: &Inventory,
    choices: &PortChoices,
) -> Result<Plug, AttachError> {
    let mac_table_manager = network.bridge.as_ref().and_then(|bridge| bridge.mac_table_manager);
    let mode = network.forward_mode();
    match bridge(network).cloned() {
        Some(bridge) if mode.has_own_bridge() => return Ok(Plug::Network { bridge, mac_table_manager }),
        Some(bridge) => return Ok(Plug::Bridge { bridge, mac_table_manager }),
        None => {}
    }
    if mode == ForwardMode::Hostdev {
        let address = pool::function(network, name, inventory, choices)?;
        let forward = network.forward.as_ref();
        let managed = Some(forward.is_some_and(|forward| forward.managed));
        return Ok(Plug::HostdevPci { managed, driver: forward.and_then(|forward| forward.driver.clone()), address });
    }
    let mode = direct_mode(mode).ok_or_else(|| AttachError::NoNetwork(network.name.clone()))?;
    let dev = pool::device(network, name, is_exclusive(mode, virtual_port), inventory, choices)?;
    Ok(Plug::Direct { dev, mode })
}

/// Whether each guest needs a device of the pool for itself.
fn is_exclusive(mode: DirectMode, virtual_port: Option<&VirtualPort>) -> bool {
    let is_extender = || virtual_port.and_then(|port| port.kind) == Some(VirtualPortType::Qbh);
    mode == DirectMode::Passthrough || mode == DirectMode::Private && is_extender()
}

/// Refuses a port that is attached to something that its network does not have. As with libvirt,
/// the name of a bridge is not compared.
fn claim(
    record: &NetworkPort,
    network: &Network,
    name: &NetworkName,
    inventory: &Inventory,
    choices: &PortChoices,
) -> Result<(), AttachError> {
    let is_free = match &record.plug {
        None => return Ok(()),
        Some(Plug::Network { .. } | Plug::Bridge { .. }) => Some(true).filter(|_| bridge(network).is_some()),
        Some(Plug::Direct { dev, mode }) => {
            let is_used = || inventory.ports.iter().any(|port| port.lower.as_ref() == Some(dev));
            let exclusive = is_exclusive(*mode, record.virtual_port.as_ref());
            pool::devices(network, inventory).contains(dev).then(|| !exclusive || !is_used())
        }
        Some(Plug::HostdevPci { address, .. }) => pool::functions(network, inventory)
            .contains(address)
            .then(|| pool::user_of(*address, inventory, choices).is_none()),
        Some(_) => None,
    };
    let plug = || match &record.plug {
        Some(Plug::Direct { dev, .. }) => format!("dev='{dev}'"),
        Some(Plug::HostdevPci { address, .. }) => format!("PCI device {address}"),
        _ => "a bridge".to_owned(),
    };
    match is_free {
        Some(true) => Ok(()),
        Some(false) => Err(AttachError::PlugTaken { network: name.clone(), plug: plug() }),
        None => Err(AttachError::NotOfNetwork { network: name.clone(), plug: plug() }),
    }
}

/// Gives the port of a network that was changed the new name of the bridge.
fn follow(record: &mut NetworkPort, kept: &KnownPort, now: Option<&InterfaceName>) {
    if let (Some(Plug::Network { bridge, .. } | Plug::Bridge { bridge, .. }), Some(now)) = (&mut record.plug, now)
        && kept.bridge.is_some()
    {
        bridge.clone_from(now);
    }
}

/// The bridge of a network's guests, if they are on one.
fn bridge(network: &Network) -> Option<&InterfaceName> {
    match network.bridge.as_ref()?.name.as_ref()? {
        BridgeName::Fixed(name) => Some(name),
        BridgeName::Template(_) => None,
    }
}
