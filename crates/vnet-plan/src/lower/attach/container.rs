//! A container's interface: a veth pair in the place of a tap.

use vnet_types::{InterfaceName, KnownPort, Link, LinkKind, VethOptions};
use vnet_xml::Interface;

use super::device::tap_mac;
use crate::{ContainerEnd, HostState};

/// Adds both ends. `end` says what the end in the container is; this port gives it a name on the
/// host and the MAC address. `mtu` is that of the bridge, `tree` a bridge of Linux that runs
/// spanning tree. An end on a bridge in userspace keeps filling in its checksums where Open vSwitch
/// is not asked again.
pub(super) fn add_to(
    desired: &mut HostState,
    port: &KnownPort,
    interface: &Interface,
    (mtu, tree): (Option<u32>, Option<InterfaceName>),
    in_userspace: bool,
    end: &ContainerEnd,
) {
    let (peer, namespace) = (end.interface.clone(), end.namespace.clone());
    desired.insert(Link {
        name: port.dev.clone(),
        kind: LinkKind::Veth(VethOptions { namespace, peer, peer_mac: port.mac }),
        mac: Some(tap_mac(port.mac)),
        mtu: interface.mtu.filter(|mtu| *mtu > 0).or(mtu),
        up: true,
    });
    desired.insert(ContainerEnd {
        link: port.dev.clone(),
        mac: port.mac,
        without_tree: tree,
        fills_in_checksums: in_userspace || end.fills_in_checksums,
        ..end.clone()
    });
}
