//! Filters of traffic control.

use vnet_types::{Filter, FilterAction};

use super::Kind;
use crate::Key;

impl Kind for Filter {
    fn key(&self) -> Key {
        Key::Filter(self.link.clone(), self.parent, self.priority, self.handle)
    }

    fn added(&self) -> String {
        format!("tc filter add {self}")
    }

    fn deleted(&self) -> String {
        format!("tc filter del {self}")
    }

    fn effect_of_delete(&self) -> Option<&'static str> {
        (self.action != FilterAction::Checksum).then_some("bandwidth is no longer limited")
    }

    fn effect_of_change(&self, _: &Self) -> Option<&'static str> {
        Some("the limit changes; no packet is lost")
    }
}
