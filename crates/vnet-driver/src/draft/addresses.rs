//! `<ip>` of a new network: the host's address, and what DHCP gives out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vnet_types::{AddressRange, IpNet, Ipv4Net, Ipv6Net};
use vnet_xml::Network;
use vnet_xml::network::{DhcpHost, DhcpRange, Ip};

use super::HostWish;
use crate::error::Error;

/// Blocks that no network of guests can be in, and what they are for (RFC 6890).
const SPECIAL: [(&str, IpNet); 8] = [
    ("this host", v4(Ipv4Addr::UNSPECIFIED, 8)),
    ("loopback", v4(Ipv4Addr::new(127, 0, 0, 0), 8)),
    ("link-local", v4(Ipv4Addr::new(169, 254, 0, 0), 16)),
    ("multicast", v4(Ipv4Addr::new(224, 0, 0, 0), 4)),
    ("no address", v6(Ipv6Addr::UNSPECIFIED, 128)),
    ("loopback", v6(Ipv6Addr::LOCALHOST, 128)),
    ("link-local", v6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10)),
    ("multicast", v6(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8)),
];
/// The most addresses of a range (VN0226).
const MOST: u32 = 1 << 16;

const fn v4(address: Ipv4Addr, prefix: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(address, prefix))
}

const fn v6(address: Ipv6Addr, prefix: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(address, prefix))
}

/// A subnet that was given, if guests can be in it.
pub(super) fn usable(net: IpNet) -> Result<IpNet, Error> {
    let whole = net.trunc();
    let refused = |why: String| Err(Error::Wish(why));
    if net.prefix_len() == 0 {
        return refused(format!("{whole} is every address there is: give the subnet of one network"));
    }
    // An IPv4 subnet has an address of its own and one for broadcasts.
    let most = if net.addr().is_ipv4() { 30 } else { 127 };
    if net.prefix_len() > most {
        return refused(format!("{whole} has no room for the host and one guest: give a /{most} or a larger subnet"));
    }
    match SPECIAL.iter().find(|(_, block)| block.contains(&whole) || whole.contains(block)) {
        Some((purpose, block)) if block.contains(&whole) => {
            refused(format!("{whole} is in {block} ({purpose}), where no network of guests can be: give another one"))
        }
        Some((purpose, block)) => {
            refused(format!("{whole} contains {block} ({purpose}), where no network of guests can be: give a part"))
        }
        None => Ok(net),
    }
}

/// A subnet. The host has the first address in it unless another one is given.
pub(super) fn subnet(net: IpNet) -> Ip {
    let is_whole = net.addr() == net.network();
    Ip::new(match net {
        IpNet::V4(v4) if is_whole && v4.prefix_len() <= 30 => {
            IpNet::V4(Ipv4Net::new(Ipv4Addr::from_bits(v4.network().to_bits() + 1), v4.prefix_len()).unwrap_or(v4))
        }
        IpNet::V6(v6) if is_whole && v6.prefix_len() <= 126 => {
            IpNet::V6(Ipv6Net::new(Ipv6Addr::from_bits(v6.network().to_bits() + 1), v6.prefix_len()).unwrap_or(v6))
        }
        given => given,
    })
}

/// Adds ranges and reservations to the subnets that have them.
pub(super) fn serve(network: &mut Network, ranges: Option<&[AddressRange]>, hosts: &[HostWish]) -> Result<(), Error> {
    for ip in &mut network.ips {
        let Some(net) = ip.net() else { continue };
        let mut dhcp = vnet_xml::network::Dhcp::default();
        match ranges {
            Some(ranges) => {
                let own = ranges.iter().filter(|range| net.contains(&range.start()));
                dhcp.ranges.extend(own.map(|range| DhcpRange::new(range.start(), range.end())));
            }
            None => dhcp.ranges.extend(around(net)),
        }
        for host in hosts.iter().filter(|host| net.contains(&host.ip)) {
            let mut reserved = DhcpHost::new(host.ip);
            (reserved.mac, reserved.name) = (Some(host.mac.into()), host.name.clone());
            dhcp.hosts.push(reserved);
        }
        ip.dhcp = Some(dhcp).filter(|dhcp| !dhcp.ranges.is_empty() || !dhcp.hosts.is_empty());
    }
    let nets: Vec<IpNet> = network.ips.iter().filter_map(|ip| ip.net()).collect();
    let starts = ranges.unwrap_or_default().iter().map(|range| range.start());
    match starts.chain(hosts.iter().map(|host| host.ip)).find(|ip| !nets.iter().any(|net| net.contains(ip))) {
        Some(ip) => Err(Error::Wish(not_inside(ip, &nets))),
        None => Ok(()),
    }
}

fn not_inside(ip: IpAddr, nets: &[IpNet]) -> String {
    let nets: Vec<String> = nets.iter().map(|net| net.trunc().to_string()).collect();
    match &nets[..] {
        [] => format!("the network has no subnet, so `{ip}` cannot be given to a guest"),
        nets => format!("`{ip}` is not in {}: choose another one, or the subnet", nets.join(" or ")),
    }
}

/// The addresses of an IPv4 subnet on the larger side of the host's, as many as a range can have,
/// from the first on. Guests get IPv6 addresses from
/// router advertisements.
fn around(net: IpNet) -> Option<DhcpRange> {
    let IpNet::V4(v4) = net else { return None };
    if v4.prefix_len() > 30 {
        return None;
    }
    let (own, first, last) = (v4.addr().to_bits(), v4.network().to_bits() + 1, v4.broadcast().to_bits() - 1);
    let (below, above) = ((first, own.saturating_sub(1)), (own.saturating_add(1), last));
    let (start, end) = if own.saturating_sub(first) > last.saturating_sub(own) { below } else { above };
    let end = end.min(start.saturating_add(MOST - 1));
    (start <= end).then(|| DhcpRange::new(Ipv4Addr::from_bits(start).into(), Ipv4Addr::from_bits(end).into()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::whole("10.0.0.0/24", "10.0.0.1", Some("10.0.0.2-10.0.0.254"))]
    #[case::last("10.0.0.254/24", "10.0.0.254", Some("10.0.0.1-10.0.0.253"))]
    #[case::in_between("10.0.0.100/24", "10.0.0.100", Some("10.0.0.101-10.0.0.254"))]
    #[case::smallest("10.0.0.0/30", "10.0.0.1", Some("10.0.0.2-10.0.0.2"))]
    #[case::largest("10.0.0.0/8", "10.0.0.1", Some("10.0.0.2-10.1.0.1"))]
    #[case::too_small("10.0.0.0/31", "10.0.0.0", None)]
    #[case::one("10.0.0.1/32", "10.0.0.1", None)]
    #[case::ipv6("fd00::/64", "fd00::1", None)]
    fn the_host_and_the_range(#[case] given: &str, #[case] own: &str, #[case] range: Option<&str>) {
        let ip = subnet(given.parse().unwrap());
        let found = around(ip.net().unwrap()).map(|range| format!("{}-{}", range.start, range.end));
        assert_eq!((ip.address.to_string().as_str(), found.as_deref()), (own, range));
    }

    #[rstest]
    #[case::everything("10.0.0.0/0", "0.0.0.0/0 is every address there is: give the subnet of one network")]
    #[case::every_ipv6("::/0", "::/0 is every address there is: give the subnet of one network")]
    #[case::two("10.0.0.0/31", "10.0.0.0/31 has no room for the host and one guest: give a /30 or a larger subnet")]
    #[case::one("10.0.0.1/32", "10.0.0.1/32 has no room for the host and one guest: give a /30 or a larger subnet")]
    #[case::one_ipv6(
        "fd00::1/128",
        "fd00::1/128 has no room for the host and one guest: give a /127 or a larger subnet"
    )]
    #[case::this(
        "0.1.0.0/16",
        "0.1.0.0/16 is in 0.0.0.0/8 (this host), where no network of guests can be: give another one"
    )]
    #[case::loopback(
        "127.0.0.1/24",
        "127.0.0.0/24 is in 127.0.0.0/8 (loopback), where no network of guests can be: give another one"
    )]
    #[case::local(
        "169.254.0.0/24",
        "169.254.0.0/24 is in 169.254.0.0/16 (link-local), where no network of guests can be: give another one"
    )]
    #[case::multicast(
        "239.0.0.0/24",
        "239.0.0.0/24 is in 224.0.0.0/4 (multicast), where no network of guests can be: give another one"
    )]
    #[case::around(
        "64.0.0.0/2",
        "64.0.0.0/2 contains 127.0.0.0/8 (loopback), where no network of guests can be: give a part"
    )]
    #[case::local_ipv6(
        "fe80::/64",
        "fe80::/64 is in fe80::/10 (link-local), where no network of guests can be: give another one"
    )]
    #[case::multicast_ipv6(
        "ff02::/64",
        "ff02::/64 is in ff00::/8 (multicast), where no network of guests can be: give another one"
    )]
    #[case::around_loopback(
        "::/64",
        "::/64 contains ::/128 (no address), where no network of guests can be: give a part"
    )]
    #[case::fine("10.0.0.5/8", "10.0.0.5/8")]
    #[case::small("10.0.0.0/30", "10.0.0.0/30")]
    #[case::ipv6("fd00::/64", "fd00::/64")]
    fn subnets_that_guests_cannot_be_in_are_refused(#[case] given: &str, #[case] told: &str) {
        let found = usable(given.parse().unwrap()).map_or_else(|error| error.to_string(), |net| net.to_string());
        assert_eq!(found, told);
    }

    #[rstest]
    #[case::outside("10.0.0.0/24", "10.1.0.9", "`10.1.0.9` is not in 10.0.0.0/24: choose another one, or the subnet")]
    #[case::no_subnet("", "10.1.0.9", "the network has no subnet, so `10.1.0.9` cannot be given to a guest")]
    fn what_is_outside_is_refused(#[case] net: &str, #[case] host: &str, #[case] expected: &str) {
        let mut network = Network::new("lab");
        network.ips.extend(net.parse().ok().map(subnet));
        let host = HostWish::new("52:54:00:00:00:01".parse().unwrap(), host.parse().unwrap());
        assert_eq!(serve(&mut network, None, &[host]).unwrap_err().to_string(), expected);
    }
}
