//! The commands, one file each.

mod check;
mod completions;
mod explain;
mod fmt;
mod man;
mod render;

use crate::directories::Directories;
use crate::output::Answer;

/// A command; virsh's names for the same are aliases.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Check(check::Args),
    Fmt(fmt::Args),
    Render(render::Args),
    Explain(explain::Args),
    Completions(completions::Args),
    Man(man::Args),
}

impl Command {
    /// Does it.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        match self {
            Self::Check(args) => args.run(),
            Self::Fmt(args) => args.run(),
            Self::Render(args) => args.run(directories),
            Self::Explain(args) => args.run(),
            Self::Completions(args) => args.run(),
            Self::Man(args) => args.run(),
        }
    }
}
