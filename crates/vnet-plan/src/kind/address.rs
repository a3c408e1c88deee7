//! Addresses of links.

use serde::{Deserialize, Serialize};
use vnet_types::{Address, InterfaceName};

use super::Kind;
use crate::Key;

/// An address of a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkAddress {
    /// The link.
    pub link: InterfaceName,
    /// The address.
    pub address: Address,
}

impl Kind for LinkAddress {
    fn key(&self) -> Key {
        Key::Address(self.link.clone(), self.address.net)
    }

    fn added(&self) -> String {
        format!("ip address add {} dev {}", self.address, self.link)
    }

    fn deleted(&self) -> String {
        format!("ip address del {} dev {}", self.address, self.link)
    }

    fn changed(&self, to: &Self) -> String {
        format!("~ ip address replace {} dev {}", to.address, to.link)
    }

    fn effect_of_delete(&self) -> Option<&'static str> {
        Some("guests that use this address as their gateway lose it")
    }
}
