//! Interrupt coalescing of links.

use serde::{Deserialize, Serialize};
use vnet_types::InterfaceName;

use super::Kind;
use crate::Key;

/// The interrupt coalescing of a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkCoalesce {
    /// The link.
    pub link: InterfaceName,
    /// The largest number of frames that are received before an interrupt.
    pub rx_frames: u32,
}

impl Kind for LinkCoalesce {
    fn key(&self) -> Key {
        Key::Coalesce(self.link.clone())
    }

    fn added(&self) -> String {
        format!("ethtool -C {} rx-frames {}", self.link, self.rx_frames)
    }

    fn deleted(&self) -> String {
        format!("ethtool -C {} rx-frames 0", self.link)
    }

    fn changed(&self, to: &Self) -> String {
        format!("~ {}", to.added())
    }

    fn effect_of_delete(&self) -> Option<&'static str> {
        None
    }
}
