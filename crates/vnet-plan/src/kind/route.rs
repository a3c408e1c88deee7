//! Routes.

use vnet_types::Route;

use super::Kind;
use crate::Key;

impl Kind for Route {
    fn key(&self) -> Key {
        Key::Route(self.destination, self.metric, self.link.clone())
    }

    fn added(&self) -> String {
        format!("ip route add {self}")
    }

    fn deleted(&self) -> String {
        format!("ip route del {self}")
    }

    fn changed(&self, to: &Self) -> String {
        format!("~ ip route replace {to}")
    }

    fn effect_of_delete(&self) -> Option<&'static str> {
        Some("what is behind this route is no longer reached")
    }
}
