//! What a virtual function of a network card is given by the card (`linux/if_link.h`, `IFLA_VF_*`).

use std::fmt;

use crate::MacAddr;

/// What a virtual function is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct VfSettings {
    /// Its number among those of its card, from 0.
    pub number: u32,
    /// Its MAC address, which the guest cannot change; `None` leaves it as it is.
    pub mac: Option<MacAddr>,
    /// The VLAN that the card puts it into: 1 to 4094, or 0 for none; `None` leaves it as it is.
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
