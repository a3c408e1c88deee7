//! `vnet list`: lists the networks that run.

use serde::Serialize;
use vnet_driver::State;

use crate::directories::Directories;
use crate::failure::readable;
use crate::output::{Answer, Format, FormatOption, print, print_json};
use crate::table::{table, words};

/// List the networks that run
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report {
    networks: Vec<Network>,
}

#[derive(Serialize)]
struct Network {
    network: String,
    state: State,
    /// `None` when it has no bridge of its own.
    bridge: Option<String>,
    /// The number of attached guests.
    connections: usize,
}

impl Args {
    /// Lists them.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let mut networks = Vec::new();
        for network in readable(directories.driver()?.networks()?) {
            networks.push(Network {
                network: network.name.to_string(),
                state: network.state,
                bridge: network.bridge.map(|bridge| bridge.to_string()),
                connections: network.guests,
            });
        }
        match self.format.format {
            Format::Json => print_json(&Report { networks })?,
            Format::Human => {
                let row = |network: &Network| {
                    let bridge = network.bridge.clone().unwrap_or_else(|| "-".to_owned());
                    [network.network.clone(), words(network.state).to_owned(), bridge, network.connections.to_string()]
                };
                print(table(["Name", "State", "Bridge", "Guests"], &networks.iter().map(row).collect::<Vec<_>>()))?;
            }
        }
        Ok(Answer::Yes)
    }
}
