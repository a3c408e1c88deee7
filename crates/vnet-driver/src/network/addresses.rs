//! The addresses of guests: those that DHCP gave, those that are reserved, and those of guests that
//! never asked.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Instant;

use serde::Serialize;
use vnet_dnsmasq::{Client, Lease};
use vnet_host::{LinuxHost, Receipt};
use vnet_netlink::Netlink;
use vnet_types::{InterfaceName, IpNet, KnownPort, MacAddr, Neighbour, NetworkName};
use vnet_xml::Network;

use super::leases::prefix_of;
use crate::driver::Driver;
use crate::error::Error;

/// How it is known that a guest has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AddressSource {
    /// DHCP gave it.
    Lease,
    /// The definition reserves it for the guest.
    Reservation,
    /// The guest has answered there: the kernel's neighbour table.
    Arp,
}

impl AddressSource {
    /// All sources, the most reliable first.
    pub const ALL: [Self; 3] = [Self::Lease, Self::Reservation, Self::Arp];
}

/// An address of a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddressOfGuest {
    /// The network.
    pub network: NetworkName,
    /// How it is known.
    pub source: AddressSource,
    /// The address.
    pub ip: IpAddr,
    /// The prefix length of the network's subnet that contains the address.
    pub prefix: Option<u8>,
    /// The guest's MAC address. `None` when a DHCPv6 client tells none.
    pub mac: Option<MacAddr>,
    /// The lease.
    pub lease: Option<Lease>,
    /// The name that the guest said, or that is reserved for it.
    pub hostname: Option<String>,
    /// The attached port with this MAC address.
    pub port: Option<InterfaceName>,
    /// The guest of that port.
    pub guest: Option<String>,
}

impl Driver {
    /// The addresses of a network's guests, from these sources, by address. An address of several
    /// sources is that of the most reliable one.
    ///
    /// # Errors
    /// [`Error::NotRunning`] when it is not defined either; [`Error::Read`], [`Error::Kept`] when a
    /// file cannot be read; [`Error::Host`] when the neighbour table cannot be read.
    pub fn addresses(&self, network: &NetworkName, sources: &[AddressSource]) -> Result<Vec<AddressOfGuest>, Error> {
        let subnets = self.subnets(network)?;
        let neighbours = self.store.receipt(network)?.as_ref().map_or(Ok(Vec::new()), neighbours)?;
        let mut all = Vec::new();
        for source in AddressSource::ALL.iter().filter(|source| sources.contains(source)) {
            match source {
                AddressSource::Lease => {
                    all.extend(self.current_leases(network)?.into_iter().map(|lease| leased(lease, &neighbours)));
                }
                AddressSource::Reservation => {
                    let definition = match self.as_it_runs(network)? {
                        None => self.kept(network)?,
                        running => running,
                    };
                    all.extend(definition.iter().flat_map(reserved));
                }
                AddressSource::Arp => all.extend(neighbours.iter().map(answering)),
            }
        }
        let ports = self.ports_of(network)?;
        let mut known = BTreeSet::new();
        all.retain(|address| known.insert(address.ip));
        let mut all: Vec<AddressOfGuest> = all.into_iter().map(|found| found.of(network, &subnets, &ports)).collect();
        all.sort_by_key(|address| address.ip);
        Ok(all)
    }
}

impl Driver {
    /// Waits until a guest has a lease, in one network or in any. `None` when it has none before
    /// the deadline. The network need not run yet.
    ///
    /// # Errors
    /// Those of [`addresses`](Self::addresses), except [`Error::NotRunning`], and of
    /// [`events`](Self::events).
    pub fn wait_for_lease(
        &self,
        network: Option<&NetworkName>,
        mac: MacAddr,
        deadline: Instant,
    ) -> Result<Option<AddressOfGuest>, Error> {
        // What happens after this look is an event.
        let mut events = self.lifecycle_events()?;
        loop {
            if let Some(found) = self.leased_to(network, mac)? {
                return Ok(Some(found));
            }
            if events.next_before(deadline)?.is_none() {
                return self.leased_to(network, mac);
            }
        }
    }

    fn leased_to(&self, network: Option<&NetworkName>, mac: MacAddr) -> Result<Option<AddressOfGuest>, Error> {
        let networks = match network {
            Some(network) => vec![network.clone()],
            None => self.store.networks()?.into_iter().map(|known| known.name).collect(),
        };
        for network in networks {
            let addresses = match self.addresses(&network, &[AddressSource::Lease]) {
                Err(Error::NotRunning(_)) => continue,
                addresses => addresses?,
            };
            if let Some(found) = addresses.into_iter().find(|address| address.mac == Some(mac)) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

/// An address, before it is known whose it is.
struct Found {
    source: AddressSource,
    ip: IpAddr,
    mac: Option<MacAddr>,
    hostname: Option<String>,
    lease: Option<Lease>,
}

impl Found {
    fn of(self, network: &NetworkName, subnets: &[IpNet], ports: &[KnownPort]) -> AddressOfGuest {
        let Self { source, ip, mac, hostname, lease } = self;
        let port = ports.iter().find(|port| Some(port.mac) == mac);
        AddressOfGuest {
            network: network.clone(),
            prefix: prefix_of(subnets, ip),
            port: port.map(|port| port.dev.clone()),
            guest: port.and_then(|port| port.guest.clone()),
            source,
            ip,
            mac,
            lease,
            hostname,
        }
    }
}

/// A DHCPv6 client tells no MAC address: it is the one that answers there, or the one that its DUID
/// has.
fn leased(lease: Lease, neighbours: &[Neighbour]) -> Found {
    let mac = match &lease.client {
        Client::Mac(mac) => Some(*mac),
        _ => neighbours
            .iter()
            .find(|neighbour| neighbour.ip == lease.ip)
            .map(|neighbour| neighbour.mac)
            .or_else(|| of_duid(lease.client_id.as_deref()?)),
    };
    let (ip, hostname) = (lease.ip, lease.hostname.clone());
    Found { source: AddressSource::Lease, ip, mac, hostname, lease: Some(lease) }
}

/// The MAC address in a DUID with a time (RFC 8415, 11.2) or without one (11.4).
fn of_duid(duid: &str) -> Option<MacAddr> {
    let mac = duid.strip_prefix("00:03:00:01:").or_else(|| {
        let rest = duid.strip_prefix("00:01:00:01:")?;
        // Four bytes of time.
        rest.get(12..)
    });
    mac?.parse().ok()
}

fn reserved(network: &Network) -> Vec<Found> {
    let hosts = network.ips.iter().filter_map(|ip| ip.dhcp.as_ref()).flat_map(|dhcp| &dhcp.hosts);
    let found = hosts.map(|host| Found {
        source: AddressSource::Reservation,
        ip: host.ip,
        mac: host.mac.as_ref().map(vnet_types::Spelled::get).or_else(|| of_duid(host.id.as_deref()?)),
        hostname: host.name.clone(),
        lease: None,
    });
    found.collect()
}

fn answering(neighbour: &Neighbour) -> Found {
    let (ip, mac) = (neighbour.ip, Some(neighbour.mac));
    Found { source: AddressSource::Arp, ip, mac, hostname: None, lease: None }
}

/// Who has answered on the network's bridge, but for link-local addresses, which every guest has.
/// Empty for a network in another network namespace.
fn neighbours(receipt: &Receipt) -> Result<Vec<Neighbour>, Error> {
    let Some(bridge) = &receipt.header.bridge else { return Ok(Vec::new()) };
    if !receipt.header.namespace.is(&LinuxHost::namespace()?) {
        return Ok(Vec::new());
    }
    let mut neighbours = Netlink::open()?.neighbours(bridge)?;
    neighbours.retain(|neighbour| match neighbour.ip {
        IpAddr::V4(_) => true,
        IpAddr::V6(ip) => !ip.is_unicast_link_local() && !ip.is_multicast(),
    });
    Ok(neighbours)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[test]
    fn a_duid_may_have_a_mac_address() {
        let mac: MacAddr = "52:54:00:12:34:56".parse().unwrap();
        assert_eq!(of_duid("00:03:00:01:52:54:00:12:34:56"), Some(mac));
        assert_eq!(of_duid("00:01:00:01:2e:a1:b2:c3:52:54:00:12:34:56"), Some(mac));
        assert_eq!(of_duid("00:02:00:00:ab:11:52:54:00:12:34:56"), None);
        assert_eq!(of_duid("00:01:00:01:2e"), None);
    }
}
