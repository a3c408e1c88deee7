//! Options of passt(1) that libvirt has no word for.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;

use vnet_types::{Family, InterfaceName, MacAddr};

/// Options that libvirt has no word for; by default none is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Options {
    /// `--foreground`
    pub process: Process,
    /// `--quiet`, `--debug`, `--trace`
    pub verbosity: Verbosity,
    /// `--log-size`: of the log file, in bytes.
    pub log_size: Option<u32>,
    /// `--runas`: whom a passt that is started as root becomes.
    pub run_as: Option<RunAs>,
    /// `--pcap`: the file that the guest's frames are captured to.
    pub pcap: Option<PathBuf>,
    /// `--mac-addr`: that the guest sees as its gateway's.
    pub mac: Option<MacAddr>,
    /// `--gateway`: that the guest is told, at most one of each family.
    pub gateways: Vec<IpAddr>,
    /// `--outbound`: the source address of what goes out, at most one of each family.
    pub outbound: Vec<IpAddr>,
    /// `--outbound-if4`: the interface that IPv4 goes out by.
    pub outbound_ipv4: Option<InterfaceName>,
    /// `--outbound-if6`: the interface that IPv6 goes out by.
    pub outbound_ipv6: Option<InterfaceName>,
    /// `--dns`: the servers that the guest is told.
    pub dns: Resolvers<IpAddr>,
    /// `--dns-forward`: addresses where the guest reaches the host's own server, at most one of
    /// each family.
    pub dns_forward: Vec<IpAddr>,
    /// `--dns-host`: the server behind `dns_forward`, at most one of each family.
    pub dns_host: Vec<IpAddr>,
    /// `--search`: the domains in which the guest looks for short names.
    pub search: Resolvers<String>,
    /// `--map-host-loopback`: where the guest reaches the host's loopback addresses.
    pub map_host_loopback: Mapping,
    /// `--map-guest-addr`: where the guest reaches the host under the address that they share.
    pub map_guest_addr: Mapping,
    /// `--ipv4-only`, `--ipv6-only`
    pub only: Option<Family>,
    /// `--no-tcp` and its like: what is left out.
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
    /// It stays, for a service manager.
    Foreground,
}

/// How much passt says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Verbosity {
    /// What it does.
    #[default]
    Normal,
    /// What goes wrong.
    Quiet,
    /// What happens.
    Debug,
    /// Every packet.
    Trace,
}

/// Whom passt becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RunAs {
    /// The user.
    pub uid: u32,
    /// The group; the user's own where `None`.
    pub gid: Option<u32>,
}

/// What the guest is told of the names around it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Resolvers<T> {
    /// What the host has in `/etc/resolv.conf`.
    #[default]
    OfHost,
    /// Nothing.
    None,
    /// These; at least one.
    Given(Vec<T>),
}

/// Where the guest reaches the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Mapping {
    /// At the gateway, or where else this passt has it.
    #[default]
    Default,
    /// Nowhere.
    None,
    /// At these addresses, at most one of each family; at least one.
    At(Vec<IpAddr>),
}

/// What can be left out.
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
    /// The gateway's address as one of the host.
    GatewayMapping,
    /// DNS servers in DHCP, DHCPv6 and router advertisements.
    DhcpDns,
    /// Search domains in DHCP, DHCPv6 and router advertisements.
    DhcpSearch,
}

impl Feature {
    /// The option that leaves it out.
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
