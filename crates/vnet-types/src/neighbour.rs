//! Who answers at an address, as the kernel has learned it.

use std::net::IpAddr;

use crate::{InterfaceName, MacAddr};

/// An entry of the neighbour table: the MAC address that answers at an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Neighbour {
    /// The address.
    pub ip: IpAddr,
    /// The MAC address that answered.
    pub mac: MacAddr,
    /// The link behind which it is.
    pub link: InterfaceName,
}
