//! How a network or a port is.

use serde::Serialize;

/// How a network or a port is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As it was made.
    InSync,
    /// Something is not as it was made.
    Drifted,
    /// A start, stop or change did not come to its end.
    Interrupted,
    /// It is in another network namespace, which cannot be seen from here.
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
