//! Sysctls.

use serde::{Deserialize, Serialize};
use vnet_types::InterfaceName;

use super::Kind;
use crate::Key;

/// A sysctl under `/proc/sys/net`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sysctl {
    /// `ipv6/conf/LINK/disable_ipv6`
    DisableIpv6(InterfaceName),
    /// `ipv6/conf/LINK/accept_ra`
    AcceptRa(InterfaceName),
    /// `ipv6/conf/LINK/autoconf`
    Autoconf(InterfaceName),
    /// `ipv4/ip_forward`
    Ipv4Forward,
    /// `ipv6/conf/all/forwarding`
    Ipv6Forward,
}

/// A sysctl and the value that it is set to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SysctlSetting {
    /// The sysctl.
    pub switch: Sysctl,
    /// Its value.
    pub value: u32,
}

impl Sysctl {
    /// Whether the whole host shares it.
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Ipv4Forward | Self::Ipv6Forward)
    }

    /// The path below `/proc/sys`, which sysctl(8) also accepts as a name.
    pub fn path(&self) -> String {
        match self {
            Self::DisableIpv6(link) => format!("net/ipv6/conf/{link}/disable_ipv6"),
            Self::AcceptRa(link) => format!("net/ipv6/conf/{link}/accept_ra"),
            Self::Autoconf(link) => format!("net/ipv6/conf/{link}/autoconf"),
            Self::Ipv4Forward => "net/ipv4/ip_forward".to_owned(),
            Self::Ipv6Forward => "net/ipv6/conf/all/forwarding".to_owned(),
        }
    }
}

impl Kind for SysctlSetting {
    fn key(&self) -> Key {
        let switch = self.switch.clone();
        if switch.is_shared() { Key::SharedSysctl(switch) } else { Key::LinkSysctl(switch) }
    }

    fn added(&self) -> String {
        format!("sysctl {} = {}", self.switch.path(), self.value)
    }

    fn deleted(&self) -> String {
        format!("sysctl {}", self.switch.path())
    }

    fn changed(&self, to: &Self) -> String {
        format!("~ {} (was {})", to.added(), self.value)
    }

    fn effect_of_delete(&self) -> Option<&'static str> {
        None
    }
}
