//! `<bridge>`: the bridge that is created for the network, or the one that it uses.

use std::fmt;

use super::ForwardMode;
use crate::BridgeName;
use crate::element::{Element, Switch};
use crate::grammar::Grammar;
use crate::value::{number, parsed, text, word};
use crate::write::{Tag, Writer};

/// `<bridge>`: the bridge that is created for the network; in mode `bridge`, the one that it uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct Bridge {
    /// `name`; chosen if absent.
    pub name: Option<BridgeName>,
    /// `zone`: the zone of firewalld.
    pub zone: Option<String>,
    /// `stp`: spanning tree protocol, on if absent.
    pub stp: Option<bool>,
    /// `delay`: forward delay in seconds, 0 if absent.
    pub delay: Option<u64>,
    /// `macTableManager`; the kernel if absent.
    pub mac_table_manager: Option<MacTableManager>,
}

/// `macTableManager`: who maintains the bridge's forwarding database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum MacTableManager {
    /// `kernel`: the bridge learns addresses from traffic, and floods frames to unknown ones.
    Kernel,
    /// `libvirt`: the guests' addresses are entered into the bridge, which neither learns nor
    /// floods.
    Libvirt,
}

impl MacTableManager {
    /// The word as libvirt writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Libvirt => "libvirt",
        }
    }
}

/// Reads `macTableManager`.
pub(crate) fn mac_table_manager(text: &str) -> Result<MacTableManager, String> {
    word(text, &[("kernel", MacTableManager::Kernel), ("libvirt", MacTableManager::Libvirt)])
}

/// Writes `macTableManager`, if it is set.
pub(crate) fn mac_table_attribute<'a, 'w>(
    tag: Tag<'a, 'w>,
    manager: Option<MacTableManager>,
) -> Result<Tag<'a, 'w>, fmt::Error> {
    tag.optional("macTableManager", manager.map(MacTableManager::word))
}

pub(super) static GRAMMAR: Grammar = Grammar::new(&["name", "zone", "stp", "delay", "macTableManager"], &[]);

const STP: Switch = Switch { word: "off", opposite: "on", any_case: false };

pub(super) fn bridge(element: &Element<'_>) -> Bridge {
    element.expect(&GRAMMAR);
    Bridge {
        name: element.filled("name", parsed),
        zone: element.filled("zone", text),
        stp: element.is_word("stp", &STP).map(|off| !off),
        delay: element.filled("delay", number),
        mac_table_manager: element.filled("macTableManager", mac_table_manager),
    }
}

impl Bridge {
    /// In the modes with their own bridge, `<bridge>` is always written, with the effective
    /// settings; in the other modes only if it sets something.
    pub(super) fn write(&self, writer: &mut Writer<'_>, mode: ForwardMode) -> fmt::Result {
        let own = mode.has_own_bridge();
        if !own && self.name.is_none() && self.mac_table_manager.is_none() {
            return Ok(());
        }
        let tag = writer.tag("bridge")?.optional("name", self.name.as_ref())?.optional("zone", self.zone.as_ref())?;
        let stp = if self.stp.unwrap_or(true) { "on" } else { "off" };
        let tag = tag.optional("stp", own.then_some(stp))?;
        let tag = tag.optional("delay", own.then_some(self.delay.unwrap_or(0)))?;
        mac_table_attribute(tag, self.mac_table_manager)?.empty()
    }
}
