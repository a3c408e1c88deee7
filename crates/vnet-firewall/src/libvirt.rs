//! libvirt's rules for one of its networks, found and removed in one transaction; and rules of ours
//! among them.

use std::net::IpAddr;

use vnet_types::{InterfaceName, IpNet, PortRange};

use crate::{Access, Policy, Transport};

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

/// Ports of guests behind libvirt's NAT that ports of the host lead to, let through by rules of
/// ours in a chain of libvirt's.
///
/// libvirt rejects what is no answer, and no rule of another table can overrule a reject. So the
/// rules are in the chain that libvirt asks first, `guest_cross` of `libvirt_network` or
/// `LIBVIRT_FWX` of iptables. Every rule there accepts, so that those that libvirt adds in front
/// change nothing, and when libvirt makes its own rules anew, it leaves these.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LibvirtForwards {
    /// The network, which comments contain.
    pub network: String,
    /// The network's bridge.
    pub bridge: InterfaceName,
    /// The ports, without duplicates.
    pub ports: Vec<ReachedPorts>,
}

/// Ports of a guest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ReachedPorts {
    /// The guest's address.
    pub guest: IpAddr,
    /// TCP or UDP.
    pub transport: Transport,
    /// The ports.
    pub ports: PortRange,
}

impl LibvirtForwards {
    /// The ports of guests that a policy leads to, where libvirt translates. Routed guests are
    /// reached by anyone. `None` without such ports.
    pub fn of(policy: &Policy) -> Option<Self> {
        let is_behind_nat = |guest: &IpAddr| {
            let mut nets = policy.subnets.iter().filter(|subnet| matches!(subnet.access, Access::Nat { .. }));
            nets.any(|subnet| subnet.net.contains(guest))
        };
        let led = policy.forwards.iter().filter(|forward| is_behind_nat(&forward.guest));
        let ports = led.filter_map(|forward| {
            let last = forward.pairs().last()?.1;
            let ports = PortRange::new(forward.first, last).ok()?;
            Some(ReachedPorts { guest: forward.guest, transport: forward.transport, ports })
        });
        let mut ports: Vec<_> = ports.collect();
        ports.sort();
        ports.dedup();
        (!ports.is_empty()).then(|| Self { network: policy.network.clone(), bridge: policy.bridge.clone(), ports })
    }
}
