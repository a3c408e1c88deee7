//! Arithmetic of subnets and ranges.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use vnet_types::{Family, IpNet};
use vnet_xml::network::{Ip, Mask};
use vnet_xml::{Network, NodePath};

/// The subnets of a network's `<ip>` elements, to find one by an address.
pub(crate) struct Subnets {
    by_net: BTreeMap<IpNet, usize>,
    prefixes: BTreeSet<u8>,
    /// The families that have an `<ip>` of unknown size.
    unknown: BTreeSet<Family>,
}

impl Subnets {
    /// Of several equal subnets the first is used.
    pub(crate) fn of(network: &Network) -> Self {
        let (mut by_net, mut unknown) = (BTreeMap::new(), BTreeSet::new());
        for (index, ip) in network.ips.iter().enumerate() {
            match ip.net() {
                Some(net) => _ = by_net.entry(net.trunc()).or_insert(index),
                None => _ = unknown.insert(Family::of(ip.address)),
            }
        }
        let prefixes = by_net.keys().map(IpNet::prefix_len).collect();
        Self { by_net, prefixes, unknown }
    }

    /// The smallest subnet that contains the address, with the position of its `<ip>`.
    pub(crate) fn around(&self, address: IpAddr) -> Option<(IpNet, usize)> {
        let nets = self.prefixes.iter().rev().filter_map(|prefix| IpNet::new(address, *prefix).ok());
        nets.map(|net| net.trunc()).find_map(|net| Some((net, *self.by_net.get(&net)?)))
    }

    /// All subnets of a family.
    pub(crate) fn of_family(&self, family: Family) -> impl Iterator<Item = IpNet> {
        self.by_net.keys().copied().filter(move |net| Family::of(net.addr()) == family)
    }

    /// Whether all subnets of the family are known.
    pub(crate) fn are_known(&self, family: Family) -> bool {
        !self.unknown.contains(&family)
    }
}

/// Whether two subnets overlap.
pub(crate) fn overlap(a: IpNet, b: IpNet) -> bool {
    a.contains(&b) || b.contains(&a)
}

/// Each item that overlaps an earlier one in the list, with that one. Items are `(first, last)`.
pub(crate) fn overlapping<T: Ord + Copy>(items: &[Option<(T, T)>]) -> Vec<(usize, usize)> {
    let mut sorted: Vec<(T, T, usize)> =
        items.iter().enumerate().filter_map(|(index, item)| item.map(|(first, last)| (first, last, index))).collect();
    sorted.sort_unstable();
    let mut pairs = Vec::new();
    // The item with the highest end among those that begin earlier.
    let mut reach: Option<(T, usize)> = None;
    for (first, last, index) in sorted {
        match reach {
            Some((end, other)) if first <= end => {
                pairs.push((index.max(other), index.min(other)));
                if last > end {
                    reach = Some((last, index));
                }
            }
            _ => reach = Some((last, index)),
        }
    }
    pairs
}

/// The use of an address that no host of the subnet can have. Subnets of one or two addresses (RFC
/// 3021) and IPv6 subnets have no such address.
pub(crate) fn reserved(net: IpNet, address: IpAddr) -> Option<&'static str> {
    match net {
        IpNet::V4(v4) if v4.prefix_len() <= 30 => match address {
            _ if address == IpAddr::V4(v4.network()) => Some("network address"),
            _ if address == IpAddr::V4(v4.broadcast()) => Some("broadcast address"),
            _ => None,
        },
        _ => None,
    }
}

/// The first and the last address that hosts of a subnet can have.
pub(crate) fn hosts(net: IpNet) -> (IpAddr, IpAddr) {
    match net {
        IpNet::V4(v4) if v4.prefix_len() <= 30 => {
            let at = |address: std::net::Ipv4Addr, step: i32| address.to_bits().wrapping_add_signed(step);
            (IpAddr::V4(at(v4.network(), 1).into()), IpAddr::V4(at(v4.broadcast(), -1).into()))
        }
        IpNet::V4(v4) => (IpAddr::V4(v4.network()), IpAddr::V4(v4.broadcast())),
        IpNet::V6(v6) => {
            let first = v6.network().to_bits();
            let first = if v6.prefix_len() < 128 { first + 1 } else { first };
            (IpAddr::V6(first.into()), IpAddr::V6(v6.broadcast()))
        }
    }
}

/// The attribute that gives a subnet its size.
pub(crate) fn mask_path(element: &NodePath, mask: Option<Mask>) -> NodePath {
    element.attribute(match mask {
        Some(Mask::Netmask(_)) => "netmask",
        Some(Mask::Prefix(1..)) => "prefix",
        Some(Mask::Prefix(0)) | None => "address",
    })
}

/// Each `<ip>` with its path.
pub(crate) fn ips<'n>(network: &'n Network, root: &'n NodePath) -> impl Iterator<Item = (NodePath, &'n Ip)> {
    network.ips.iter().enumerate().map(|(index, ip)| (root.nth("ip", index), ip))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(&[(1, 2), (3, 4)], &[])]
    #[case(&[(1, 3), (3, 4)], &[(1, 0)])]
    #[case(&[(5, 6), (1, 9)], &[(1, 0)])]
    #[case(&[(1, 9), (2, 3), (4, 5)], &[(1, 0), (2, 0)])]
    #[case(&[(1, 4), (2, 9), (8, 9)], &[(1, 0), (2, 1)])]
    #[case(&[(1, 1), (1, 1)], &[(1, 0)])]
    fn overlaps(#[case] items: &[(u8, u8)], #[case] pairs: &[(usize, usize)]) {
        let items: Vec<_> = items.iter().copied().map(Some).collect();
        assert_eq!(overlapping(&items), pairs);
    }

    #[rstest]
    #[case("192.168.122.1/24", "192.168.122.1", "192.168.122.254")]
    #[case("10.0.0.0/31", "10.0.0.0", "10.0.0.1")]
    #[case("0.0.0.0/0", "0.0.0.1", "255.255.255.254")]
    #[case("fd00::1/64", "fd00::1", "fd00::ffff:ffff:ffff:ffff")]
    #[case("fd00::1/128", "fd00::1", "fd00::1")]
    fn hosts_of_a_subnet(#[case] net: &str, #[case] first: &str, #[case] last: &str) {
        let (from, to) = hosts(net.parse().unwrap());
        assert_eq!((from.to_string().as_str(), to.to_string().as_str()), (first, last));
    }
}
