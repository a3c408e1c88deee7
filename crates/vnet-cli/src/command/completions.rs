//! `vnet completions SHELL`: prints the completions for a shell.

use anyhow::Context;
use clap_complete::Shell;
use clap_complete::env::Shells;

use crate::complete::ASKS;
use crate::output::{Answer, print_exact};

/// Print completions for a shell: they know the networks, ports and codes of this host
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

impl Args {
    /// Prints the script, which asks `vnet` for what there is.
    pub(crate) fn run(&self) -> anyhow::Result<Answer> {
        let shells = Shells::builtins();
        let shell = shells.completer(&self.shell.to_string()).context("this shell is not known")?;
        let mut script = Vec::new();
        shell.write_registration(ASKS, "vnet", "vnet", "vnet", &mut script)?;
        print_exact(&String::from_utf8(script)?)?;
        Ok(Answer::Yes)
    }
}
