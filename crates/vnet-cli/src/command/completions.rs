//! `vnet completions SHELL`: prints the completions for a shell.

use clap_complete::Shell;

use crate::output::{Answer, print_exact};

/// Print completions for a shell
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

impl Args {
    /// Prints the script for a program.
    pub(crate) fn run(&self, mut program: clap::Command) -> anyhow::Result<Answer> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut program, "vnet", &mut script);
        print_exact(&String::from_utf8(script)?)?;
        Ok(Answer::Yes)
    }
}
