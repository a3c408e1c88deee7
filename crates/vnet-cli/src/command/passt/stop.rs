//! `vnet passt stop NAME`: ends a guest's passt.

use serde::Serialize;
use vnet_driver::passt_process;

use crate::directories::Directories;
use crate::failure::{self, refuse};
use crate::output::{Answer, Format, FormatOption, done, plain, print, print_json};

/// End a guest's passt and remove its files
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
    /// `None` when it had ended before.
    pid: Option<i32>,
}

impl Args {
    /// Ends passt.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let driver = directories.driver()?;
        let Some(port) = driver.port_of_guest(&self.guest)? else {
            let message = format!("guest `{}` has no passt", self.guest);
            return refuse(failure::advised(message, "`vnet passt list` shows those that have one"));
        };
        let running = port.passt.as_ref().and_then(passt_process);
        driver.detach(&port.port.dev)?;
        let report = Report { name: self.guest.clone(), pid: running.map(|running| running.pid()) };
        let name = plain(&report.name);
        Ok(done(format!("the passt of guest `{name}` is stopped"), || match (self.format.format, report.pid) {
            (Format::Json, _) => print_json(&report),
            (Format::Human, Some(_)) => Ok(print(format!("passt of guest {name} stopped\n"))?),
            (Format::Human, None) => Ok(print(format!("passt of guest {name} had ended before\n"))?),
        }))
    }
}
