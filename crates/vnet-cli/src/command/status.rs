//! `vnet status [NAME]`: shows the state of networks.

use serde::Serialize;
use vnet_driver::NetworkStatus;

use crate::definition::network_name;
use crate::directories::Directories;
use crate::failure::{self, readable};
use crate::output::{Answer, Format, FormatOption, print, print_json};
use crate::status::{Status, human, is_well};

/// Show the state of a network, or of all that run: in sync or drifted, bridge, addresses, dnsmasq,
/// leases; with --verbose also the counters of its rules
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The network's name
    #[arg(value_name = "NAME")]
    network: Option<String>,
    /// Exit with code 1 when a network is drifted, interrupted, or blocked by rules of others
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report<'a> {
    networks: Vec<Status<'a>>,
}

impl Args {
    /// Reads and prints the state.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let driver = directories.driver()?;
        let networks: Vec<NetworkStatus> = match &self.network {
            None => readable(driver.statuses()?).collect(),
            Some(name) => match driver.status(&network_name(name)?) {
                Ok(status) => vec![status],
                Err(error) => return failure::answer(error),
            },
        };
        match self.format.format {
            Format::Json => print_json(&Report { networks: networks.iter().map(Status::of).collect() })?,
            Format::Human if networks.is_empty() => print("no network runs\n")?,
            Format::Human => print(networks.iter().map(human).collect::<Vec<_>>().join("\n"))?,
        }
        Ok(Answer::when(!self.exit_code || networks.iter().all(is_well)))
    }
}
