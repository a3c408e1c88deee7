//! What a network promises and refuses, without a word of nf_tables.

use vnet_types::{AddressRange, InterfaceName, IpNet, PortRange};

/// What the guests of one network may do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// The network's name; chains and comments carry it.
    pub network: String,
    /// The bridge that the guests are on. It must exist when the rules are applied: it is matched
    /// by index.
    pub bridge: InterfaceName,
    /// The one device that traffic beyond the host may use; any where `None`. Matched by name: it
    /// may come later.
    pub device: Option<InterfaceName>,
    /// Guests may talk IPv6 with each other although no subnet is IPv6.
    pub ipv6: bool,
    /// The subnets, in the order of the definition.
    pub subnets: Vec<Subnet>,
}

/// A subnet and how it reaches beyond the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// The subnet; host bits do not matter.
    pub net: IpNet,
    /// How it is forwarded.
    pub access: Access,
}

/// How the guests of a subnet reach beyond the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Not at all.
    Isolated,
    /// Both ways, under their own addresses.
    Routed,
    /// Out only, and back what belongs to it, under translated addresses.
    Nat {
        /// Source addresses to use, IPv4 only; the address of the outgoing device where `None`.
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
