//! The VLANs of a port.

use serde::{Deserialize, Serialize};
use vnet_types::{BridgeVlan, InterfaceName};

use super::Kind;
use crate::Key;

/// The VLANs of a port, all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vlans {
    /// The port.
    pub link: InterfaceName,
    /// The VLANs, in order.
    pub vlans: Vec<BridgeVlan>,
}

impl Vlans {
    fn words(&self, verb: &str) -> String {
        let lines = self.vlans.iter().map(|vlan| format!("bridge vlan {verb} dev {} {vlan}", self.link));
        lines.collect::<Vec<_>>().join("\n")
    }
}

impl Kind for Vlans {
    fn key(&self) -> Key {
        Key::Vlans(self.link.clone())
    }

    fn added(&self) -> String {
        self.words("add")
    }

    fn deleted(&self) -> String {
        self.words("del")
    }

    fn effect_of_delete(&self) -> Option<&'static str> {
        Some("the guest is in no VLAN any more")
    }
}
