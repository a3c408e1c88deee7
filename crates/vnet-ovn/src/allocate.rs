//! The addresses of guests. vnet chooses them: those that OVN chooses itself move when somebody
//! else changes the switch, and a range that is used up is told to its log only.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use vnet_types::{AddressRange, Family, IpNet, MacAddr};
use vnet_xml::Network;
use vnet_xml::network::{DhcpHost, Ip};

use crate::OvnGuest;

/// Why a guest gets no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all addresses from {} to {} are taken: make the `<range>` larger, or detach a guest", .0.start(), .0.end())]
pub struct AllTaken(pub AddressRange);

/// Chooses the addresses of a guest, one of each family that the network gives out by DHCP: that of
/// its reservation, or else the lowest free one of the ranges. `others` are the other guests.
///
/// A reservation of IPv6 has no MAC address: it is by the guest's own name, or by the name that the
/// reservation of its MAC address has.
///
/// # Errors
/// [`AllTaken`].
pub fn guest_addresses(
    network: &Network,
    others: &[OvnGuest],
    mac: MacAddr,
    name: Option<&str>,
) -> Result<Vec<IpAddr>, AllTaken> {
    let mut taken: BTreeSet<IpAddr> = network.ips.iter().map(|ip| ip.address).collect();
    taken.extend(network.ovn_name_servers().iter().map(IpNet::addr));
    taken.extend(others.iter().flat_map(|guest| &guest.addresses));
    let all = || network.ips.iter().filter_map(|ip| ip.dhcp.as_ref()).flat_map(|dhcp| &dhcp.hosts);
    let has_mac = |host: &&DhcpHost| host.mac.as_ref().is_some_and(|it| it.get() == mac);
    let names: BTreeSet<&str> = all().filter(has_mac).filter_map(|host| host.name.as_deref()).chain(name).collect();
    let mut found = Vec::new();
    for family in [Family::Ipv4, Family::Ipv6] {
        let subnets: Vec<&Ip> = network.ips.iter().filter(|ip| Family::of(ip.address) == family).collect();
        let hosts = || subnets.iter().filter_map(|ip| ip.dhcp.as_ref()).flat_map(|dhcp| &dhcp.hosts);
        let is_own = |host: &&DhcpHost| match &host.mac {
            Some(_) => has_mac(host),
            None => host.name.as_deref().is_some_and(|it| names.contains(it)),
        };
        let reserved: BTreeSet<IpAddr> = hosts().map(|host| host.ip).collect();
        match hosts().filter(is_own).map(|host| host.ip).find(|ip| !taken.contains(ip)) {
            Some(own) => found.push(own),
            None => {
                taken.extend(reserved);
                found.extend(free(&subnets, &taken)?);
            }
        }
    }
    Ok(found)
}

fn free(subnets: &[&Ip], taken: &BTreeSet<IpAddr>) -> Result<Option<IpAddr>, AllTaken> {
    let mut full = None;
    for (net, dhcp) in subnets.iter().filter_map(|ip| Some((ip.net()?, ip.dhcp.as_ref()?))) {
        for range in &dhcp.ranges {
            let (start, end) = (range.start.min(range.end), range.start.max(range.end));
            let Ok(range) = AddressRange::new(start, end) else { continue };
            if let Some(free) = addresses(range).find(|ip| !taken.contains(ip) && is_usable(*ip, net)) {
                return Ok(Some(free));
            }
            full = Some(range);
        }
    }
    full.map_or(Ok(None), |range| Err(AllTaken(range)))
}

fn addresses(range: AddressRange) -> Box<dyn Iterator<Item = IpAddr>> {
    match (range.start(), range.end()) {
        (IpAddr::V4(start), IpAddr::V4(end)) => {
            Box::new((start.to_bits()..=end.to_bits()).map(|it| IpAddr::V4(it.into())))
        }
        (IpAddr::V6(start), IpAddr::V6(end)) => {
            Box::new((start.to_bits()..=end.to_bits()).map(|it| IpAddr::V6(Ipv6Addr::from_bits(it))))
        }
        _ => Box::new(std::iter::empty()),
    }
}

/// Whether an address is that of a guest, and not of the subnet itself or its broadcasts.
fn is_usable(ip: IpAddr, net: IpNet) -> bool {
    let is_small = net.prefix_len() + 1 >= net.max_prefix_len();
    let is_last = ip == net.broadcast() && ip.is_ipv4();
    net.contains(&ip) && (is_small || (ip != net.network() && !is_last))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;
    use rstest::rstest;
    use vnet_types::Uuid;

    const NETWORK: &str = "<network><name>n</name><ip address='10.0.0.1' prefix='29'><dhcp>\
        <range start='10.0.0.0' end='10.0.0.7'/><host mac='52:54:00:00:00:09' name='web' ip='10.0.0.2'/></dhcp></ip>\
        <ip family='ipv6' address='fd00::1' prefix='64'><dhcp><range start='fd00::1' end='fd00::ffff:ffff:ffff:ffff'/>\
        <host name='web' ip='fd00::99'/></dhcp></ip></network>";

    fn with(taken: &[&str]) -> Vec<OvnGuest> {
        let mut guest = OvnGuest::new(Uuid([1; 16]), MacAddr([2, 0, 0, 0, 0, 1]));
        guest.addresses = taken.iter().map(|it| it.parse().unwrap()).collect();
        vec![guest]
    }

    #[rstest]
    #[case::lowest(&[], 1, None, Some("10.0.0.3 fd00::2"))]
    #[case::next(&["10.0.0.3", "fd00::2"], 1, None, Some("10.0.0.4 fd00::3"))]
    #[case::reserved(&["10.0.0.3"], 9, Some("web"), Some("10.0.0.2 fd00::99"))]
    #[case::by_the_name_of_its_mac(&[], 9, None, Some("10.0.0.2 fd00::99"))]
    #[case::not_for_its_name(&[], 1, Some("web"), Some("10.0.0.3 fd00::99"))]
    #[case::all_taken(&["10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"], 1, None, None)]
    fn a_guest_gets(
        #[case] taken: &[&str],
        #[case] mac: u8,
        #[case] name: Option<&str>,
        #[case] expected: Option<&str>,
    ) {
        let network: Network = NETWORK.parse().unwrap();
        let found = guest_addresses(&network, &with(taken), MacAddr([0x52, 0x54, 0, 0, 0, mac]), name).ok();
        let words = |all: Vec<IpAddr>| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        assert_eq!(found.map(words).as_deref(), expected);
    }
}
