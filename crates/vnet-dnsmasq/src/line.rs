//! The syntax of dnsmasq's configuration lines (`read_file` and `one_opt` in dnsmasq's `option.c`).
//!
//! A configuration line is at most 1023 bytes. A `#` after white space starts a comment; white
//! space around a value is dropped; commas separate. This does not apply between double quotes,
//! where backslash, double quote, tab, newline, backspace, return and escape can be written with a
//! backslash. Other control characters cannot be written: dnsmasq uses them itself, to remember
//! which characters were quoted.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use crate::{Error, Field};

/// Lines, each short enough for dnsmasq.
#[derive(Default)]
pub(crate) struct Lines {
    pub(crate) text: String,
}

impl Lines {
    /// The longest line that dnsmasq reads, in bytes: `MAXDNAME` without a newline and a NUL.
    const LIMIT: usize = 1023;

    /// Adds a line that may be too long because of a field.
    pub(crate) fn push(&mut self, field: Field, line: fmt::Arguments<'_>) -> Result<(), Error> {
        let line = line.to_string();
        if line.len() > Self::LIMIT {
            return Err(Error::TooLong { field, len: line.len() });
        }
        self.plain(&line);
        Ok(())
    }

    /// Adds a line that is always short.
    pub(crate) fn plain(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }
}

/// The value, in double quotes if dnsmasq would not read it unchanged.
pub(crate) fn quoted(field: Field, value: &str) -> Result<Cow<'_, str>, Error> {
    let plain = |c: char| matches!(c, ' '..='~') && !matches!(c, '"' | ',');
    let comment = value.starts_with('#') || value.contains(" #");
    let blank_end = value.starts_with(' ') || value.ends_with(' ');
    if value.chars().all(plain) && !comment && !blank_end {
        return Ok(Cow::Borrowed(value));
    }
    in_quotes(field, value).map(Cow::Owned)
}

/// The value in double quotes.
pub(crate) fn in_quotes(field: Field, value: &str) -> Result<String, Error> {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\u{8}' => text.push_str("\\b"),
            '\u{1b}' => text.push_str("\\e"),
            control if control.is_control() => return Err(refused(field, value, control)),
            other => text.push(other),
        }
    }
    text.push('"');
    Ok(text)
}

/// The value, if all its characters are allowed.
pub(crate) fn only(field: Field, value: &str, allowed: impl Fn(char) -> bool) -> Result<&str, Error> {
    match value.chars().find(|c| !allowed(*c)) {
        Some(character) => Err(refused(field, value, character)),
        None if value.is_empty() => Err(Error::Empty(field)),
        None => Ok(value),
    }
}

/// The value, if it is a DNS name of letters, digits, `-` and `_`; it may end with a dot.
pub(crate) fn name(field: Field, value: &str) -> Result<&str, Error> {
    labels(field, only(field, value, |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))?)
}

/// The value, if its labels have the lengths that DNS allows; their characters are not checked.
pub(crate) fn labels(field: Field, value: &str) -> Result<&str, Error> {
    let inner = value.strip_suffix('.').unwrap_or(value);
    if inner.len() > 253 || inner.split('.').any(|label| label.is_empty() || label.len() > 63) {
        return Err(Error::Name { field, value: value.to_owned() });
    }
    Ok(value)
}

/// Adds an option whose value is a path.
pub(crate) fn path(lines: &mut Lines, option: &str, path: &Path) -> Result<(), Error> {
    lines.push(Field::Path, format_args!("{option}={}", quoted(Field::Path, path_text(path)?)?))
}

/// The path as text.
pub(crate) fn path_text(path: &Path) -> Result<&str, Error> {
    let text = path.to_str().ok_or_else(|| Error::Path(path.to_owned()))?;
    if text.is_empty() { Err(Error::Empty(Field::Path)) } else { Ok(text) }
}

/// The error for a value with a character that is refused.
pub(crate) fn refused(field: Field, value: &str, character: char) -> Error {
    Error::Character { field, value: value.to_owned(), character }
}
