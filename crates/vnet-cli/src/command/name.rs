//! `vnet name UUID`: the name of the network with a UUID.

use serde::Serialize;

use crate::directories::Directories;
use crate::failure;
use crate::named::OneNetwork;
use crate::output::{Answer, Format, FormatOption, plain, print, print_json};

/// Print the name of the network with a UUID
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    network: OneNetwork,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report {
    network: String,
}

impl Args {
    /// Looks it up and prints it.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let name = match self.network.find(&directories.driver()?) {
            Ok(name) => name.to_string(),
            Err(error) => return failure::answer(error),
        };
        match self.format.format {
            Format::Json => print_json(&Report { network: name })?,
            Format::Human => print(format!("{}\n", plain(&name)))?,
        }
        Ok(Answer::Yes)
    }
}
