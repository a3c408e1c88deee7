//! The addresses of containers. vnet decides on each, and tells the network's dnsmasq, so that no
//! guest gets it by DHCP.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use vnet_dnsmasq::{Config, DhcpHost, DnsHost};
use vnet_types::{Family, IpNet, KnownContainer, KnownPort, MacAddr};
use vnet_xml::Network;
use vnet_xml::network::{self, DhcpRange, Ip};

/// What a container asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressWish {
    /// Its MAC address.
    pub mac: MacAddr,
    /// The names that a reservation of the definition may have for it.
    pub names: Vec<String>,
    /// The addresses that it asks for, one for each family at most.
    pub ips: Vec<IpAddr>,
    /// Where the search in a range begins, so that an address that was given back rests.
    pub seed: u64,
}

/// Why a container gets no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContainerAddressError {
    /// The address is in no subnet of the network.
    #[error("the address {ip} is in no subnet of network `{network}`")]
    Outside {
        /// The address.
        ip: IpAddr,
        /// The network.
        network: String,
    },
    /// The address cannot be that of a container.
    #[error("{ip} is {what}")]
    Unusable {
        /// The address.
        ip: IpAddr,
        /// What it is instead.
        what: &'static str,
    },
    /// Two addresses of one family were asked for.
    #[error("{0} and {1} are two addresses of one family, and a container gets one")]
    Several(IpAddr, IpAddr),
    /// Somebody has the address.
    #[error("the address {ip} belongs to {holder}")]
    Taken {
        /// The address.
        ip: IpAddr,
        /// Who has it.
        holder: String,
    },
    /// All addresses of the range are taken.
    #[error("all addresses of network `{network}` from {start} to {end} are taken")]
    UsedUp {
        /// The network.
        network: String,
        /// The first address of the range.
        start: IpAddr,
        /// The last one.
        end: IpAddr,
    },
    /// The network has subnets, but none of them has a range.
    #[error("network `{0}` has no `<range>` in `<dhcp>` to take an address from: ask for one, or for none")]
    NoRange(String),
}

/// Decides on the addresses of a container, one for each family that the network gives out: the one
/// that was asked for, or the one that the definition reserves for it, or the next free one of a
/// range. None for a network without subnets.
///
/// `ports` are those of the host without this container, `leased` the addresses that guests of the
/// network have, each with the guest's MAC address where that is known.
///
/// # Errors
/// [`ContainerAddressError`].
pub fn container_addresses(
    network: &Network,
    ports: &[KnownPort],
    leased: &BTreeMap<IpAddr, Option<MacAddr>>,
    wish: &AddressWish,
) -> Result<Vec<IpNet>, ContainerAddressError> {
    let taken = Taken { network, ports, leased, wish };
    let mut found = Vec::new();
    for ip in &wish.ips {
        let outside = || ContainerAddressError::Outside { ip: *ip, network: network.name.clone() };
        let net = network.ips.iter().filter_map(Ip::net).find(|net| net.contains(ip)).ok_or_else(outside)?;
        taken.refuse(*ip, net)?;
        let same = found.iter().find(|other: &&IpNet| other.addr().is_ipv4() == ip.is_ipv4());
        match same {
            Some(other) if other.addr() != *ip => return Err(ContainerAddressError::Several(other.addr(), *ip)),
            Some(_) => {}
            None => found.push(with_prefix(*ip, net)),
        }
    }
    for family in [Family::Ipv4, Family::Ipv6] {
        if found.iter().all(|net| Family::of(net.addr()) != family) {
            found.extend(taken.free(family)?);
        }
    }
    if found.is_empty() && !network.ips.is_empty() {
        return Err(ContainerAddressError::NoRange(network.name.clone()));
    }
    Ok(found)
}

/// Adds the containers of a network to its dnsmasq's hosts: their addresses, so that no guest gets
/// them by DHCP, and their names.
pub(super) fn with_guests(config: &Config, network: &Network, ports: &[KnownPort]) -> Config {
    let mut config = config.clone();
    for (port, container) in containers(network, ports) {
        for net in &container.addresses {
            let ip = net.addr();
            let is_reserved = hosts(network).any(|host| host.ip == ip);
            let subnet = config.subnets.iter_mut().find(|subnet| subnet.net.contains(&ip));
            let dhcp = subnet.and_then(|subnet| subnet.dhcp.as_mut());
            if let Some(dhcp) = dhcp.filter(|dhcp| !(is_reserved || dhcp.ranges.is_empty() && dhcp.hosts.is_empty())) {
                dhcp.hosts.push(host(ip, port.mac));
            }
            if let Some(dns) = config.dns.as_mut().filter(|_| !container.names.is_empty()) {
                dns.hosts.push(DnsHost { ip, hostnames: container.names.clone() });
            }
        }
    }
    config
}

/// The addresses of a network's containers.
pub(super) fn addresses(network: &Network, ports: &[KnownPort]) -> Vec<IpAddr> {
    containers(network, ports).flat_map(|(_, container)| &container.addresses).map(IpNet::addr).collect()
}

/// The containers of a network, each with its port.
fn containers<'a>(
    network: &'a Network,
    ports: &'a [KnownPort],
) -> impl Iterator<Item = (&'a KnownPort, &'a KnownContainer)> {
    let is_here = |port: &&KnownPort| port.network.as_ref().is_some_and(|name| name.as_str() == network.name);
    ports.iter().filter(is_here).filter_map(|port| Some((port, port.container.as_ref()?)))
}

/// A reservation that no client but the container asks for.
fn host(ip: IpAddr, mac: MacAddr) -> DhcpHost {
    let mut host = DhcpHost::new(ip);
    match ip {
        IpAddr::V4(_) => host.mac = Some(mac.into()),
        // A DUID of the link-layer address (RFC 8415, 11.4).
        IpAddr::V6(_) => host.id = Some(format!("00:03:00:01:{mac}")),
    }
    host
}

fn hosts(network: &Network) -> impl Iterator<Item = &network::DhcpHost> {
    network.ips.iter().filter_map(|ip| ip.dhcp.as_ref()).flat_map(|dhcp| &dhcp.hosts)
}

fn with_prefix(ip: IpAddr, net: IpNet) -> IpNet {
    IpNet::new(ip, net.prefix_len()).expect("a prefix of the same family")
}

/// The addresses that others have.
struct Taken<'a> {
    network: &'a Network,
    ports: &'a [KnownPort],
    leased: &'a BTreeMap<IpAddr, Option<MacAddr>>,
    wish: &'a AddressWish,
}

impl Taken<'_> {
    fn refuse(&self, ip: IpAddr, net: IpNet) -> Result<(), ContainerAddressError> {
        if let Some(what) = unusable(ip, net) {
            return Err(ContainerAddressError::Unusable { ip, what });
        }
        match self.holder(ip) {
            Some(holder) => Err(ContainerAddressError::Taken { ip, holder }),
            None => Ok(()),
        }
    }

    /// Who has an address.
    fn holder(&self, ip: IpAddr) -> Option<String> {
        let has_it = |container: &&KnownContainer| container.addresses.iter().any(|net| net.addr() == ip);
        let mut containers = containers(self.network, self.ports).map(|(_, container)| container);
        if let Some(container) = containers.find(has_it) {
            let pod = container.pod.as_ref().map(|pod| format!(" (pod {pod})")).unwrap_or_default();
            return Some(format!("interface {} of container {}{pod}", container.interface, container.id));
        }
        if self.network.ips.iter().any(|own| own.address == ip) {
            return Some("the host".to_owned());
        }
        if let Some(host) = hosts(self.network).find(|host| host.ip == ip && !self.is_for_us(host)) {
            let name = host.name.clone().or_else(|| Some(host.mac.as_ref()?.to_string()));
            return Some(format!("{}, as the definition says", name.unwrap_or_else(|| "another guest".to_owned())));
        }
        match self.leased.get(&ip)? {
            Some(mac) if *mac == self.wish.mac => None,
            Some(mac) => Some(format!("{mac}, which has a lease of it")),
            None => Some("a guest that has a lease of it".to_owned()),
        }
    }

    fn is_for_us(&self, host: &network::DhcpHost) -> bool {
        let has_mac = host.mac.as_ref().is_some_and(|mac| mac.get() == self.wish.mac);
        has_mac || host.name.as_ref().is_some_and(|name| self.wish.names.contains(name))
    }

    /// The address of a family that is reserved for the container, or else the next free one.
    fn free(&self, family: Family) -> Result<Option<IpNet>, ContainerAddressError> {
        let of_family = || self.network.ips.iter().filter(|ip| Family::of(ip.address) == family);
        for (net, host) in of_family()
            .filter_map(|ip| Some((ip.net()?, ip.dhcp.as_ref()?)))
            .flat_map(|(net, dhcp)| dhcp.hosts.iter().map(move |host| (net, host)))
        {
            if self.is_for_us(host) && self.holder(host.ip).is_none() {
                return Ok(Some(with_prefix(host.ip, net)));
            }
        }
        let ranges = of_family().filter_map(|ip| Some((ip.net()?, ip.dhcp.as_ref()?)));
        let mut full = None;
        for (net, range) in ranges.flat_map(|(net, dhcp)| dhcp.ranges.iter().map(move |range| (net, range))) {
            let usable = |ip: &IpAddr| unusable(*ip, net).is_none() && self.holder(*ip).is_none();
            if let Some(ip) = candidates(range, self.wish.seed).find(usable) {
                return Ok(Some(with_prefix(ip, net)));
            }
            full = Some(range);
        }
        match full {
            Some(range) => Err(ContainerAddressError::UsedUp {
                network: self.network.name.clone(),
                start: range.start,
                end: range.end,
            }),
            None => Ok(None),
        }
    }
}

/// The addresses of a range, from a place that the seed chooses, around its end.
fn candidates(range: &DhcpRange, seed: u64) -> impl Iterator<Item = IpAddr> + use<> {
    let number = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()),
        IpAddr::V6(ip) => ip.to_bits(),
    };
    let is_ipv4 = range.start.is_ipv4();
    let first = number(range.start);
    // dnsmasq refuses ranges of more.
    let count = number(range.end).saturating_sub(first).saturating_add(1).min(1 << 16);
    (0..count).map(move |step| {
        let value = first + (u128::from(seed) + step) % count;
        match u32::try_from(value) {
            Ok(value) if is_ipv4 => IpAddr::V4(value.into()),
            _ => IpAddr::V6(Ipv6Addr::from_bits(value)),
        }
    })
}

fn unusable(ip: IpAddr, net: IpNet) -> Option<&'static str> {
    match net {
        IpNet::V4(net) if net.prefix_len() < 31 && ip == net.network() => Some("the address of the subnet itself"),
        IpNet::V4(net) if net.prefix_len() < 31 && ip == net.broadcast() => Some("the broadcast address of the subnet"),
        IpNet::V6(net) if net.prefix_len() < 127 && ip == net.network() => Some("the address of the subnet itself"),
        _ => None,
    }
}
