//! `<portForward>`: ports of the host that passt forwards to the guest.

use std::fmt;
use std::net::IpAddr;

use vnet_types::{InterfaceName, PortRange, PortSet};

use crate::element::Element;
use crate::grammar::Grammar;
use crate::value::{ip, number, parsed, word, yes_no};
use crate::write::{Tag, Writer};

/// `<portForward>`: ports of the host that are forwarded to the guest. Without ranges: all ports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PortForward {
    /// `proto`
    pub protocol: Protocol,
    /// `address`: an address of the host; any if absent.
    pub address: Option<IpAddr>,
    /// `dev`: a device of the host; any if absent.
    pub dev: Option<InterfaceName>,
    /// `<range>`
    #[cfg_attr(feature = "serde", serde(default))]
    pub ranges: Vec<PortForwardRange>,
}

/// `<portForward proto>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Protocol {
    /// `tcp`
    Tcp,
    /// `udp`
    Udp,
}

/// `<range>` of `<portForward>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct PortForwardRange {
    /// `start`: the first port on the host.
    pub start: Option<u16>,
    /// `end`: the last port on the host; `start` if absent.
    pub end: Option<u16>,
    /// `to`: the first port in the guest; `start` if absent.
    pub to: Option<u16>,
    /// `exclude`: these ports are not forwarded.
    pub exclude: Option<bool>,
}

impl PortForward {
    /// All ports of a protocol.
    pub fn new(protocol: Protocol) -> Self {
        Self { protocol, address: None, dev: None, ranges: Vec::new() }
    }

    /// The ports of the host that are forwarded: those of its ranges without the excluded ones,
    /// each with the guest's port for the first. Ranges that are invalid lead nowhere.
    pub fn leads(&self) -> Vec<(PortRange, u16)> {
        let ports = |range: &PortForwardRange| PortRange::new(range.start?, range.end.or(range.start)?).ok();
        let is_excluded = |range: &&PortForwardRange| range.exclude == Some(true);
        let excluded: PortSet = self.ranges.iter().filter(is_excluded).filter_map(ports).collect();
        let forwarded = self.ranges.iter().filter(|range| !is_excluded(range));
        let leads = forwarded.filter_map(|range| {
            let (ports, to) = (ports(range)?, range.to.or(range.start)?);
            let open = PortSet::from(ports).difference(&excluded);
            let leads = open.ranges().filter_map(move |open| {
                let first = to.checked_add(open.start() - ports.start())?;
                first.checked_add(open.end() - open.start()).map(|_| (open, first))
            });
            Some(leads.collect::<Vec<_>>())
        });
        leads.flatten().collect()
    }
}

impl PortForwardRange {
    /// One port.
    pub fn new(port: u16) -> Self {
        Self { start: Some(port), ..Self::default() }
    }
}

impl Protocol {
    const WORDS: &[(&str, Self)] = &[("tcp", Self::Tcp), ("udp", Self::Udp)];

    /// The protocol as libvirt writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

pub(super) static GRAMMAR: Grammar = Grammar::new(&["proto", "address", "dev"], &[("range", &RANGE)]);
pub(crate) static RANGE: Grammar = Grammar::new(&["start", "end", "to", "exclude"], &[]);

pub(super) fn port_forward(element: &Element<'_>) -> Option<PortForward> {
    element.expect(&GRAMMAR);
    let ranges = element.children("range", |range| {
        range.expect(&RANGE);
        Some(self::range(range))
    });
    attributes(element).map(|forward| PortForward { ranges, ..forward })
}

/// The attributes of the element.
pub(crate) fn attributes(element: &Element<'_>) -> Option<PortForward> {
    let protocol = element.required("proto", protocol);
    let (address, dev) = (element.value("address", ip), element.value("dev", parsed));
    Some(PortForward { protocol: protocol?, address, dev, ranges: Vec::new() })
}

/// The attributes of a `<range>`.
pub(crate) fn range(element: &Element<'_>) -> PortForwardRange {
    PortForwardRange {
        start: element.value("start", port),
        end: element.value("end", port),
        to: element.value("to", port),
        exclude: element.value("exclude", yes_no),
    }
}

pub(crate) fn protocol(text: &str) -> Result<Protocol, String> {
    word(text, Protocol::WORDS)
}

fn port(text: &str) -> Result<u16, String> {
    match number(text) {
        Ok(port @ 1..) => Ok(port),
        _ => Err("a port, 1 to 65535".to_owned()),
    }
}

impl PortForward {
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let tag = self.start(writer.tag("portForward")?)?;
        self.finish(tag, "range")
    }

    /// Writes the attributes.
    pub(crate) fn start<'a, 'w>(&self, tag: Tag<'a, 'w>) -> Result<Tag<'a, 'w>, fmt::Error> {
        let tag = tag.attribute("proto", self.protocol.word())?;
        tag.optional("address", self.address)?.optional("dev", self.dev.as_ref())
    }

    /// Writes the ranges and closes the element.
    pub(crate) fn finish(&self, tag: Tag<'_, '_>, name: &'static str) -> fmt::Result {
        let says = |range: &&PortForwardRange| range.start.is_some() || range.exclude.is_some();
        let said: Vec<_> = self.ranges.iter().filter(says).collect();
        if said.is_empty() {
            return tag.empty();
        }
        tag.around(|writer| {
            said.iter().try_for_each(|range| {
                let begun = range.start.is_some();
                let tag = writer.tag(name)?.optional("start", range.start)?;
                let tag =
                    tag.optional("end", range.end.filter(|_| begun))?.optional("to", range.to.filter(|_| begun))?;
                tag.yes_no("exclude", range.exclude)?.empty()
            })
        })
    }
}
