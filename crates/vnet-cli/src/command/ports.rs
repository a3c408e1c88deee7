//! `vnet ports`: lists the attached interfaces of guests.

use serde::Serialize;
use vnet_driver::{Obstacle, PortStatus, State};
use vnet_xml::Severity;

use crate::directories::Directories;
use crate::failure::readable;
use crate::notes;
use crate::output::{Answer, Format, FormatOption, print, print_json};
use crate::port::{PortJson, place};
use crate::table::{table, words};

/// List the attached interfaces of guests
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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    obstacles: Vec<Obstacle>,
    #[serde(skip)]
    row: [String; 6],
}

impl Args {
    /// Lists them.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let mut ports = Vec::new();
        for PortStatus { port, state, device, passt, obstacles, .. } in readable(directories.driver()?.ports()?) {
            let text = |name: Option<String>| name.unwrap_or_else(|| "-".to_owned());
            let row = [
                port.dev.to_string(),
                words(state).to_owned(),
                text(port.guest.clone()),
                port.mac.to_string(),
                text(port.network.as_ref().map(ToString::to_string)),
                place(&port),
            ];
            ports.push(Port { port: PortJson::of(&port, &device, passt.as_ref()), state, obstacles, row });
        }
        match self.format.format {
            Format::Json => print_json(&Report { ports })?,
            Format::Human => {
                let notes: String =
                    ports.iter().map(|port| notes::obstacles(&port.obstacles, Severity::Warning)).collect();
                let rows: Vec<_> = ports.into_iter().map(|port| port.row).collect();
                print(table(["Name", "State", "Guest", "MAC address", "Network", "On"], &rows) + &notes)?;
            }
        }
        Ok(Answer::Yes)
    }
}
