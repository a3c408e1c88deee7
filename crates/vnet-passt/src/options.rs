//! Options of passt(1) that libvirt does not have.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;

use vnet_types::{Family, InterfaceName, MacAddr};

/// Options that libvirt does not have; by default none is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Options {
    /// `--foreground`
    pub process: Process,
    /// `--quiet`, `--debug`, `--trace`
    pub verbosity: Verbosity,
    /// `--log-size`: the largest size of the log file, in bytes.
    pub log_size: Option<u32>,
    /// `--runas`: the user that passt changes to when it is started as root.
    pub run_as: Option<RunAs>,
    /// `--pcap`: the file that the guest's frames are captured to.
    pub pcap: Option<PathBuf>,
    /// `--mac-addr`: the MAC address that the guest sees for its gateway.
    pub mac: Option<MacAddr>,
    /// `--gateway`: the gateways that the guest is told, at most one of each family.
    pub gateways: Vec<IpAddr>,
    /// `--outbound`: the source addresses of outgoing traffic, at most one of each family.
    pub outbound: Vec<IpAddr>,
    /// `--outbound-if4`: the interface for outgoing IPv4.
    pub outbound_ipv4: Option<InterfaceName>,
    /// `--outbound-if6`: the interface for outgoing IPv6.
    pub outbound_ipv6: Option<InterfaceName>,
    /// `--dns`: the servers that the guest is told.
    pub dns: Resolvers<IpAddr>,
    /// `--dns-forward`: addresses at which the guest reaches the host's own DNS server, at most one
    /// of each family.
    pub dns_forward: Vec<IpAddr>,
    /// `--dns-host`: the DNS server behind `dns_forward`, at most one of each family.
    pub dns_host: Vec<IpAddr>,
    /// `--search`: the guest's search domains.
    pub search: Resolvers<String>,
    /// `--map-host-loopback`: the addresses at which the guest reaches the host's loopback.
    pub map_host_loopback: Mapping,
    /// `--map-guest-addr`: the addresses at which the guest reaches the host if both have the same
    /// address.
    pub map_guest_addr: Mapping,
    /// `--ipv4-only`, `--ipv6-only`
    pub only: Option<Family>,
    /// `--no-tcp` and similar options: the features that are turned off.
    pub without: BTreeSet<Feature>,
}

/// Where passt runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Process {
    /// It goes to the background when it is ready.
    #[default]
    Background,
    /// It stays in the foreground, for a service manager.
    Foreground,
}

/// How much passt logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Verbosity {
    /// What it does, the default.
    #[default]
    Normal,
    /// Errors only.
    Quiet,
    /// Debugging messages.
    Debug,
    /// Every packet as well.
    Trace,
}

/// The user that passt changes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RunAs {
    /// The user.
    pub uid: u32,
    /// The group; `None`: the user's own.
    pub gid: Option<u32>,
}

/// The DNS servers or search domains that the guest is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Resolvers<T> {
    /// Those in the host's `/etc/resolv.conf`.
    #[default]
    OfHost,
    /// None at all.
    None,
    /// These; at least one.
    Given(Vec<T>),
}

/// At which addresses the guest reaches the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Mapping {
    /// At the gateway, or at the default of the installed passt.
    #[default]
    Default,
    /// Nowhere.
    None,
    /// At these addresses, at most one of each family; at least one.
    At(Vec<IpAddr>),
}

/// A feature that can be turned off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Feature {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// Echo requests of ICMP and ICMPv6.
    Icmp,
    /// The DHCP server.
    Dhcp,
    /// Answers to neighbour discovery.
    Ndp,
    /// The DHCPv6 server.
    Dhcpv6,
    /// Router advertisements.
    RouterAdvertisements,
    /// The mapping of the gateway's address to the host.
    GatewayMapping,
    /// DNS servers in DHCP, DHCPv6 and router advertisements.
    DhcpDns,
    /// Search domains in DHCP, DHCPv6 and router advertisements.
    DhcpSearch,
}

impl Feature {
    /// The option that turns the feature off.
    pub(crate) fn option(self) -> &'static str {
        match self {
            Self::Tcp => "--no-tcp",
            Self::Udp => "--no-udp",
            Self::Icmp => "--no-icmp",
            Self::Dhcp => "--no-dhcp",
            Self::Ndp => "--no-ndp",
            Self::Dhcpv6 => "--no-dhcpv6",
            Self::RouterAdvertisements => "--no-ra",
            Self::GatewayMapping => "--no-map-gw",
            Self::DhcpDns => "--no-dhcp-dns",
            Self::DhcpSearch => "--no-dhcp-search",
        }
    }
}
