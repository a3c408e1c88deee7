//! Subnets that nothing on a host uses.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::rc::Rc;

use vnet_types::{Family, Inventory, IpNet, Ipv4Net, Ipv6Net, fnv1a};

use crate::collision::counts;

/// The private IPv4 addresses (RFC 1918) in the order of preference. Routers of homes and offices
/// and libvirt's network `default` are in the last block.
const BLOCKS: [Ipv4Net; 4] = [
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 128, 0), 17),
    Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 17),
];
/// The unique local IPv6 addresses that are assigned locally (RFC 4193).
const LOCAL: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0), 8);
/// The most subnets of one block that are looked at.
const MOST: u128 = 1 << 16;

/// The private subnets with this prefix length that nothing on the host uses, best first.
///
/// What the host has an address or a route in is in use, and so is what [`Inventory::reserved`]
/// lists; parts of other programs' pools come last. A network's name decides where the search
/// begins, so the same network gets the same subnet as long as that is free, and networks of
/// different hosts are seldom the same. IPv6 subnets are unique local ones (RFC 4193), those of one
/// host in one `/48`.
///
/// ```
/// use vnet_types::{Family, Inventory};
/// use vnet_validate::free_subnets;
///
/// let nothing = Inventory::default();
/// let free: Vec<_> = free_subnets("lab", Family::Ipv4, 24, &nothing).take(2).collect();
/// assert_eq!(free, free_subnets("lab", Family::Ipv4, 24, &nothing).take(2).collect::<Vec<_>>());
/// assert_ne!(free[0], free[1]);
/// ```
pub fn free_subnets(name: &str, family: Family, prefix: u8, host: &Inventory) -> impl Iterator<Item = IpNet> + use<> {
    let in_use = host.addresses.iter().map(|(_, address)| address.net);
    let in_use = in_use.chain(host.routes.iter().map(|route| route.destination));
    let kept = host.reserved.iter().filter(|it| !it.by.is_pool()).map(|it| it.net);
    let used = Ranges::of(family, in_use.chain(kept).filter(|net| counts(*net)));
    let pools = Ranges::of(family, host.reserved.iter().filter(|it| it.by.is_pool()).map(|it| it.net));
    let start = fnv1a(name.bytes());
    let blocks: Vec<IpNet> = match family {
        Family::Ipv4 => BLOCKS.map(IpNet::V4).to_vec(),
        Family::Ipv6 => vec![IpNet::V6(of_host(if host.machine == 0 { start } else { host.machine })), LOCAL.into()],
    };
    let candidates = blocks.into_iter().flat_map(move |block| within(block, prefix, start));
    let (used, pools) = (Rc::new(used), Rc::new(pools));
    let outside = candidates.clone().filter({
        let (used, pools) = (Rc::clone(&used), Rc::clone(&pools));
        move |net| !used.overlap(*net) && !pools.overlap(*net)
    });
    outside.chain(candidates.filter(move |net| !used.overlap(*net) && pools.overlap(*net)))
}

/// The `/48` of a host.
fn of_host(machine: u64) -> Ipv6Net {
    let bits = LOCAL.network().to_bits() | u128::from(machine >> 24) << 80;
    Ipv6Net::new_assert(Ipv6Addr::from_bits(bits), 48)
}

/// The subnets of a block, from the one with this number on and around.
fn within(block: IpNet, prefix: u8, start: u64) -> impl Iterator<Item = IpNet> + Clone {
    let (first, bits) = (first(block), Family::of(block.addr()).bits());
    let is_part = (block.prefix_len()..=bits).contains(&prefix);
    let count = if is_part { 1 << (prefix - block.prefix_len()).min(64) } else { 0 };
    (0..count.min(MOST)).filter_map(move |number| {
        let number = (u128::from(start) + number) % count;
        let bits = first + (number << (bits - prefix));
        let subnet = match block {
            IpNet::V4(_) => IpNet::V4(Ipv4Net::new(Ipv4Addr::from_bits(u32::try_from(bits).ok()?), prefix).ok()?),
            IpNet::V6(_) => IpNet::V6(Ipv6Net::new(Ipv6Addr::from_bits(bits), prefix).ok()?),
        };
        Some(subnet)
    })
}

/// Ranges of addresses that do not touch each other, in order.
struct Ranges(Vec<(u128, u128)>);

impl Ranges {
    fn of(family: Family, nets: impl Iterator<Item = IpNet>) -> Self {
        let of_family = nets.filter(|net| Family::of(net.addr()) == family);
        let mut all: Vec<_> = of_family.map(|net| (first(net), last(net))).collect();
        all.sort_unstable();
        let mut ranges: Vec<(u128, u128)> = Vec::with_capacity(all.len());
        for (start, end) in all {
            match ranges.last_mut() {
                Some((_, last)) if start <= *last => *last = end.max(*last),
                _ => ranges.push((start, end)),
            }
        }
        Self(ranges)
    }

    fn overlap(&self, net: IpNet) -> bool {
        let after = self.0.partition_point(|(start, _)| *start <= last(net));
        self.0[..after].last().is_some_and(|(_, end)| *end >= first(net))
    }
}

fn first(net: IpNet) -> u128 {
    match net {
        IpNet::V4(v4) => v4.network().to_bits().into(),
        IpNet::V6(v6) => v6.network().to_bits(),
    }
}

fn last(net: IpNet) -> u128 {
    match net {
        IpNet::V4(v4) => v4.broadcast().to_bits().into(),
        IpNet::V6(v6) => v6.broadcast().to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use vnet_types::{ReservedSubnet, SubnetHolder};

    use super::*;

    fn host(reserved: &[(&str, SubnetHolder)]) -> Inventory {
        let reserved = reserved.iter().map(|(net, by)| ReservedSubnet { net: net.parse().unwrap(), by: by.clone() });
        Inventory { reserved: reserved.collect(), machine: 0x1234_5678_9abc_def0, ..Inventory::default() }
    }

    fn best(name: &str, host: &Inventory) -> IpNet {
        free_subnets(name, Family::Ipv4, 24, host).next().unwrap()
    }

    fn docker(net: &str) -> (&str, SubnetHolder) {
        (net, SubnetHolder::Pool("Docker".to_owned()))
    }

    fn libvirt(net: &str) -> (&str, SubnetHolder) {
        (net, SubnetHolder::Libvirt("default".to_owned()))
    }

    #[test]
    fn what_is_free_stays_and_what_is_used_moves_on() {
        let (nothing, first) = (host(&[]), best("lab", &host(&[])));
        assert!(IpNet::V4(BLOCKS[0]).contains(&first), "{first}");
        assert_eq!(first, best("lab", &host(&[libvirt("192.168.122.0/24")])));
        let next = best("lab", &host(&[libvirt(&first.to_string())]));
        assert_eq!(next, free_subnets("lab", Family::Ipv4, 24, &nothing).nth(1).unwrap());
        assert_ne!(best("other", &nothing), first);
    }

    #[rstest]
    #[case(&[docker("192.168.0.0/16"), docker("172.16.0.0/12")], "10.0.0.0/8")]
    #[case(&[docker("0.0.0.0/0")], "192.168.128.0/17")]
    #[case(&[libvirt("192.168.0.0/16"), docker("10.0.0.0/8")], "172.16.0.0/12")]
    #[case(&[libvirt("192.168.128.0/17"), libvirt("10.0.0.0/8"), libvirt("172.16.0.0/12")], "192.168.0.0/17")]
    fn pools_come_last(#[case] reserved: &[(&str, SubnetHolder)], #[case] expected: &str) {
        let (subnet, expected) = (best("lab", &host(reserved)), expected.parse::<IpNet>().unwrap());
        assert!(expected.contains(&subnet), "{subnet}");
    }

    #[test]
    fn every_subnet_is_offered_once_until_none_is_left() {
        let most = host(&[libvirt("10.0.0.0/8"), libvirt("172.16.0.0/12"), libvirt("192.168.0.0/17")]);
        let mut all: Vec<IpNet> = free_subnets("lab", Family::Ipv4, 24, &most).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 128);
        let all = host(&[libvirt("10.0.0.0/8"), libvirt("172.16.0.0/12"), libvirt("192.168.0.0/16")]);
        assert_eq!(free_subnets("lab", Family::Ipv4, 24, &all).next(), None);
        assert_eq!(free_subnets("lab", Family::Ipv4, 4, &host(&[])).next(), None, "larger than any block");
    }

    #[test]
    fn a_host_has_one_prefix_of_ipv6() {
        let subnet = |name, host: &Inventory| free_subnets(name, Family::Ipv6, 64, host).next().unwrap();
        let (here, there) = (host(&[]), Inventory { machine: 7 << 40, ..Inventory::default() });
        let prefix: IpNet = "fd12:3456:789a::/48".parse().unwrap();
        assert!(prefix.contains(&subnet("lab", &here)) && prefix.contains(&subnet("other", &here)));
        assert_ne!(subnet("lab", &here), subnet("other", &here));
        assert_ne!(subnet("lab", &here), subnet("lab", &there));
        assert_eq!(subnet("lab", &here), subnet("lab", &here));
    }
}
