//! `vnet fmt FILE…`: definitions as libvirt prints them.

use std::path::PathBuf;

use serde::Serialize;

use crate::diagnostic::{Checked, DiagnosticJson, diagnostics, human};
use crate::document::{Document, files};
use crate::output::{Answer, Format, FormatOption, note, print, print_exact, print_json};

/// Print definitions in libvirt's own form
///
/// What vnet does not know is not printed; a warning says what and where.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Definitions, or folders of them; `-` is stdin
    #[arg(required = true, value_name = "FILE")]
    paths: Vec<PathBuf>,
    /// Print the names of files that are in another form, and nothing else; exit code 1 when there are any
    #[arg(long)]
    check: bool,
    /// Leave out what only a running network has, such as the number of its connections
    #[arg(long)]
    inactive: bool,
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
    /// `None` where there are errors.
    xml: Option<String>,
    diagnostics: Vec<DiagnosticJson>,
}

impl Args {
    /// Prints the canonical form.
    pub(crate) fn run(&self) -> anyhow::Result<Answer> {
        let mut report = Report { files: Vec::new() };
        for file in files(&self.paths)? {
            let checked = Checked::grammar(Document::read(&file)?);
            let xml = checked.sound().map(|definition| match self.inactive {
                true => definition.to_inactive_string(),
                false => definition.to_string(),
            });
            let formatted = xml.as_ref().is_some_and(|xml| xml.as_bytes() == checked.document.bytes);
            match (self.format.format, &xml) {
                (Format::Json, _) => {}
                (Format::Human, Some(xml)) if !self.check => {
                    note(human(&checked))?;
                    print_exact(xml)?;
                }
                (Format::Human, _) => {
                    note(human(&checked))?;
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
