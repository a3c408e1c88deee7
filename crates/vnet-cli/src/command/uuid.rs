//! `vnet uuid NAME`: the UUID of a network.

use serde::Serialize;

use crate::directories::Directories;
use crate::failure::{self, refuse};
use crate::named::OneNetwork;
use crate::output::{Answer, Format, FormatOption, print, print_json};

/// Print the UUID of a network
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
    uuid: String,
}

impl Args {
    /// Looks it up and prints it.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let driver = directories.driver()?;
        let info = match self.network.find(&driver).and_then(|name| driver.info(&name)) {
            Ok(info) => info,
            Err(error) => return failure::answer(error),
        };
        let (name, uuid) = (info.name, info.uuid.map(|uuid| uuid.to_string()));
        match (uuid, info.trouble) {
            (Some(uuid), _) if self.format.format == Format::Json => {
                print_json(&Report { network: name.to_string(), uuid })?;
            }
            (Some(uuid), _) => print(format!("{uuid}\n"))?,
            (None, Some(trouble)) => return refuse(trouble),
            (None, None) => {
                let says = "cannot read the definition that network";
                return refuse(anyhow::anyhow!("{says} `{name}` runs with; `vnet apply {name}` repairs it"));
            }
        }
        Ok(Answer::Yes)
    }
}
