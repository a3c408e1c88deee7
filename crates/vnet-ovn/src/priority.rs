//! Priorities of rules: of those that match, the one with the highest decides. Rules for what
//! leaves a guest and rules for what reaches one are never compared.

/// The priority of an ACL of the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Priority {
    /// What comes in unasked.
    Unasked,
    /// What guests begin, and what comes from inside.
    Asked,
    /// What port forwards let in.
    Forwarded,
    /// What guests may not reach, by the preset.
    Refused,
    /// What guests may reach, by the preset, and what is behind other guests.
    Served,
    /// An exception, by its place from the end.
    Exception(u16),
    /// What reaches other guests by the network's own port forwards.
    Led,
    /// What every guest needs to have an address, and what the router never passes on.
    Needed,
    /// What isolated guests send to each other.
    Isolated,
}

/// What passes, in the policies of the router.
pub(crate) const PERMITTED: i64 = 1001;
/// What is dropped otherwise.
pub(crate) const FORBIDDEN: i64 = 1000;
/// What is dropped in any case.
pub(crate) const FORGED: i64 = 1002;

impl Priority {
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Unasked => 1000,
            Self::Asked => 1001,
            Self::Forwarded => 1002,
            Self::Refused => 1100,
            Self::Served => 1101,
            Self::Exception(place) => 1200 + i64::from(place),
            Self::Led => 8999,
            Self::Needed => 9000,
            Self::Isolated => 9001,
        }
    }
}
