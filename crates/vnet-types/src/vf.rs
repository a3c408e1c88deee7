//! The settings that a network card gives a virtual function (`linux/if_link.h`, `IFLA_VF_*`).

use std::fmt;

use crate::MacAddr;

/// The settings of a virtual function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct VfSettings {
    /// Its number on its card, from 0.
    pub number: u32,
    /// Its MAC address, which the guest cannot change; `None`: unchanged.
    pub mac: Option<MacAddr>,
    /// The VLAN that the card puts it into: 1 to 4094, or 0 for no VLAN; `None`: unchanged.
    pub vlan: Option<u16>,
}

/// In the words of `ip link set`.
impl fmt::Display for VfSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vf {}", self.number)?;
        self.mac.iter().try_for_each(|mac| write!(f, " mac {mac}"))?;
        self.vlan.iter().try_for_each(|vlan| write!(f, " vlan {vlan}"))
    }
}
