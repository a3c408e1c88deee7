//! `vnet passt stop NAME`: the end of a guest's passt.

use serde::Serialize;

use super::guest::Files;
use crate::directories::Directories;
use crate::output::{Answer, Format, FormatOption, note, plain, print, print_json};

/// End a guest's passt, and take its files away
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The guest's name
    #[arg(value_name = "NAME")]
    guest: String,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report {
    name: String,
    /// `None` where it had ended before.
    pid: Option<i32>,
}

impl Args {
    /// Ends it.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let files = Files::new(&self.guest, directories)?;
        if !files.folder.is_dir() {
            note(format!("guest `{}` has no passt\n", plain(&self.guest)))?;
            return Ok(Answer::No);
        }
        let running = files.running();
        if let Some(running) = &running {
            running.stop()?;
        }
        files.remove()?;
        let report = Report { name: files.name, pid: running.map(|running| running.pid()) };
        match (self.format.format, report.pid) {
            (Format::Json, _) => print_json(&report)?,
            (Format::Human, Some(_)) => print(format!("passt of guest {} stopped\n", report.name))?,
            (Format::Human, None) => print(format!("passt of guest {} had ended before\n", report.name))?,
        }
        Ok(Answer::Yes)
    }
}
