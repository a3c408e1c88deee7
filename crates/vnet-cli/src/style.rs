//! How text for people stands out: `{BOLD}text{BOLD:#}`.

use anstyle::{AnsiColor, Style};

pub(crate) const BOLD: Style = Style::new().bold();
/// An error.
pub(crate) const ERROR: Style = AnsiColor::BrightRed.on_default().bold();
/// A warning or a note.
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// What comes.
pub(crate) const CREATED: Style = AnsiColor::Green.on_default();
/// What goes.
pub(crate) const DELETED: Style = AnsiColor::Red.on_default();
/// What becomes different.
pub(crate) const UPDATED: Style = AnsiColor::Yellow.on_default();
