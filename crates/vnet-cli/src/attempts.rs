//! The results of `start --autostart` and `apply --running`, which are about several networks.

use std::collections::BTreeSet;

use serde::Serialize;
use vnet_driver::{Attempt, Change, NetworkOutcome};
use vnet_plan::Key;
use vnet_xml::Severity;

use crate::changes::{ChangeJson, changes};
use crate::failure;
use crate::notes;
use crate::output::{Answer, Format, done, note, print, print_json};

#[derive(Serialize)]
struct Report {
    networks: Vec<AttemptJson>,
}

/// One of the networks. `docs/json.md` describes the shape.
#[derive(Serialize)]
struct AttemptJson {
    network: String,
    bridge: Option<String>,
    changes: Vec<ChangeJson>,
    notes: Vec<String>,
    /// Why it does not run as it is defined.
    error: Option<String>,
}

/// Prints what became of each network. Answers no when one has failed.
pub(crate) fn report(attempts: Vec<Attempt>, format: Format) -> Answer {
    let all = attempts.len();
    let (mut networks, mut lines, mut failed, mut said) = (Vec::new(), String::new(), Vec::new(), BTreeSet::new());
    for Attempt { network, result, .. } in attempts {
        let name = network.to_string();
        match result {
            Ok(outcome) => {
                let remarks = notes::notes(&outcome.notes) + &notes::obstacles(&outcome.obstacles, Severity::Warning);
                // What the host cannot do is often the same for all.
                if format == Format::Human && said.insert(remarks.clone()) {
                    note(remarks);
                }
                lines += &line(&outcome);
                networks.push(AttemptJson::of(name, &outcome));
            }
            Err(error) => {
                let error =
                    anyhow::Error::from(error).context(format!("network `{name}` does not run as it is defined"));
                failure::report(&error);
                networks.push(AttemptJson::failed(name.clone(), failure::line(&error)));
                failed.push(name);
            }
        }
    }
    let answer = done("networks are as defined", || match format {
        Format::Json => print_json(&Report { networks }),
        Format::Human => Ok(print(lines)?),
    });
    if failed.is_empty() {
        return answer;
    }
    note(format!("{} of {all} networks failed: {}\n", failed.len(), failed.join(", ")));
    Answer::No
}

fn line(outcome: &NetworkOutcome) -> String {
    let NetworkOutcome { name, bridge, changes, .. } = outcome;
    let on = bridge.as_ref().map(|bridge| format!(" on {bridge}")).unwrap_or_default();
    // A repair may create again what somebody has removed, but the bridge is there.
    let is_bridge = |key: Key| bridge.as_ref().is_none_or(|bridge| key == Key::Link(bridge.clone()));
    let is_new = changes.iter().any(|change| matches!(change, Change::Create { .. }) && is_bridge(change.key()));
    match changes.len() {
        0 => format!("network {name}: nothing to change\n"),
        _ if is_new => format!("network {name} started{on}\n"),
        1 => format!("network {name}{on}: 1 change\n"),
        count => format!("network {name}{on}: {count} changes\n"),
    }
}

impl AttemptJson {
    fn of(network: String, outcome: &NetworkOutcome) -> Self {
        Self {
            network,
            bridge: outcome.bridge.as_ref().map(ToString::to_string),
            changes: changes(&outcome.changes),
            notes: outcome.notes.iter().map(ToString::to_string).collect(),
            error: None,
        }
    }

    fn failed(network: String, error: String) -> Self {
        Self { network, bridge: None, changes: Vec::new(), notes: Vec::new(), error: Some(error) }
    }
}
