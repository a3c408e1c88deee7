//! What `plan`, `start` and `apply` have to tell.

use serde::Serialize;
use vnet_plan::Change;

use crate::changes::{ChangeJson, changes};
use crate::definition::Prepared;
use crate::diagnostic::{Checked, DiagnosticJson, diagnostics};
use crate::obstacle::Obstacle;
use crate::output::{Answer, Format, print_json};

/// A definition and what it changes on the host; the shape is described in `docs/json.md`.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// `None` where the document defines none.
    network: Option<String>,
    /// `None` where it was refused, or has none of its own.
    bridge: Option<String>,
    diagnostics: Vec<DiagnosticJson>,
    changes: Vec<ChangeJson>,
    notes: Vec<&'static str>,
    obstacles: Vec<Obstacle>,
}

impl Report {
    /// Tells programs of a definition that was refused; people have been told.
    pub(crate) fn refuse(checked: &Checked, format: Format) -> anyhow::Result<Answer> {
        if format == Format::Json {
            print_json(&Self::refused(checked))?;
        }
        Ok(Answer::No)
    }

    fn refused(checked: &Checked) -> Self {
        Self {
            network: checked.network().map(|network| network.name.clone()),
            bridge: None,
            diagnostics: diagnostics(checked),
            changes: Vec::new(),
            notes: Vec::new(),
            obstacles: Vec::new(),
        }
    }

    /// A definition that changes something.
    pub(crate) fn changed(prepared: &Prepared, made: &[Change]) -> Self {
        let bridge = prepared.lowered.as_ref().and_then(|lowered| lowered.bridge.as_ref());
        Self {
            bridge: bridge.map(ToString::to_string),
            changes: changes(made),
            notes: prepared.notes.clone(),
            obstacles: prepared.obstacles.clone(),
            ..Self::refused(&prepared.checked)
        }
    }
}
