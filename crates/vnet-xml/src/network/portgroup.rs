//! `<portgroup>`: settings for a class of guests.

use std::fmt;

use crate::bandwidth::{self, BandwidthOf, bandwidth};
use crate::element::{Element, Switch};
use crate::grammar::Grammar;
use crate::value::{text, yes_no};
use crate::virtual_port::{self, TypeIs, virtual_port};
use crate::vlan::{self, vlan};
use crate::write::Writer;
use crate::{Bandwidth, VirtualPort, Vlan};

/// `<portgroup>`: settings for the guests that name this group. The settings of an interface
/// override them; they override those of the network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct PortGroup {
    /// `name`
    pub name: String,
    /// `default='yes'`: the group of guests that name none.
    pub default: bool,
    /// `trustGuestRxFilters`: a guest may change its MAC address and receive filters; the network's
    /// setting if absent.
    pub trust_guest_rx_filters: Option<bool>,
    /// `<vlan>`
    pub vlan: Option<Vlan>,
    /// `<virtualport>`
    pub virtual_port: Option<VirtualPort>,
    /// `<bandwidth>`: for each guest.
    pub bandwidth: Option<Bandwidth>,
}

impl PortGroup {
    /// A group without settings.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

pub(super) static GRAMMAR: Grammar = Grammar::new(
    &["name", "default", "trustGuestRxFilters"],
    &[("vlan", &vlan::GRAMMAR), ("virtualport", &virtual_port::GRAMMAR), ("bandwidth", &bandwidth::GRAMMAR)],
);

/// libvirt ignores case here.
pub(super) const YES: Switch = Switch { word: "yes", opposite: "no", any_case: true };

pub(super) fn port_group(element: &Element<'_>) -> Option<PortGroup> {
    element.expect(&GRAMMAR);
    let group = PortGroup {
        name: element.filled("name", text).unwrap_or_default(),
        default: element.is_word("default", &YES).unwrap_or_default(),
        trust_guest_rx_filters: element.filled("trustGuestRxFilters", yes_no),
        vlan: element.child("vlan").and_then(|element| vlan(&element)),
        virtual_port: element.child("virtualport").and_then(|element| virtual_port(&element, TypeIs::Optional)),
        bandwidth: element.child("bandwidth").and_then(|element| bandwidth(&element, BandwidthOf::Anything)),
    };
    if group.name.is_empty() {
        element.missing("name");
        return None;
    }
    Some(group)
}

impl PortGroup {
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let tag = writer.tag("portgroup")?.attribute("name", &self.name)?;
        let tag = tag.optional("default", self.default.then_some("yes"))?;
        tag.yes_no("trustGuestRxFilters", self.trust_guest_rx_filters)?.around(|writer| {
            self.vlan.iter().try_for_each(|vlan| vlan.write(writer))?;
            self.virtual_port.iter().try_for_each(|port| port.write(writer))?;
            self.bandwidth.iter().try_for_each(|bandwidth| bandwidth.write(writer))
        })
    }
}
