//! `vnet man [COMMAND]`: prints manual pages, made from the `--help` texts.

use anyhow::Context;
use clap_mangen::Man;

use crate::output::{Answer, print_exact};

/// Print the manual page of vnet or of a command, in roff
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The command
    command: Option<String>,
}

impl Args {
    /// Prints the page of a program.
    pub(crate) fn run(&self, mut program: clap::Command) -> anyhow::Result<Answer> {
        program.build();
        let page = match &self.command {
            None => program,
            Some(name) => {
                program.find_subcommand(name).with_context(|| format!("there is no command `{name}`"))?.clone()
            }
        };
        let mut roff = Vec::new();
        Man::new(page).render(&mut roff)?;
        print_exact(&String::from_utf8(roff)?)?;
        Ok(Answer::Yes)
    }
}
