//! The guests of a network.

use std::net::IpAddr;

use vnet_types::MacAddr;

/// A guest's port. Its addresses were chosen before: OVN moves those that it chooses itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OvnGuest {
    /// The `interfaceid` of its `<virtualport>`, which is the name of the port.
    pub id: vnet_types::Uuid,
    /// Its MAC address.
    pub mac: MacAddr,
    /// Its addresses, at most one in each subnet.
    pub addresses: Vec<IpAddr>,
    /// Its name in DNS, and what DHCP tells it.
    pub name: Option<String>,
    /// Whether it cannot reach other isolated guests.
    pub isolated: bool,
    /// The only host that it can be on; any if absent.
    pub chassis: Option<String>,
}

impl OvnGuest {
    /// A guest without addresses.
    pub fn new(id: vnet_types::Uuid, mac: MacAddr) -> Self {
        Self { id, mac, addresses: Vec::new(), name: None, isolated: false, chassis: None }
    }
}
