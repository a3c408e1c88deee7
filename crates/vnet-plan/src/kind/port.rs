//! Ports of bridges.

use serde::{Deserialize, Serialize};
use vnet_types::{BridgePort, InterfaceName};

use super::Kind;
use crate::Key;

/// A link as the port of a bridge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// The link.
    pub link: InterfaceName,
    /// Its bridge and its settings there.
    pub port: BridgePort,
}

impl Kind for Port {
    fn key(&self) -> Key {
        Key::Port(self.link.clone())
    }

    fn added(&self) -> String {
        format!("bridge link set dev {} {}", self.link, self.port)
    }

    fn deleted(&self) -> String {
        format!("ip link set {} nomaster", self.link)
    }

    fn changed(&self, to: &Self) -> String {
        format!("~ {}", to.added())
    }

    fn effect_of_delete(&self) -> Option<&'static str> {
        Some("the guest reaches nobody any more")
    }
}
