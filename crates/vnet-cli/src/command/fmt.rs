//! `vnet fmt FILE…`: prints definitions in libvirt's form.

use std::path::PathBuf;

use serde::Serialize;
use vnet_xml::{Definition, Libvirt, Style};

use crate::diagnostic::Checked;
use crate::diagnostic::human::human;
use crate::diagnostic::json::{DiagnosticJson, diagnostics};
use crate::document::Document;
use crate::files::Files;
use crate::notes;
use crate::output::{Answer, Format, FormatOption, note, print, print_exact, print_json};
use crate::release::Release;

/// Print definitions in libvirt's own form
///
/// Parts that vnet does not know are left out, with a warning that names them. In a domain, only
/// the interfaces are reformatted.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Definitions, or folders of them; `-` is stdin
    #[arg(required = true, value_name = "FILE")]
    paths: Vec<PathBuf>,
    /// Only print the names of files that are not in this form; exit code 1 when there are any
    #[arg(long)]
    check: bool,
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
    formatted: bool,
    /// `None` when there are errors.
    xml: Option<String>,
    diagnostics: Vec<DiagnosticJson>,
}

impl Args {
    /// Prints the canonical form.
    pub(crate) fn run(&self) -> anyhow::Result<Answer> {
        let mut report = Report { files: Vec::new() };
        let files = Files::of(&self.paths)?;
        if let Some(error) = files.unread.into_iter().next() {
            return Err(error);
        }
        for file in files.found {
            let document = Document::read(&file.path)?;
            if let Some(other) = file.is_other(&document) {
                note(notes::passed_over(&[other]));
                continue;
            }
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
            match (self.format.format, &xml) {
                (Format::Json, _) => {}
                (Format::Human, Some(xml)) if !self.check => {
                    note(human(&checked));
                    print_exact(xml)?;
                }
                (Format::Human, _) => {
                    note(human(&checked));
                    if self.check && !formatted {
                        print(format!("{}\n", checked.document.name))?;
                    }
                }
            }
            let file = checked.document.name.clone();
            report.files.push(FileReport { file, formatted, xml, diagnostics: diagnostics(&checked) });
        }
        if self.format.format == Format::Json {
            print_json(&report)?;
        }
        Ok(Answer::when(report.files.iter().all(|file| file.xml.is_some() && (file.formatted || !self.check))))
    }
}
