//! `<vnet:network>` in `<metadata>`: what vnet gives a network beyond libvirt.
//!
//! libvirt keeps `<metadata>` and does not read it.

mod driver;
mod edit;
mod egress;
mod ovn;

use std::convert::Infallible;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use vnet_types::{Egress, Family, MacAddr, parse_ip};

use super::{DhcpHost, Network};
use crate::element::{Element, Scope};
use crate::grammar::Grammar;
use crate::interface::PortForward;
use crate::interface::port_forward::{RANGE, attributes, range};
use crate::value::text;
use crate::write::Writer;

pub use ovn::{OvnAddress, OvnEngine, OvnGateway, OvnOutside, OvnTls};

/// The namespace of [`Network::extensions`].
pub const VNET_NAMESPACE: &str = "https://github.com/vnet-rs/vnet/network/1.0";

/// The usual prefix of the namespace.
pub(super) const PREFIX: &str = "vnet:";
pub(super) const NAME: &str = "vnet:network";

/// `<vnet:network>` in `<metadata>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct Extensions {
    /// `<vnet:portForward>`, any number.
    pub port_forwards: Vec<GuestForward>,
    /// `<vnet:egress>`
    pub egress: Option<Egress>,
    /// `<vnet:driver flowtable>`: whether established connections of guests skip the rules.
    pub flowtable: Option<bool>,
    /// `<vnet:ovn>`
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub ovn: Option<OvnEngine>,
}

/// `<vnet:portForward>`: ports of the host that lead to a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct GuestForward {
    /// `guest`
    pub guest: ForwardGuest,
    /// The ports, in the words of a guest's `<portForward>`.
    pub forward: PortForward,
}

/// The guest that ports lead to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum ForwardGuest {
    /// By its address.
    Address(IpAddr),
    /// By the MAC address of its reservation.
    Mac(MacAddr),
    /// By the name of its reservation.
    Name(String),
}

impl GuestForward {
    /// A forward to a guest.
    pub fn new(guest: ForwardGuest, forward: PortForward) -> Self {
        Self { guest, forward }
    }
}

impl Extensions {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Network {
    /// The addresses of a guest, those of its reservations; at most one of each family.
    pub fn addresses_of(&self, guest: &ForwardGuest) -> Vec<IpAddr> {
        if let ForwardGuest::Address(address) = guest {
            return vec![*address];
        }
        let is_it = |host: &&DhcpHost| match guest {
            ForwardGuest::Address(_) => false,
            ForwardGuest::Mac(mac) => host.mac.as_ref().is_some_and(|it| it.get() == *mac),
            ForwardGuest::Name(name) => host.name.as_ref() == Some(name),
        };
        let hosts = || self.ips.iter().filter_map(|ip| ip.dhcp.as_ref()).flat_map(|dhcp| &dhcp.hosts);
        let of = |family| hosts().filter(is_it).map(|host| host.ip).find(|ip| Family::of(*ip) == family);
        [Family::Ipv4, Family::Ipv6].into_iter().filter_map(of).collect()
    }
}

/// Any text: what is no address is a name.
impl FromStr for ForwardGuest {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match (parse_ip(text), text.parse()) {
            (Some(address), _) => Self::Address(address),
            (None, Ok(mac)) => Self::Mac(mac),
            (None, Err(_)) => Self::Name(text.to_owned()),
        })
    }
}

impl fmt::Display for ForwardGuest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Mac(mac) => mac.fmt(f),
            Self::Name(name) => f.pad(name),
        }
    }
}

pub(super) static GRAMMAR: Grammar = Grammar::new(
    &[],
    &[
        (FORWARD, &PORT_FORWARD),
        (egress::NAME, &egress::GRAMMAR),
        (driver::NAME, &driver::GRAMMAR),
        (ovn::NAME, &ovn::GRAMMAR),
    ],
);
static PORT_FORWARD: Grammar = Grammar::new(&["proto", "address", "dev", "guest"], &[(FORWARD_RANGE, &RANGE)]);

const FORWARD: &str = "vnet:portForward";
const FORWARD_RANGE: &str = "vnet:range";

/// Reads the element in `<metadata>`; `around` is the parent of that.
pub(super) fn extensions(metadata: &Element<'_>, around: &Element<'_>) -> Extensions {
    let mut found = metadata.in_namespace(VNET_NAMESPACE, PREFIX, around).into_iter();
    let Some((scope, element)) = found.next() else { return Extensions::default() };
    for (_, other) in found {
        other.repeated(format!("`<metadata>` can have only one `<{NAME}>`"));
    }
    if !element.is_called(&scope, NAME) {
        element.misplaced_here(&format!("of its namespace, `<metadata>` has only `<{NAME}>`"));
        return Extensions::default();
    }
    element.expect_in(&scope, &GRAMMAR);
    let port_forwards = element.children_in(&scope, FORWARD, |it| port_forward(it, &scope));
    let (egress, flowtable) = (egress::read(&element, &scope), driver::read(&element, &scope));
    Extensions { port_forwards, egress, flowtable, ovn: ovn::read(&element, &scope) }
}

fn port_forward(element: &Element<'_>, scope: &Scope) -> Option<GuestForward> {
    element.expect_in(scope, &PORT_FORWARD);
    let ranges = element.children_in(scope, FORWARD_RANGE, |it| {
        it.expect_in(scope, &RANGE);
        Some(range(it))
    });
    let (forward, guest) = (attributes(element), element.required("guest", guest));
    Some(GuestForward { guest: guest?, forward: PortForward { ranges, ..forward? } })
}

fn guest(value: &str) -> Result<ForwardGuest, String> {
    match text(value)?.parse() {
        Ok(ForwardGuest::Name(name)) if name.is_empty() => Err("an address, a MAC address or a name".to_owned()),
        Ok(guest) => Ok(guest),
        Err(never) => match never {},
    }
}

impl Extensions {
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        writer.tag(NAME)?.attribute("xmlns:vnet", VNET_NAMESPACE)?.around(|writer| {
            self.port_forwards.iter().try_for_each(|GuestForward { guest, forward }| {
                let tag = forward.start(writer.tag(FORWARD)?)?.attribute("guest", guest)?;
                forward.finish(tag, FORWARD_RANGE)
            })?;
            self.egress.iter().try_for_each(|it| egress::write(it, writer))?;
            self.flowtable.iter().try_for_each(|on| driver::write(*on, writer))?;
            self.ovn.iter().try_for_each(|it| ovn::write(it, writer))
        })
    }
}

/// A network with this in its `<vnet:network>`, under another prefix than the usual one.
#[cfg(test)]
fn parsed(inner: &str) -> crate::Parsed<Network> {
    let text = format!(
        "<network><name>n</name><metadata><v:network xmlns:v='{VNET_NAMESPACE}'>{inner}</v:network></metadata></network>"
    );
    Network::parse(text.as_bytes())
}
