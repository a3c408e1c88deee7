//! What a network promises and refuses, independent of nf_tables.

use vnet_types::{AddressRange, InterfaceName, IpNet, PortRange};

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
        Self { network: network.into(), bridge, device: None, ipv6: false, subnets: Vec::new() }
    }
}
