//! The results of `plan`, `start` and `apply` for a network.

use serde::Serialize;
use vnet_driver::{Error, NetworkOutcome, Obstacle};
use vnet_xml::Severity;

use crate::changes::{ChangeJson, changes};
use crate::diagnostic::Checked;
use crate::diagnostic::human::human;
use crate::diagnostic::json::{DiagnosticJson, diagnostics};
use crate::failure;
use crate::notes;
use crate::output::{Format, note, print_json};

/// A definition and its changes on the host. `docs/json.md` describes the shape.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'a> {
    /// `None` when the document defines no network.
    network: Option<&'a str>,
    /// `None` when it was refused, or has no bridge of its own.
    bridge: Option<String>,
    diagnostics: Vec<DiagnosticJson>,
    changes: Vec<ChangeJson>,
    notes: Vec<String>,
    obstacles: &'a [Obstacle],
}

/// Reports a document without a usable network.
pub(crate) fn refuse(checked: &Checked, format: Format) -> anyhow::Result<()> {
    match format {
        Format::Human => {
            note(human(checked));
            Ok(())
        }
        Format::Json => print_json(&Report::new(checked)),
    }
}

/// Prints the diagnostics of a definition on this host. `None` when the driver refused it, which is
/// printed too.
pub(crate) fn heard(
    result: Result<NetworkOutcome, Error>,
    checked: &mut Checked,
    format: Format,
) -> anyhow::Result<Option<NetworkOutcome>> {
    match result {
        Ok(outcome) => {
            checked.hear(&outcome.findings);
            if format == Format::Human {
                let host = notes::notes(&outcome.notes) + &notes::obstacles(&outcome.obstacles, Severity::Warning);
                note(human(checked) + &host);
            }
            Ok(Some(outcome))
        }
        Err(Error::Refused { findings }) => {
            checked.hear(&findings);
            refuse(checked, format).map(|()| None)
        }
        Err(error) => {
            if format == Format::Human {
                note(human(checked));
            }
            failure::answer(error).map(|_| None)
        }
    }
}

impl<'a> Report<'a> {
    fn new(checked: &'a Checked) -> Self {
        Self {
            network: checked.network().map(|network| network.name.as_str()),
            bridge: None,
            diagnostics: diagnostics(checked),
            changes: Vec::new(),
            notes: Vec::new(),
            obstacles: &[],
        }
    }

    /// A definition and the changes that it makes.
    pub(crate) fn changed(checked: &'a Checked, outcome: &'a NetworkOutcome) -> Self {
        Self {
            bridge: outcome.bridge.as_ref().map(ToString::to_string),
            changes: changes(&outcome.changes),
            notes: outcome.notes.iter().map(ToString::to_string).collect(),
            obstacles: &outcome.obstacles,
            ..Self::new(checked)
        }
    }
}
