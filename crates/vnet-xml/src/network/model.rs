//! `<network>`: <https://libvirt.org/formatnetwork.html>.
//!
//! The model is plain data without places; a place is looked up by path in a [`SourceMap`](crate::SourceMap).
//! What is absent in the document is `None` here. Numbers and masks are kept as written; whether they make sense is
//! for `vnet-validate` to say.

use std::net::{IpAddr, Ipv4Addr};

use vnet_types::{AddressRange, Family, InterfaceName, IpNet, MacAddr, PortRange, Uuid};

use crate::{BridgeName, Spelled};

/// A virtual network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Network {
    /// `<name>`
    pub name: String,
    /// `<uuid>`
    pub uuid: Option<Uuid>,
    /// `<title>`: one line for people.
    pub title: Option<String>,
    /// `<description>`: any text for people.
    pub description: Option<String>,
    /// `ipv6='yes'`: guests may talk IPv6 with each other although the network has no IPv6 address.
    pub ipv6: bool,
    /// `<forward>`; `None`: an isolated network.
    pub forward: Option<Forward>,
    /// `<bridge>`
    pub bridge: Option<Bridge>,
    /// `<mtu size>`, in bytes.
    pub mtu: Option<u32>,
    /// `<mac address>`: of the bridge.
    pub mac: Option<MacAddr>,
    /// `<domain>`
    pub domain: Option<Domain>,
    /// `<dns>`
    pub dns: Option<Dns>,
    /// `<ip>`, any number.
    pub ips: Vec<Ip>,
    /// `<route>`, any number.
    pub routes: Vec<Route>,
}

/// `<forward>`: how guests reach beyond their network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Forward {
    /// `mode`; `nat` where the attribute is absent.
    pub mode: ForwardMode,
    /// The devices that traffic is limited to: the `dev` attribute and the `<interface>` children; `dev` is the first.
    pub interfaces: Vec<InterfaceName>,
    /// `<nat>`
    pub nat: Option<Nat>,
}

/// `<forward mode>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ForwardMode {
    /// `none`: as if there were no `<forward>`; libvirt's parser takes it, its schema does not.
    None,
    /// `nat`: out through the host, under its address.
    #[default]
    Nat,
    /// `route`: in and out through the host, under their own addresses.
    Route,
    /// `open`: no firewall rules at all.
    Open,
}

/// `<nat>`: what outgoing connections are translated to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Nat {
    /// `ipv6`: translate IPv6 too.
    pub ipv6: Option<bool>,
    /// `<address start end>`, IPv4 only.
    pub addresses: Option<AddressRange>,
    /// `<port start end>`; 1024 to 65535 where absent.
    pub ports: Option<PortRange>,
}

/// `<bridge>`: the bridge that is made for the network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bridge {
    /// `name`; one is chosen where absent.
    pub name: Option<BridgeName>,
    /// `stp`: spanning tree protocol, on where absent.
    pub stp: Option<bool>,
    /// `delay`: forward delay in seconds, 0 where absent.
    pub delay: Option<u64>,
}

/// `<domain>`: the DNS domain of the guests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Domain {
    /// `name`
    pub name: String,
    /// `localOnly`: never ask other servers for names of this domain.
    pub local_only: Option<bool>,
    /// `register`: tell systemd-resolved of the domain.
    pub register: Option<bool>,
}

/// `<dns>`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dns {
    /// `enable`, yes where absent.
    pub enable: Option<bool>,
    /// `forwardPlainNames`, yes where absent.
    pub forward_plain_names: Option<bool>,
    /// `<forwarder>`
    pub forwarders: Vec<Forwarder>,
    /// `<txt>`
    pub txts: Vec<Txt>,
    /// `<srv>`
    pub srvs: Vec<Srv>,
    /// `<host>`
    pub hosts: Vec<DnsHost>,
}

/// `<forwarder>`: where DNS queries go. Only a domain: it is resolved here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Forwarder {
    /// `domain`
    pub domain: Option<String>,
    /// `addr`
    pub addr: Option<IpAddr>,
}

/// `<txt>`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Txt {
    /// `name`
    pub name: String,
    /// `value`
    pub value: String,
}

/// `<srv>`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Srv {
    /// `service`, without the underscore.
    pub service: String,
    /// `protocol`, without the underscore.
    pub protocol: String,
    /// `domain`
    pub domain: Option<String>,
    /// `target`: the host that has the service.
    pub target: Option<String>,
    /// `port`
    pub port: Option<u16>,
    /// `priority`
    pub priority: Option<u16>,
    /// `weight`
    pub weight: Option<u16>,
}

/// `<host ip>` of `<dns>`: names of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsHost {
    /// `ip`
    pub ip: IpAddr,
    /// `<hostname>`, at least one.
    pub hostnames: Vec<String>,
}

/// `<ip>`: a subnet, by the address of the bridge in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ip {
    /// `family`, as written; IPv4 where absent.
    pub family: Option<Family>,
    /// `address`
    pub address: IpAddr,
    /// `netmask` or `prefix`, as written.
    pub mask: Option<Mask>,
    /// `localPtr`: answer reverse queries for the subnet here.
    pub local_ptr: Option<bool>,
    /// `<tftp root>`
    pub tftp_root: Option<String>,
    /// `<dhcp>`
    pub dhcp: Option<Dhcp>,
}

/// How a subnet's size is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mask {
    /// `netmask='255.255.255.0'`
    Netmask(Ipv4Addr),
    /// `prefix='24'`; 0 on an `<ip>` is the same as absent.
    Prefix(u32),
}

/// `<dhcp>`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dhcp {
    /// `<range>`
    pub ranges: Vec<DhcpRange>,
    /// `<host>`
    pub hosts: Vec<DhcpHost>,
    /// `<bootp>`
    pub bootp: Option<Bootp>,
}

/// `<range>`: the addresses that DHCP hands out. The ends are as written: they may be reversed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DhcpRange {
    /// `start`
    pub start: IpAddr,
    /// `end`
    pub end: IpAddr,
    /// `<lease>`
    pub lease: Option<Lease>,
}

/// `<host>` of `<dhcp>`: an address that is kept for a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DhcpHost {
    /// `mac`, as spelled.
    pub mac: Option<Spelled<MacAddr>>,
    /// `id`: the DHCPv6 client's DUID.
    pub id: Option<String>,
    /// `name`
    pub name: Option<String>,
    /// `ip`
    pub ip: IpAddr,
    /// `<lease>`
    pub lease: Option<Lease>,
}

/// `<lease>`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// `expiry` in `unit`s; 0: never ends.
    pub expiry: u64,
    /// `unit`, minutes where absent.
    pub unit: LeaseUnit,
}

/// `<lease unit>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LeaseUnit {
    /// `seconds`
    Seconds,
    /// `minutes`
    #[default]
    Minutes,
    /// `hours`
    Hours,
}

/// `<bootp>`: what a guest boots from the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bootp {
    /// `file`
    pub file: String,
    /// `server`; the host itself where absent.
    pub server: Option<IpAddr>,
}

/// `<route>`: a static route of the host through a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// `family`, as written; IPv4 where absent.
    pub family: Option<Family>,
    /// `address`: of the network that is reached.
    pub address: IpAddr,
    /// `netmask` or `prefix`, as written.
    pub mask: Option<Mask>,
    /// `gateway`: an address in one of the network's own subnets.
    pub gateway: IpAddr,
    /// `metric`: the kernel prefers the smaller; 1 where absent.
    pub metric: Option<u32>,
}

impl Network {
    /// An isolated network without any address.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// The mode that holds: `none` where there is no `<forward>`.
    pub fn forward_mode(&self) -> ForwardMode {
        self.forward.as_ref().map_or(ForwardMode::None, |forward| forward.mode)
    }
}

impl ForwardMode {
    pub(super) const WORDS: &[(&str, Self)] =
        &[("nat", Self::Nat), ("route", Self::Route), ("open", Self::Open), ("none", Self::None)];

    /// The mode as libvirt writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Nat => "nat",
            Self::Route => "route",
            Self::Open => "open",
        }
    }
}

impl LeaseUnit {
    pub(super) const WORDS: &[(&str, Self)] =
        &[("seconds", Self::Seconds), ("minutes", Self::Minutes), ("hours", Self::Hours)];

    /// The unit as libvirt writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Minutes => "minutes",
            Self::Hours => "hours",
        }
    }
}

impl Forward {
    /// Forwarding in a mode, through any device.
    pub fn new(mode: ForwardMode) -> Self {
        Self { mode, ..Self::default() }
    }
}

impl Ip {
    /// The subnet of an address with a prefix: `"192.168.122.1/24".parse()`.
    pub fn new(net: IpNet) -> Self {
        Self {
            family: net.addr().is_ipv6().then_some(Family::Ipv6),
            address: net.addr(),
            mask: Some(Mask::Prefix(net.prefix_len().into())),
            local_ptr: None,
            tftp_root: None,
            dhcp: None,
        }
    }

    /// The address with the prefix that holds: the written one, else libvirt's default (the class of an IPv4
    /// address, 64 for IPv6). `None` where there is none: a netmask with holes, a prefix that is too long, no
    /// default for the class.
    pub fn net(&self) -> Option<IpNet> {
        net(self.address, self.mask)
    }
}

impl DhcpRange {
    /// The addresses from `start` to `end`.
    pub fn new(start: IpAddr, end: IpAddr) -> Self {
        Self { start, end, lease: None }
    }
}

impl DhcpHost {
    /// Keeps `ip` for nobody yet: set `mac`, `id` or `name`.
    pub fn new(ip: IpAddr) -> Self {
        Self { mac: None, id: None, name: None, ip, lease: None }
    }
}

impl Route {
    /// Reaches `destination` through `gateway`.
    pub fn new(destination: IpNet, gateway: IpAddr) -> Self {
        Self {
            family: gateway.is_ipv6().then_some(Family::Ipv6),
            address: destination.addr(),
            mask: Some(Mask::Prefix(destination.prefix_len().into())),
            gateway,
            metric: None,
        }
    }

    /// The destination with the prefix that holds, by the rule of [`Ip::net`] but for an explicit `prefix='0'`.
    pub fn net(&self) -> Option<IpNet> {
        match self.mask {
            Some(Mask::Prefix(0)) => IpNet::new(self.address, 0).ok(),
            mask => net(self.address, mask),
        }
    }
}

fn net(address: IpAddr, mask: Option<Mask>) -> Option<IpNet> {
    let prefix = match (mask, address) {
        (Some(Mask::Prefix(prefix @ 1..)), _) => u8::try_from(prefix).ok()?,
        (Some(Mask::Netmask(netmask)), IpAddr::V4(_)) => vnet_types::contiguous_prefix(netmask)?,
        (Some(Mask::Netmask(_)), IpAddr::V6(_)) => return None,
        (_, IpAddr::V4(v4)) => match v4.octets()[0] {
            _ if v4.is_unspecified() => 0,
            0..=127 => 8,
            128..=191 => 16,
            192..=223 => 24,
            224.. => return None,
        },
        (_, IpAddr::V6(v6)) => {
            if v6.is_unspecified() {
                0
            } else {
                64
            }
        }
    };
    IpNet::new(address, prefix).ok()
}
