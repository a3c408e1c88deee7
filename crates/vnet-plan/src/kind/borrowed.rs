//! The MAC address of a device of the host that is assigned to a guest.

use serde::{Deserialize, Serialize};
use vnet_types::{InterfaceName, MacAddr};

use super::Kind;
use crate::Key;

/// The MAC address of a device of the host while the device is assigned to a guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Borrowed {
    /// The device.
    pub link: InterfaceName,
    /// The guest's address.
    pub mac: MacAddr,
    /// The device's own address, which is restored afterwards.
    pub was: MacAddr,
}

impl Kind for Borrowed {
    fn key(&self) -> Key {
        Key::Borrowed(self.link.clone())
    }

    fn added(&self) -> String {
        format!("ip link set {} address {}", self.link, self.mac)
    }

    fn deleted(&self) -> String {
        format!("ip link set {} address {}", self.link, self.was)
    }

    fn effect_of_delete(&self) -> Option<&'static str> {
        None
    }
}
