//! `<portForward>`: ports of the host that passt forwards to the guest.

use std::fmt;
use std::net::IpAddr;

use vnet_types::InterfaceName;

use crate::element::{Element, Value};
use crate::grammar::Grammar;
use crate::value::{ip, number, parsed, word, yes_no};
use crate::write::Writer;

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
static RANGE: Grammar = Grammar::new(&["start", "end", "to", "exclude"], &[]);

pub(super) fn port_forward(element: &Element<'_>) -> Option<PortForward> {
    element.expect(&GRAMMAR);
    let protocol = element.required("proto", |text| word(text, Protocol::WORDS));
    let (address, dev) = (element.value("address", ip), element.value("dev", parsed));
    let ranges = element.children("range", range);
    Some(PortForward { protocol: protocol?, address, dev, ranges })
}

fn range(element: &Element<'_>) -> Option<PortForwardRange> {
    element.expect(&RANGE);
    let port: Value<u16> = |text| match number(text) {
        Ok(port @ 1..) => Ok(port),
        _ => Err("a port, 1 to 65535".to_owned()),
    };
    Some(PortForwardRange {
        start: element.value("start", port),
        end: element.value("end", port),
        to: element.value("to", port),
        exclude: element.value("exclude", yes_no),
    })
}

impl PortForward {
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let tag = writer.tag("portForward")?.attribute("proto", self.protocol.word())?;
        let tag = tag.optional("address", self.address)?.optional("dev", self.dev.as_ref())?;
        let says = |range: &&PortForwardRange| range.start.is_some() || range.exclude.is_some();
        let said: Vec<_> = self.ranges.iter().filter(says).collect();
        if said.is_empty() {
            return tag.empty();
        }
        tag.around(|writer| {
            said.iter().try_for_each(|range| {
                let begun = range.start.is_some();
                let tag = writer.tag("range")?.optional("start", range.start)?;
                let tag =
                    tag.optional("end", range.end.filter(|_| begun))?.optional("to", range.to.filter(|_| begun))?;
                tag.yes_no("exclude", range.exclude)?.empty()
            })
        })
    }
}
