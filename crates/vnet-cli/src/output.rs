//! Printing of results and diagnostics.
//!
//! A closed pipe (`vnet … | head`) is no failure: the rest of the output is dropped and the exit
//! code stays.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use serde::Serialize;

use crate::failure::{self, ErrorJson};
use crate::style::{BOLD, WARNING};

/// The format of results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Human,
    /// One JSON document.
    Json,
}

/// The option `--format` of every command with a result.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct FormatOption {
    /// The format of the result.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: Format,
}

/// The answer of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Done; valid; in sync.
    Yes,
    /// Invalid, refused, drifted, not formatted.
    No,
    /// Failed; the errors are reported.
    Failed,
}

impl Answer {
    /// `Yes` if true.
    pub(crate) fn when(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

impl From<Answer> for ExitCode {
    fn from(answer: Answer) -> Self {
        Self::from(match answer {
            Answer::Yes => 0,
            Answer::No => 1,
            Answer::Failed => 2,
        })
    }
}

/// Prints text for people on stdout. Styles are removed unless stdout is a terminal.
pub(crate) fn print(text: impl Display) -> io::Result<()> {
    written(write!(anstream::stdout().lock(), "{text}"))
}

/// Prints text for people on stderr. If stderr cannot be written, the exit code still tells.
pub(crate) fn note(text: impl Display) {
    let _ = write!(anstream::stderr().lock(), "{text}");
}

/// The answer of a command that has changed the host. If its result cannot be printed, the host
/// stays changed, and stderr says so.
pub(crate) fn done(what: impl Display, print: impl FnOnce() -> anyhow::Result<()>) -> Answer {
    if let Err(error) = print() {
        note(format!("{WARNING}warning{WARNING:#}{BOLD}: {what}; the result cannot be printed: {error:#}{BOLD:#}\n"));
    }
    Answer::Yes
}

/// Shows the current step on a terminal; an empty step clears it.
pub(crate) fn progress(step: &str) {
    if io::stderr().is_terminal() {
        note(format!("\r\x1b[K{step}{}", if step.is_empty() { "" } else { " …" }));
    }
}

/// Prints text for programs on stdout, unchanged.
pub(crate) fn print_exact(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    written(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()))
}

/// The version of every JSON document: fields are added without a new one.
const VERSION: u32 = 1;

/// A JSON document of this program.
#[derive(Serialize)]
struct Versioned<'a, T> {
    version: u32,
    #[serde(flatten)]
    value: &'a T,
    /// What failed beside it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failures: Vec<ErrorJson>,
}

/// Prints a value, which has fields, as a JSON document on stdout, with its version and the errors
/// that were reported before.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    print_json_of_others(&Versioned { version: VERSION, value, failures: failure::told() })
}

/// Prints a value in a format that others have defined as JSON on stdout.
pub(crate) fn print_json_of_others(value: &impl Serialize) -> anyhow::Result<()> {
    Ok(print_exact(&(escaped(&serde_json::to_string_pretty(value)?) + "\n"))?)
}

/// A value as a JSON document on one line, with its version.
pub(crate) fn json_line(value: &impl Serialize) -> anyhow::Result<String> {
    let document = Versioned { version: VERSION, value, failures: Vec::new() };
    Ok(escaped(&serde_json::to_string(&document)?))
}

/// Prints a line of a stream on stdout. Returns whether somebody still reads it.
pub(crate) fn print_line(line: &str) -> io::Result<bool> {
    match writeln!(io::stdout().lock(), "{line}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        written => written.map(|()| true),
    }
}

/// JSON with the characters that control a terminal escaped. They are only in strings, except line
/// ends, and JSON escapes only those of ASCII.
fn escaped(json: &str) -> String {
    json.chars().fold(String::with_capacity(json.len() + 1), |mut shown, c| {
        match c {
            c if c != '\n' && steers(c) => shown.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => shown.push(c),
        }
        shown
    })
}

/// Text from elsewhere on one line of a terminal, with control characters made visible.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if steers(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// Whether a character moves the cursor, changes colours, or changes the direction of text: the
/// control characters of ASCII and ISO 6429, and the marks of Unicode's bidirectional algorithm.
pub(crate) fn steers(c: char) -> bool {
    let direction = matches!(c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || direction
}

fn written(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_shown() {
        let text = "a\u{1b}b\u{7f}\u{80}\u{9b}c\u{61c}\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}\né";
        let shown = r"a\u{1b}b\u{7f}\u{80}\u{9b}c\u{61c}\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}\né";
        assert_eq!(plain(text), shown);
    }
}
