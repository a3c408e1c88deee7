//! What a network promises and refuses, independent of nf_tables.

use std::net::IpAddr;

use vnet_types::{AddressRange, Egress, Family, InterfaceName, IpNet, PortRange};

use crate::Transport;

/// What the guests of one network may do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// The network's name, which chains and comments contain.
    pub network: String,
    /// The bridge of the guests. It must exist when the rules are applied, because they match its
    /// index.
    pub bridge: InterfaceName,
    /// The device that traffic beyond the host must use; any device if `None`. Rules match its
    /// name, so it may be created later.
    pub device: Option<InterfaceName>,
    /// Guests may talk IPv6 with each other although no subnet is IPv6.
    pub ipv6: bool,
    /// The subnets, in the order of the definition.
    pub subnets: Vec<Subnet>,
    /// Ports of the host that lead to guests.
    pub forwards: Vec<ForwardedPorts>,
    /// What guests may reach beyond the network; if `None`, whatever the rest allows, from any
    /// address.
    pub egress: Option<Egress>,
    /// Whether another program, such as libvirt, filters and translates for the guests, or nobody
    /// does. The rules are then those for forwards and egress alone, of this network and of those
    /// whose guests may not reach other networks.
    pub filtered_elsewhere: bool,
    /// Guests that other programs on the host may redirect connections to (`ct status dnat`). Only
    /// those with [`Access::Nat`] need it: routed guests are reached by anyone, isolated ones by
    /// nobody.
    pub redirected: Vec<IpAddr>,
    /// The devices beyond the host whose connections with guests may skip all rules once they are
    /// established (TCP and UDP): a flowtable. They must exist when the rules are applied. Empty
    /// for none.
    pub accelerated: Vec<InterfaceName>,
}

/// Ports of the host that lead to as many ports of a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForwardedPorts {
    /// TCP or UDP.
    pub transport: Transport,
    /// The address of the host, of the guest's family. If `None`, every address of the host but
    /// those of the loopback device.
    pub address: Option<IpAddr>,
    /// The device that connections have to arrive on. If `None`, they may come from anywhere: from
    /// outside, from the host itself, and from guests.
    pub device: Option<InterfaceName>,
    /// The ports of the host.
    pub ports: PortRange,
    /// The guest's address.
    pub guest: IpAddr,
    /// The guest's port for the first port of the host.
    pub first: u16,
}

impl ForwardedPorts {
    /// Ports of any address of the host that lead to the same ports of a guest.
    pub fn new(transport: Transport, ports: PortRange, guest: IpAddr) -> Self {
        Self { transport, address: None, device: None, ports, guest, first: ports.start() }
    }

    pub(crate) fn family(&self) -> Family {
        Family::of(self.guest)
    }

    /// Each port of the host, with the guest's. Ports beyond the last of the guest lead nowhere.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (u16, u16)> {
        (self.ports.start()..=self.ports.end()).zip(self.first..=u16::MAX)
    }
}

/// A subnet and its access beyond the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// The subnet; its host bits are ignored.
    pub net: IpNet,
    /// Its access beyond the host.
    pub access: Access,
}

/// The access of a subnet's guests beyond the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// No access.
    Isolated,
    /// In both directions, with their own addresses.
    Routed,
    /// Outgoing connections only, with translated addresses.
    Nat {
        /// Source addresses to use, IPv4 only; the address of the outgoing device if `None`.
        addresses: Option<AddressRange>,
        /// Source ports for TCP and UDP; libvirt's default is 1024 to 65535.
        ports: PortRange,
    },
}

impl Policy {
    /// An isolated network's policy, with no subnet.
    pub fn new(network: impl Into<String>, bridge: InterfaceName) -> Self {
        let (network, subnets, forwards, redirected) = (network.into(), Vec::new(), Vec::new(), Vec::new());
        let (device, ipv6, egress, filtered_elsewhere) = (None, false, None, false);
        let accelerated = Vec::new();
        Self { network, bridge, device, ipv6, subnets, forwards, egress, filtered_elsewhere, redirected, accelerated }
    }
}
