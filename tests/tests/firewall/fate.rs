//! What became of a probe: where it arrived, and who answered.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use crate::wire::{Form, Seen};

/// What became of a probe.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) arrived: BTreeSet<Arrival>,
    pub(crate) answers: BTreeSet<Answer>,
    pub(crate) sent_from: Option<IpAddr>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Arrival {
    pub(crate) place: &'static str,
    pub(crate) source: IpAddr,
    pub(crate) port: Port,
    pub(crate) form: Form,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Answer {
    /// Who got it.
    pub(crate) place: &'static str,
    /// Who gave it.
    pub(crate) from: IpAddr,
    pub(crate) form: Form,
}

/// The source port that a packet arrives with: as sent, or which others are possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Port {
    None,
    Kept,
    Below500,
    To1000,
    To1023,
    Above,
}

impl Port {
    pub(crate) fn of(seen: &Seen, sent: u16) -> Self {
        match seen.ports {
            None => Self::None,
            Some((port, _)) if port == sent => Self::Kept,
            Some((..500, _)) => Self::Below500,
            Some((..=1000, _)) => Self::To1000,
            Some((..1024, _)) => Self::To1023,
            Some(_) => Self::Above,
        }
    }
}

impl Fate {
    /// The source that it came to a place with.
    pub(crate) fn arrived(&self, place: &str) -> Option<(IpAddr, Port)> {
        self.arrived.iter().find(|arrival| arrival.place == place).map(|arrival| (arrival.source, arrival.port))
    }

    /// Whether its sender has got an answer, other than an error.
    pub(crate) fn is_answered(&self, sender: &str) -> bool {
        self.answers.iter().any(|it| it.place == sender && !matches!(it.form, Form::Error { .. }))
    }

    /// Whether somebody has been told that the port is unreachable.
    pub(crate) fn is_rejected(&self) -> bool {
        let forbidden = |answer: &Answer| {
            matches!(answer.form, Form::Error { kind: 3, code: 3 } | Form::Error { kind: 1, code: 4 })
        };
        self.answers.iter().any(forbidden)
    }
}

/// Everything that is known of it.
impl fmt::Debug for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        for Arrival { place, source, port, form } in &self.arrived {
            write!(f, "; {place} got {form:?} from {source}, port {port:?}")?;
        }
        for Answer { place, from, form } in &self.answers {
            write!(f, "; {from} answered {place} with {form:?}")?;
        }
        Ok(())
    }
}

/// What a reader wants to know of it, in one line.
impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.arrived.iter().max_by_key(|arrival| arrival.port) else {
            let refused = self.answers.iter().find_map(|answer| match answer.form {
                Form::Error { kind, code } => Some((kind, code)),
                _ => None,
            });
            return match refused {
                Some((3, 3) | (1, 4)) => f.write_str("rejected: port unreachable"),
                Some((kind, code)) => write!(f, "rejected: ICMP {kind}/{code}"),
                None if self.answers.is_empty() => f.write_str("dropped"),
                None => f.write_str("answered on the way"),
            };
        };
        f.write_str("passed")?;
        if self.arrived.iter().all(|arrival| arrival.form == Form::LaterFragment) {
            f.write_str(" but for its first fragment")?;
        }
        if Some(first.source) != self.sent_from {
            write!(f, " as {}", first.source)?;
        }
        match first.port {
            Port::None | Port::Kept => {}
            Port::Below500 => f.write_str(", port below 500")?,
            Port::To1000 => f.write_str(", port 500–1000")?,
            Port::To1023 => f.write_str(", port 1001–1023")?,
            Port::Above => f.write_str(", port above 1023")?,
        }
        if self.answers.is_empty() { Ok(()) } else { f.write_str(", answered") }
    }
}
