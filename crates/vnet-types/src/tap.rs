//! The host's end of a guest's interface: a tap, or a macvtap (Documentation/networking/tuntap.rst,
//! `linux/if_tun.h`, `linux/if_link.h`).

use std::fmt;

use crate::InterfaceName;

/// The settings of a tap that are fixed when it is created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct TapOptions {
    /// The user that may open it without any capability; `None`: any user that `group` admits.
    pub owner: Option<u32>,
    /// The group whose members may open it without any capability; `None`: any group that `owner`
    /// admits.
    pub group: Option<u32>,
    /// It can be opened several times, once for each queue (`IFF_MULTI_QUEUE`).
    pub multi_queue: bool,
    /// Frames begin with a virtio-net header, which carries offloads (`IFF_VNET_HDR`).
    pub vnet_hdr: bool,
}

/// A macvtap: a second MAC address on a device of the host, with a character device for its frames.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MacvtapOptions {
    /// The lower device.
    pub lower: InterfaceName,
    /// How frames pass between guests on that device.
    pub mode: MacvtapMode,
}

/// How frames pass between the macvtaps of one device (`IFLA_MACVLAN_MODE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum MacvtapMode {
    /// Not at all, not even by a switch outside.
    Private,
    /// Through a switch outside that sends them back.
    Vepa,
    /// Directly.
    Bridge,
    /// The device has one macvtap only.
    Passthrough,
}

impl fmt::Display for MacvtapMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Private => "private",
            Self::Vepa => "vepa",
            Self::Bridge => "bridge",
            Self::Passthrough => "passthru",
        })
    }
}

/// In the words of `ip tuntap`.
impl fmt::Display for TapOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("mode tap")?;
        if let Some(owner) = self.owner {
            write!(f, " user {owner}")?;
        }
        if let Some(group) = self.group {
            write!(f, " group {group}")?;
        }
        f.write_str(if self.multi_queue { " multi_queue" } else { "" })?;
        f.write_str(if self.vnet_hdr { " vnet_hdr" } else { "" })
    }
}
