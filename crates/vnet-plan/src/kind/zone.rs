//! Zones of firewalld.

use serde::{Deserialize, Serialize};
use vnet_types::InterfaceName;

use super::Kind;
use crate::Key;

/// The firewalld zone of a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// The link.
    pub link: InterfaceName,
    /// The zone.
    pub zone: String,
    /// The zone that the link was in before, which is restored afterwards.
    pub was: Option<String>,
}

impl Kind for Zone {
    fn key(&self) -> Key {
        Key::Zone(self.link.clone())
    }

    fn added(&self) -> String {
        format!("firewall-cmd --zone={} --change-interface={}", self.zone, self.link)
    }

    fn deleted(&self) -> String {
        match &self.was {
            Some(was) => format!("firewall-cmd --zone={was} --change-interface={}", self.link),
            None => format!("firewall-cmd --zone={} --remove-interface={}", self.zone, self.link),
        }
    }

    fn changed(&self, to: &Self) -> String {
        format!("~ {}", to.added())
    }

    fn effect_of_delete(&self) -> Option<&'static str> {
        Some("firewalld treats guests as those of any other interface")
    }
}
