//! The guests that are needed to check the promises of a definition. Pure.

use std::net::{IpAddr, Ipv6Addr};

use vnet_types::{AddressRange, Family, IpNet, MacAddr};
use vnet_xml::Network;
use vnet_xml::network::{Dhcp, DhcpHost, Ip};

use crate::promises::led::{has, unreserved};
use crate::routes::{behind, subnet_of};

/// The most reservations that get their own guest.
pub(crate) const MOST_RESERVATIONS: usize = 8;
/// The most portgroups that get their own guest.
pub(crate) const MOST_GROUPS: usize = 4;
/// The addresses of guests of a network without addresses.
const OWN: Ipv6Addr = Ipv6Addr::new(0xfd76, 0x6e65, 0x7400, 0, 0, 0, 0, 0);

/// A guest to attach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Guest {
    /// Its hostname.
    pub(crate) name: String,
    pub(crate) mac: MacAddr,
    /// The DHCPv6 identity of a reservation; `None` for one made of the MAC address.
    pub(crate) duid: Option<String>,
    /// How it gets its addresses, at most one in each subnet.
    pub(crate) addresses: Vec<Addressing>,
    /// Addresses behind it, to which the host has static routes.
    pub(crate) behind: Vec<IpAddr>,
    /// The portgroup that it uses.
    pub(crate) port_group: Option<String>,
}

/// How a guest gets an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Addressing {
    /// By DHCP, from these ranges.
    Leased(Family, Vec<AddressRange>),
    /// By DHCP, exactly this address.
    Reserved(IpAddr),
    /// By DHCP from passt, exactly this address, with this prefix length for IPv4.
    Told(IpAddr, Option<u8>),
    /// By autoconfiguration, from the advertised prefix.
    Advertised(IpNet),
    /// By configuration: the network has no DHCP for it.
    Configured(IpNet),
}

impl Addressing {
    /// The family of the address.
    pub(crate) fn family(&self) -> Family {
        match self {
            Self::Leased(family, _) => *family,
            Self::Reserved(ip) | Self::Told(ip, _) => Family::of(*ip),
            Self::Advertised(net) | Self::Configured(net) => Family::of(net.addr()),
        }
    }

    /// Whether DHCP assigns it.
    pub(crate) fn is_by_dhcp(&self) -> bool {
        matches!(self, Self::Leased(..) | Self::Reserved(_) | Self::Told(..))
    }
}

impl Guest {
    /// A guest without addresses.
    pub(crate) fn new(name: impl Into<String>, mac: MacAddr) -> Self {
        let (addresses, behind) = (Vec::new(), Vec::new());
        Self { name: name.into(), mac, duid: None, addresses, behind, port_group: None }
    }

    /// The guest's name in a promise.
    pub(crate) fn title(&self) -> String {
        match &self.port_group {
            Some(group) => format!("{} of portgroup {group}", self.name),
            None => self.name.clone(),
        }
    }
}

/// The guests for a definition: two ordinary guests, and one for each reservation, portgroup and
/// gateway. If the ranges have room for only one ordinary guest, there is one.
pub(crate) fn guests(network: &Network) -> Vec<Guest> {
    let mut guests: Vec<Guest> = Vec::new();
    for (at, name) in ["guest1", "guest2"].into_iter().enumerate() {
        let mut guest = ordinary(network, name, guests.len());
        if network.ips.is_empty() {
            let own = Ipv6Addr::from_bits(OWN.to_bits() + 1 + at as u128);
            let own = IpNet::new(own.into(), 64).expect("a prefix of IPv6");
            guest.addresses.push(Addressing::Configured(own));
        }
        if at == 0 || !guest.addresses.is_empty() {
            guests.push(guest);
        }
    }
    for host in reservations(network).take(MOST_RESERVATIONS) {
        let at = guests.len();
        // OVN gives one guest all that is kept for its name.
        let is_it = |guest: &Guest| {
            let mac = host.mac.as_ref().map(vnet_xml::Spelled::get);
            host.name.as_ref() == Some(&guest.name) && mac.is_none_or(|mac| mac == guest.mac)
        };
        if let Some(guest) = guests.iter_mut().filter(|_| network.is_on_ovn()).find(|guest| is_it(guest)) {
            guest.addresses.push(Addressing::Reserved(host.ip));
            continue;
        }
        let name = host.name.clone().unwrap_or_else(|| format!("kept{}", at - 1));
        let mac = host.mac.as_ref().map_or_else(|| free_mac(network, at), vnet_xml::Spelled::get);
        let addresses = vec![Addressing::Reserved(host.ip)];
        guests.push(Guest { duid: host.id.clone(), addresses, ..Guest::new(name, mac) });
    }
    for (nth, group) in tried_groups(network).take(MOST_GROUPS).enumerate() {
        let guest = ordinary(network, &format!("group{}", nth + 1), guests.len());
        let leased = guest.addresses.iter().any(Addressing::is_by_dhcp);
        if leased || guest.addresses.len() == network.ips.len() {
            guests.push(Guest { port_group: Some(group.name.clone()), ..guest });
        }
    }
    for address in unreserved(network) {
        let Some(net) = subnet_of(network, address).filter(|_| !guests.iter().any(|guest| has(guest, address))) else {
            continue;
        };
        let at = guests.len();
        let address = IpNet::new(address, net.prefix_len()).expect("a prefix of the same family");
        let addresses = vec![Addressing::Configured(address)];
        guests.push(Guest { addresses, ..Guest::new(format!("server{at}"), free_mac(network, at)) });
    }
    for route in &network.routes {
        let Some((behind, net)) = behind(network, route).zip(subnet_of(network, route.gateway)) else { continue };
        let address = IpNet::new(route.gateway, net.prefix_len()).expect("a prefix of the same family");
        let address = Addressing::Configured(address);
        let is_there = |how: &Addressing| *how == address || *how == Addressing::Reserved(route.gateway);
        match guests.iter_mut().find(|guest| guest.addresses.iter().any(is_there)) {
            Some(gateway) => gateway.behind.push(behind),
            None => {
                let at = guests.len();
                let gateway = Guest::new(format!("gateway{at}"), free_mac(network, at));
                guests.push(Guest { addresses: vec![address], behind: vec![behind], ..gateway });
            }
        }
    }
    guests
}

/// Whether a configured guest could use an address that DHCP assigns.
pub(crate) fn may_collide(network: &Network, guests: &[Guest]) -> bool {
    let ranges: Vec<_> = network.ips.iter().filter_map(|ip| ip.dhcp.as_ref()).flat_map(ranges).collect();
    let configured = guests.iter().flat_map(|guest| &guest.addresses).filter_map(|how| match how {
        Addressing::Configured(net) => Some(net.addr()),
        _ => None,
    });
    configured.into_iter().any(|address| ranges.iter().any(|range| range.contains(address)))
}

/// The portgroups with settings other than an ordinary guest's. None has a VLAN: that is refused in
/// networks with a bridge of their own.
fn tried_groups(network: &Network) -> impl Iterator<Item = &vnet_xml::network::PortGroup> {
    network.port_groups.iter().filter(|group| !group.default)
}

pub(crate) fn reservations(network: &Network) -> impl Iterator<Item = &DhcpHost> {
    network.ips.iter().filter_map(|ip| ip.dhcp.as_ref()).flat_map(|dhcp| &dhcp.hosts)
}

/// The address ranges of DHCP.
fn ranges(dhcp: &Dhcp) -> impl Iterator<Item = AddressRange> + '_ {
    dhcp.ranges.iter().filter_map(|range| AddressRange::new(range.start, range.end).ok())
}

fn ordinary(network: &Network, name: &str, at: usize) -> Guest {
    let addresses = network.ips.iter().filter_map(|ip| ordinary_address(network, ip, at)).collect();
    Guest { addresses, ..Guest::new(name, free_mac(network, at)) }
}

fn free_mac(network: &Network, at: usize) -> MacAddr {
    let taken = |mac: &MacAddr| {
        network.mac == Some(*mac)
            || reservations(network).any(|host| host.mac.as_ref().is_some_and(|it| it.get() == *mac))
    };
    // Not QEMU's own range, so that no reservation has these addresses by chance.
    (0..=u8::MAX)
        .map(|series| MacAddr([0x52, 0x54, 0x00, 0x76, series, u8::try_from(at).unwrap_or(u8::MAX)]))
        .find(|mac| !taken(mac))
        .unwrap_or(MacAddr([0x52, 0x54, 0x01, 0x76, 0x6e, 0x74]))
}

/// How the ordinary guest with this number gets an address in a subnet. `None` when the subnet has
/// no room for it.
pub(crate) fn ordinary_address(network: &Network, ip: &Ip, nth: usize) -> Option<Addressing> {
    let net = ip.net()?;
    let ranges: Vec<_> = ip.dhcp.iter().flat_map(ranges).collect();
    if !ranges.is_empty() {
        return has_room(network, ip, &ranges, nth).then(|| Addressing::Leased(Family::of(ip.address), ranges));
    }
    let routes = match network.is_on_ovn() {
        // Guests of an isolated network of OVN are told of no router.
        true => network.way_out(Family::Ipv6).is_some(),
        false => network.has_dnsmasq(),
    };
    let advertises = routes && !network.has_dhcp(Family::Ipv6);
    if ip.address.is_ipv6() && net.prefix_len() == 64 && advertises {
        return Some(Addressing::Advertised(net.trunc()));
    }
    let kept = unreserved(network);
    let taken = |address: &IpAddr| {
        network.ips.iter().any(|ip| ip.address == *address)
            || network.ovn_name_servers().iter().any(|server| server.addr() == *address)
            || reservations(network).any(|host| host.ip == *address)
            || network.routes.iter().any(|route| route.gateway == *address)
            || kept.contains(address)
    };
    let free = match net {
        IpNet::V4(v4) => v4.hosts().rev().map(IpAddr::V4).filter(|it| !taken(it)).nth(nth),
        IpNet::V6(v6) => v6.hosts().rev().skip(1).map(IpAddr::V6).filter(|it| !taken(it)).nth(nth),
    };
    Some(Addressing::Configured(IpNet::new(free?, net.prefix_len()).expect("a prefix of the same family")))
}

/// Whether these ranges have an address for one more guest than `others`.
fn has_room(network: &Network, ip: &Ip, ranges: &[AddressRange], others: usize) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    };
    let all = ranges
        .iter()
        .fold(0_u128, |all, range| all.saturating_add(bits(range.end()) - bits(range.start())).saturating_add(1));
    let kept = reservations(network).map(|host| host.ip).chain([ip.address]);
    let kept = kept.filter(|kept| ranges.iter().any(|range| range.contains(*kept))).count();
    all > (others + kept) as u128
}
