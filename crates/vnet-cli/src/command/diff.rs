//! `vnet diff NAME`: what drifted.

use serde::Serialize;

use crate::changes::{ChangeJson, changes, human};
use crate::definition::network_name;
use crate::directories::Directories;
use crate::host::Here;
use crate::output::{Answer, Format, FormatOption, print, print_json};

/// Print what of a running network is not as it was made, as the changes that would repair it
///
/// Exit code 1 when there is any. `vnet apply` repairs.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The network's name
    #[arg(value_name = "NAME")]
    network: String,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report {
    network: String,
    changes: Vec<ChangeJson>,
}

impl Args {
    /// Compares and tells.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let here = Here::open(directories)?;
        let name = network_name(&self.network)?;
        if here.running(&name)?.is_none() {
            return Here::refuse_absent(&name);
        }
        let drift = here.drift(&name)?;
        match self.format.format {
            Format::Json => print_json(&Report { network: name.to_string(), changes: changes(&drift) })?,
            Format::Human if drift.is_empty() => print(format!("network {name} is in sync\n"))?,
            Format::Human => print(human(&drift))?,
        }
        Ok(Answer::when(drift.is_empty()))
    }
}
