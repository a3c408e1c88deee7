//! The state of a network or a port.

use std::collections::BTreeSet;

use serde::Serialize;
use vnet_host::Unread;

/// The state of a network or a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is as it was made.
    InSync,
    /// It is as it was made, as far as it could be read.
    Unsure,
    /// Something is not as it was made.
    Drifted,
    /// A start, stop or change was interrupted.
    Interrupted,
    /// It is in another network namespace, which cannot be read from here.
    Elsewhere,
}

impl State {
    pub(crate) fn of(settled: bool, has_drifted: bool) -> Self {
        match (settled, has_drifted) {
            (false, _) => Self::Interrupted,
            (true, true) => Self::Drifted,
            (true, false) => Self::InSync,
        }
    }

    /// The same, when this could not be read.
    pub(crate) fn without(self, unread: &BTreeSet<Unread>) -> Self {
        if self == Self::InSync && !unread.is_empty() { Self::Unsure } else { self }
    }
}
