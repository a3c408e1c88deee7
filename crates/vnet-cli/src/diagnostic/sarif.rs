//! Diagnostics as SARIF 2.1.0 for code hosts and editors
//! (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>).

use serde::Serialize;
use vnet_driver::Obstacle;
use vnet_validate::RULES;
use vnet_xml::{NodePath, Replacement, Severity, Span};

use super::{Checked, Diagnostic, word};
use crate::document::Document;
use crate::files::PassedOver;

/// A SARIF log.
#[derive(Debug, Serialize)]
pub(crate) struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    column_kind: &'static str,
    invocations: [Invocation; 1],
    results: Vec<Finding>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    tool_execution_notifications: Vec<Notification>,
}

#[derive(Debug, Serialize)]
struct Notification {
    level: &'static str,
    message: Message,
}

#[derive(Debug, Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    version: &'static str,
    information_uri: &'static str,
    rules: Vec<Rule>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: String,
    name: &'static str,
    short_description: Message,
    full_description: Message,
    help: Message,
    default_configuration: Configuration,
}

#[derive(Debug, Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    rule_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_index: Option<usize>,
    level: &'static str,
    message: Message,
    locations: [Location; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fixes: Vec<Fix>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Fix {
    artifact_changes: [ArtifactChange; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactChange {
    artifact_location: Artifact,
    replacements: Vec<Replaced>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Replaced {
    deleted_region: Region,
    inserted_content: Message,
}

#[derive(Debug, Serialize)]
struct Message {
    text: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    physical_location: PhysicalLocation,
    logical_locations: [LogicalLocation; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: Artifact,
    region: Region,
}

#[derive(Debug, Serialize)]
struct Artifact {
    uri: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
    start_column: usize,
    end_line: usize,
    end_column: usize,
    byte_offset: usize,
    byte_length: usize,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation {
    fully_qualified_name: String,
}

impl Log {
    /// A log without results, with all rules.
    pub(crate) fn new() -> Self {
        let described = RULES.iter().map(|rule| Rule {
            id: rule.code.to_string(),
            name: rule.name,
            short_description: Message { text: rule.summary() },
            full_description: Message { text: first_paragraph(rule.explanation).to_owned() },
            help: Message { text: rule.explanation.trim().to_owned() },
            default_configuration: Configuration { level: word(rule.severity) },
        });
        let driver = Driver {
            name: "vnet",
            version: env!("CARGO_PKG_VERSION"),
            information_uri: env!("CARGO_PKG_REPOSITORY"),
            rules: described.collect(),
        };
        Self {
            schema: "https://json.schemastore.org/sarif-2.1.0.json",
            version: "2.1.0",
            runs: [Run {
                tool: Tool { driver },
                column_kind: "unicodeCodePoints",
                invocations: [Invocation { execution_successful: true, tool_execution_notifications: Vec::new() }],
                results: Vec::new(),
            }],
        }
    }

    /// Adds the files that were passed over.
    pub(crate) fn pass_over(&mut self, files: &[PassedOver]) {
        let [Run { invocations: [invocation], .. }] = &mut self.runs;
        let notifications = files.iter().map(|PassedOver { file, reason }| Notification {
            level: "note",
            message: Message { text: format!("`{file}` is passed over: {reason}") },
        });
        invocation.tool_execution_notifications.extend(notifications);
    }

    /// Adds the diagnostics of a definition and its obstacles on this host. A certain obstacle has
    /// severity `worst`, any other is a note.
    pub(crate) fn add(&mut self, checked: &Checked, obstacles: &[Obstacle], worst: Severity) {
        let [run] = &mut self.runs;
        let rules = &run.tool.driver.rules;
        let results = checked.diagnostics.iter().map(|diagnostic| Finding::new(diagnostic, &checked.document, rules));
        run.results.extend(results);
        let in_the_way = obstacles.iter().map(|obstacle| {
            let finding = Finding::new(&checked.obstacle(obstacle, worst), &checked.document, rules);
            if obstacle.is_sure() { finding } else { Finding { level: "note", ..finding } }
        });
        run.results.extend(in_the_way);
    }
}

impl Finding {
    fn new(diagnostic: &Diagnostic, document: &Document, rules: &[Rule]) -> Self {
        let related = diagnostic.related.iter().enumerate().map(|(index, related)| Location {
            id: Some(index),
            message: Some(Message { text: related.message.clone() }),
            ..Location::new(related.elsewhere.as_deref().unwrap_or(document), &related.path, &related.span)
        });
        let text = [Some(diagnostic.message.as_str()), diagnostic.help.as_deref()];
        let rule_id = diagnostic.code.to_string();
        Self {
            rule_index: rules.iter().position(|rule| rule.id == rule_id),
            rule_id,
            level: word(diagnostic.severity),
            message: Message { text: text.into_iter().flatten().collect::<Vec<_>>().join("; ") },
            locations: [Location::new(document, &diagnostic.path, &diagnostic.span)],
            related_locations: related.collect(),
            fixes: Fix::of(&diagnostic.fix, document).into_iter().collect(),
        }
    }
}

impl Fix {
    fn of(fix: &[Replacement], document: &Document) -> Option<Self> {
        let replacements = fix.iter().map(|it| Replaced {
            deleted_region: Region::new(document, &it.span),
            inserted_content: Message { text: it.text.clone() },
        });
        let artifact_location = Artifact { uri: uri(&document.name) };
        let change = ArtifactChange { artifact_location, replacements: replacements.collect() };
        (!fix.is_empty()).then_some(Self { artifact_changes: [change] })
    }
}

impl Region {
    fn new(document: &Document, span: &Span) -> Self {
        let (start, end) = (document.position(span.start), document.position(span.end));
        Self {
            start_line: start.line,
            start_column: start.column,
            end_line: end.line,
            end_column: end.column,
            byte_offset: span.start,
            byte_length: span.len(),
        }
    }
}

impl Location {
    fn new(document: &Document, path: &NodePath, span: &Span) -> Self {
        Self {
            id: None,
            physical_location: PhysicalLocation {
                artifact_location: Artifact { uri: uri(&document.name) },
                region: Region::new(document, span),
            },
            logical_locations: [LogicalLocation { fully_qualified_name: path.to_string() }],
            message: None,
        }
    }
}

/// The first paragraph of a rule's explanation.
fn first_paragraph(explanation: &str) -> &str {
    explanation.trim().split("\n\n").next().unwrap_or_default()
}

/// A path as a relative URI reference, or as a `file:` URI if it is absolute.
fn uri(path: &str) -> String {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let encoded: String = path
        .bytes()
        .map(|byte| if unreserved(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    if encoded.starts_with('/') { format!("file://{encoded}") } else { encoded }
}
