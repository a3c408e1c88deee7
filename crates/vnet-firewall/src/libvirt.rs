//! libvirt's rules for one of its networks: found, and removed in one transaction.

use vnet_types::{InterfaceName, IpNet};

/// The rules that libvirt has made for one of its networks, of its backend `nftables` or of its
/// backend `iptables` on nf_tables.
///
/// Rules name the bridge, or translate packets that come from the subnets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LibvirtRules {
    /// The network's bridge.
    pub bridge: InterfaceName,
    /// The network's subnets.
    pub subnets: Vec<IpNet>,
}
