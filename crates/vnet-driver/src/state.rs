//! The state of a network or a port.

use serde::Serialize;

/// The state of a network or a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is as it was made.
    InSync,
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
}
