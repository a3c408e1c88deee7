//! Diagnostics as annotations of GitHub Actions
//! (<https://docs.github.com/actions/reference/workflow-commands-for-github-actions>).

use vnet_driver::Obstacle;
use vnet_xml::Severity;

use super::{Checked, Diagnostic, word};
use crate::document::{Document, Position};
use crate::output::plain;

/// One line for each diagnostic of a definition, and for each obstacle on this host. A certain
/// obstacle has severity `worst`, any other is a notice.
pub(crate) fn github(checked: &Checked, obstacles: &[Obstacle], worst: Severity) -> String {
    let document = &checked.document;
    let mut text: String = checked.diagnostics.iter().map(|it| line(word(it.severity), it, document)).collect();
    for obstacle in obstacles {
        let level = if obstacle.is_sure() { word(worst) } else { "notice" };
        text += &line(level, &checked.obstacle(obstacle, worst), document);
    }
    text
}

fn line(level: &str, diagnostic: &Diagnostic, document: &Document) -> String {
    let (start, end) = (document.position(diagnostic.span.start), document.position(diagnostic.span.end));
    let mut properties = vec![
        ("file", document.name.clone()),
        ("line", start.line.to_string()),
        ("endLine", end.line.to_string()),
        ("title", diagnostic.code.to_string()),
    ];
    // Columns of a place that has several lines are refused.
    if start.line == end.line {
        properties.insert(2, ("col", start.column.to_string()));
        properties.insert(4, ("endColumn", end.column.to_string()));
    }
    let properties: Vec<String> =
        properties.iter().map(|(name, value)| format!("{name}={}", property(value))).collect();
    let mut message = diagnostic.message.clone();
    for related in &diagnostic.related {
        let place = related.elsewhere.as_deref().unwrap_or(document);
        let Position { line, column } = place.position(related.span.start);
        message += &format!("\n{}: {}:{line}:{column}", related.message, place.name);
    }
    if let Some(help) = &diagnostic.help {
        message += &format!("\nhelp: {help}");
    }
    format!("::{level} {}::{}\n", properties.join(","), data(&message))
}

/// Escapes the text of a command.
fn data(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(plain).collect();
    lines.join("\n").replace('%', "%25").replace('\n', "%0A")
}

/// Escapes the value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
