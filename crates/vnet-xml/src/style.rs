//! The forms in which libvirt prints a definition.

use std::fmt;

use crate::Comments;

/// The form in which a definition is printed. The default is the live form of libvirt 11.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Print the form on disk: without what only a running network or guest has.
    pub inactive: bool,
    /// The release of libvirt whose form is printed.
    pub libvirt: Libvirt,
}

/// A release of libvirt. Each reads what the others print, except a route without a destination,
/// which only 12 reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Libvirt {
    /// 11: an empty element is `<ip …>` and `</ip>`; a default route has the destination `0.0.0.0`.
    #[default]
    V11,
    /// 12.8: an empty element is `<ip …/>`; a default route has no destination if none was written.
    V12,
}

/// Prints a definition in a [`Style`].
#[derive(Clone, Copy, Debug)]
pub struct Printed<'a, T> {
    definition: &'a T,
    style: Style,
}

/// A value that can be printed in every style.
pub(crate) trait Print: Sized {
    /// The comments of the document that it was read from.
    fn comments(&self) -> &Comments;

    /// Prints it without comments.
    fn print_bare(&self, f: &mut fmt::Formatter<'_>, style: Style) -> fmt::Result;

    /// Prints it.
    fn print(&self, f: &mut fmt::Formatter<'_>, style: Style) -> fmt::Result {
        if self.comments().is_empty() {
            return self.print_bare(f, style);
        }
        f.write_str(&self.comments().print_into(&Bare { definition: self, style }.to_string()))
    }
}

/// Prints a definition without its comments.
struct Bare<'a, T> {
    definition: &'a T,
    style: Style,
}

impl<T: Print> fmt::Display for Bare<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.definition.print_bare(f, self.style)
    }
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
