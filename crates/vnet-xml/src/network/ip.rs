//! `<ip>`: a subnet, given by the bridge's address in it, with its DHCP.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use vnet_types::{Family, IpNet, MacAddr, contiguous_prefix};

use crate::element::Element;
use crate::grammar::Grammar;
use crate::value::{ip, ipv4, mac, number, text, word, yes_no};
use crate::write::{Tag, Writer};
use crate::{Libvirt, Spelled};

/// `<ip>`: a subnet, given by the bridge's address in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Ip {
    /// `family`, as written; IPv4 if absent.
    pub family: Option<Family>,
    /// `address`
    pub address: IpAddr,
    /// `netmask` or `prefix`, as written.
    pub mask: Option<Mask>,
    /// `localPtr`: reverse queries for the subnet are answered locally.
    pub local_ptr: Option<bool>,
    /// `<tftp root>`
    pub tftp_root: Option<String>,
    /// `<dhcp>`
    pub dhcp: Option<Dhcp>,
}

/// How a subnet's size is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Mask {
    /// `netmask='255.255.255.0'`
    Netmask(Ipv4Addr),
    /// `prefix='24'`; 0 on an `<ip>` is the same as absent.
    Prefix(u32),
}

/// `<dhcp>`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct Dhcp {
    /// `<range>`
    pub ranges: Vec<DhcpRange>,
    /// `<host>`
    pub hosts: Vec<DhcpHost>,
    /// `<bootp>`
    pub bootp: Option<Bootp>,
}

/// `<range>`: the addresses that DHCP gives out. The ends are as written and may be reversed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DhcpRange {
    /// `start`
    pub start: IpAddr,
    /// `end`
    pub end: IpAddr,
    /// `<lease>`
    pub lease: Option<Lease>,
}

/// `<host>` of `<dhcp>`: an address that is reserved for a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct DhcpHost {
    /// `mac`, in its original spelling.
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
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Lease {
    /// `expiry` in `unit`s; 0: never.
    pub expiry: u64,
    /// `unit`, minutes if absent.
    pub unit: LeaseUnit,
}

/// `<lease unit>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
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
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Bootp {
    /// `file`
    pub file: String,
    /// `server`; the host itself if absent.
    pub server: Option<IpAddr>,
}

impl LeaseUnit {
    const WORDS: &[(&str, Self)] = &[("seconds", Self::Seconds), ("minutes", Self::Minutes), ("hours", Self::Hours)];

    /// The unit as libvirt writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Minutes => "minutes",
            Self::Hours => "hours",
        }
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

    /// The address with its effective prefix: the written one, or else libvirt's default (by the
    /// class of an IPv4 address, 64 for IPv6). `None` if the netmask has holes, the prefix is too
    /// long, or the class has no default.
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
    /// Reserves `ip` for a guest: set `mac`, `id` or `name` to identify it.
    pub fn new(ip: IpAddr) -> Self {
        Self { mac: None, id: None, name: None, ip, lease: None }
    }
}

pub(crate) fn net(address: IpAddr, mask: Option<Mask>) -> Option<IpNet> {
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

pub(super) static GRAMMAR: Grammar =
    Grammar::new(&["family", "address", "netmask", "prefix", "localPtr"], &[("tftp", &TFTP), ("dhcp", &DHCP)]);
static TFTP: Grammar = Grammar::new(&["root"], &[]);
static DHCP: Grammar = Grammar::new(&[], &[("range", &RANGE), ("host", &HOST), ("bootp", &BOOTP)]);
static RANGE: Grammar = Grammar::new(&["start", "end"], &[("lease", &LEASE)]);
pub(super) static HOST: Grammar = Grammar::new(&["mac", "id", "name", "ip"], &[("lease", &LEASE)]);
static LEASE: Grammar = Grammar::new(&["expiry", "unit"], &[]);
static BOOTP: Grammar = Grammar::new(&["file", "server"], &[]);

pub(super) fn subnet(element: &Element<'_>) -> Option<Ip> {
    element.expect(&GRAMMAR);
    let family = element.filled("family", family);
    let netmask = element.filled("netmask", ipv4).map(Mask::Netmask);
    let prefix = element.filled("prefix", number).filter(|prefix| *prefix != 0).map(Mask::Prefix);
    if netmask.is_some() && prefix.is_some() {
        let help = "both say how large the subnet is: leave one of them out";
        element.exclude("netmask", "prefix", help, say_the_same(netmask, prefix));
    }
    let local_ptr = element.value("localPtr", yes_no);
    let tftp_root = element.child("tftp").and_then(|tftp| {
        tftp.expect(&TFTP);
        tftp.depends_on("root");
        tftp.filled("root", text)
    });
    let dhcp = element.child("dhcp").map(|element| dhcp(&element)).filter(|dhcp| *dhcp != Dhcp::default());
    Some(Ip { family, address: element.required("address", ip)?, mask: netmask.or(prefix), local_ptr, tftp_root, dhcp })
}

/// Whether a netmask and a prefix are the same size.
pub(super) fn say_the_same(netmask: Option<Mask>, prefix: Option<Mask>) -> bool {
    match (netmask, prefix) {
        (Some(Mask::Netmask(netmask)), Some(Mask::Prefix(prefix))) => {
            contiguous_prefix(netmask).is_some_and(|it| u32::from(it) == prefix)
        }
        _ => false,
    }
}

pub(super) fn family(text: &str) -> Result<Family, String> {
    word(text, &[("ipv4", Family::Ipv4), ("ipv6", Family::Ipv6)])
}

fn dhcp(element: &Element<'_>) -> Dhcp {
    element.expect(&DHCP);
    Dhcp {
        ranges: element.children("range", range),
        hosts: element.children("host", host),
        bootp: element.child("bootp").and_then(|bootp| {
            bootp.expect(&BOOTP);
            let (file, server) = (bootp.required("file", text), bootp.value("server", ip));
            Some(Bootp { file: file?, server })
        }),
    }
}

pub(super) fn range(element: &Element<'_>) -> Option<DhcpRange> {
    element.expect(&RANGE);
    let (start, end) = (element.required("start", ip), element.required("end", ip));
    let lease = element.child("lease").and_then(|element| lease(&element));
    Some(DhcpRange { start: start?, end: end?, lease })
}

pub(super) fn host(element: &Element<'_>) -> Option<DhcpHost> {
    element.expect(&HOST);
    let mac = element.value("mac", mac);
    let (id, name) = (element.value("id", text), element.value("name", text));
    let lease = element.child("lease").and_then(|element| lease(&element));
    Some(DhcpHost { mac, id, name, ip: element.required("ip", ip)?, lease })
}

pub(super) fn lease(element: &Element<'_>) -> Option<Lease> {
    element.expect(&LEASE);
    element.depends_on("expiry");
    let unit = element.value("unit", |text| word(text, LeaseUnit::WORDS));
    let expiry = element.value("expiry", number)?;
    Some(Lease { expiry, unit: unit.unwrap_or_default() })
}

impl Ip {
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let mask = self.mask.filter(|mask| *mask != Mask::Prefix(0));
        let dhcp = self.dhcp.as_ref().filter(|dhcp| **dhcp != Dhcp::default());
        let libvirt = writer.libvirt();
        let tag = writer.tag("ip")?.optional("family", self.family)?.attribute("address", self.address)?;
        let tag = mask_attribute(tag, mask)?.yes_no("localPtr", self.local_ptr)?;
        if libvirt == Libvirt::V12 && self.tftp_root.is_none() && dhcp.is_none() {
            return tag.empty();
        }
        tag.around(|writer| {
            if let Some(root) = &self.tftp_root {
                writer.tag("tftp")?.attribute("root", root)?.empty()?;
            }
            // libvirt omits a `<dhcp>` that has only `<bootp>`, and so loses what was written.
            dhcp.map_or(Ok(()), |dhcp| writer.tag("dhcp")?.around(|writer| dhcp.write(writer)))
        })
    }
}

impl Dhcp {
    fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        for range in &self.ranges {
            let tag = writer.tag("range")?.attribute("start", range.start)?.attribute("end", range.end)?;
            around_lease(tag, range.lease)?;
        }
        for host in &self.hosts {
            let tag = writer.tag("host")?.optional("mac", host.mac.as_ref())?.optional("id", host.id.as_ref())?;
            around_lease(tag.optional("name", host.name.as_ref())?.attribute("ip", host.ip)?, host.lease)?;
        }
        match &self.bootp {
            Some(bootp) => {
                writer.tag("bootp")?.attribute("file", &bootp.file)?.optional("server", bootp.server)?.empty()
            }
            None => Ok(()),
        }
    }
}

pub(super) fn mask_attribute<'a, 'w>(tag: Tag<'a, 'w>, mask: Option<Mask>) -> Result<Tag<'a, 'w>, fmt::Error> {
    match mask {
        Some(Mask::Netmask(netmask)) => tag.attribute("netmask", netmask),
        Some(Mask::Prefix(prefix)) => tag.attribute("prefix", prefix),
        None => Ok(tag),
    }
}

fn around_lease(tag: Tag<'_, '_>, lease: Option<Lease>) -> fmt::Result {
    let Some(lease) = lease else { return tag.empty() };
    tag.around(|writer| {
        let unit = (lease.expiry != 0).then(|| lease.unit.word());
        writer.tag("lease")?.attribute("expiry", lease.expiry)?.optional("unit", unit)?.empty()
    })
}
