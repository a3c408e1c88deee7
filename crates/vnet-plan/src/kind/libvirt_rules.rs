//! libvirt's rules for a network that vnet has taken over from it.

use vnet_firewall::LibvirtRules;

use super::Kind;
use crate::Key;

impl Kind for LibvirtRules {
    fn key(&self) -> Key {
        Key::LibvirtRules(self.bridge.clone())
    }

    fn added(&self) -> String {
        format!("libvirt's rules for {}", self.bridge)
    }

    fn deleted(&self) -> String {
        format!("libvirt's rules for {}", self.bridge)
    }

    /// The network's own rules are there before these go.
    fn effect_of_delete(&self) -> Option<&'static str> {
        None
    }
}
