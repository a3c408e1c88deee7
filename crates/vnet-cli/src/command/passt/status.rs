//! `vnet passt status NAME`: shows whether a guest's passt runs.

use std::path::PathBuf;

use serde::Serialize;
use vnet_driver::{PortStatus, passt_process};

use crate::directories::Directories;
use crate::failure::{self, refuse};
use crate::hypervisor::PasstJson;
use crate::output::{Answer, Format, FormatOption, print, print_json};

/// Show whether a guest's passt runs; exit code 1 when it does not
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The guest's name
    #[arg(value_name = "NAME")]
    guest: String,
    #[command(flatten)]
    format: FormatOption,
}

/// The state of a guest's passt.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    pub(super) name: String,
    /// The name of the port, for `vnet diff`, `vnet apply` and `vnet detach`.
    pub(super) port: String,
    /// `running` or `ended`.
    pub(super) state: &'static str,
    pub(super) pid: Option<i32>,
    pub(super) socket: PathBuf,
}

impl Status {
    /// The passt of a port; `None` when the port has none.
    pub(super) fn of(port: &PortStatus) -> Option<Self> {
        let passt = port.passt.as_ref()?;
        let running = passt_process(passt);
        Some(Self {
            name: port.port.guest.clone().unwrap_or_default(),
            port: port.port.dev.to_string(),
            state: if running.is_some() { "running" } else { "ended" },
            pid: running.map(|running| running.pid()),
            socket: passt.socket.clone(),
        })
    }
}

#[derive(Serialize)]
struct Report {
    name: String,
    port: String,
    state: &'static str,
    #[serde(flatten)]
    passt: PasstJson,
}

impl Args {
    /// Prints the state.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let port = directories.driver()?.port_of_guest(&self.guest)?;
        let found = port.as_ref().and_then(|port| Some((Status::of(port)?, port.passt.as_ref()?, port.port.mac)));
        let Some((status, passt, mac)) = found else {
            let message = format!("guest `{}` has no passt", self.guest);
            return refuse(failure::advised(message, "`vnet passt list` shows those that have one"));
        };
        match (self.format.format, status.pid) {
            (Format::Json, _) => {
                let passt = PasstJson::of(passt, Some(mac), 0);
                print_json(&Report { name: status.name, port: status.port, state: status.state, passt })?;
            }
            (Format::Human, Some(pid)) => {
                let (name, socket) = (&status.name, status.socket.display());
                print(format!("passt of guest {name} runs as process {pid} on {socket}\n"))?;
            }
            (Format::Human, None) => {
                let Status { name, port, .. } = &status;
                let how = format!("`vnet apply {port}` starts it again, `vnet passt stop` takes its files away");
                print(format!("passt of guest {name} has ended, with its guest, or because it was killed; {how}\n"))?;
            }
        }
        Ok(Answer::when(status.pid.is_some()))
    }
}
