//! `vnet plan FILE|NAME`: what start, attach or apply would change.

use crate::changes::human;
use crate::definition::prepare_document;
use crate::directories::Directories;
use crate::document::Document;
use crate::host::Here;
use crate::output::{Answer, Format, FormatOption, print, print_json};
use crate::port::{self, For};
use crate::report::Report;

/// Print what start, or attach for a guest's interface, or apply where it is there, would change on this host
///
/// In the words of ip and nft: + comes, - goes, ~ becomes different. Nothing is done.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The definition: a file, `-` for stdin, or the name of a network whose definition is kept
    #[arg(value_name = "FILE|NAME")]
    network: String,
    #[command(flatten)]
    whose: For,
    #[command(flatten)]
    format: FormatOption,
}

impl Args {
    /// Plans and prints.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let here = Here::open(directories)?;
        let document = Document::read(&port::locate(&self.network, &here)?)?;
        if port::is_interface(&document) {
            return self.plan_port(document, &here);
        }
        if self.whose != For::default() {
            anyhow::bail!("`{}` is no guest's interface, which alone is for somebody", document.name);
        }
        let prepared = prepare_document(document, &here, self.format.format)?;
        let Some(lowered) = &prepared.lowered else { return Report::refuse(&prepared.checked, self.format.format) };
        let changes = here.plan(lowered)?;
        match self.format.format {
            Format::Json => print_json(&Report::changed(&prepared, &changes))?,
            Format::Human if changes.is_empty() => print(format!("network {}: nothing to change\n", lowered.name))?,
            Format::Human => print(human(&changes))?,
        }
        Ok(Answer::Yes)
    }

    fn plan_port(&self, document: Document, here: &Here) -> anyhow::Result<Answer> {
        let prepared = port::prepare(document, here, &self.whose, self.format.format)?;
        let Some(lowered) = &prepared.lowered else {
            return port::Report::refuse(&prepared.checked, self.format.format);
        };
        let changes = here.plan_port(lowered)?;
        match self.format.format {
            Format::Json => print_json(&port::Report::changed(&prepared.checked, lowered, &changes)?)?,
            Format::Human if changes.is_empty() => print(format!("port {}: nothing to change\n", lowered.port.dev))?,
            Format::Human => print(human(&changes))?,
        }
        Ok(Answer::Yes)
    }
}
