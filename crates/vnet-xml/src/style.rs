//! The forms in which libvirt prints a definition.

use std::fmt;

/// The form in which a definition is printed. By default that is what libvirt 11 prints of what
/// runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// As libvirt keeps it on disk: without what only a running network or guest has.
    pub inactive: bool,
    /// As this release of libvirt prints it.
    pub libvirt: Libvirt,
}

/// A release of libvirt. Each reads what the others print, but for a route without a destination,
/// which only 12 knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Libvirt {
    /// 11: `<ip …>` and `</ip>` where nothing is in between; a default route has the destination
    /// `0.0.0.0`.
    #[default]
    V11,
    /// 12.8: `<ip …/>` where nothing is in it; a default route has no destination where none was
    /// written.
    V12,
}

/// A definition in a [`Style`], to be printed.
#[derive(Clone, Copy, Debug)]
pub struct Printed<'a, T> {
    definition: &'a T,
    style: Style,
}

/// What can be printed in every style.
pub(crate) trait Print {
    fn print(&self, f: &mut fmt::Formatter<'_>, style: Style) -> fmt::Result;
}

impl<'a, T> Printed<'a, T> {
    pub(crate) fn new(definition: &'a T, style: Style) -> Self {
        Self { definition, style }
    }
}

impl<T: Print> fmt::Display for Printed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.definition.print(f, self.style)
    }
}
