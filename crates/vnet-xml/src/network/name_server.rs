//! The name server that each host of OVN runs for its guests: whether there is one, and where.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use vnet_types::{EgressPreset, IpNet};

use super::{ForwardGuest, ForwardMode, Ip, Network};

impl Network {
    /// The addresses of the name server that each host of OVN runs for its guests, one in each
    /// subnet that has a free one. Empty where what OVN answers itself is enough: the names of
    /// hosts.
    ///
    /// It is the last address of an IPv4 subnet, and the first one of an IPv6 subnet, that the
    /// definition neither names nor gives out by DHCP. Where all are given out, one of these is
    /// taken, and no guest gets it.
    pub fn ovn_name_servers(&self) -> Vec<IpNet> {
        if !self.is_on_ovn() || !self.answers_names() || !self.needs_name_server() {
            return Vec::new();
        }
        let taken = self.named_addresses();
        let of = |ip: &Ip| {
            let net = ip.net()?;
            IpNet::new(free(ip, net, &taken)?, net.prefix_len()).ok()
        };
        self.ips.iter().filter_map(of).collect()
    }

    /// Whether guests ask for more than OVN's records: names beyond the network, where they have a
    /// way out, or records of other types.
    fn needs_name_server(&self) -> bool {
        let preset = self.extensions.egress.as_ref().map(|egress| egress.preset);
        if preset == Some(EgressPreset::None) {
            return false;
        }
        let dns = self.dns.as_ref();
        let forwarders = || dns.into_iter().flat_map(|dns| &dns.forwarders);
        // Of dnsmasq's options OVN has those that give an address to all names of a domain.
        let has_records =
            !self.dnsmasq_options.is_empty() || dns.is_some_and(|dns| !dns.srvs.is_empty() || !dns.txts.is_empty());
        let is_local = dns.is_some_and(|dns| dns.forward_plain_names == Some(false))
            || self.domain.as_ref().is_some_and(|domain| domain.local_only == Some(true))
            || self.ips.iter().any(|ip| ip.local_ptr == Some(true));
        let has_special = forwarders().any(|it| it.domain.is_some() || it.port.is_some());
        // Guests ask such a forwarder themselves, where they reach it.
        let is_asked = forwarders().next().is_some() && preset != Some(EgressPreset::HostOnly);
        has_records || is_local || has_special || (self.forward_mode() != ForwardMode::None && !is_asked)
    }

    /// The addresses that the definition gives to somebody.
    fn named_addresses(&self) -> BTreeSet<IpAddr> {
        let reserved = self.ips.iter().filter_map(|ip| ip.dhcp.as_ref()).flat_map(|dhcp| &dhcp.hosts);
        let named = self.dns.iter().flat_map(|dns| &dns.hosts).map(|host| host.ip);
        let forwarded = self.extensions.port_forwards.iter().filter_map(|it| match it.guest {
            ForwardGuest::Address(address) => Some(address),
            ForwardGuest::Mac(_) | ForwardGuest::Name(_) => None,
        });
        let own = self.ips.iter().map(|ip| ip.address);
        let routers = self.routes.iter().map(|route| route.gateway);
        own.chain(reserved.map(|host| host.ip)).chain(named).chain(forwarded).chain(routers).collect()
    }
}

/// A free address of a subnet, outside of its ranges if there is one.
fn free(ip: &Ip, net: IpNet, taken: &BTreeSet<IpAddr>) -> Option<IpAddr> {
    let ranges = ip.dhcp.iter().flat_map(|dhcp| &dhcp.ranges);
    let ranges: Vec<(u128, u128)> = ranges.map(|it| (number(it.start), number(it.end))).collect();
    let ranges: Vec<_> = ranges.into_iter().map(|(one, other)| (one.min(other), one.max(other))).collect();
    let taken: BTreeSet<u128> =
        taken.iter().filter(|ip| ip.is_ipv4() == net.addr().is_ipv4()).map(|it| number(*it)).collect();
    let found = search(net, &ranges, &taken).or_else(|| search(net, &[], &taken))?;
    Some(match net {
        IpNet::V4(_) => IpAddr::V4(u32::try_from(found).ok()?.into()),
        IpNet::V6(_) => IpAddr::V6(Ipv6Addr::from_bits(found)),
    })
}

/// The first address that is neither in a range nor taken: from the end of an IPv4 subnet, from the
/// beginning of an IPv6 subnet. Neither can be the subnet's own or that of its broadcasts.
fn search(net: IpNet, ranges: &[(u128, u128)], taken: &BTreeSet<u128>) -> Option<u128> {
    let (first, last) = (number(net.network()) + 1, number(net.broadcast()));
    let (is_down, last) = if net.addr().is_ipv4() { (true, last.checked_sub(1)?) } else { (false, last) };
    let next = |from: u128, to: u128| if is_down { from.checked_sub(1) } else { to.checked_add(1) };
    let mut at = if is_down { last } else { first };
    while (first..=last).contains(&at) {
        at = match ranges.iter().find(|(from, to)| (*from..=*to).contains(&at)) {
            Some((from, to)) => next(*from, *to)?,
            None if taken.contains(&at) => next(at, at)?,
            None => return Some(at),
        };
    }
    None
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_bits().into(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use rstest::rstest;

    use super::*;

    const OVN: &str = "<network><name>n</name><metadata>\
        <vnet:network xmlns:vnet='https://github.com/vnet-rs/vnet/network/1.0'>EGRESS\
        <vnet:ovn northbound='unix:/nb'/></vnet:network></metadata>";
    const NAT: &str = "<forward mode='nat'/><ip address='10.0.0.1' prefix='24'/>";
    const ISOLATED: &str = "<ip address='10.0.0.1' prefix='24'/>";

    #[rstest]
    #[case::names_beyond("", NAT, "", "10.0.0.254/24")]
    #[case::no_names("", NAT, "<dns enable='no'/>", "")]
    #[case::asked_by_guests("", NAT, "<dns><forwarder addr='9.9.9.9'/></dns>", "")]
    #[case::who_reach_only_the_gateway("host-only", NAT, "<dns><forwarder addr='9.9.9.9'/></dns>", "10.0.0.254/24")]
    #[case::who_reach_nobody("none", NAT, "", "")]
    #[case::isolated("", ISOLATED, "", "")]
    #[case::txt("", ISOLATED, "<dns><txt name='a' value='b'/></dns>", "10.0.0.254/24")]
    #[case::srv("", ISOLATED, "<dns><srv service='a' protocol='tcp'/></dns>", "10.0.0.254/24")]
    #[case::domain_forwarder("", ISOLATED, "<dns><forwarder domain='a' addr='9.9.9.9'/></dns>", "10.0.0.254/24")]
    #[case::port("", NAT, "<dns><forwarder addr='9.9.9.9' port='54'/></dns>", "10.0.0.254/24")]
    #[case::wildcard(
        "",
        ISOLATED,
        "<dnsmasq:options xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'>\
         <dnsmasq:option value='address=/a/10.0.0.9'/></dnsmasq:options>",
        "10.0.0.254/24"
    )]
    #[case::plain_names("", ISOLATED, "<dns forwardPlainNames='no'/>", "10.0.0.254/24")]
    #[case::local_only("", ISOLATED, "<domain name='lan' localOnly='yes'/>", "10.0.0.254/24")]
    #[case::named("", NAT, "<dns><host ip='10.0.0.254'><hostname>a</hostname></host></dns>", "10.0.0.253/24")]
    #[case::outside_the_range(
        "",
        "<forward/><ip address='10.0.0.1' prefix='24'><dhcp><range start='10.0.0.100' end='10.0.0.254'/></dhcp></ip>",
        "",
        "10.0.0.99/24"
    )]
    #[case::within_the_range(
        "",
        "<forward/><ip address='10.0.0.1' prefix='29'><dhcp><range start='10.0.0.2' end='10.0.0.6'/>\
         <host mac='52:54:00:00:00:01' ip='10.0.0.6'/></dhcp></ip>",
        "",
        "10.0.0.5/29"
    )]
    #[case::no_room(
        "",
        "<forward/><ip address='10.0.0.1' prefix='30'><dhcp><host mac='52:54:00:00:00:01' ip='10.0.0.2'/></dhcp></ip>",
        "",
        ""
    )]
    #[case::both_families(
        "",
        "<forward/><ip address='10.0.0.254' prefix='24'/><ip family='ipv6' address='fd00::1' prefix='64'>\
        <dhcp><range start='fd00::2' end='fd00::ff'/></dhcp></ip>",
        "",
        "10.0.0.253/24 fd00::100/64"
    )]
    #[case::whole_families(
        "",
        "<forward/><ip address='10.0.0.1' prefix='31'/><ip family='ipv6' address='fd00::1' prefix='128'/>",
        "",
        ""
    )]
    fn name_servers(#[case] egress: &str, #[case] subnets: &str, #[case] names: &str, #[case] expected: &str) {
        let egress = if egress.is_empty() { String::new() } else { format!("<vnet:egress preset='{egress}'/>") };
        let text = format!("{}{subnets}{names}</network>", OVN.replace("EGRESS", &egress));
        let network: Network = text.parse().unwrap();
        let found: Vec<String> = network.ovn_name_servers().iter().map(ToString::to_string).collect();
        assert_eq!(found.join(" "), expected);
        let bridge = text.replace("<vnet:ovn northbound='unix:/nb'/>", "");
        assert!(bridge.parse::<Network>().unwrap().ovn_name_servers().is_empty(), "a bridge has its own dnsmasq");
    }
}
