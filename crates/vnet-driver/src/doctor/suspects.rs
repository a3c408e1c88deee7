//! What fails without a cause that was found: it is said that the cause is not known, with what may
//! be it.

use super::symptom::{Health, Symptom, SymptomRole};

/// More of them help nobody.
const MOST: usize = 3;

/// Completes the first problem of each network where only a trial shows it.
pub(super) fn name(symptoms: &mut [Symptom]) {
    for at in 0..symptoms.len() {
        let (before, rest) = symptoms.split_at_mut(at);
        let [symptom, ..] = rest else { continue };
        let is_of = |other: &&Symptom| other.network.is_none() || other.network == symptom.network;
        let is_explained = before.iter().filter(is_of).any(|it| it.health == Health::Problem);
        if symptom.health != Health::Problem || symptom.role != SymptomRole::Failed || is_explained {
            continue;
        }
        let mut all: Vec<&str> = Vec::new();
        for suspect in before.iter().filter(is_of).filter(|it| it.role == SymptomRole::Suspect) {
            if !all.contains(&suspect.finding.as_str()) {
                all.push(&suspect.finding);
            }
        }
        symptom.finding += &match all.as_slice() {
            [] => "; why is not known".to_owned(),
            all => {
                let more = all.len().saturating_sub(MOST);
                let more = if more > 0 { format!("; and {more} more below") } else { String::new() };
                format!("; what may be the cause: {}{more}", all[..all.len().min(MOST)].join("; "))
            }
        };
    }
}
