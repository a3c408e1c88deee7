//! `vnet passt`: connects guests through passt, without any privilege.

pub(super) mod args;
mod list;
mod run;
mod status;
mod stop;

use crate::directories::Directories;
use crate::output::Answer;

/// Connect guests through passt, as an ordinary user
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Args(args::Args),
    Run(run::Args),
    Stop(stop::Args),
    Status(status::Args),
    List(list::Args),
}

impl Args {
    /// Runs the command.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        match &self.command {
            Command::Args(args) => args.run(directories),
            Command::Run(args) => args.run(directories),
            Command::Stop(args) => args.run(directories),
            Command::Status(args) => args.run(directories),
            Command::List(args) => args.run(directories),
        }
    }
}
