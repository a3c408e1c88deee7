//! What a definition means for its guests: how they reach beyond the host, and which services they
//! have.

use vnet_types::{AddressRange, Family, InterfaceName, PortRange};

use super::{ForwardMode, Ip, Nat, Network, PortGroup};

/// How the guests of a network reach beyond the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayOut {
    /// In both directions, under their own addresses.
    Routed,
    /// Outgoing connections only, with translated source addresses.
    Translated {
        /// The source addresses; that of the outgoing device if `None`.
        addresses: Option<AddressRange>,
        /// The source ports of TCP and UDP.
        ports: PortRange,
    },
}

impl Network {
    /// The families of the network's addresses.
    pub fn families(&self) -> impl Iterator<Item = Family> {
        [Family::Ipv4, Family::Ipv6].into_iter().filter(|family| self.has_family(*family))
    }

    /// Whether the network has an address of a family.
    pub fn has_family(&self, family: Family) -> bool {
        self.ips.iter().any(|ip| Family::of(ip.address) == family)
    }

    /// The portgroup of a guest that names one, or none: that one, or the default. As with libvirt,
    /// it has none where the network does not have the one that it names.
    pub fn port_group(&self, name: Option<&str>) -> Option<&PortGroup> {
        self.port_groups.iter().find(|group| name.map_or(group.default, |name| group.name == name))
    }

    /// How guests of a family reach beyond the host; `None` if they cannot, or if the host is not
    /// their router.
    pub fn way_out(&self, family: Family) -> Option<WayOut> {
        match self.forward_mode() {
            ForwardMode::Nat if self.translates(family) => {
                let nat = self.nat();
                Some(WayOut::Translated {
                    addresses: nat.and_then(|nat| nat.addresses).filter(|_| family == Family::Ipv4),
                    ports: nat.and_then(|nat| nat.ports).unwrap_or(Nat::DEFAULT_PORTS),
                })
            }
            // IPv6 is routed if it is not translated.
            ForwardMode::Nat | ForwardMode::Route | ForwardMode::Open => Some(WayOut::Routed),
            ForwardMode::None
            | ForwardMode::Bridge
            | ForwardMode::Private
            | ForwardMode::Vepa
            | ForwardMode::Passthrough
            | ForwardMode::Hostdev => None,
        }
    }

    /// Whether addresses of a family are translated.
    pub fn translates(&self, family: Family) -> bool {
        let asks = || self.nat().is_some_and(|nat| nat.ipv6 == Some(true));
        self.forward_mode() == ForwardMode::Nat && (family == Family::Ipv4 || asks())
    }

    /// The only device that traffic beyond the host may use; any device if `None`.
    pub fn outgoing_device(&self) -> Option<&InterfaceName> {
        let forward = self.forward.as_ref().filter(|it| matches!(it.mode, ForwardMode::Nat | ForwardMode::Route))?;
        forward.dev()
    }

    /// Whether the host answers DNS queries of guests, if the network has an address at all.
    pub fn answers_names(&self) -> bool {
        self.dns.as_ref().is_none_or(|dns| dns.enable != Some(false))
    }

    /// Whether the network gives addresses of a family by DHCP.
    pub fn has_dhcp(&self, family: Family) -> bool {
        self.ips.iter().any(|ip| Family::of(ip.address) == family && ip.has_dhcp())
    }

    /// Whether a dnsmasq runs for the network: it has an address to listen on, and names, addresses
    /// or files to give out.
    pub fn has_dnsmasq(&self) -> bool {
        let gives = |ip: &Ip| ip.has_dhcp() || ip.tftp_root.is_some();
        self.forward_mode().has_own_bridge()
            && !self.ips.is_empty()
            && (self.answers_names() || self.ips.iter().any(gives))
    }

    /// The domain that the resolver of the host has to know, if dnsmasq answers for it.
    pub fn registered_domain(&self) -> Option<&str> {
        let domain = self.domain.as_ref().filter(|domain| domain.register == Some(true))?;
        (self.has_dnsmasq() && self.answers_names()).then_some(domain.name.as_str())
    }

    fn nat(&self) -> Option<&Nat> {
        self.forward.as_ref()?.nat.as_ref()
    }
}

impl Ip {
    /// Whether DHCP has an address to give out.
    pub fn has_dhcp(&self) -> bool {
        self.dhcp.as_ref().is_some_and(|dhcp| !dhcp.ranges.is_empty() || !dhcp.hosts.is_empty())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use rstest::rstest;

    use super::*;

    fn network(inner: &str) -> Network {
        format!("<network><name>n</name>{inner}</network>").parse().unwrap()
    }

    #[rstest]
    #[case::isolated("", "none", "none")]
    #[case::nat("<forward/>", "1024-65535", "routed")]
    #[case::nat_ipv6("<forward><nat ipv6='yes'/></forward>", "1024-65535", "1024-65535")]
    #[case::nat_ports("<forward><nat><port start='5' end='9'/></nat></forward>", "5-9", "routed")]
    #[case::nat_addresses(
        "<forward><nat ipv6='yes'><address start='192.0.2.1' end='192.0.2.9'/></nat></forward>",
        "192.0.2.1-192.0.2.9 1024-65535",
        "1024-65535"
    )]
    #[case::route("<forward mode='route'/>", "routed", "routed")]
    #[case::open("<forward mode='open'/>", "routed", "routed")]
    #[case::bridge("<forward mode='bridge'/>", "none", "none")]
    fn ways_out(#[case] forward: &str, #[case] ipv4: &str, #[case] ipv6: &str) {
        let network = network(forward);
        let words = |family| match network.way_out(family) {
            None => "none".to_owned(),
            Some(WayOut::Routed) => "routed".to_owned(),
            Some(WayOut::Translated { addresses: Some(addresses), ports }) => format!("{addresses} {ports}"),
            Some(WayOut::Translated { addresses: None, ports }) => ports.to_string(),
        };
        assert_eq!([Family::Ipv4, Family::Ipv6].map(words), [ipv4, ipv6]);
    }

    #[rstest]
    #[case::no_address("", false)]
    #[case::names("<ip address='192.0.2.1' prefix='24'/>", true)]
    #[case::no_names("<dns enable='no'/><ip address='192.0.2.1' prefix='24'/>", false)]
    #[case::dhcp(
        "<dns enable='no'/><ip address='192.0.2.1' prefix='24'><dhcp><range start='192.0.2.2' end='192.0.2.9'/></dhcp></ip>",
        true
    )]
    #[case::tftp("<dns enable='no'/><ip address='192.0.2.1' prefix='24'><tftp root='/srv'/></ip>", true)]
    fn who_has_a_dnsmasq(#[case] inner: &str, #[case] has: bool) {
        assert_eq!(network(inner).has_dnsmasq(), has);
    }
}
