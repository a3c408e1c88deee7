//! Checksums of the host's answers to DHCP clients (libvirt `network_nftables.c`).
//!
//! The host leaves the checksum of a packet to the outgoing device. A tap leaves it to the guest's
//! kernel, which accepts the packet because it was never on a wire. DHCP clients that read raw
//! packets drop it.

use vnet_types::{Filter, FilterAction, FilterMatch, InterfaceName};
use vnet_xml::Network;
use vnet_xml::network::{Dhcp, ForwardMode};

use super::bandwidth::{FIRST, FLOORS, REST, ROOT, root};
use crate::Resource;

/// Where DHCP clients listen (RFC 2131).
const CLIENTS: u16 = 68;

/// Whether the network has answers whose checksums can be missing. If not, no filter is needed;
/// libvirt adds one to every network.
pub fn mends_checksums(network: &Network) -> bool {
    let mode = network.forward_mode();
    let offers = |dhcp: &Dhcp| !dhcp.ranges.is_empty() || !dhcp.hosts.is_empty();
    let offers_ipv4 = || network.ips.iter().any(|ip| ip.address.is_ipv4() && ip.dhcp.as_ref().is_some_and(offers));
    mode.has_own_bridge() && mode != ForwardMode::Open && offers_ipv4()
}

/// The qdisc and the filter that fill in the checksums as packets leave through the bridge. They do
/// not disturb its bandwidth limits.
pub(super) fn mend(bridge: &InterfaceName) -> [Resource; 2] {
    let filter = Filter {
        link: bridge.clone(),
        parent: ROOT,
        priority: FLOORS,
        handle: FIRST,
        matches: FilterMatch::UdpTo(CLIENTS),
        action: FilterAction::Checksum,
    };
    [root(bridge, REST), Resource::Filter(filter)]
}
