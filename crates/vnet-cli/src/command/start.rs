//! `vnet start FILE|NAME`: brings a network up.

use anyhow::anyhow;

use crate::changes::brief;
use crate::definition::{prepare, refuse};
use crate::directories::Directories;
use crate::host::Here;
use crate::output::{Answer, Format, FormatOption, print, print_json};
use crate::report::Report;

/// Bring a network up on this host
///
/// Refused with everything that is wrong when the definition, or the definition on this host, has an error; then
/// nothing is done. When a step fails, those before it are undone.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The definition: a file, `-` for stdin, or the name of a network whose definition is kept
    #[arg(value_name = "FILE|NAME")]
    network: String,
    #[command(flatten)]
    format: FormatOption,
}

impl Args {
    /// Starts and tells.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let mut here = Here::open(directories)?;
        // What is wrong with the definition is told even where nothing can be locked.
        let lock = here.lock();
        let mut prepared = prepare(&self.network, &here, self.format.format)?;
        let Some(lowered) = &prepared.lowered else { return Report::refuse(&prepared.checked, self.format.format) };
        if prepared.running.as_ref().is_some_and(|running| !running.interrupted) {
            let name = &lowered.name;
            return refuse(anyhow!(
                "network `{name}` runs already; `vnet apply` changes it, `vnet stop {name}` ends it"
            ));
        }
        let changes = here.start(&lock?, lowered, prepared.uuid)?;
        let on = lowered.bridge.as_ref().map(|bridge| format!(" on {bridge}")).unwrap_or_default();
        let done = format!("{}network {} started{on}\n", brief(&changes), lowered.name);
        prepared.look_again(&here, &changes, self.format.format)?;
        match self.format.format {
            Format::Json => print_json(&Report::changed(&prepared, &changes))?,
            Format::Human => print(done)?,
        }
        Ok(Answer::Yes)
    }
}
