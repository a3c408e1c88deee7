//! The command line.

use clap::Parser;

use crate::command::Command;
use crate::directories::Directories;

/// libvirt's virtual networks without the daemon
///
/// Reads libvirt's network definitions, reports what is wrong with them and where, shows what they
/// would change on this host, makes the changes in one step, and removes them completely.
///
/// Results go to stdout, diagnostics to stderr. Exit codes: 0 done, or in sync; 1 the answer is no
/// (invalid, refused, drifted, not formatted, a broken promise); 2 the command failed.
#[derive(Debug, Parser)]
#[command(name = "vnet", version, max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Call {
    #[command(flatten)]
    pub(crate) directories: Directories,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Call::command().debug_assert();
    }
}
