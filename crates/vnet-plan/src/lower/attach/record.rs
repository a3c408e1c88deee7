//! `<networkport>`: the record of how a port is attached to its network
//! (<https://libvirt.org/formatnetworkport.html>).

use vnet_types::{KnownPort, Uuid};
use vnet_xml::Interface;
use vnet_xml::interface::Source;
use vnet_xml::network_port::{NetworkPort, Owner, Plug};

use super::PortChoices;
use super::connection::{Bridge, Connection};
use super::settings::Settings;

pub(super) fn record(
    interface: &Interface,
    settings: &Settings<'_>,
    connection: &Connection,
    port: &KnownPort,
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
    record.group = settings.group.map(|group| group.name.clone());
    record.vlan = settings.vlan.cloned();
    record.bandwidth = settings.bandwidth.cloned();
    if let (Some(bandwidth), Some(floor)) = (&mut record.bandwidth, port.floor) {
        bandwidth.class_id = Some(floor.class.into());
    }
    record.isolated = settings.isolated.then_some(true);
    record.trust_guest_rx_filters = settings.trust_guest_rx_filters;
    record.plug = match connection {
        Connection::Bridge(Bridge { name, manager, own: true, .. }) => {
            Some(Plug::Network { bridge: name.clone(), mac_table_manager: *manager })
        }
        Connection::Bridge(Bridge { name, manager, own: false, .. }) => {
            Some(Plug::Bridge { bridge: name.clone(), mac_table_manager: *manager })
        }
        Connection::Switch(switch) => Some(Plug::Bridge { bridge: switch.name.clone(), mac_table_manager: None }),
        Connection::Direct { lower, mode } => Some(Plug::Direct { dev: lower.clone(), mode: *mode }),
        Connection::Function(it) => Some(Plug::HostdevPci {
            managed: Some(it.managed),
            driver: it.driver.clone(),
            address: it.function.address,
        }),
        Connection::Alone | Connection::Passt => None,
    };
    record
}
