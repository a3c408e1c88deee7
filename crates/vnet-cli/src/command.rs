//! The commands, one file each.

mod completions;
mod man;

use crate::directories::Directories;
use crate::output::Answer;

/// A command.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Completions(completions::Args),
    Man(man::Args),
}

impl Command {
    /// Does it.
    pub(crate) fn run(&self, _: &Directories) -> anyhow::Result<Answer> {
        match self {
            Self::Completions(args) => args.run(),
            Self::Man(args) => args.run(),
        }
    }
}
