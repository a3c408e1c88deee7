//! What to do about an update that is refused.

use super::{UpdateError, UpdateRefusal};

impl UpdateError {
    /// What to do about it. `None` where the message says so itself.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Element(refused) => refused.help(),
            Self::Refused { reason, .. } => reason.help(),
        }
    }
}

impl UpdateRefusal {
    /// What to do about it. `None` where the message says so itself.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::NotModified(_) | Self::Ambiguous { .. } => return None,
            Self::NoIp(_) => "give the index of one that it has, or none: then the one with DHCP is meant".to_owned(),
            Self::NoParent(parent) => format!("give the network a `{parent}` first, in its definition"),
            Self::Exists(_) => "leave it as it is, or delete it first".to_owned(),
            Self::Absent(_) => "take one from the network's definition, or add it".to_owned(),
            Self::Nothing => "give an attribute that the network's element has, too".to_owned(),
            Self::Family { family, .. } => {
                format!("give an address that is {family}, or the index of an `<ip>` of the other family")
            }
            Self::SecondDhcp { address, .. } => format!("give the index of the `<ip>` with the address `{address}`"),
            Self::SecondDefault(name) => format!("leave out `default='yes'`, or take it from `{name}` first"),
            Self::InUse { .. } => "detach these guests first".to_owned(),
        })
    }
}
