//! `vnet diff NAME`: shows the drift of a network or a port.

use serde::Serialize;
use vnet_driver::{Change, Error};

use crate::changes::{ChangeJson, changes, human};
use crate::definition::network_name;
use crate::directories::Directories;
use crate::failure;
use crate::output::{Answer, Format, FormatOption, print, print_json};

/// Show how a running network and its ports, or a port, differ from what was made, as the changes
/// that would repair them
///
/// Exit code 1 when there is a difference. `vnet apply` repairs it.
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
    /// Compares and reports.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let driver = directories.driver()?;
        let error = match network_name(&self.network).map(|name| driver.diff(&name)) {
            Ok(Ok(drift)) => return self.tell("network", &drift),
            Ok(Err(error @ Error::NotRunning(_))) => error.into(),
            Ok(Err(error)) => return Err(error.into()),
            Err(error) => error,
        };
        // If no network of this name runs, it may be the name of a port.
        match self.network.parse().ok().map(|port| driver.diff_port(&port)) {
            Some(Ok(drift)) => self.tell("port", &drift),
            Some(Err(Error::NotAttached(_))) | None => error.downcast().map_or_else(Err, failure::answer),
            Some(Err(error)) => Err(error.into()),
        }
    }

    fn tell(&self, what: &str, drift: &[Change]) -> anyhow::Result<Answer> {
        let name = &self.network;
        match self.format.format {
            Format::Json => print_json(&Report { network: name.clone(), changes: changes(drift) })?,
            Format::Human if drift.is_empty() => print(format!("{what} {name} is in sync\n"))?,
            Format::Human => print(human(drift))?,
        }
        Ok(Answer::when(drift.is_empty()))
    }
}
