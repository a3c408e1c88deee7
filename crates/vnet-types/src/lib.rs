//! The words of virtual networking, shared by every crate of vnet.
//!
//! Scalars as people write them ([`MacAddr`], [`Uuid`], [`InterfaceName`], [`NetworkName`], ranges) and the
//! kernel's objects by name ([`Link`], [`Address`], [`Route`]). An [`Inventory`] is what a host has of them.
//! Nothing here does anything to a host.

mod inventory;
mod ip;
mod kernel;
mod mac;
mod name;
mod pci;
#[cfg(feature = "serde")]
mod serde_text;
mod spelled;
mod uuid;

pub use inventory::{Inventory, KnownNetwork};
pub use ip::{AddressRange, Family, PortRange, RangeError, contiguous_prefix, parse_ip};
pub use ipnet::{IpNet, Ipv4Net, Ipv6Net};
pub use kernel::{Address, BridgeOptions, Link, LinkKind, Route, RouteProtocol};
pub use mac::{MacAddr, ParseMacError};
pub use name::{InterfaceName, NameError, NetworkName};
pub use pci::{PciAddress, PciAddressError};
pub use spelled::Spelled;
pub use uuid::{ParseUuidError, Uuid};
