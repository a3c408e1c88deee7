//! `vnet stop NAME`: stops a network.

use serde::Serialize;

use crate::changes::{ChangeJson, brief, changes};
use crate::definition::network_name;
use crate::directories::Directories;
use crate::failure;
use crate::output::{Answer, Format, FormatOption, done, print, print_json};

/// Stop a network: remove everything that start made, and nothing else
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
    /// Stops and reports.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let name = network_name(&self.network)?;
        let made = match directories.driver()?.stop(&name) {
            Ok(made) => made,
            Err(error) => return failure::answer(error),
        };
        Ok(done(format!("network `{name}` is stopped"), || match self.format.format {
            Format::Json => print_json(&Report { network: name.to_string(), changes: changes(&made) }),
            Format::Human => Ok(print(format!("{}network {name} stopped\n", brief(&made)))?),
        }))
    }
}
