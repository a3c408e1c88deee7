//! Prints XML as libvirt does: two spaces for each level, single quotes, one element on each line,
//! no prolog.

use std::fmt::{self, Display, Write as _};
use std::net::{IpAddr, Ipv4Addr};

use vnet_types::{EgressPreset, EgressProtocol, Family, InterfaceName, IpNet, MacAddr, Spelled, Uuid};

use crate::interface::DirectMode;
use crate::network::{ForwardGuest, ForwardMode};
use crate::{BridgeName, Libvirt, VirtualPortType};

/// The bytes that are printed as they are in the value of an attribute. White space is escaped
/// there: readers replace it otherwise. libvirt does not escape it, and reads back something else.
static IN_ATTRIBUTES: Plain = plain(b"\t\n\r");

/// The same in text, where readers replace only a carriage return.
static IN_TEXT: Plain = plain(b"\r");

/// Whether a byte is printed as it is, whatever is around it.
type Plain = [bool; 256];

/// All bytes but markup, control characters and this white space. The two characters of more than
/// one byte that XML does not allow begin with 0xEF.
const fn plain(spaces: &[u8]) -> Plain {
    let mut plain = [true; 256];
    let mut byte = 0;
    while byte < 32 {
        plain[byte] = matches!(byte, 9 | 10 | 13);
        byte += 1;
    }
    let others = [b'<', b'>', b'&', b'"', b'\'', 0xef];
    let mut at = 0;
    while at < others.len() {
        plain[others[at] as usize] = false;
        at += 1;
    }
    at = 0;
    while at < spaces.len() {
        plain[spaces[at] as usize] = false;
        at += 1;
    }
    plain
}

/// How much is printed before it is handed on.
const PORTION: usize = 4096;

/// Writes elements, one below the other. What is written last is handed on by [`Writer::finish`].
pub(crate) struct Writer<'w> {
    out: &'w mut dyn fmt::Write,
    /// What is not handed on yet.
    text: String,
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
        // A usual definition fits, and an allocator has such a piece at hand.
        Self { out, text: String::with_capacity(1000), depth: 0, libvirt }
    }

    /// The release whose form is printed.
    pub(crate) fn libvirt(&self) -> Libvirt {
        self.libvirt
    }

    /// Starts an element; finish it with [`Tag::empty`] or [`Tag::around`].
    pub(crate) fn tag(&mut self, name: &'static str) -> Result<Tag<'_, 'w>, fmt::Error> {
        self.indent()?;
        self.text.push('<');
        self.text.push_str(name);
        Ok(Tag { writer: self, name })
    }

    /// Writes an element that is printed already.
    pub(crate) fn verbatim(&mut self, element: &str) -> fmt::Result {
        self.indent()?;
        self.text.push_str(element);
        self.text.push('\n');
        Ok(())
    }

    /// Writes an element that has text only.
    pub(crate) fn text(&mut self, name: &'static str, text: &str) -> fmt::Result {
        let tag = self.tag(name)?;
        tag.writer.text.push('>');
        push_escaped(&mut tag.writer.text, text, &IN_TEXT);
        tag.end()
    }

    /// Hands on what is written.
    pub(crate) fn finish(self) -> fmt::Result {
        self.out.write_str(&self.text)
    }

    /// Begins a line.
    fn indent(&mut self) -> fmt::Result {
        if self.text.len() >= PORTION {
            self.out.write_str(&self.text)?;
            self.text.clear();
        }
        const BLANKS: &str = "                                ";
        match BLANKS.get(..2 * self.depth) {
            Some(blanks) => self.text.push_str(blanks),
            None => (0..self.depth).for_each(|_| self.text.push_str("  ")),
        }
        Ok(())
    }
}

impl<'w> Tag<'_, 'w> {
    pub(crate) fn attribute(self, name: &str, value: impl Value) -> Result<Self, fmt::Error> {
        let text = &mut self.writer.text;
        text.push(' ');
        text.push_str(name);
        text.push_str("='");
        value.push_to(text);
        text.push('\'');
        Ok(self)
    }

    /// Writes an attribute, if there is a value.
    pub(crate) fn optional(self, name: &str, value: Option<impl Value>) -> Result<Self, fmt::Error> {
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
        self.writer.text.push_str("/>\n");
        Ok(())
    }

    /// Closes the tag, writes the children, closes the element.
    pub(crate) fn around(self, children: impl FnOnce(&mut Writer<'w>) -> fmt::Result) -> fmt::Result {
        self.writer.text.push_str(">\n");
        self.writer.depth += 1;
        children(self.writer)?;
        self.writer.depth -= 1;
        self.writer.indent()?;
        self.end()
    }

    /// Writes the end tag.
    fn end(self) -> fmt::Result {
        let text = &mut self.writer.text;
        ["</", self.name, ">\n"].into_iter().for_each(|part| text.push_str(part));
        Ok(())
    }
}

/// A value as it stands in an attribute.
pub(crate) trait Value: Display {
    /// Adds it to a text, escaped. Large files are mostly values, so those that they have are added
    /// without the general formatter.
    fn push_to(&self, out: &mut String) {
        let start = out.len();
        write!(out, "{self}").expect("a string takes everything");
        if !is_plain(&out[start..], &IN_ATTRIBUTES) {
            let value = out.split_off(start);
            push_escaped(out, &value, &IN_ATTRIBUTES);
        }
    }
}

impl<T: Value + ?Sized> Value for &T {
    fn push_to(&self, out: &mut String) {
        (**self).push_to(out);
    }
}

impl Value for str {
    fn push_to(&self, out: &mut String) {
        push_escaped(out, self, &IN_ATTRIBUTES);
    }
}

impl Value for String {
    fn push_to(&self, out: &mut String) {
        self.as_str().push_to(out);
    }
}

impl Value for InterfaceName {
    fn push_to(&self, out: &mut String) {
        self.as_str().push_to(out);
    }
}

impl Value for BridgeName {
    fn push_to(&self, out: &mut String) {
        match self {
            Self::Fixed(name) => name.push_to(out),
            Self::Template(_) => self.to_string().push_to(out),
        }
    }
}

impl Value for Spelled<MacAddr> {
    fn push_to(&self, out: &mut String) {
        match self.text() {
            Some(text) => text.push_to(out),
            None => self.get().push_to(out),
        }
    }
}

impl Value for MacAddr {
    fn push_to(&self, out: &mut String) {
        write!(out, "{self}").expect("a string takes everything");
    }
}

impl Value for IpAddr {
    fn push_to(&self, out: &mut String) {
        match self {
            Self::V4(address) => address.push_to(out),
            Self::V6(address) => write!(out, "{address}").expect("a string takes everything"),
        }
    }
}

impl Value for Ipv4Addr {
    fn push_to(&self, out: &mut String) {
        for (at, octet) in self.octets().into_iter().enumerate() {
            if at > 0 {
                out.push('.');
            }
            octet.push_to(out);
        }
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Value for $number {
            fn push_to(&self, out: &mut String) {
                let (mut digits, mut rest, mut first) = ([0; 20], *self, 20);
                while rest > 0 || first == 20 {
                    first -= 1;
                    digits[first] = b'0' + u8::try_from(rest % 10).expect("a digit");
                    rest /= 10;
                }
                out.push_str(str::from_utf8(&digits[first..]).expect("digits"));
            }
        }
    )*};
}

numbers!(u8, u16, u32, u64);

impl Value for ForwardMode {
    fn push_to(&self, out: &mut String) {
        out.push_str(self.word());
    }
}

macro_rules! others {
    ($($value:ty),*) => {$(
        impl Value for $value {}
    )*};
}

others!(i64, Family, IpNet, Uuid, EgressPreset, EgressProtocol, DirectMode, ForwardGuest, VirtualPortType);
others!(fmt::Arguments<'_>);

/// The value of an attribute, escaped so that it can stand in either kind of quotes.
pub(crate) fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    push_escaped(&mut text, value, &IN_ATTRIBUTES);
    text
}

fn is_plain(text: &str, plain: &Plain) -> bool {
    text.bytes().all(|byte| plain[usize::from(byte)])
}

/// Adds a text, escaped for XML. Control characters are not allowed in XML and are left out, as in
/// libvirt.
fn push_escaped(out: &mut String, text: &str, plain: &Plain) {
    if is_plain(text, plain) {
        return out.push_str(text);
    }
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\t' | '\n' | '\r' if plain[c as usize] => out.push(c),
            '\t' | '\n' | '\r' => out.push_str(&format!("&#{};", u32::from(c))),
            '\0'..' ' | '\u{fffe}' | '\u{ffff}' => {}
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn values_are_printed_as_the_formatter_does(address: IpAddr, number: u64, octet: u8, mac: [u8; 6]) {
            let pushed = |value: &dyn Value| {
                let mut text = String::new();
                value.push_to(&mut text);
                text
            };
            let (mac, address): (MacAddr, &dyn Value) = (MacAddr(mac), &address);
            for value in [address, &number, &octet, &mac, &Spelled::from(mac)] {
                prop_assert_eq!(pushed(value), value.to_string());
            }
        }
    }
}
