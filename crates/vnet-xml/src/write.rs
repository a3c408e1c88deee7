//! Prints XML as libvirt does: two spaces for each level, single quotes, one element on each line,
//! no prolog.

use std::fmt::{self, Display};

use crate::Libvirt;

/// Writes elements, one below the other.
pub(crate) struct Writer<'w> {
    out: &'w mut dyn fmt::Write,
    depth: usize,
    libvirt: Libvirt,
}

/// A start tag that is not finished yet.
pub(crate) struct Tag<'a, 'w> {
    writer: &'a mut Writer<'w>,
    name: &'static str,
}

impl<'w> Writer<'w> {
    pub(crate) fn new(out: &'w mut dyn fmt::Write, libvirt: Libvirt) -> Self {
        Self { out, depth: 0, libvirt }
    }

    /// The release whose form is printed.
    pub(crate) fn libvirt(&self) -> Libvirt {
        self.libvirt
    }

    /// Starts an element; finish it with [`Tag::empty`] or [`Tag::around`].
    pub(crate) fn tag(&mut self, name: &'static str) -> Result<Tag<'_, 'w>, fmt::Error> {
        write!(self.out, "{:width$}<{name}", "", width = 2 * self.depth)?;
        Ok(Tag { writer: self, name })
    }

    /// Writes an element that is printed already.
    pub(crate) fn verbatim(&mut self, element: &str) -> fmt::Result {
        writeln!(self.out, "{:width$}{element}", "", width = 2 * self.depth)
    }

    /// Writes an element that has text only.
    pub(crate) fn text(&mut self, name: &'static str, text: &str) -> fmt::Result {
        let text = Escaped { text, spaces: &['\r'] };
        writeln!(self.out, "{:width$}<{name}>{text}</{name}>", "", width = 2 * self.depth)
    }
}

impl<'w> Tag<'_, 'w> {
    pub(crate) fn attribute(self, name: &str, value: impl Display) -> Result<Self, fmt::Error> {
        write!(self.writer.out, " {name}='{}'", Escaped { text: &value.to_string(), spaces: &['\t', '\n', '\r'] })?;
        Ok(self)
    }

    /// Writes an attribute, if there is a value.
    pub(crate) fn optional(self, name: &str, value: Option<impl Display>) -> Result<Self, fmt::Error> {
        match value {
            Some(value) => self.attribute(name, value),
            None => Ok(self),
        }
    }

    /// Writes `yes` or `no`, if there is a value.
    pub(crate) fn yes_no(self, name: &str, value: Option<bool>) -> Result<Self, fmt::Error> {
        self.optional(name, value.map(|value| if value { "yes" } else { "no" }))
    }

    /// Writes `on` or `off`, if there is a value.
    pub(crate) fn on_off(self, name: &str, value: Option<bool>) -> Result<Self, fmt::Error> {
        self.optional(name, value.map(|value| if value { "on" } else { "off" }))
    }

    /// Closes the tag and the element.
    pub(crate) fn empty(self) -> fmt::Result {
        self.writer.out.write_str("/>\n")
    }

    /// Closes the tag, writes the children, closes the element.
    pub(crate) fn around(self, children: impl FnOnce(&mut Writer<'w>) -> fmt::Result) -> fmt::Result {
        let Self { writer, name } = self;
        writer.out.write_str(">\n")?;
        writer.depth += 1;
        children(writer)?;
        writer.depth -= 1;
        writeln!(writer.out, "{:width$}</{name}>", "", width = 2 * writer.depth)
    }
}

/// The value of an attribute, escaped so that it can stand in either kind of quotes.
pub(crate) fn escaped(value: &str) -> String {
    Escaped { text: value, spaces: &['\t', '\n', '\r'] }.to_string()
}

/// Text, escaped for XML. Control characters are not allowed in XML and are left out, as in
/// libvirt.
///
/// White space in attributes and carriage returns are escaped too, because readers replace them
/// otherwise. libvirt does not escape them, and reads back something else.
struct Escaped<'a> {
    text: &'a str,
    spaces: &'static [char],
}

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.chars().try_for_each(|c| match c {
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '&' => f.write_str("&amp;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&apos;"),
            c if self.spaces.contains(&c) => write!(f, "&#{};", u32::from(c)),
            '\t' | '\n' | '\r' => fmt::Write::write_char(f, c),
            '\0'..' ' | '\u{fffe}' | '\u{ffff}' => Ok(()),
            c => fmt::Write::write_char(f, c),
        })
    }
}
