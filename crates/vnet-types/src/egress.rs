//! What the guests of a network may reach beyond it.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::{Family, PortRange};

/// What the guests of a network may reach: a preset, and what differs from it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Egress {
    /// What holds where no exception does.
    pub preset: EgressPreset,
    /// What guests may reach, too.
    #[cfg_attr(feature = "serde", serde(default))]
    pub allow: Vec<EgressException>,
    /// What guests may not reach.
    #[cfg_attr(feature = "serde", serde(default))]
    pub deny: Vec<EgressException>,
}

/// A preset of what guests may reach. Guests of one network always reach each other, get addresses,
/// and answer whoever may reach them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum EgressPreset {
    /// `internet-only`: addresses of the internet, and of the host its DNS.
    InternetOnly,
    /// `host-only`: the host, and nothing beyond it.
    HostOnly,
    /// `none`: nothing, not even names.
    None,
    /// `any`: whatever the mode of the network allows.
    Any,
}

/// Addresses, a protocol and ports, each of them any if absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct EgressException {
    /// `address`: an address or a subnet.
    pub net: Option<IpNet>,
    /// `proto`
    pub protocol: Option<EgressProtocol>,
    /// `port`: of TCP and UDP.
    pub ports: Option<PortRange>,
}

/// The protocol of an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum EgressProtocol {
    /// `tcp`
    Tcp,
    /// `udp`
    Udp,
    /// `icmp`: ICMP over IPv4, ICMPv6 over IPv6.
    Icmp,
}

/// What is no address of the internet: by IANA's registries of special addresses not globally
/// reachable, multicast, reserved, or with an IPv4 address within that could be private (6to4,
/// NAT64); and the address at which Azure serves its metadata.
const BEYOND_IPV4: [&str; 14] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
];
/// The same for IPv6, where the internet is within 2000::/3.
const BEYOND_IPV6: [&str; 7] = ["::/3", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "4000::/2", "8000::/1"];

impl Egress {
    /// A preset without exceptions.
    pub fn new(preset: EgressPreset) -> Self {
        Self { preset, allow: Vec::new(), deny: Vec::new() }
    }

    /// The exceptions, each with whether it allows, in the order in which they apply: the first
    /// that matches decides. The longer prefix comes first, then what names ports, then what names
    /// a protocol; of two that are as exact, the one that denies.
    pub fn exceptions(&self) -> Vec<(bool, &EgressException)> {
        let deny = self.deny.iter().map(|it| (false, it));
        let mut all: Vec<_> = deny.chain(self.allow.iter().map(|it| (true, it))).collect();
        all.sort_by_key(|(_, it)| {
            let prefix = it.net.map_or(0, |net| net.prefix_len());
            std::cmp::Reverse((prefix, it.ports.is_some(), it.protocol.is_some()))
        });
        all
    }

    /// The first exception that matches, as whether it allows. Without ports, those of no exception
    /// with ports match.
    pub fn excepted(&self, address: IpAddr, protocol: EgressProtocol, port: Option<u16>) -> Option<bool> {
        let is_it = |it: &EgressException| {
            it.net.is_none_or(|net| net.contains(&address))
                && it.protocol.is_none_or(|own| own == protocol)
                && it.ports.is_none_or(|own| port.is_some_and(|port| own.start() <= port && port <= own.end()))
        };
        self.exceptions().into_iter().find(|(_, it)| is_it(it)).map(|(allows, _)| allows)
    }

    /// Whether guests may reach an address: one of the host, or one beyond the host. What the host
    /// serves to give them an address is not asked here, nor whether another network of guests has
    /// the address, which only `any` and exceptions allow.
    pub fn allows(&self, address: IpAddr, protocol: EgressProtocol, port: Option<u16>, is_host: bool) -> bool {
        self.excepted(address, protocol, port).unwrap_or(match self.preset {
            EgressPreset::Any => true,
            EgressPreset::HostOnly => is_host,
            EgressPreset::InternetOnly if is_host => port == Some(53),
            EgressPreset::InternetOnly => Self::is_internet(address),
            EgressPreset::None => false,
        })
    }

    /// The prefixes of a family that are not the internet, in order.
    pub fn beyond_internet(family: Family) -> impl Iterator<Item = IpNet> {
        let list: &[&str] = match family {
            Family::Ipv4 => &BEYOND_IPV4,
            Family::Ipv6 => &BEYOND_IPV6,
        };
        list.iter().map(|net| net.parse().expect("a subnet"))
    }

    /// Whether an address is one of the internet.
    pub fn is_internet(address: IpAddr) -> bool {
        !Self::beyond_internet(Family::of(address)).any(|net| net.contains(&address))
    }
}

impl EgressPreset {
    /// Each preset, with its word.
    pub const WORDS: &[(&str, Self)] = &[
        ("internet-only", Self::InternetOnly),
        ("host-only", Self::HostOnly),
        ("none", Self::None),
        ("any", Self::Any),
    ];
}

impl EgressProtocol {
    /// Each protocol, with its word.
    pub const WORDS: &[(&str, Self)] = &[("tcp", Self::Tcp), ("udp", Self::Udp), ("icmp", Self::Icmp)];
}

/// Its word.
impl fmt::Display for EgressPreset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Self::WORDS.iter().filter(|(_, it)| it == self).try_for_each(|(word, _)| f.pad(word))
    }
}

/// Its word.
impl fmt::Display for EgressProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Self::WORDS.iter().filter(|(_, it)| it == self).try_for_each(|(word, _)| f.pad(word))
    }
}

/// `10.0.0.0/8 tcp 80-90`; `everything` where nothing is named.
impl fmt::Display for EgressException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ports = self.ports.map(|ports| match ports.end() == ports.start() {
            true => ports.start().to_string(),
            false => ports.to_string(),
        });
        let net = self.net.map(|net| match net.prefix_len() == net.max_prefix_len() {
            true => net.addr().to_string(),
            false => net.to_string(),
        });
        let parts: Vec<String> = [net, self.protocol.map(|it| it.to_string()), ports].into_iter().flatten().collect();
        f.write_str(if parts.is_empty() { "everything" } else { "" })?;
        f.write_str(&parts.join(" "))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;
    use rstest::rstest;

    fn exception(net: &str, protocol: Option<EgressProtocol>, port: Option<u16>) -> EgressException {
        let ports = port.map(|port| PortRange::new(port, port).unwrap());
        EgressException { net: net.parse().ok(), protocol, ports }
    }

    #[rstest]
    #[case("8.8.8.8", true)]
    #[case("169.254.169.254", false)]
    #[case("168.63.129.16", false)]
    #[case("168.63.129.17", true)]
    #[case("100.64.0.1", false)]
    #[case("100.128.0.1", true)]
    #[case("172.31.255.255", false)]
    #[case("172.32.0.0", true)]
    #[case("192.0.1.1", true)]
    #[case("198.20.0.0", true)]
    #[case("223.255.255.255", true)]
    #[case("255.255.255.255", false)]
    #[case("2606:4700::1111", true)]
    #[case("2001:4860:4860::8888", true)]
    #[case("2001:0:53aa::1", false)]
    #[case("2002:a00:1::1", false)]
    #[case("64:ff9b::a00:1", false)]
    #[case("::ffff:10.0.0.1", false)]
    #[case("fd00:ec2::254", false)]
    #[case("fe80::1", false)]
    #[case("ff02::1", false)]
    #[case("5f00::1", false)]
    fn the_internet(#[case] address: IpAddr, #[case] expected: bool) {
        assert_eq!(Egress::is_internet(address), expected);
    }

    #[test]
    fn the_more_exact_exception_decides() {
        let mut egress = Egress::new(EgressPreset::InternetOnly);
        egress.deny = vec![exception("10.0.0.0/8", None, None), exception("10.0.0.7/32", None, Some(22))];
        egress.allow =
            vec![exception("10.0.0.7/32", Some(EgressProtocol::Tcp), None), exception("10.0.0.0/8", None, None)];
        let of = |address: &str, port| egress.excepted(address.parse().unwrap(), EgressProtocol::Tcp, Some(port));
        assert_eq!(
            [of("10.0.0.7", 22), of("10.0.0.7", 80), of("10.0.0.8", 80)],
            [Some(false), Some(true), Some(false)]
        );
        assert_eq!(of("11.0.0.1", 80), None);
    }
}
