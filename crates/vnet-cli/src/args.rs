//! The command line.

use clap::Parser;

use crate::command::Command;
use crate::directories::Directories;

/// libvirt's virtual networks without the daemon
///
/// Reads libvirt's network definitions, says what is wrong with them and where, shows what they
/// would change on this host, does it in one step and takes it away without a trace.
///
/// Results go to stdout, diagnostics to stderr. Exit codes: 0 done, or in sync; 1 the answer is no
/// (invalid, refused, drifted, not formatted, a broken promise); 2 it could not be done.
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
