//! Entries of a bridge's forwarding database.

use vnet_types::Fdb;

use super::Kind;
use crate::Key;

impl Kind for Fdb {
    fn key(&self) -> Key {
        Key::Fdb(self.port.clone(), self.mac, self.vlan)
    }

    fn added(&self) -> String {
        format!("bridge fdb add {self}")
    }

    fn deleted(&self) -> String {
        format!("bridge fdb del {self}")
    }

    fn effect_of_delete(&self) -> Option<&'static str> {
        Some("the guest is no longer reached")
    }
}
