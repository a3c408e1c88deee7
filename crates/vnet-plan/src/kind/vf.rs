//! Settings of virtual functions.

use serde::{Deserialize, Serialize};
use vnet_types::{InterfaceName, VfSettings};

use super::Kind;
use crate::Key;

/// The settings that a card gives a virtual function while it is assigned to a guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vf {
    /// The card.
    pub card: InterfaceName,
    /// The settings for the guest.
    pub settings: VfSettings,
    /// The function's own settings, which are restored afterwards.
    pub was: VfSettings,
}

impl Kind for Vf {
    fn key(&self) -> Key {
        Key::Vf(self.card.clone(), self.settings.number)
    }

    fn added(&self) -> String {
        format!("ip link set {} {}", self.card, self.settings)
    }

    fn deleted(&self) -> String {
        format!("ip link set {} {}", self.card, self.was)
    }

    fn changed(&self, to: &Self) -> String {
        format!("~ {}", to.added())
    }

    fn effect_of_delete(&self) -> Option<&'static str> {
        Some("the guest's card has another address, and is in another VLAN")
    }
}
