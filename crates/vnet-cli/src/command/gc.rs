//! `vnet gc`: what processes that have ended have left.

use serde::Serialize;

use crate::changes::{ChangeJson, brief, changes};
use crate::directories::Directories;
use crate::failure;
use crate::output::{Answer, Format, FormatOption, print, print_json};

/// Take away the networks and ports of programs that were killed
///
/// A virtual machine monitor that uses vnet as a library takes its networks and ports away as it ends. Where it was killed,
/// this does; start, attach, list and ports do it too. A network that others have guests in stays. Exit code 1 when
/// something could not be taken away.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report {
    networks: Vec<String>,
    ports: Vec<String>,
    changes: Vec<ChangeJson>,
}

impl Args {
    /// Takes them away and tells.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let gone = directories.driver()?.gc()?;
        let is_all = gone.errors.is_empty();
        match self.format.format {
            Format::Json => print_json(&Report {
                networks: gone.networks.iter().map(ToString::to_string).collect(),
                ports: gone.ports.iter().map(ToString::to_string).collect(),
                changes: changes(&gone.changes),
            })?,
            Format::Human if gone.networks.is_empty() && gone.ports.is_empty() => {
                if is_all {
                    print("nothing is left of programs that have ended\n")?;
                }
            }
            Format::Human => {
                let ports = gone.ports.iter().map(|port| format!("port {port} taken away\n"));
                let networks = gone.networks.iter().map(|network| format!("network {network} taken away\n"));
                print(brief(&gone.changes) + &ports.chain(networks).collect::<String>())?;
            }
        }
        gone.errors.into_iter().for_each(|error| failure::report(&error.into()));
        Ok(Answer::when(is_all))
    }
}
