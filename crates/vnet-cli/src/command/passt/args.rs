//! `vnet passt args FILE`: prints passt's command line.

use std::path::PathBuf;

use serde::Serialize;

use crate::diagnostic::Checked;
use crate::diagnostic::human::human;
use crate::diagnostic::json::{DiagnosticJson, diagnostics};
use crate::directories::Directories;
use crate::document::Document;
use crate::guest::Guest;
use crate::hypervisor::quoted;
use crate::output::{Answer, Format, FormatOption, note, print_exact, print_json};

/// Print the arguments that passt is started with
///
/// One line for a shell, without the program itself.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The guest's `<interface>`, or a `<domain>` with one on passt; `-` is stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The guest's name [default: the domain's, else the file's]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report {
    /// `None` when the interface was refused.
    arguments: Option<Vec<String>>,
    diagnostics: Vec<DiagnosticJson>,
}

impl Args {
    /// The arguments for the guest of a document.
    pub(crate) fn of(file: PathBuf, format: FormatOption) -> Self {
        Self { file, name: None, format }
    }

    /// Prints them.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let checked = Checked::new(Document::read(&self.file)?);
        let report = |arguments| Report { arguments, diagnostics: diagnostics(&checked) };
        if self.format.format == Format::Human {
            note(human(&checked));
        }
        let Some(definition) = checked.sound() else {
            if self.format.format == Format::Json {
                print_json(&report(None))?;
            }
            return Ok(Answer::No);
        };
        let guest = Guest::behind_passt(definition, &checked.document)?;
        let name = self.name.as_ref().unwrap_or(&guest.name);
        let folder = directories.driver()?.passt_directory(name)?;
        let arguments = vnet_plan::passt(guest.interfaces()[0], &folder)?.arguments()?;
        let arguments: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
        match self.format.format {
            Format::Json => print_json(&report(Some(arguments)))?,
            Format::Human => print_exact(&format!("{}\n", quoted(&arguments)))?,
        }
        Ok(Answer::Yes)
    }
}
