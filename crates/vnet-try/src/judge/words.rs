//! Texts for observations.

use vnet_lab::probe::{Outcome, Transport};

use super::Seen;
use crate::promise::Place;
use crate::report::Verdict;

/// The result of asking by TCP and by UDP.
pub(super) fn both(tcp: Outcome, udp: Outcome) -> String {
    if tcp == udp { tcp.to_string() } else { format!("{} {tcp}, {} {udp}", Transport::Tcp, Transport::Udp) }
}

/// The same, when neither should have reached anybody.
pub(super) fn unreached((tcp, udp): (Outcome, Outcome)) -> Seen {
    let reached = [tcp, udp].iter().any(|outcome| matches!(outcome, Outcome::SeenAs(..)));
    Seen(Verdict::when(!reached), both(tcp, udp))
}

/// A value, or the word for a missing one.
pub(super) fn said(value: Option<&impl ToString>, nothing: &str) -> String {
    value.map_or_else(|| nothing.to_owned(), ToString::to_string)
}

/// The results of asking at ports, grouped by result.
pub(super) fn ports(outcomes: &[(Place, Outcome)]) -> String {
    let word = |outcome: Outcome| match outcome {
        Outcome::SeenAs(_, port) => format!("port {port} answers"),
        Outcome::Refused | Outcome::Silence => outcome.to_string(),
    };
    let mut words: Vec<(String, Vec<String>)> = Vec::new();
    for (place, outcome) in outcomes {
        let (word, place) = (word(*outcome), place.to_string());
        match words.iter_mut().find(|(known, _)| *known == word) {
            Some((_, places)) => places.push(place),
            None => words.push((word, vec![place])),
        }
    }
    let words: Vec<_> = words.into_iter().map(|(word, places)| format!("{word} at {}", places.join(", "))).collect();
    words.join("; ")
}
