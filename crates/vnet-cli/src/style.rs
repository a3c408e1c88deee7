//! Styles for text: `{BOLD}text{BOLD:#}`.

use anstyle::{AnsiColor, Style};

pub(crate) const BOLD: Style = Style::new().bold();
/// What matters less.
pub(crate) const DIM: Style = Style::new().dimmed();
/// A promise that is kept, or all of them.
pub(crate) const KEPT: Style = AnsiColor::Green.on_default();
/// A promise that is broken.
pub(crate) const BROKEN: Style = AnsiColor::Red.on_default().bold();
/// A promise that is open.
pub(crate) const OPEN: Style = AnsiColor::Yellow.on_default();
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
