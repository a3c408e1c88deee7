//! `vnet completions SHELL`: what a shell needs to complete commands.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Call;
use crate::output::{Answer, print_exact};

/// Print completions for a shell
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

impl Args {
    /// Prints the script.
    pub(crate) fn run(&self) -> anyhow::Result<Answer> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Call::command(), "vnet", &mut script);
        print_exact(&String::from_utf8(script)?)?;
        Ok(Answer::Yes)
    }
}
