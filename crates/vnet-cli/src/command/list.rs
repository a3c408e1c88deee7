//! `vnet list`: the networks that run.

use serde::Serialize;

use crate::directories::Directories;
use crate::host::{Here, State};
use crate::output::{Answer, Format, FormatOption, print, print_json};
use crate::table::table;

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
    /// `None` where it has none of its own.
    bridge: Option<String>,
    /// How many guests are attached.
    connections: usize,
}

impl Args {
    /// Lists them.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let here = Here::open(directories)?;
        let mut networks = Vec::new();
        for running in here.all()? {
            // One that was stopped since does not run.
            let Some((state, _)) = here.state(&running)? else { continue };
            let connections = here.ports_of(&running.name)?.len();
            networks.push(Network {
                connections,
                network: running.name.to_string(),
                state,
                bridge: running.bridge.map(|bridge| bridge.to_string()),
            });
        }
        match self.format.format {
            Format::Json => print_json(&Report { networks })?,
            Format::Human => {
                let row = |network: &Network| {
                    let bridge = network.bridge.clone().unwrap_or_else(|| "-".to_owned());
                    [network.network.clone(), network.state.words().to_owned(), bridge, network.connections.to_string()]
                };
                print(table(["Name", "State", "Bridge", "Guests"], &networks.iter().map(row).collect::<Vec<_>>()))?;
            }
        }
        Ok(Answer::Yes)
    }
}
