//! Styles for text: `{BOLD}text{BOLD:#}`.

use anstyle::{AnsiColor, Style};

pub(crate) const BOLD: Style = Style::new().bold();
/// An error.
pub(crate) const ERROR: Style = AnsiColor::BrightRed.on_default().bold();
/// A warning or a note.
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// Something that is created.
pub(crate) const CREATED: Style = AnsiColor::Green.on_default();
/// Something that is deleted.
pub(crate) const DELETED: Style = AnsiColor::Red.on_default();
/// Something that is changed.
pub(crate) const UPDATED: Style = AnsiColor::Yellow.on_default();
