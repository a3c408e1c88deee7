//! A container's interface: a veth pair in the place of a tap.

use vnet_types::{KnownPort, Link, LinkKind, VethOptions};
use vnet_xml::Interface;

use super::connection::Bridge;
use super::device::tap_mac;
use crate::{ContainerEnd, HostState};

/// Adds both ends. `end` says what the end in the container is; this port gives it a name on the
/// host and the MAC address. `has_tree`: whether spanning tree runs on the bridge.
pub(super) fn add_to(
    desired: &mut HostState,
    port: &KnownPort,
    interface: &Interface,
    (bridge, has_tree): (&Bridge, bool),
    end: &ContainerEnd,
) {
    let (peer, namespace) = (end.interface.clone(), end.namespace.clone());
    desired.insert(Link {
        name: port.dev.clone(),
        kind: LinkKind::Veth(VethOptions { namespace, peer, peer_mac: port.mac }),
        mac: Some(tap_mac(port.mac)),
        mtu: interface.mtu.filter(|mtu| *mtu > 0).or(bridge.mtu),
        up: true,
    });
    let without_tree = Some(bridge.name.clone()).filter(|_| has_tree);
    desired.insert(ContainerEnd { link: port.dev.clone(), mac: port.mac, without_tree, ..end.clone() });
}
