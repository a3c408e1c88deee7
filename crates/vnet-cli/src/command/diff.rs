//! `vnet diff NAME`: shows the drift of a network or a port.

use serde::Serialize;
use vnet_driver::{Change, Error, Obstacle};
use vnet_xml::Severity;

use crate::changes::{ChangeJson, changes, human};
use crate::definition::network_name;
use crate::directories::Directories;
use crate::failure;
use crate::notes;
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
struct Report<'a> {
    network: String,
    changes: Vec<ChangeJson>,
    obstacles: &'a [Obstacle],
}

impl Args {
    /// Compares and reports.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let driver = directories.driver()?;
        let error = match network_name(&self.network).map(|name| driver.diff(&name)) {
            Ok(Ok(drift)) => {
                let obstacles = network_name(&self.network).map(|name| driver.obstacles_of(&name))??;
                return self.tell("network", &drift, &obstacles);
            }
            Ok(Err(error @ Error::NotRunning(_))) => error.into(),
            Ok(Err(error)) => return Err(error.into()),
            Err(error) => error,
        };
        // If no network of this name runs, it may be the name of a port.
        match self.network.parse().ok().map(|port| driver.diff_port(&port)) {
            Some(Ok(drift)) => self.tell("port", &drift, &[]),
            Some(Err(Error::NotAttached(_))) | None => error.downcast().map_or_else(Err, failure::answer),
            Some(Err(error)) => Err(error.into()),
        }
    }

    fn tell(&self, what: &str, drift: &[Change], obstacles: &[Obstacle]) -> anyhow::Result<Answer> {
        let name = &self.network;
        match self.format.format {
            Format::Json => print_json(&Report { network: name.clone(), changes: changes(drift), obstacles })?,
            Format::Human => {
                let news = if drift.is_empty() { format!("{what} {name} is in sync\n") } else { human(drift) };
                print(news + &notes::obstacles(obstacles, Severity::Warning))?;
            }
        }
        Ok(Answer::when(drift.is_empty()))
    }
}
