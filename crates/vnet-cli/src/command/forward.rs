//! `vnet forward`: ports of the host that lead to guests of a network.

mod change;
mod list;
mod parse;

use crate::directories::Directories;
use crate::output::Answer;

/// Lead ports of the host to guests of a network behind NAT, or list what leads there
///
/// A forward works from outside, from the host itself (at every address but the loopback ones),
/// from other guests, from the guest itself, and from guests of other networks that may leave
/// theirs.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    Add(change::Add),
    List(list::Args),
    Remove(change::Remove),
}

impl Args {
    /// Runs the command.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        match &self.act {
            Act::Add(args) => args.run(directories),
            Act::List(args) => args.run(directories),
            Act::Remove(args) => args.run(directories),
        }
    }
}
