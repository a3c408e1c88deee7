//! `vnet passt list`: every guest's passt of this user.

use std::fs;
use std::io;

use anyhow::Context;

use super::guest::{Files, folder};
use super::status::Status;
use crate::directories::Directories;
use crate::output::{Answer, Format, FormatOption, print, print_json};
use crate::table::table;

/// List the guests of this user that have a passt
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    format: FormatOption,
}

impl Args {
    /// Lists them.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let folder = folder(directories)?;
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            entries => entries
                .and_then(Iterator::collect::<io::Result<Vec<_>>>)
                .with_context(|| format!("`{}` cannot be read", folder.display()))?,
        };
        let guests = entries
            .iter()
            .map(|entry| Files { name: entry.file_name().to_string_lossy().into_owned(), folder: entry.path() });
        let mut guests: Vec<Status> = guests.map(|files| Status::of(&files)).collect();
        guests.sort_by(|a, b| a.name.cmp(&b.name));
        match self.format.format {
            Format::Json => print_json(&guests)?,
            Format::Human => {
                let rows = guests.iter().map(|guest| {
                    let pid = guest.pid.map(|pid| pid.to_string()).unwrap_or_default();
                    [guest.name.clone(), guest.state.to_owned(), pid, guest.socket.display().to_string()]
                });
                print(table(["Guest", "State", "Process", "Socket"], &rows.collect::<Vec<_>>()))?;
            }
        }
        Ok(Answer::Yes)
    }
}
