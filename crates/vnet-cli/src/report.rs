//! What `plan`, `start` and `apply` have to tell of a network.

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

/// A definition and what it changes on the host; the shape is described in `docs/json.md`.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'a> {
    /// `None` where the document defines none.
    network: Option<&'a str>,
    /// `None` where it was refused, or has none of its own.
    bridge: Option<String>,
    diagnostics: Vec<DiagnosticJson>,
    changes: Vec<ChangeJson>,
    notes: Vec<String>,
    obstacles: &'a [Obstacle],
}

/// Tells of a document that defines no network that can be used.
pub(crate) fn refuse(checked: &Checked, format: Format) -> anyhow::Result<()> {
    match format {
        Format::Human => {
            note(human(checked));
            Ok(())
        }
        Format::Json => print_json(&Report::new(checked)),
    }
}

/// Tells people what is to be said of a definition and this host. `None` where the driver refused,
/// which is told too.
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

    /// A definition that changes something.
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
