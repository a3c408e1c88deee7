//! Classes of queueing disciplines.

use vnet_types::Class;

use super::Kind;
use crate::Key;

impl Kind for Class {
    fn key(&self) -> Key {
        Key::Class(self.link.clone(), self.handle)
    }

    fn added(&self) -> String {
        format!("tc class add {self}")
    }

    fn deleted(&self) -> String {
        format!("tc class del {self}")
    }

    fn changed(&self, to: &Self) -> String {
        format!("~ tc class change {to}")
    }

    fn effect_of_delete(&self) -> Option<&'static str> {
        Some("bandwidth is no longer limited")
    }

    fn effect_of_change(&self, _: &Self) -> Option<&'static str> {
        Some("the limit changes; no packet is lost")
    }
}
