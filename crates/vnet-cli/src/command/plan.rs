//! `vnet plan FILE|NAME`: what start or apply would change.

use crate::changes::human;
use crate::definition::prepare;
use crate::directories::Directories;
use crate::host::Here;
use crate::output::{Answer, Format, FormatOption, print, print_json};
use crate::report::Report;

/// Print what start, or apply where the network runs, would change on this host
///
/// In the words of ip and nft: + comes, - goes, ~ becomes different. Nothing is done.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The definition: a file, `-` for stdin, or the name of a network whose definition is kept
    #[arg(value_name = "FILE|NAME")]
    network: String,
    #[command(flatten)]
    format: FormatOption,
}

impl Args {
    /// Plans and prints.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let here = Here::open(directories)?;
        let prepared = prepare(&self.network, &here, self.format.format)?;
        let Some(lowered) = &prepared.lowered else { return Report::refuse(&prepared.checked, self.format.format) };
        let changes = here.plan(lowered)?;
        match self.format.format {
            Format::Json => print_json(&Report::changed(&prepared.checked, lowered.bridge.as_ref(), &changes))?,
            Format::Human if changes.is_empty() => print(format!("network {}: nothing to change\n", lowered.name))?,
            Format::Human => print(human(&changes))?,
        }
        Ok(Answer::Yes)
    }
}
