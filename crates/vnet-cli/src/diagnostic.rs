//! Diagnostics of a document with their places: one type, four printers.

pub(crate) mod github;
pub(crate) mod human;
pub(crate) mod json;
pub(crate) mod sarif;

use std::collections::HashSet;
use std::rc::Rc;

use vnet_driver::Obstacle;
use vnet_validate::{Finding, OBSTACLE, Stage, rule};
use vnet_xml::network::{Section, UpdateError};
use vnet_xml::{Code, Definition, Network, NodePath, Parsed, Problem, Replacement, Severity, SourceMap, Span};

use crate::document::Document;

/// One diagnostic: a problem of the reader or a finding of a check.
#[derive(Clone, Debug)]
pub(crate) struct Diagnostic {
    pub(crate) code: Code,
    pub(crate) severity: Severity,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    /// A sure remedy; empty if there is none.
    pub(crate) fix: Vec<Replacement>,
    pub(crate) path: NodePath,
    /// The bytes that it is about.
    pub(crate) span: Span,
    pub(crate) related: Vec<Related>,
}

/// Another place that it refers to.
#[derive(Clone, Debug)]
pub(crate) struct Related {
    pub(crate) message: String,
    pub(crate) path: NodePath,
    pub(crate) span: Span,
    /// The document that has the place, if it is another one.
    pub(crate) elsewhere: Option<Rc<Document>>,
}

/// A document with all its diagnostics.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) document: Rc<Document>,
    /// `None` when the document could not be read at all.
    pub(crate) definition: Option<Definition>,
    /// Ordered by place.
    pub(crate) diagnostics: Vec<Diagnostic>,
    source: SourceMap,
}

impl Checked {
    /// Collects what the reader reported. The result may be invalid.
    fn read(document: Document, parsed: Parsed<Definition>) -> Self {
        Self {
            diagnostics: parsed.problems.into_iter().map(Diagnostic::from).collect(),
            definition: parsed.value,
            source: parsed.source,
            document: Rc::new(document),
        }
    }

    /// Reads a document of any kind and checks its definition.
    pub(crate) fn new(document: Document) -> Self {
        let parsed = Definition::parse(&document.bytes);
        let mut checked = Self::read(document, parsed);
        let findings = checked.definition.as_ref().map(vnet_validate::check);
        checked.extend(findings.unwrap_or_default());
        checked
    }

    /// Reads a document that must be a network. The network may be invalid.
    pub(crate) fn text_of_network(document: Document) -> Self {
        let parsed = Network::parse(&document.bytes).map(|network| Definition::Network(Box::new(network)));
        Self::read(document, parsed)
    }

    /// Collects the diagnostics of an element alone.
    pub(crate) fn of_element(document: Document, mut diagnostics: Vec<Diagnostic>) -> Self {
        diagnostics.sort_by_key(|diagnostic| (diagnostic.span.start, diagnostic.span.end, diagnostic.code));
        Self { document: Rc::new(document), diagnostics, definition: None, source: SourceMap::default() }
    }

    /// Reads a document that must be a network, and checks it.
    pub(crate) fn of_network(document: Document) -> Self {
        let mut checked = Self::text_of_network(document);
        let findings = checked.definition.as_ref().map(vnet_validate::check);
        checked.extend(findings.unwrap_or_default());
        checked
    }

    /// Reads a document of any kind, and makes only the checks that libvirt makes when it reads
    /// one.
    pub(crate) fn grammar(document: Document) -> Self {
        let parsed = Definition::parse(&document.bytes);
        let mut checked = Self::read(document, parsed);
        let findings = checked.definition.iter().flat_map(vnet_validate::check);
        let findings =
            findings.filter(|finding| rule(finding.code).is_some_and(|rule| rule.stage == Stage::Parser)).collect();
        checked.extend(findings);
        checked
    }

    /// Adds the driver's findings, except those that are known already.
    pub(crate) fn hear(&mut self, findings: &[Finding]) {
        // A warning about the definition alone may be an error on a host.
        let known = |it: &Diagnostic| (it.code, it.severity == Severity::Error, it.path.clone(), it.message.clone());
        let known: HashSet<_> = self.diagnostics.iter().map(known).collect();
        let is_new = |it: &&Finding| {
            !known.contains(&(it.code, it.severity == Severity::Error, it.path.clone(), it.message.clone()))
        };
        self.extend(findings.iter().filter(is_new).cloned().collect());
    }

    /// The document with all sure remedies made, and their number. `None` if there is none.
    pub(crate) fn mended(&self) -> Option<(String, usize)> {
        let text = str::from_utf8(&self.document.bytes).ok()?;
        let (text, count) = vnet_xml::edited(text, self.diagnostics.iter().map(|it| it.fix.clone()));
        (count > 0).then_some((text, count))
    }

    /// Turns all warnings into errors.
    pub(crate) fn be_strict(&mut self) {
        self.diagnostics.iter_mut().for_each(|diagnostic| diagnostic.severity = Severity::Error);
    }

    /// An obstacle on this host as a diagnostic.
    pub(crate) fn obstacle(&self, obstacle: &Obstacle, severity: Severity) -> Diagnostic {
        let path = NodePath::root("network");
        let (span, related) = (self.source.span(&path).unwrap_or(0..0), Vec::new());
        let (message, help) = (obstacle.to_string(), obstacle.help());
        Diagnostic { code: OBSTACLE.code, severity, message, help, fix: Vec::new(), path, span, related }
    }

    /// The number of diagnostics with this severity.
    pub(crate) fn count(&self, severity: Severity) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count()
    }

    /// The definition, if it has no errors.
    pub(crate) fn sound(&self) -> Option<&Definition> {
        self.definition.as_ref().filter(|_| self.count(Severity::Error) == 0)
    }

    /// The network, if the document defines one.
    pub(crate) fn network(&self) -> Option<&Network> {
        match self.definition.as_ref()? {
            Definition::Network(network) => Some(network),
            _ => None,
        }
    }

    /// Changes the network, if the document defines one.
    pub(crate) fn change_network(&mut self, change: impl FnOnce(&mut Network)) {
        if let Some(Definition::Network(network)) = &mut self.definition {
            change(network);
        }
    }

    /// The network, if the document defines one without errors.
    pub(crate) fn sound_network(&self) -> Option<&Network> {
        self.sound().and(self.network())
    }

    /// Adds findings, except those about parts that could not be read, and what follows from them.
    pub(crate) fn extend(&mut self, findings: Vec<Finding>) {
        let refused: HashSet<NodePath> = self
            .diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == Severity::Error)
            .map(|diagnostic| diagnostic.path.clone())
            .collect();
        let news = findings.into_iter().filter(|finding| !vnet_validate::follows_from(finding, &refused));
        let news: Vec<Finding> = news.collect();
        // Something that vnet does not support is a warning about the definition, and an error on a
        // host.
        self.diagnostics.retain(|known| !news.iter().any(|it| it.code == known.code && it.path == known.path));
        let text = str::from_utf8(&self.document.bytes).unwrap_or_default();
        let found = news.into_iter().map(|finding| {
            let fix = finding.fix.iter().map(|edit| edit.in_text(text, &self.source)).collect::<Option<_>>();
            let found = Diagnostic::from_finding(finding, |path| self.source.span(path).unwrap_or(0..0));
            Diagnostic { fix: fix.unwrap_or_default(), ..found }
        });
        self.diagnostics.extend(found);
        self.sort();
    }

    /// Adds what the definition shares with those of other documents, by the numbers of these.
    pub(crate) fn extend_together(&mut self, findings: Vec<Finding>, documents: &[(Rc<Document>, SourceMap)]) {
        for finding in findings {
            let others: Vec<Option<usize>> = finding.related.iter().map(|related| related.definition).collect();
            let mut found = Diagnostic::from_finding(finding, |path| self.source.span(path).unwrap_or(0..0));
            for (related, other) in found.related.iter_mut().zip(others) {
                let Some((document, source)) = other.and_then(|other| documents.get(other)) else { continue };
                related.span = source.span(&related.path).unwrap_or(0..0);
                related.elsewhere = Some(Rc::clone(document));
            }
            self.diagnostics.push(found);
        }
        self.sort();
    }

    /// Adds a finding about the file of a kept definition, at the name of the network.
    pub(crate) fn of_kept_file(&mut self, code: Code, message: String, help: String) {
        let (path, severity) = (NodePath::root("network").element("name"), rule_severity(code));
        let (span, help) = (self.source.span(&path).unwrap_or(0..0), Some(help));
        self.diagnostics.push(Diagnostic {
            code,
            severity,
            message,
            help,
            fix: Vec::new(),
            path,
            span,
            related: Vec::new(),
        });
        self.sort();
    }

    /// The document with its places, to refer to from other documents.
    pub(crate) fn places(&self) -> (Rc<Document>, SourceMap) {
        (Rc::clone(&self.document), self.source.clone())
    }

    fn sort(&mut self) {
        self.diagnostics.sort_by_key(|diagnostic| (diagnostic.span.start, diagnostic.span.end, diagnostic.code));
    }
}

impl From<Problem> for Diagnostic {
    fn from(problem: Problem) -> Self {
        Self {
            code: problem.code,
            severity: problem.severity,
            message: problem.message,
            help: problem.help,
            fix: problem.fix,
            path: problem.path,
            span: problem.span,
            related: Vec::new(),
        }
    }
}

impl Diagnostic {
    /// The error of `Network::update` as a diagnostic.
    pub(crate) fn of_update(section: Section, error: &UpdateError, span: Span) -> Self {
        let (code, severity) = (vnet_xml::UPDATE_REFUSED, Severity::Error);
        let path = NodePath::root(section.element());
        let (message, help) = (error.to_string(), error.help());
        Self { code, severity, message, help, fix: Vec::new(), path, span, related: Vec::new() }
    }

    pub(crate) fn from_finding(finding: Finding, place: impl Fn(&NodePath) -> Span) -> Self {
        let related = finding.related.into_iter().map(|related| Related {
            span: place(&related.path),
            message: related.message,
            path: related.path,
            elsewhere: None,
        });
        Self {
            related: related.collect(),
            span: place(&finding.path),
            code: finding.code,
            severity: finding.severity,
            message: finding.message,
            help: finding.help,
            fix: Vec::new(),
            path: finding.path,
        }
    }
}

fn rule_severity(code: Code) -> Severity {
    rule(code).map_or(Severity::Error, |rule| rule.severity)
}

/// The word for a severity.
pub(crate) fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}
