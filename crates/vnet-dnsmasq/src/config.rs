//! What dnsmasq tells the guests of a network.

use std::net::IpAddr;

use vnet_types::{AddressRange, Family, InterfaceName, IpNet, MacAddr, Spelled};

use crate::option::split;
use crate::{LeaseTime, Surroundings};

/// What one dnsmasq does for one network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The bridge that it listens on.
    pub interface: InterfaceName,
    /// Whether guests can reach beyond the host.
    pub reach: Reach,
    /// DNS; `None`: no names are answered.
    pub dns: Option<Dns>,
    /// The domain of the guests.
    pub domain: Option<Domain>,
    /// The subnets, in the order of the definition.
    pub subnets: Vec<Subnet>,
    /// Whether it answers names alone, and leaves addresses and routers to others.
    pub names_only: bool,
    /// The MTU that guests are told, in bytes, at most 65535; `None` or 0: not told.
    pub mtu: Option<u32>,
    /// Lines that are appended to the configuration unchanged. They can be any options of dnsmasq
    /// except those that [`objection`](crate::objection) refuses.
    pub options: Vec<String>,
}

/// Whether guests can reach beyond the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// The bridge is their gateway.
    Routed,
    /// Guests get no gateway, and no DNS query leaves the host.
    Isolated,
}

/// The names that are answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dns {
    /// How names without a dot that are not known here are resolved.
    pub plain_names: PlainNames,
    /// The servers that are asked, in this order; if empty, those of the host.
    pub forwarders: Vec<Forwarder>,
    /// TXT records.
    pub txts: Vec<Txt>,
    /// SRV records.
    pub srvs: Vec<Srv>,
    /// Names for addresses.
    pub hosts: Vec<DnsHost>,
}

/// How names without a dot that are not known here are resolved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PlainNames {
    /// Other servers are asked.
    #[default]
    Forward,
    /// They do not exist.
    Local,
}

/// A server to ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Forwarder {
    /// The domain that it is asked for; `None`: all domains; empty: names without a dot.
    pub domain: Option<String>,
    /// The server; `None`: that of the host, only with a domain.
    pub addr: Option<IpAddr>,
    /// The server's port; `None`: 53.
    pub port: Option<u16>,
}

/// A TXT record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Txt {
    /// Its name.
    pub name: String,
    /// Its text; dnsmasq cuts it into strings of 255 bytes.
    pub value: String,
}

/// An SRV record (RFC 2782).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Srv {
    /// The service, without the underscore.
    pub service: String,
    /// The protocol, without the underscore.
    pub protocol: String,
    /// The domain; `None`: that of the network.
    pub domain: Option<String>,
    /// The host that provides the service; `None` or `.`: no host provides it.
    pub target: Option<String>,
    /// Its port; `None`: 1.
    pub port: Option<u16>,
    /// Its priority; `None`: 0.
    pub priority: Option<u16>,
    /// Its weight; `None`: 0.
    pub weight: Option<u16>,
}

/// Names for an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsHost {
    /// The address.
    pub ip: IpAddr,
    /// Its names.
    pub hostnames: Vec<String>,
}

/// The domain of the guests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// Queries for its names are not forwarded.
    pub local_only: bool,
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subnet {
    /// The bridge's address in the subnet, with the prefix.
    pub net: IpNet,
    /// Reverse queries for its addresses are not forwarded.
    pub local_ptr: bool,
    /// The directory that TFTP serves; IPv4 only.
    pub tftp_root: Option<String>,
    /// The addresses that DHCP gives out; only one subnet of each family can have them.
    pub dhcp: Option<Dhcp>,
}

/// The addresses that DHCP gives out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dhcp {
    /// Addresses for any guest.
    pub ranges: Vec<DhcpRange>,
    /// Addresses for one guest each.
    pub hosts: Vec<DhcpHost>,
    /// What guests boot; IPv4 only.
    pub boot: Option<Boot>,
}

/// Addresses for any guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DhcpRange {
    /// At most 65536 of them.
    pub addresses: AddressRange,
    /// How long a lease lasts; `None`: dnsmasq's default.
    pub lease: Option<LeaseTime>,
}

/// An address for one guest. The guest is identified by its MAC address (IPv4), its client id
/// (IPv6) or the name that it sends.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DhcpHost {
    /// Its MAC address, in its original spelling; IPv4 only.
    pub mac: Option<Spelled<MacAddr>>,
    /// Its DUID as hexadecimal groups, without `id:`. Written for IPv6 only, as by libvirt.
    pub id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// The address.
    pub ip: IpAddr,
    /// How long the lease lasts; `None`: as in the range.
    pub lease: Option<LeaseTime>,
}

/// What guests boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boot {
    /// The file.
    pub file: String,
    /// The TFTP server, IPv4; `None`: this dnsmasq.
    pub server: Option<IpAddr>,
}

impl Config {
    /// A network with DNS and without subnets.
    pub fn new(interface: InterfaceName) -> Self {
        Self {
            interface,
            reach: Reach::Routed,
            dns: Some(Dns::default()),
            domain: None,
            subnets: Vec::new(),
            names_only: false,
            mtu: None,
            options: Vec::new(),
        }
    }

    /// Whether dnsmasq has anything to do. It needs an address to listen on, and names, leases or
    /// files to serve.
    pub fn is_needed(&self) -> bool {
        let gives = |subnet: &Subnet| subnet.active_dhcp().is_some() || subnet.tftp_root.is_some();
        !self.subnets.is_empty() && (self.dns.is_some() || self.subnets.iter().any(gives))
    }

    /// The port for DNS queries; `None` if none are answered.
    pub fn dns_port(&self) -> Option<u16> {
        self.dns.as_ref()?;
        let port = self.values_of("port").find_map(|value| value.parse().ok()).unwrap_or(53);
        (port != 0).then_some(port)
    }

    /// Whether dnsmasq asks the servers in `/etc/resolv.conf`. Then it watches that file, which
    /// takes an inotify instance.
    pub fn watches_resolv_conf(&self) -> bool {
        let is_server_of_all = |it: &Forwarder| it.addr.is_some() && it.domain.is_none();
        let has_server = self.dns.iter().flat_map(|dns| &dns.forwarders).any(is_server_of_all);
        self.dns_port().is_some() && !has_server && self.values_of("no-resolv").next().is_none()
    }

    /// Whether guests get addresses of a family by DHCP.
    pub fn serves_dhcp(&self, family: Family) -> bool {
        let is_of = |field: &str| field.parse().is_ok_and(|address| Family::of(address) == family);
        self.subnets.iter().any(|subnet| Family::of(subnet.net.addr()) == family && subnet.active_dhcp().is_some())
            || self.values_of("dhcp-range").any(|range| range.split(',').any(is_of))
    }

    /// Whether guests get files by TFTP.
    pub fn serves_tftp(&self) -> bool {
        self.subnets.iter().any(|subnet| subnet.tftp_root.is_some()) || self.values_of("enable-tftp").next().is_some()
    }

    /// The values of a keyword in [`Self::options`].
    fn values_of<'a>(&'a self, keyword: &'a str) -> impl Iterator<Item = &'a str> {
        self.options.iter().map(|line| split(line)).filter(move |(word, _)| *word == keyword).map(|(_, value)| value)
    }

    /// What a line of [`Self::options`] may contradict.
    pub(crate) fn surroundings(&self) -> Surroundings {
        let has_ranges = |subnet: &Subnet| subnet.active_dhcp().is_some_and(|dhcp| !dhcp.ranges.is_empty());
        Surroundings {
            interface: Some(self.interface.to_string()),
            addresses: self.subnets.iter().map(|subnet| subnet.net.addr()).collect(),
            has_names: self.dns.is_some(),
            has_ranges: self.subnets.iter().any(has_ranges),
        }
    }
}

impl Forwarder {
    /// A server for all names.
    pub fn to(addr: IpAddr) -> Self {
        Self { addr: Some(addr), ..Self::default() }
    }

    /// The host's own servers for one domain.
    pub fn of_domain(domain: impl Into<String>) -> Self {
        Self { domain: Some(domain.into()), ..Self::default() }
    }
}

impl Srv {
    /// A record that says that no host provides the service.
    pub fn new(service: impl Into<String>, protocol: impl Into<String>) -> Self {
        Self { service: service.into(), protocol: protocol.into(), ..Self::default() }
    }
}

impl Subnet {
    /// A subnet without DHCP.
    pub fn new(net: IpNet) -> Self {
        Self { net, local_ptr: false, tftp_root: None, dhcp: None }
    }

    /// Its DHCP, if it has an address to give out.
    pub(crate) fn active_dhcp(&self) -> Option<&Dhcp> {
        self.dhcp.as_ref().filter(|dhcp| !(dhcp.ranges.is_empty() && dhcp.hosts.is_empty()))
    }
}

impl Dhcp {
    /// Addresses for any guest.
    pub fn with_ranges(ranges: impl IntoIterator<Item = DhcpRange>) -> Self {
        Self { ranges: ranges.into_iter().collect(), ..Self::default() }
    }
}

impl DhcpRange {
    /// Addresses for any guest, for dnsmasq's default time.
    pub fn new(addresses: AddressRange) -> Self {
        Self { addresses, lease: None }
    }
}

impl DhcpHost {
    /// An address for a guest: set `mac`, `id` or `name` to identify it.
    pub fn new(ip: IpAddr) -> Self {
        Self { mac: None, id: None, name: None, ip, lease: None }
    }
}
