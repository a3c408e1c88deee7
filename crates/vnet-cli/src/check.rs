//! The results of `vnet check` for many documents, in each format.

use std::rc::Rc;

use serde::Serialize;
use vnet_driver::{Checker, Obstacle};
use vnet_validate::Together;
use vnet_xml::{Severity, SourceMap};

use crate::diagnostic::Checked;
use crate::diagnostic::github::github;
use crate::diagnostic::human::human;
use crate::diagnostic::json::{DiagnosticJson, diagnostics};
use crate::diagnostic::sarif::Log;
use crate::document::Document;
use crate::files::PassedOver;
use crate::notes;
use crate::output::{note, print, print_json, print_json_of_others};

/// How findings are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people, on stderr, with a summary on stdout
    #[default]
    Human,
    /// One JSON document
    Json,
    /// SARIF 2.1.0, for code hosts and editors
    Sarif,
    /// Annotations of GitHub Actions
    Github,
}

/// The results so far.
pub(crate) struct Summary {
    format: Format,
    /// The severity of an obstacle.
    worst: Severity,
    read: usize,
    /// The definitions so far, and their documents in the same order.
    together: Together,
    documents: Vec<(Rc<Document>, SourceMap)>,
    /// In its format only: it describes all rules.
    log: Option<Log>,
    report: Report,
}

#[derive(Default, Serialize)]
struct Report {
    files: Vec<FileReport>,
    passed_over: Vec<PassedOver>,
    errors: usize,
    warnings: usize,
    /// The findings that `--fix` has mended.
    fixed: usize,
    /// The findings that have a sure remedy.
    fixable: usize,
}

#[derive(Serialize)]
struct FileReport {
    file: String,
    /// The findings that `--fix` has mended.
    fixed: usize,
    /// `None` when the document defines no network.
    network: Option<String>,
    diagnostics: Vec<DiagnosticJson>,
    /// Rules of other programs that block it.
    obstacles: Vec<Obstacle>,
}

impl Summary {
    /// No results yet. With a host, advice fits it.
    pub(crate) fn new(format: Format, strict: bool, host: Option<&Checker<'_>>) -> Self {
        let worst = if strict { Severity::Error } else { Severity::Warning };
        Self {
            format,
            worst,
            read: 0,
            together: host.map(Checker::together).unwrap_or_default(),
            documents: Vec::new(),
            log: (format == Format::Sarif).then(Log::new),
            report: Report::default(),
        }
    }

    /// Adds a document, with the number of its findings that were mended. It is checked beside
    /// those before it, and on a host too if one is given.
    pub(crate) fn add(&mut self, mut checked: Checked, fixed: usize, host: Option<&Checker<'_>>) -> anyhow::Result<()> {
        if let Some(definition) = &checked.definition {
            let shared = self.together.add(definition);
            checked.extend_together(shared, &self.documents);
            self.documents.push(checked.places());
        }
        let mut obstacles = Vec::new();
        if let (Some(host), Some(definition)) = (host, &checked.definition) {
            let found = host.check(definition)?;
            checked.hear(&found.findings);
            obstacles = found.obstacles;
        }
        if self.worst == Severity::Error {
            checked.be_strict();
        }
        if checked.sound().is_none() {
            obstacles.clear();
        }
        let sure = obstacles.iter().filter(|obstacle| obstacle.is_sure()).count();
        let (as_errors, as_warnings) = if self.worst == Severity::Error { (sure, 0) } else { (0, sure) };
        self.report.errors += checked.count(Severity::Error) + as_errors;
        self.report.warnings += checked.count(Severity::Warning) + as_warnings;
        self.report.fixed += fixed;
        self.report.fixable += checked.diagnostics.iter().filter(|it| !it.fix.is_empty()).count();
        self.read += 1;
        match self.format {
            Format::Human => note(human(&checked) + &notes::obstacles(&obstacles, self.worst)),
            Format::Json => self.report.files.push(FileReport::new(&checked, fixed, obstacles)),
            Format::Sarif => self.log.iter_mut().for_each(|log| log.add(&checked, &obstacles, self.worst)),
            Format::Github => print(github(&checked, &obstacles, self.worst))?,
        }
        Ok(())
    }

    /// Adds the files that were not read.
    pub(crate) fn pass_over(&mut self, files: Vec<PassedOver>) {
        match self.format {
            Format::Human => note(notes::passed_over(&files)),
            Format::Json => self.report.passed_over = files,
            Format::Sarif => self.log.iter_mut().for_each(|log| log.pass_over(&files)),
            Format::Github => {}
        }
    }

    /// Prints all results.
    pub(crate) fn print(&self) -> anyhow::Result<()> {
        match self.format {
            Format::Human | Format::Github => Ok(print(format!("{}\n", self.line()))?),
            Format::Json => print_json(&self.report),
            Format::Sarif => print_json_of_others(&self.log),
        }
    }

    /// Whether a document was read.
    pub(crate) fn has_read(&self) -> bool {
        self.read > 0
    }

    /// Whether there is no error.
    pub(crate) fn holds(&self) -> bool {
        self.report.errors == 0
    }

    fn line(&self) -> String {
        let count = |count, noun| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
        let checked = format!("{} checked", count(self.read, "file"));
        let found = match (self.report.errors, self.report.warnings) {
            (0, 0) if self.report.fixed == 0 => "nothing found".to_owned(),
            (0, 0) => "nothing left".to_owned(),
            (errors, warnings) => format!("{}, {}", count(errors, "error"), count(warnings, "warning")),
        };
        let fix = match (self.report.fixed, self.report.fixable) {
            (0, 0) => String::new(),
            (0, fixable) => format!("; --fix mends {fixable}"),
            (fixed, _) => format!("; {fixed} mended"),
        };
        format!("{checked}, {found}{fix}")
    }
}

impl FileReport {
    fn new(checked: &Checked, fixed: usize, obstacles: Vec<Obstacle>) -> Self {
        Self {
            file: checked.document.name.clone(),
            fixed,
            network: checked.network().map(|network| network.name.clone()),
            diagnostics: diagnostics(checked),
            obstacles,
        }
    }
}
