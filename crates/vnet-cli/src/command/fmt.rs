//! `vnet fmt FILE…`: prints definitions in libvirt's form, or rewrites them.

use std::path::{Path, PathBuf};

use serde::Serialize;
use vnet_xml::{Definition, Libvirt, Style};

use crate::diagnostic::Checked;
use crate::diagnostic::human::human;
use crate::diagnostic::json::{DiagnosticJson, diagnostics};
use crate::document::Document;
use crate::failure;
use crate::files::Files;
use crate::notes;
use crate::output::{Answer, Format, FormatOption, note, plain, print, print_exact, print_json};
use crate::release::Release;
use crate::rewrite::{files_only, rewrite};
use crate::style::WARNING;

/// Print definitions in libvirt's own form
///
/// Parts that vnet does not know are left out, with a warning that names them. In a domain, only
/// the interfaces are reformatted. With --write, a file that would lose something stays as it is.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Definitions, or folders of them; `-` is stdin
    #[arg(required = true, value_name = "FILE")]
    paths: Vec<PathBuf>,
    /// Only print the names of files that are not in this form; exit code 1 when there are any
    #[arg(long)]
    check: bool,
    /// Rewrite the files that are not in this form, and print their names
    #[arg(long, conflicts_with = "check")]
    write: bool,
    /// Leave out what only a running network has, such as the number of its connections
    #[arg(long)]
    inactive: bool,
    /// Print the form of this libvirt release [default: 11; --check accepts either]
    #[arg(long, value_enum, value_name = "RELEASE")]
    libvirt: Option<Release>,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report {
    files: Vec<FileReport>,
}

#[derive(Serialize)]
struct FileReport {
    file: String,
    /// Whether it was in this form.
    formatted: bool,
    /// Whether it was rewritten.
    written: bool,
    /// `None` when there are errors.
    xml: Option<String>,
    diagnostics: Vec<DiagnosticJson>,
}

impl Args {
    /// Prints or rewrites the documents.
    pub(crate) fn run(&self) -> anyhow::Result<Answer> {
        if self.write {
            files_only(&self.paths, "--write")?;
        }
        let mut report = Report { files: Vec::new() };
        let Files { found, mut unread, .. } = Files::of(&self.paths)?;
        for file in found {
            match Document::read(&file.path).map(|document| (file.is_other(&document), document)) {
                Ok((Some(other), _)) => note(notes::passed_over(&[other])),
                Ok((None, document)) => report.files.push(self.format(document, &file.path)?),
                Err(error) => unread.push(error),
            }
        }
        unread.iter().for_each(failure::report);
        if self.format.format == Format::Json {
            print_json(&report)?;
        }
        let is_done = |file: &FileReport| match (self.check, self.write) {
            (true, _) => file.formatted,
            (_, true) => file.formatted || file.written,
            _ => file.xml.is_some(),
        };
        Ok(if unread.is_empty() { Answer::when(report.files.iter().all(is_done)) } else { Answer::Failed })
    }

    fn format(&self, document: Document, path: &Path) -> anyhow::Result<FileReport> {
        let checked = Checked::grammar(document);
        let printed = |definition: &Definition, libvirt| {
            definition.print_into(&checked.document.bytes, Style { inactive: self.inactive, libvirt })
        };
        let form = self.libvirt.map_or(Libvirt::V11, Libvirt::from);
        let xml = checked.sound().and_then(|definition| printed(definition, form));
        let formatted = checked.sound().is_some_and(|definition| {
            let forms = self.libvirt.map_or(vec![Libvirt::V11, Libvirt::V12], |_| vec![form]);
            let is_it = |form| printed(definition, form).is_some_and(|it| it.as_bytes() == checked.document.bytes);
            forms.into_iter().any(is_it)
        });
        let name = plain(&checked.document.name);
        let mut written = false;
        if self.format.format == Format::Human {
            note(human(&checked));
        }
        match &xml {
            Some(xml) if self.write && !formatted => match lost(&checked, xml) {
                Some(lost) => {
                    note(format!("{WARNING}note{WARNING:#}: `{name}` stays as it is: {lost} would be lost\n"))
                }
                None => {
                    rewrite(path, xml)?;
                    written = true;
                }
            },
            _ => {}
        }
        match (self.format.format, &xml) {
            (Format::Human, Some(xml)) if !self.check && !self.write => print_exact(xml)?,
            (Format::Human, _) if self.check && !formatted || written => print(format!("{name}\n"))?,
            _ => {}
        }
        let (file, diagnostics) = (checked.document.name.clone(), diagnostics(&checked));
        Ok(FileReport { file, formatted, written, xml, diagnostics })
    }
}

/// What a document has that its printed form has not.
fn lost(checked: &Checked, xml: &str) -> Option<String> {
    let unknown = checked.diagnostics.len();
    let comments = String::from_utf8_lossy(&checked.document.bytes).matches("<!--").count();
    match (unknown, comments.saturating_sub(xml.matches("<!--").count())) {
        (0, 0) => None,
        (0, 1) => Some("a comment".to_owned()),
        (0, comments) => Some(format!("{comments} comments")),
        _ => Some("what the warnings name".to_owned()),
    }
}
