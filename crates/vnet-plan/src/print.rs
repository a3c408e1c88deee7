//! Changes in the words of ip(8), tc(8), nft(8), sysctl(8).

use std::fmt;

use crate::Change;
use crate::kind::marked;

/// Lines that begin with `+ ` for what is created, `- ` for what is deleted, `~ ` for what changes.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Self::Create { to } => marked('+', &to.added()),
            Self::Delete { from } => marked('-', &from.deleted()),
            Self::Update { from, to } => from.changed(to),
            Self::Rename { from, to } => format!("~ ip link set {from} name {to}"),
        })
    }
}

impl Change {
    /// The effect of the change on running guests, if there is one.
    pub fn effect_on_guests(&self) -> Option<&'static str> {
        match self {
            Self::Create { to } => to.effect_of_create(),
            Self::Delete { from } => from.effect_of_delete(),
            Self::Update { from, to } => from.effect_of_change(to),
            Self::Rename { .. } => Some("guests stay connected"),
        }
    }
}
