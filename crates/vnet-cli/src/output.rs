//! Printing of results and diagnostics.
//!
//! A closed pipe (`vnet … | head`) is no failure: the rest of the output is dropped and the exit
//! code stays.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::OnceLock;

use anstream::ColorChoice;
use serde::Serialize;
use terminal_size::Width;

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

    /// This answer, unless something could not be read.
    /// Yes where both are.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Failed, _) | (_, Self::Failed) => Self::Failed,
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
        }
    }

    pub(crate) fn unless_failed(self, reading: Self) -> Self {
        if reading == Self::Failed { reading } else { self }
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

/// Prints text for people on stdout, unless they asked for quiet. Styles are removed unless stdout
/// is a terminal; there, no line is wider than it.
pub(crate) fn print(text: impl Display) -> io::Result<()> {
    if VERBOSITY.get() == Some(&Verbosity::Quiet) {
        return Ok(());
    }
    let (text, choice) = (fitted(&text.to_string(), width(io::stdout())), anstream::stdout().current_choice());
    written(io::stdout().lock().write_all(&styled(&text, choice)))
}

/// Prints text for people on stderr. If stderr cannot be written, the exit code still tells.
pub(crate) fn note(text: impl Display) {
    let (text, choice) = (fitted(&text.to_string(), width(io::stderr())), anstream::stderr().current_choice());
    let _ = io::stderr().lock().write_all(&styled(&text, choice));
}

/// Text as a stream has it that may have no styles, so that it is written by one call.
fn styled(text: &str, choice: ColorChoice) -> Vec<u8> {
    match choice {
        ColorChoice::Never => anstream::adapter::strip_str(text).to_string().into_bytes(),
        _ => text.as_bytes().to_vec(),
    }
}

/// How much is printed for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verbosity {
    /// Errors and findings.
    Quiet,
    /// Results too.
    Normal,
    /// Also each change that was made, and counters.
    Verbose,
}

static VERBOSITY: OnceLock<Verbosity> = OnceLock::new();

/// Sets how much is printed, once.
pub(crate) fn set_verbosity(verbosity: Verbosity) {
    let _ = VERBOSITY.set(verbosity);
}

/// Whether each change and counter is printed.
pub(crate) fn is_verbose() -> bool {
    VERBOSITY.get() == Some(&Verbosity::Verbose)
}

/// The width of the terminal that results are printed on.
pub(crate) fn columns() -> Option<usize> {
    width(io::stdout())
}

fn width(stream: impl IsTerminal + AsFd) -> Option<usize> {
    let (Width(width), _) = terminal_size::terminal_size_of(stream)?;
    // Nothing can be read in less.
    Some(usize::from(width)).filter(|width| *width >= 40)
}

/// Text with each line that is wider than a terminal broken at blanks. What follows a break is
/// indented below the line.
fn fitted(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else { return text.to_owned() };
    text.split_inclusive('\n').fold(String::with_capacity(text.len()), |mut fitted, line| {
        broken(line, width, &mut fitted);
        fitted
    })
}

/// Escape sequences, from ESC to a letter, take no space.
fn broken(line: &str, width: usize, fitted: &mut String) {
    let indent = (line.len() - line.trim_start_matches(' ').len()).min(width / 2) + 2;
    let (mut column, mut is_escape, mut blank) = (0, false, None);
    for c in line.chars() {
        let is_visible = !is_escape && c != '\u{1b}' && c != '\n';
        is_escape = (is_escape || c == '\u{1b}') && !(is_escape && c.is_ascii_alphabetic());
        if is_visible && column >= width {
            // A word that is as wide as the terminal is broken inside.
            let at = blank.take().filter(|_| c != ' ').unwrap_or(fitted.len());
            let rest = fitted.split_off(at);
            fitted.push('\n');
            fitted.extend(std::iter::repeat_n(' ', indent));
            let rest = rest.trim_start_matches(' ');
            column = indent + shown_width(rest);
            fitted.push_str(rest);
            if c == ' ' {
                continue;
            }
        }
        if c == ' ' && column > indent {
            blank = Some(fitted.len());
        }
        fitted.push(c);
        column += usize::from(is_visible);
    }
}

fn shown_width(text: &str) -> usize {
    anstream::adapter::strip_str(text).to_string().chars().count()
}

/// The answer of a command that has changed the host. If its result cannot be printed, the host
/// stays changed, and stderr says so.
pub(crate) fn done(what: impl Display, print: impl FnOnce() -> anyhow::Result<()>) -> Answer {
    if let Err(error) = print() {
        note(format!("{WARNING}warning{WARNING:#}{BOLD}: {what}; the result cannot be printed: {error:#}{BOLD:#}\n"));
    }
    Answer::Yes
}

/// Networks or ports as the subject of a sentence.
pub(crate) fn are(kind: &str, names: impl Iterator<Item = impl Display>) -> String {
    match names.map(|name| format!("`{name}`")).collect::<Vec<_>>().as_slice() {
        [name] => format!("{kind} {name} is"),
        names => format!("{kind}s {} are", names.join(", ")),
    }
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
    fn no_line_is_wider_than_the_terminal() {
        let text = "short\n  \u{1b}[1mone two three four\u{1b}[0m five six\nabcdefghijklmnopqrstuvwxyz\n";
        let fitted = fitted(text, Some(20));
        let expected = "short\n  \u{1b}[1mone two three four\u{1b}[0m\n    five six\nabcdefghijklmnopqrst\n  uvwxyz\n";
        assert_eq!(fitted, expected);
        assert!(fitted.lines().all(|line| shown_width(line) <= 20), "{fitted}");
        assert_eq!(super::fitted(text, None), text);
    }

    #[test]
    fn what_steers_a_terminal_is_shown() {
        let text = "a\u{1b}b\u{7f}\u{80}\u{9b}c\u{61c}\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}\né";
        let shown = r"a\u{1b}b\u{7f}\u{80}\u{9b}c\u{61c}\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}\né";
        assert_eq!(plain(text), shown);
    }
}
