//! `vnet ports`: the guests' interfaces that are attached.

use serde::Serialize;

use crate::directories::Directories;
use crate::host::{Here, State};
use crate::output::{Answer, Format, FormatOption, print, print_json};
use crate::port::{PortJson, place};
use crate::table::table;

/// List the guests' interfaces that are attached
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report {
    ports: Vec<Port>,
}

#[derive(Serialize)]
struct Port {
    #[serde(flatten)]
    port: PortJson,
    state: State,
    #[serde(skip)]
    row: [String; 6],
}

impl Args {
    /// Lists them.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let here = Here::open(directories)?;
        let mut ports = Vec::new();
        for receipt in here.ports()? {
            // One that was detached since is left out.
            let Some(state) = here.port_state(&receipt)? else { continue };
            let (port, made) = (receipt.header.port, receipt.owned);
            let text = |name: Option<String>| name.unwrap_or_else(|| "-".to_owned());
            let row = [
                port.dev.to_string(),
                state.words().to_owned(),
                text(port.guest.clone()),
                port.mac.to_string(),
                text(port.network.as_ref().map(ToString::to_string)),
                place(&port),
            ];
            ports.push(Port { port: PortJson::of(&port, &made)?, state, row });
        }
        match self.format.format {
            Format::Json => print_json(&Report { ports })?,
            Format::Human => {
                let rows: Vec<_> = ports.into_iter().map(|port| port.row).collect();
                print(table(["Name", "State", "Guest", "MAC address", "Network", "On"], &rows))?;
            }
        }
        Ok(Answer::Yes)
    }
}
