//! `vnet version`: prints the version.

use crate::output::{Answer, print};

/// Print the version
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

impl Args {
    /// Prints it, as `--version` does.
    #[expect(clippy::unused_self, reason = "every command is run alike")]
    pub(crate) fn run(&self, program: &clap::Command) -> anyhow::Result<Answer> {
        print(program.render_version())?;
        Ok(Answer::Yes)
    }
}
