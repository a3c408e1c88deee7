//! Diagnostics for programs. `docs/json.md` describes the shape.

use serde::Serialize;

use super::{Checked, Related, word};
use crate::document::{Document, Position};
use vnet_xml::{Replacement, Span};

/// One diagnostic.
#[derive(Debug, Serialize)]
pub(crate) struct DiagnosticJson {
    code: String,
    severity: &'static str,
    message: String,
    help: Option<String>,
    /// Empty if there is no sure remedy.
    fix: Vec<ReplacementJson>,
    #[serde(flatten)]
    place: PlaceJson,
    related: Vec<RelatedJson>,
}

#[derive(Debug, Serialize)]
struct ReplacementJson {
    bytes: [usize; 2],
    text: String,
}

#[derive(Debug, Serialize)]
struct RelatedJson {
    message: String,
    /// `None`: the document that the diagnostic is about.
    file: Option<String>,
    #[serde(flatten)]
    place: PlaceJson,
}

#[derive(Debug, Serialize)]
struct PlaceJson {
    path: String,
    start: Position,
    end: Position,
    bytes: [usize; 2],
}

/// The diagnostics of a definition.
pub(crate) fn diagnostics(checked: &Checked) -> Vec<DiagnosticJson> {
    let place = |path: &vnet_xml::NodePath, span| PlaceJson::new(&checked.document, path, span);
    let shown = checked.diagnostics.iter().map(|diagnostic| DiagnosticJson {
        code: diagnostic.code.to_string(),
        severity: word(diagnostic.severity),
        message: diagnostic.message.clone(),
        help: diagnostic.help.clone(),
        fix: diagnostic.fix.iter().map(ReplacementJson::from).collect(),
        place: place(&diagnostic.path, &diagnostic.span),
        related: diagnostic.related.iter().map(|related| RelatedJson::new(related, &checked.document)).collect(),
    });
    shown.collect()
}

impl From<&Replacement> for ReplacementJson {
    fn from(it: &Replacement) -> Self {
        Self { bytes: [it.span.start, it.span.end], text: it.text.clone() }
    }
}

impl RelatedJson {
    fn new(related: &Related, document: &Document) -> Self {
        let elsewhere = related.elsewhere.as_deref();
        Self {
            message: related.message.clone(),
            file: elsewhere.map(|document| document.name.clone()),
            place: PlaceJson::new(elsewhere.unwrap_or(document), &related.path, &related.span),
        }
    }
}

impl PlaceJson {
    fn new(document: &Document, path: &vnet_xml::NodePath, span: &Span) -> Self {
        Self {
            path: path.to_string(),
            start: document.position(span.start),
            end: document.position(span.end),
            bytes: [span.start, span.end],
        }
    }
}
