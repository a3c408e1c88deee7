//! `vnet apply FILE|NAME`: changes or repairs a network that runs, starts one that does not.

use crate::changes::{brief, human};
use crate::definition::prepare;
use crate::directories::Directories;
use crate::host::Here;
use crate::output::{Answer, Format, FormatOption, print, print_json};
use crate::report::Report;

/// Make this host as a definition says: change or repair a network in place, start one that does not run
///
/// Guests stay connected. When a step fails, those before it are undone.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The definition: a file, `-` for stdin, or the name of a network whose definition is kept
    #[arg(value_name = "FILE|NAME")]
    network: String,
    /// Only print what would change
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    format: FormatOption,
}

impl Args {
    /// Applies and tells.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let here = Here::open(directories)?;
        let lock = if self.dry_run { None } else { Some(here.lock()) };
        let prepared = prepare(&self.network, &here, self.format.format)?;
        let Some(lowered) = &prepared.lowered else { return Report::refuse(&prepared.checked, self.format.format) };
        let changes = match lock {
            None => here.plan(lowered)?,
            Some(lock) => here.apply(&lock?, lowered, prepared.uuid)?,
        };
        match self.format.format {
            Format::Json => print_json(&Report::changed(&prepared.checked, lowered.bridge.as_ref(), &changes))?,
            Format::Human if changes.is_empty() => print(format!("network {}: nothing to change\n", lowered.name))?,
            Format::Human if self.dry_run => print(human(&changes))?,
            Format::Human => {
                let on = lowered.bridge.as_ref().map(|bridge| format!(" on {bridge}")).unwrap_or_default();
                print(format!("{}network {} is as defined{on}\n", brief(&changes), lowered.name))?;
            }
        }
        Ok(Answer::Yes)
    }
}
