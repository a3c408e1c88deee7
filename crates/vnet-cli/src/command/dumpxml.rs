//! `vnet dumpxml NAME`: prints the definition of a running network.

use serde::Serialize;

use crate::definition::network_name;
use crate::directories::Directories;
use crate::failure;
use crate::output::{Answer, Format, FormatOption, print_exact, print_json};

/// Print the definition of a running network, with open choices filled in and the number of
/// attached guests
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
    xml: String,
}

impl Args {
    /// Prints the definition.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let name = network_name(&self.network)?;
        let xml = match directories.driver()?.definition(&name) {
            Ok(network) => network.to_string(),
            Err(error) => return failure::answer(error),
        };
        match self.format.format {
            Format::Json => print_json(&Report { network: name.to_string(), xml })?,
            Format::Human => print_exact(&xml)?,
        }
        Ok(Answer::Yes)
    }
}
