//! `vnet passt list`: every guest's passt of this user.

use serde::Serialize;

use super::status::Status;
use crate::directories::Directories;
use crate::failure::{apart, tell_unread};
use crate::output::{Answer, Format, FormatOption, print, print_json};
use crate::table::table;

/// List the guests of this user that have a passt
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report {
    guests: Vec<Status>,
}

impl Args {
    /// Lists them.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let (ports, unread) = apart(directories.driver()?.ports()?);
        let mut guests: Vec<Status> = ports.iter().filter_map(Status::of).collect();
        let reading = tell_unread(unread, guests.is_empty())?;
        guests.sort_by(|a, b| a.name.cmp(&b.name));
        match self.format.format {
            Format::Json => print_json(&Report { guests })?,
            Format::Human => {
                let rows = guests.iter().map(|guest| {
                    let pid = guest.pid.map(|pid| pid.to_string()).unwrap_or_default();
                    let socket = guest.socket.display().to_string();
                    [guest.name.clone(), guest.port.clone(), guest.state.to_owned(), pid, socket]
                });
                print(table(["Guest", "Port", "State", "Process", "Socket"], &rows.collect::<Vec<_>>()))?;
            }
        }
        Ok(reading)
    }
}
