//! What a bridge knows of its ports: how each behaves, which MAC addresses are behind it, which
//! VLANs it carries (bridge(8), `linux/if_bridge.h`, `linux/neighbour.h`).

use std::fmt;

use crate::{InterfaceName, MacAddr};

/// A link as the port of a bridge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BridgePort {
    /// The bridge.
    pub bridge: InterfaceName,
    /// The bridge notes from which port a MAC address comes. On in a new port.
    pub learning: bool,
    /// Frames for a MAC address that the bridge does not know leave by this port too. On in a new
    /// port.
    pub unicast_flood: bool,
    /// Frames pass between this port and ports that are not isolated only. Off in a new port.
    pub isolated: bool,
    /// The bridge answers ARP and neighbour solicitation itself where it can. Off in a new port.
    pub neigh_suppress: bool,
}

/// An entry of a bridge's forwarding database: which way to a MAC address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Fdb {
    /// The address.
    pub mac: MacAddr,
    /// The port it is behind.
    pub port: InterfaceName,
    /// In which VLAN; `None` in a bridge that does not filter VLANs, and for every VLAN of the port
    /// at once.
    pub vlan: Option<u16>,
    /// How it came to be.
    pub origin: FdbOrigin,
}

/// How an entry of a forwarding database came to be (`NUD_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum FdbOrigin {
    /// The bridge saw a frame, and will forget.
    Learned,
    /// Someone put it there: no frame moves it to another port (`static`).
    Static,
    /// It is an address of the port itself: its frames are for the host (`permanent`).
    Local,
}

/// VLANs that a port of a bridge, or the bridge itself, belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BridgeVlan {
    /// The first: 1 to 4094.
    pub first: u16,
    /// The last; the first again for one alone.
    pub last: u16,
    /// Frames without a tag that come in belong to it. One VLAN of a port at most.
    pub pvid: bool,
    /// Frames leave without a tag.
    pub untagged: bool,
}

impl BridgePort {
    /// A port as it is when it has just joined.
    pub fn new(bridge: InterfaceName) -> Self {
        Self { bridge, learning: true, unicast_flood: true, isolated: false, neigh_suppress: false }
    }
}

impl BridgeVlan {
    /// A VLAN whose frames have its tag, as on a trunk.
    pub fn tagged(id: u16) -> Self {
        Self { first: id, last: id, pvid: false, untagged: false }
    }

    /// The VLAN of a port whose other end knows nothing of VLANs.
    pub fn access(id: u16) -> Self {
        Self { pvid: true, untagged: true, ..Self::tagged(id) }
    }

    /// Whether a bridge takes all its numbers.
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
        write!(f, " isolated {} neigh_suppress {}", word(self.isolated), word(self.neigh_suppress))
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
