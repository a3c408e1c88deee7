//! What a bridge knows about its ports: the settings of each, the MAC addresses behind it, and its
//! VLANs (bridge(8), `linux/if_bridge.h`, `linux/neighbour.h`).

use std::fmt;

use crate::{InterfaceName, MacAddr};

/// A link as the port of a bridge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BridgePort {
    /// The bridge.
    pub bridge: InterfaceName,
    /// The bridge learns MAC addresses from the frames of this port. On for a new port.
    pub learning: bool,
    /// Frames to unknown MAC addresses are sent to this port too. On for a new port.
    pub unicast_flood: bool,
    /// Frames pass only between this port and ports that are not isolated. Off for a new port.
    pub isolated: bool,
    /// The bridge answers ARP and neighbour solicitations itself if it can. Off for a new port.
    pub neigh_suppress: bool,
    /// The bridge may send a frame back to the port that it came from. Off for a new port.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "std::ops::Not::not"))]
    pub hairpin: bool,
}

/// An entry of a bridge's forwarding database: the port for a MAC address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Fdb {
    /// The address.
    pub mac: MacAddr,
    /// The port that the address is behind.
    pub port: InterfaceName,
    /// The VLAN; `None` if the bridge does not filter VLANs, or if the entry is for all VLANs of
    /// the port.
    pub vlan: Option<u16>,
    /// How the entry was made.
    pub origin: FdbOrigin,
}

/// How an entry of a forwarding database was made (`NUD_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum FdbOrigin {
    /// The bridge learned it from a frame, and it expires.
    Learned,
    /// A program added it: no frame moves it to another port (`static`).
    Static,
    /// It is an address of the port itself: frames to it are for the host (`permanent`).
    Local,
}

/// VLANs that a port of a bridge, or the bridge itself, belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BridgeVlan {
    /// The first id: 1 to 4094.
    pub first: u16,
    /// The last id; equal to the first for one VLAN.
    pub last: u16,
    /// Incoming frames without a tag belong to this VLAN. At most one VLAN of a port has this.
    pub pvid: bool,
    /// Outgoing frames carry no tag.
    pub untagged: bool,
}

impl BridgePort {
    /// A port with the settings of one that has just joined.
    pub fn new(bridge: InterfaceName) -> Self {
        Self { bridge, learning: true, unicast_flood: true, isolated: false, neigh_suppress: false, hairpin: false }
    }
}

impl BridgeVlan {
    /// A VLAN whose frames carry its tag, as on a trunk.
    pub fn tagged(id: u16) -> Self {
        Self { first: id, last: id, pvid: false, untagged: false }
    }

    /// The VLAN of an access port, whose frames carry no tag.
    pub fn access(id: u16) -> Self {
        Self { pvid: true, untagged: true, ..Self::tagged(id) }
    }

    /// Whether all its ids are valid for a bridge.
    pub fn is_valid(&self) -> bool {
        (1..=4094).contains(&self.first)
            && (self.first..=4094).contains(&self.last)
            && (!self.pvid || self.first == self.last)
    }
}

/// In the words of `bridge link set`.
impl fmt::Display for BridgePort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |on| if on { "on" } else { "off" };
        write!(f, "master {} learning {} flood {}", self.bridge, word(self.learning), word(self.unicast_flood))?;
        write!(f, " isolated {} neigh_suppress {}", word(self.isolated), word(self.neigh_suppress))?;
        f.write_str(if self.hairpin { " hairpin on" } else { "" })
    }
}

/// In the words of `bridge fdb`.
impl fmt::Display for Fdb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} dev {}", self.mac, self.port)?;
        if let Some(vlan) = self.vlan {
            write!(f, " vlan {vlan}")?;
        }
        f.write_str(match self.origin {
            FdbOrigin::Learned => " master dynamic",
            FdbOrigin::Static => " master static",
            FdbOrigin::Local => " master permanent",
        })
    }
}

/// In the words of `bridge vlan`.
impl fmt::Display for BridgeVlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => write!(f, "vid {}", self.first)?,
            false => write!(f, "vid {}-{}", self.first, self.last)?,
        }
        f.write_str(if self.pvid { " pvid" } else { "" })?;
        f.write_str(if self.untagged { " untagged" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(BridgeVlan::access(7), "vid 7 pvid untagged", true)]
    #[case(BridgeVlan::tagged(4094), "vid 4094", true)]
    #[case(BridgeVlan { last: 20, ..BridgeVlan::tagged(10) }, "vid 10-20", true)]
    #[case(BridgeVlan { last: 20, ..BridgeVlan::access(10) }, "vid 10-20 pvid untagged", false)]
    #[case(BridgeVlan { last: 9, ..BridgeVlan::tagged(10) }, "vid 10-9", false)]
    #[case(BridgeVlan::tagged(0), "vid 0", false)]
    #[case(BridgeVlan::tagged(4095), "vid 4095", false)]
    fn vlans(#[case] vlan: BridgeVlan, #[case] words: &str, #[case] valid: bool) {
        assert_eq!((vlan.to_string().as_str(), vlan.is_valid()), (words, valid));
    }
}
