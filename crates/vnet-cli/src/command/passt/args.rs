//! `vnet passt args FILE`: the command line.

use std::path::PathBuf;

use super::guest::{quoted, read};
use crate::directories::Directories;
use crate::output::{Answer, Format, FormatOption, print_exact, print_json};

/// Print the arguments that passt is started with
///
/// One line for a shell; with --format json a list of texts. The program itself is not among them.
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

impl Args {
    /// Those of a file's guest.
    pub(crate) fn of(file: PathBuf, format: FormatOption) -> Self {
        Self { file, name: None, format }
    }

    /// Prints them.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let format = self.format.format;
        let Some(guest) = read(&self.file, self.name.as_deref(), directories, format)? else { return Ok(Answer::No) };
        let arguments = guest.passt.arguments()?;
        let arguments: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy()).collect();
        match format {
            Format::Json => print_json(&arguments)?,
            Format::Human => print_exact(&format!("{}\n", quoted(&arguments)))?,
        }
        Ok(Answer::Yes)
    }
}
