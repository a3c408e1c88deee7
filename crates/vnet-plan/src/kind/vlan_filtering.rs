//! Whether a bridge of the host filters VLANs.

use serde::{Deserialize, Serialize};
use vnet_types::InterfaceName;

use super::Kind;
use crate::Key;

/// Whether a bridge of the host filters VLANs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VlanFiltering {
    /// The bridge.
    pub bridge: InterfaceName,
    /// Whether it filters VLANs.
    pub on: bool,
}

impl Kind for VlanFiltering {
    fn key(&self) -> Key {
        Key::VlanFiltering(self.bridge.clone())
    }

    fn added(&self) -> String {
        format!("ip link set {} type bridge vlan_filtering {}", self.bridge, u8::from(self.on))
    }

    fn deleted(&self) -> String {
        self.added()
    }

    fn changed(&self, to: &Self) -> String {
        format!("~ {}", to.added())
    }

    fn effect_of_delete(&self) -> Option<&'static str> {
        None
    }
}
