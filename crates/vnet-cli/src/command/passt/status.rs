//! `vnet passt status NAME`: does a guest's passt run?

use std::fs;
use std::path::PathBuf;

use serde::Serialize;
use vnet_xml::Interface;

use super::guest::{Files, Guest, Hypervisor};
use crate::directories::Directories;
use crate::output::{Answer, Format, FormatOption, note, plain, print, print_json};

/// Say whether a guest's passt runs; exit code 1 where it does not
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The guest's name
    #[arg(value_name = "NAME")]
    guest: String,
    #[command(flatten)]
    format: FormatOption,
}

/// How a guest's passt is.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    pub(super) name: String,
    /// `running` or `ended`.
    pub(super) state: &'static str,
    pub(super) pid: Option<i32>,
    pub(super) socket: PathBuf,
}

impl Status {
    pub(super) fn of(files: &Files) -> Self {
        let running = files.running();
        Self {
            name: files.name.clone(),
            state: if running.is_some() { "running" } else { "ended" },
            pid: running.map(|running| running.pid()),
            socket: files.socket(),
        }
    }
}

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    status: Status,
    /// `None` where the definition that it was started for cannot be read any more.
    #[serde(flatten)]
    hypervisor: Option<Hypervisor>,
}

impl Args {
    /// Says it.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let files = Files::new(&self.guest, directories)?;
        if !files.folder.is_dir() {
            note(format!("guest `{}` has no passt\n", plain(&self.guest)))?;
            return Ok(Answer::No);
        }
        let report = Report { status: Status::of(&files), hypervisor: hypervisor(&files) };
        let status = &report.status;
        match (self.format.format, status.pid) {
            (Format::Json, _) => print_json(&report)?,
            (Format::Human, Some(pid)) => {
                print(format!(
                    "passt of guest {} runs as process {pid} on {}\n",
                    status.name,
                    status.socket.display()
                ))?;
            }
            (Format::Human, None) => {
                let how = "with its guest, or because it was killed; `vnet passt stop` takes its files away";
                print(format!("passt of guest {} has ended, {how}\n", status.name))?;
            }
        }
        Ok(Answer::when(status.pid.is_some()))
    }
}

fn hypervisor(files: &Files) -> Option<Hypervisor> {
    let interface: Interface = fs::read_to_string(files.interface()).ok()?.parse().ok()?;
    let passt = vnet_plan::passt(&interface, files.socket(), files.pid_file()).ok()?;
    Some(Hypervisor::of(&Guest { name: files.name.clone(), interface, passt }))
}
