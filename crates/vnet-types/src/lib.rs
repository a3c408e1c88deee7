#![doc = include_str!("../README.md")]
//!
//! These are scalars as people write them ([`MacAddr`], [`Uuid`], [`InterfaceName`],
//! [`NetworkName`], ranges) and the kernel's objects by name ([`Link`], [`Address`], [`Route`],
//! [`BridgePort`], [`Qdisc`]). An [`Inventory`] lists those of a host. Nothing here changes a host.

mod egress;
mod features;
mod hash;
mod inventory;
mod ip;
mod kernel;
mod mac;
mod name;
mod neighbour;
mod pci;
mod port;
mod port_set;
#[cfg(feature = "serde")]
mod serde_text;
mod spelled;
mod tap;
mod traffic;
mod uuid;
mod vf;

pub use egress::{Egress, EgressException, EgressPreset, EgressProtocol};
pub use features::Features;
pub use hash::fnv1a;
pub use inventory::{
    Firewalld, Inventory, KnownContainer, KnownFloor, KnownListener, KnownNetwork, KnownPort, KnownSwitch,
    ReservedSubnet, SubnetHolder, VirtualFunction,
};
pub use ip::{AddressRange, Family, PortRange, RangeError, contiguous_prefix, parse_ip};
pub use ipnet::{IpNet, Ipv4Net, Ipv6Net};
pub use kernel::{Address, BridgeOptions, Link, LinkKind, Route, RouteProtocol, VethOptions};
pub use mac::{MacAddr, ParseMacError};
pub use name::{InterfaceName, NameError, NetworkName};
pub use neighbour::Neighbour;
pub use pci::{PciAddress, PciAddressError};
pub use port::{BridgePort, BridgeVlan, Fdb, FdbOrigin};
pub use port_set::{Listener, PortSet};
pub use spelled::Spelled;
pub use tap::{MacvtapMode, MacvtapOptions, TapOptions};
pub use traffic::{Class, Filter, FilterAction, FilterMatch, Qdisc, QdiscKind, TrafficHandle};
pub use uuid::{ParseUuidError, Uuid};
pub use vf::VfSettings;
