//! Queueing disciplines.

use vnet_types::{Qdisc, TrafficHandle};

use super::Kind;
use crate::Key;

impl Kind for Qdisc {
    fn key(&self) -> Key {
        match self.parent {
            TrafficHandle::ROOT | TrafficHandle::INGRESS => Key::Qdisc(self.link.clone(), self.parent),
            class => Key::ClassQdisc(self.link.clone(), class),
        }
    }

    fn added(&self) -> String {
        format!("tc qdisc add {self}")
    }

    fn deleted(&self) -> String {
        format!("tc qdisc del {self}")
    }

    /// Guests notice the loss of a class or a filter, not that of the qdisc.
    fn effect_of_delete(&self) -> Option<&'static str> {
        None
    }
}
