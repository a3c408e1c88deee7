//! The effective settings of a port: from its interface, or else its port group, or else its
//! network.

use vnet_xml::interface::{NetworkSource, Source};
use vnet_xml::network::PortGroup;
use vnet_xml::{Bandwidth, Interface, Network, Vlan};

/// The effective settings of a port.
pub(super) struct Settings<'a> {
    /// Its port group, if it has one.
    pub(super) group: Option<&'a PortGroup>,
    pub(super) vlan: Option<&'a Vlan>,
    /// For this guest only: the network's bandwidth is for all of its guests together.
    pub(super) bandwidth: Option<&'a Bandwidth>,
    pub(super) isolated: bool,
    pub(super) trust_guest_rx_filters: Option<bool>,
}

impl<'a> Settings<'a> {
    pub(super) fn of(interface: &'a Interface, network: Option<&'a Network>) -> Self {
        let group = network.and_then(|network| port_group(interface, network));
        Self {
            group,
            vlan: (interface.vlan.as_ref())
                .or(group.and_then(|group| group.vlan.as_ref()))
                .or(network.and_then(|network| network.vlan.as_ref())),
            bandwidth: interface.bandwidth.as_ref().or(group.and_then(|group| group.bandwidth.as_ref())),
            isolated: interface.port_isolated.or(network.and_then(|network| network.port_isolated)) == Some(true),
            trust_guest_rx_filters: (interface.trust_guest_rx_filters)
                .or(group.and_then(|group| group.trust_guest_rx_filters))
                .or(network.and_then(|network| network.trust_guest_rx_filters)),
        }
    }
}

/// The portgroup of an interface.
fn port_group<'a>(interface: &Interface, network: &'a Network) -> Option<&'a PortGroup> {
    let Source::Network(NetworkSource { port_group, .. }) = &interface.source else { return None };
    network.port_group(port_group.as_deref())
}
