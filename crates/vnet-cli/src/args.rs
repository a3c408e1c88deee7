//! The command line.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser};

use crate::command::Command;
use crate::directories::Directories;
use crate::help;
use crate::output::Verbosity;

/// The end of the help and of the manual page.
const HOOKS: &str = "\
Hooks: the programs hooks/network and hooks/network.d/* in the folder of definitions run with \
libvirt's arguments (NETWORK OPERATION STAGE -) and its XML on standard input, at start, started, \
updated, stopped, port-created and port-deleted. A failure at start or port-created refuses, at \
started it stops the network again, at updated it is an error. A hook has 30 seconds (--hook-timeout), \
and cannot change networks or ports itself.";

/// libvirt's virtual networks without the daemon
///
/// Reads libvirt's network definitions, reports what is wrong with them and where, shows what they
/// would change on this host, makes the changes in one step, and removes them completely.
///
/// Results go to stdout, diagnostics to stderr. Exit codes: 0 done, or in sync; 1 the answer is no
/// (invalid, refused, drifted, not formatted, a broken promise); 2 the command failed.
#[derive(Debug, Parser)]
#[command(name = "vnet", version, max_term_width = 100, after_long_help = HOOKS)]
pub(crate) struct Call {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What all commands take.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) directories: Directories,
    /// Also print each change that is made, and the counters of rules
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    verbose: bool,
    /// Only print errors and findings
    #[arg(short, long, global = true)]
    quiet: bool,
}

/// The command line as clap knows it.
pub(crate) fn program() -> clap::Command {
    help::arranged(Call::command())
}

impl Call {
    /// Reads the command line of this process.
    pub(crate) fn read() -> Result<Self, clap::Error> {
        let words: Vec<OsString> = std::env::args_os().collect();
        // To make all commands takes longer than most commands do. They are needed to say what is
        // wrong, and for help.
        let matches = match only(&words).try_get_matches_from(&words) {
            Err(error) if error.kind() != ErrorKind::DisplayVersion => program().try_get_matches_from(&words)?,
            matches => matches?,
        };
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut program()))
    }
}

/// The command line with the one command that is named first in these words.
fn only(words: &[OsString]) -> clap::Command {
    let command = words.iter().skip(1).find_map(|word| Command::named(word.to_str()?));
    let program = Options::augment_args(clap::Command::new("vnet").version(env!("CARGO_PKG_VERSION")));
    program.subcommands(command).subcommand_required(true)
}

impl Options {
    /// How much to print.
    pub(crate) fn verbosity(&self) -> Verbosity {
        match (self.verbose, self.quiet) {
            (true, _) => Verbosity::Verbose,
            (_, true) => Verbosity::Quiet,
            _ => Verbosity::Normal,
        }
    }
}

/// Whether a command line asks for results as JSON, even if it is wrong otherwise.
pub(crate) fn asks_for_json(arguments: impl IntoIterator<Item = OsString>) -> bool {
    let options: Vec<OsString> = arguments.into_iter().take_while(|argument| argument != "--").collect();
    let pairs = options.windows(2).any(|pair| pair[0] == "--format" && pair[1] == "json");
    pairs || options.iter().any(|option| option == "--format=json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_asked_for() {
        let asks = |line: &str| asks_for_json(line.split(' ').map(OsString::from));
        for line in ["list --format json", "list --format=json", "chekc --format json", "x --format json -- a"] {
            assert!(asks(line), "{line}");
        }
        for line in ["list", "list --format human", "check --format sarif json", "list -- --format json"] {
            assert!(!asks(line), "{line}");
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        program().debug_assert();
    }
}
