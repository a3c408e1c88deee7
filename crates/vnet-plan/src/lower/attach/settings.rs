//! What holds for a port: what its interface says, else its port group, else its network.

use vnet_xml::interface::{NetworkSource, Source};
use vnet_xml::network::PortGroup;
use vnet_xml::{Bandwidth, Interface, Network, VirtualPort, Vlan};

use super::AttachError;

/// What holds for a port.
pub(super) struct Settings<'a> {
    /// Its port group, where it has one.
    pub(super) group: Option<&'a PortGroup>,
    pub(super) vlan: Option<&'a Vlan>,
    /// Of the guest alone: that of the network is for all of its guests together.
    pub(super) bandwidth: Option<&'a Bandwidth>,
    pub(super) isolated: bool,
    pub(super) trust_guest_rx_filters: Option<bool>,
    /// What a switch is told of the port.
    pub(super) virtual_port: Option<VirtualPort>,
}

impl<'a> Settings<'a> {
    pub(super) fn of(interface: &'a Interface, network: Option<&'a Network>) -> Result<Self, AttachError> {
        let group = network.and_then(|network| port_group(interface, network));
        let virtual_ports = [
            interface.virtual_port.as_ref(),
            network.and_then(|network| network.virtual_port.as_ref()),
            group.and_then(|group| group.virtual_port.as_ref()),
        ];
        Ok(Self {
            group,
            vlan: (interface.vlan.as_ref())
                .or(group.and_then(|group| group.vlan.as_ref()))
                .or(network.and_then(|network| network.vlan.as_ref())),
            bandwidth: interface.bandwidth.as_ref().or(group.and_then(|group| group.bandwidth.as_ref())),
            isolated: interface.port_isolated.or(network.and_then(|network| network.port_isolated)) == Some(true),
            trust_guest_rx_filters: (interface.trust_guest_rx_filters)
                .or(group.and_then(|group| group.trust_guest_rx_filters))
                .or(network.and_then(|network| network.trust_guest_rx_filters)),
            virtual_port: joined(virtual_ports)?,
        })
    }
}

/// What several say of one port: each may add to what is said before, none may contradict it.
fn joined(all: [Option<&VirtualPort>; 3]) -> Result<Option<VirtualPort>, AttachError> {
    fn join<T: Clone + PartialEq>(
        to: &mut Option<T>,
        from: Option<&T>,
        parameter: &'static str,
    ) -> Result<(), AttachError> {
        match (to.as_ref(), from) {
            (Some(said), Some(new)) if said != new => Err(AttachError::VirtualPorts(parameter)),
            (None, Some(new)) => {
                *to = Some(new.clone());
                Ok(())
            }
            _ => Ok(()),
        }
    }
    let mut whole = VirtualPort::default();
    for port in all.into_iter().flatten() {
        join(&mut whole.kind, port.kind.as_ref(), "type")?;
        join(&mut whole.manager_id, port.manager_id.as_ref(), "managerid")?;
        join(&mut whole.type_id, port.type_id.as_ref(), "typeid")?;
        join(&mut whole.type_id_version, port.type_id_version.as_ref(), "typeidversion")?;
        join(&mut whole.instance_id, port.instance_id.as_ref(), "instanceid")?;
        join(&mut whole.interface_id, port.interface_id.as_ref(), "interfaceid")?;
        join(&mut whole.profile_id, port.profile_id.as_ref(), "profileid")?;
    }
    Ok((whole != VirtualPort::default()).then_some(whole))
}

/// The port group that holds: the one that is named, or the default. One that does not exist is none, as for libvirt.
fn port_group<'a>(interface: &Interface, network: &'a Network) -> Option<&'a PortGroup> {
    let Source::Network(NetworkSource { port_group, .. }) = &interface.source else { return None };
    network.port_groups.iter().find(|group| match port_group {
        Some(name) => group.name == *name,
        None => group.default,
    })
}
