//! Checksums of what the host answers DHCP clients with (libvirt `network_nftables.c`).
//!
//! The host leaves the checksum of a packet to the device that it leaves by, and a tap to the
//! guest, which knows that it was never on a wire. DHCP clients that read packets raw do not, and
//! drop it.

use vnet_types::{Filter, FilterAction, FilterMatch, InterfaceName};
use vnet_xml::Network;
use vnet_xml::network::{Dhcp, ForwardMode};

use super::bandwidth::{FIRST, FLOORS, REST, ROOT, root};
use crate::Resource;

/// Where DHCP clients listen (RFC 2131).
const CLIENTS: u16 = 68;

/// Are there answers whose checksums can be missing? Where not, nothing is done; libvirt does it
/// for every network.
pub fn mends_checksums(network: &Network) -> bool {
    let mode = network.forward_mode();
    let offers = |dhcp: &Dhcp| !dhcp.ranges.is_empty() || !dhcp.hosts.is_empty();
    let offers_ipv4 = || network.ips.iter().any(|ip| ip.address.is_ipv4() && ip.dhcp.as_ref().is_some_and(offers));
    mode.has_own_bridge() && mode != ForwardMode::Open && offers_ipv4()
}

/// What fills them in as they leave by the bridge, beside what limits its bandwidth.
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
