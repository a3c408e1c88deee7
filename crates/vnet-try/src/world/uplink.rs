//! Uplinks from the imagined host to the outside, with addresses that no definition uses.

use std::net::IpAddr;

use vnet_types::{Family, InterfaceName, IpNet, Ipv4Net, Ipv6Net};
use vnet_xml::{Interface, Network};

use super::taken::{devices, taken_by_guest, taken_by_network, upstream};
use crate::error::{Failed, Result};

/// Candidate addresses of the outside: documentation and benchmark ranges (RFC 5737, RFC 2544),
/// then others that are not routed.
const IPV4: [&str; 7] = [
    "198.51.100.0/24",
    "203.0.113.0/24",
    "192.0.2.0/24",
    "198.18.77.0/24",
    "198.19.77.0/24",
    "100.127.77.0/24",
    "172.31.77.0/24",
];
/// The same for IPv6 (RFC 3849, RFC 9637, RFC 5180), then an unused range; each has room for many
/// uplinks.
const IPV6: [&str; 4] = ["2001:db8:766e::/48", "3fff:766e::/48", "2001:2:0::/48", "fd76:6e65:7500::/48"];

/// An uplink from the host to the outside, with the same name at both ends. Addresses are IPv4,
/// then IPv6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Uplink {
    pub(crate) name: InterfaceName,
    pub(super) host: [IpNet; 2],
    /// No one else uses the gateway's address, which passt takes for the host's.
    pub(super) gateway: [IpNet; 2],
    pub(super) outside: [IpNet; 2],
}

impl Uplink {
    /// The host's address.
    pub(crate) fn host(&self, family: Family) -> IpAddr {
        self.host[usize::from(family == Family::Ipv6)].addr()
    }

    /// The length of its prefix.
    pub(crate) fn prefix(&self, family: Family) -> u8 {
        self.host[usize::from(family == Family::Ipv6)].prefix_len()
    }

    /// The address of the outside.
    pub(crate) fn outside(&self, family: Family) -> IpAddr {
        self.outside[usize::from(family == Family::Ipv6)].addr()
    }

    /// Whether the outside has an address for this uplink.
    pub(super) fn is_outside(&self, address: IpAddr) -> bool {
        self.outside.iter().chain(&self.gateway).any(|own| own.addr() == address)
    }

    /// The IPv4 address of its router.
    pub(crate) fn gateway(&self) -> IpAddr {
        self.gateway[0].addr()
    }

    fn nth(name: InterfaceName, v4: Ipv4Net, v6: Ipv6Net) -> Self {
        let nth = |nth: u32| [nth_ipv4(v4, nth), nth_ipv6(v6, nth)];
        Self { name, host: nth(2), gateway: nth(1), outside: nth(3) }
    }
}

/// An address of a subnet, by its number.
pub(crate) fn nth_ipv4(net: Ipv4Net, nth: u32) -> IpNet {
    Ipv4Net::new_assert((net.network().to_bits() + nth).into(), net.prefix_len()).into()
}

/// The same of IPv6.
pub(crate) fn nth_ipv6(net: Ipv6Net, nth: u32) -> IpNet {
    Ipv6Net::new_assert((net.network().to_bits() + u128::from(nth)).into(), net.prefix_len()).into()
}

/// Subnets for an outside that have nothing in common with these.
pub(crate) fn free_ipv4(taken: &[IpNet]) -> impl Iterator<Item = Ipv4Net> {
    IPV4.iter().filter_map(|net| net.parse::<Ipv4Net>().ok()).filter(|net| is_free(taken, (*net).into()))
}

/// The same of IPv6.
pub(crate) fn free_ipv6(taken: &[IpNet]) -> impl Iterator<Item = Ipv6Net> {
    let all = IPV6.iter().filter_map(|net| net.parse::<Ipv6Net>().ok());
    all.filter_map(|net| net.subnets(64).ok()).flatten().filter(|net| is_free(taken, (*net).into()))
}

fn is_free(taken: &[IpNet], net: IpNet) -> bool {
    !taken.iter().any(|taken| taken.contains(&net) || net.contains(taken))
}

/// The ways out of networks that OVN makes, one for each: the gateway's addresses, and what is
/// beyond. All lead to one card of the outside.
pub(super) fn beyond_ovn(card: &InterfaceName, networks: &[&Network]) -> Result<Vec<Uplink>> {
    let taken: Vec<IpNet> = networks.iter().flat_map(|network| taken_by_network(network)).collect();
    let free = free_ipv4(&taken).next().zip(free_ipv6(&taken).next());
    let Some((v4, v6)) = free else { return Err(no_address()) };
    let uplink = |network: &&Network| {
        let mut uplink = Uplink::nth(card.clone(), v4, v6);
        let outside = network.extensions.ovn.as_ref().and_then(|engine| engine.outside.as_ref());
        for address in outside.into_iter().flat_map(|outside| &outside.addresses) {
            let (Some(net), at) = (address.net(), usize::from(address.address.is_ipv6())) else { continue };
            uplink.host[at] = net;
            match address.gateway.and_then(|next| IpNet::new(next, net.prefix_len()).ok()) {
                // What is asked is beyond the next router.
                Some(next) => uplink.gateway[at] = next,
                None => {
                    let other = net.hosts().find(|it| *it != net.addr()).unwrap_or_else(|| net.addr());
                    let other = IpNet::new(other, net.prefix_len()).unwrap_or(net);
                    (uplink.gateway[at], uplink.outside[at]) = (other, other);
                }
            }
        }
        uplink
    };
    Ok(networks.iter().map(uplink).collect())
}

fn no_address() -> Failed {
    Failed::Other("the definitions leave no address for an outside".to_owned())
}

/// One uplink for each device that a definition names, or a single one. When a guest behind passt
/// names a device, a further uplink comes last, so that it can be seen which one passt takes.
pub(super) fn uplinks(networks: &[&Network], guests: &[&Interface]) -> Result<Vec<Uplink>> {
    let mut names: Vec<InterfaceName> = Vec::new();
    let of_guests = guests.iter().flat_map(|guest| devices(guest));
    let of_forwards = networks.iter().flat_map(|network| &network.extensions.port_forwards);
    let of_forwards = of_forwards.filter_map(|it| it.forward.dev.as_ref());
    let of_networks = networks.iter().filter_map(|network| network.outgoing_device());
    for name in of_networks.chain(of_forwards).chain(of_guests) {
        if !names.contains(name) && name.as_str() != "lo" {
            names.push(name.clone());
        }
    }
    if names.is_empty() || guests.iter().any(|guest| upstream(guest).is_some()) {
        names.push("uplink".parse().expect("a name"));
    }
    let of_guests = guests.iter().flat_map(|guest| taken_by_guest(guest));
    let taken: Vec<IpNet> = networks.iter().flat_map(|network| taken_by_network(network)).chain(of_guests).collect();
    let (mut v4, mut v6) = (free_ipv4(&taken), free_ipv6(&taken));
    let uplink = |name| match v4.next().zip(v6.next()) {
        Some((v4, v6)) => Ok(Uplink::nth(name, v4, v6)),
        None => Err(no_address()),
    };
    names.into_iter().map(uplink).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vnet_xml::network::{Forward, ForwardMode, Ip};

    fn network(subnet: &str, device: &str) -> Network {
        let mut network = Network::new("n");
        network.ips.push(Ip::new(subnet.parse().unwrap()));
        let mut forward = Forward::new(ForwardMode::Nat);
        forward.interfaces.push(device.parse::<InterfaceName>().unwrap().into());
        network.forward = Some(forward);
        network
    }

    #[test]
    fn the_outside_keeps_clear_of_definitions() {
        let (a, b) = (network("198.51.100.1/24", "wan0"), network("2001:db8:766e::1/56", "wan1"));
        let uplinks = uplinks(&[&a, &b], &[]).unwrap();
        let seen: Vec<_> = uplinks
            .iter()
            .map(|it| (it.name.as_str(), it.host(Family::Ipv4).to_string(), it.outside(Family::Ipv6).to_string()))
            .collect();
        assert_eq!(
            seen,
            [
                ("wan0", "203.0.113.2".to_owned(), "2001:db8:766e:100::3".to_owned()),
                ("wan1", "192.0.2.2".to_owned(), "2001:db8:766e:101::3".to_owned()),
            ]
        );
    }

    #[test]
    fn without_a_device_there_is_one_uplink() {
        let uplinks = uplinks(&[&Network::new("n")], &[]).unwrap();
        assert_eq!(uplinks.len(), 1);
        assert_eq!(uplinks[0].outside(Family::Ipv4).to_string(), "198.51.100.3");
    }
}
