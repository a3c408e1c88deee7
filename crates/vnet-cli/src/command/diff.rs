//! `vnet diff NAME`: what drifted, of a network or a port.

use serde::Serialize;
use vnet_plan::Change;

use crate::changes::{ChangeJson, changes, human};
use crate::definition::network_name;
use crate::directories::Directories;
use crate::host::Here;
use crate::output::{Answer, Format, FormatOption, print, print_json};

/// Print what of a running network and its ports, or of a port, is not as it was made, as the changes that would repair it
///
/// Exit code 1 when there is any. `vnet apply` repairs.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The network's name, or a port's device
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
        if let Some(port) = self
            .network
            .parse()
            .ok()
            .filter(|_| !matches!(network_name(&self.network).map(|name| here.running(&name)), Ok(Ok(Some(_)))))
            && let Some(drift) = here.port_drift(&port)?
        {
            return self.tell("port", drift);
        }
        let name = network_name(&self.network)?;
        if here.running(&name)?.is_none() {
            return Here::refuse_absent(&name);
        }
        self.tell("network", here.drift(&name)?)
    }

    fn tell(&self, what: &str, drift: Vec<Change>) -> anyhow::Result<Answer> {
        let name = &self.network;
        match self.format.format {
            Format::Json => print_json(&Report { network: name.clone(), changes: changes(&drift) })?,
            Format::Human if drift.is_empty() => print(format!("{what} {name} is in sync\n"))?,
            Format::Human => print(human(&drift))?,
        }
        Ok(Answer::when(drift.is_empty()))
    }
}
