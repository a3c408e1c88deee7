//! Prints XML as libvirt does: two spaces for each level, single quotes, one element on each line,
//! no prolog.

use std::fmt::{self, Display};
use std::io::Write as _;
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
    /// What is not handed on yet, in UTF-8. Bytes are cheaper to add than characters.
    text: Vec<u8>,
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
        Self { out, text: Vec::with_capacity(1000), depth: 0, libvirt }
    }

    /// The release whose form is printed.
    pub(crate) fn libvirt(&self) -> Libvirt {
        self.libvirt
    }

    /// Starts an element; finish it with [`Tag::empty`] or [`Tag::around`].
    pub(crate) fn tag(&mut self, name: &'static str) -> Result<Tag<'_, 'w>, fmt::Error> {
        self.indent()?;
        self.text.push(b'<');
        self.text.extend_from_slice(name.as_bytes());
        Ok(Tag { writer: self, name })
    }

    /// Writes an element that is printed already.
    pub(crate) fn verbatim(&mut self, element: &str) -> fmt::Result {
        self.indent()?;
        self.text.extend_from_slice(element.as_bytes());
        self.text.push(b'\n');
        Ok(())
    }

    /// Writes an element that has text only.
    pub(crate) fn text(&mut self, name: &'static str, text: &str) -> fmt::Result {
        let tag = self.tag(name)?;
        tag.writer.text.push(b'>');
        push_escaped(&mut tag.writer.text, text, &IN_TEXT);
        tag.end()
    }

    /// Hands on what is written.
    pub(crate) fn finish(mut self) -> fmt::Result {
        self.hand_on()
    }

    fn hand_on(&mut self) -> fmt::Result {
        self.out.write_str(str::from_utf8(&self.text).expect("what is added is text"))?;
        self.text.clear();
        Ok(())
    }

    /// Begins a line.
    fn indent(&mut self) -> fmt::Result {
        if self.text.len() >= PORTION {
            self.hand_on()?;
        }
        const BLANKS: &[u8] = b"                                ";
        match BLANKS.get(..2 * self.depth) {
            Some(blanks) => self.text.extend_from_slice(blanks),
            None => self.text.resize(self.text.len() + 2 * self.depth, b' '),
        }
        Ok(())
    }
}

impl<'w> Tag<'_, 'w> {
    pub(crate) fn attribute(self, name: &str, value: impl Value) -> Result<Self, fmt::Error> {
        let text = &mut self.writer.text;
        text.push(b' ');
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(b"='");
        value.push_to(text);
        text.push(b'\'');
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
        self.writer.text.extend_from_slice(b"/>\n");
        Ok(())
    }

    /// Closes the tag, writes the children, closes the element.
    pub(crate) fn around(self, children: impl FnOnce(&mut Writer<'w>) -> fmt::Result) -> fmt::Result {
        self.writer.text.extend_from_slice(b">\n");
        self.writer.depth += 1;
        children(self.writer)?;
        self.writer.depth -= 1;
        self.writer.indent()?;
        self.end()
    }

    /// Writes the end tag.
    fn end(self) -> fmt::Result {
        let text = &mut self.writer.text;
        ["</", self.name, ">\n"].into_iter().for_each(|part| text.extend_from_slice(part.as_bytes()));
        Ok(())
    }
}

/// A value as it stands in an attribute.
pub(crate) trait Value: Display {
    /// Adds it to a text, escaped. Large files are mostly values, so those that they have are added
    /// without the general formatter.
    fn push_to(&self, out: &mut Vec<u8>) {
        let start = out.len();
        write!(out, "{self}").expect("a vector takes everything");
        if !is_plain(&out[start..], &IN_ATTRIBUTES) {
            let value = String::from_utf8(out.split_off(start)).expect("a value is printed as text");
            push_escaped(out, &value, &IN_ATTRIBUTES);
        }
    }
}

impl<T: Value + ?Sized> Value for &T {
    fn push_to(&self, out: &mut Vec<u8>) {
        (**self).push_to(out);
    }
}

impl Value for str {
    fn push_to(&self, out: &mut Vec<u8>) {
        push_escaped(out, self, &IN_ATTRIBUTES);
    }
}

impl Value for String {
    fn push_to(&self, out: &mut Vec<u8>) {
        self.as_str().push_to(out);
    }
}

impl Value for InterfaceName {
    fn push_to(&self, out: &mut Vec<u8>) {
        self.as_str().push_to(out);
    }
}

impl Value for BridgeName {
    fn push_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Fixed(name) => name.push_to(out),
            Self::Template(_) => self.to_string().push_to(out),
        }
    }
}

impl Value for Spelled<MacAddr> {
    fn push_to(&self, out: &mut Vec<u8>) {
        match self.text() {
            Some(text) => text.push_to(out),
            None => self.get().push_to(out),
        }
    }
}

impl Value for MacAddr {
    fn push_to(&self, out: &mut Vec<u8>) {
        let digit = |value: u8| b"0123456789abcdef"[usize::from(value)];
        for (at, octet) in self.0.into_iter().enumerate() {
            if at > 0 {
                out.push(b':');
            }
            out.extend_from_slice(&[digit(octet >> 4), digit(octet & 15)]);
        }
    }
}

impl Value for IpAddr {
    fn push_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::V4(address) => address.push_to(out),
            Self::V6(address) => write!(out, "{address}").expect("a vector takes everything"),
        }
    }
}

impl Value for Ipv4Addr {
    fn push_to(&self, out: &mut Vec<u8>) {
        for (at, octet) in self.octets().into_iter().enumerate() {
            if at > 0 {
                out.push(b'.');
            }
            octet.push_to(out);
        }
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Value for $number {
            fn push_to(&self, out: &mut Vec<u8>) {
                let (mut digits, mut rest, mut first) = ([0; 20], *self, 20);
                while rest > 0 || first == 20 {
                    first -= 1;
                    digits[first] = b'0' + u8::try_from(rest % 10).expect("a digit");
                    rest /= 10;
                }
                out.extend_from_slice(&digits[first..]);
            }
        }
    )*};
}

numbers!(u8, u16, u32, u64);

impl Value for ForwardMode {
    fn push_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.word().as_bytes());
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
    let mut text = Vec::with_capacity(value.len());
    push_escaped(&mut text, value, &IN_ATTRIBUTES);
    String::from_utf8(text).expect("what is added is text")
}

fn is_plain(text: &[u8], plain: &Plain) -> bool {
    text.iter().all(|byte| plain[usize::from(*byte)])
}

/// Adds a text, escaped for XML. Control characters are not allowed in XML and are left out, as in
/// libvirt.
fn push_escaped(out: &mut Vec<u8>, text: &str, plain: &Plain) {
    if is_plain(text.as_bytes(), plain) {
        return out.extend_from_slice(text.as_bytes());
    }
    for c in text.chars() {
        match c {
            '<' => out.extend_from_slice(b"&lt;"),
            '>' => out.extend_from_slice(b"&gt;"),
            '&' => out.extend_from_slice(b"&amp;"),
            '"' => out.extend_from_slice(b"&quot;"),
            '\'' => out.extend_from_slice(b"&apos;"),
            '\t' | '\n' | '\r' if !plain[c as usize] => {
                out.extend_from_slice(format!("&#{};", u32::from(c)).as_bytes())
            }
            '\0'..'\t' | '\u{b}'..'\r' | '\u{e}'..' ' | '\u{fffe}' | '\u{ffff}' => {}
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
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
                let mut text = Vec::new();
                value.push_to(&mut text);
                String::from_utf8(text).unwrap()
            };
            let (mac, address): (MacAddr, &dyn Value) = (MacAddr(mac), &address);
            for value in [address, &number, &octet, &mac, &Spelled::from(mac)] {
                prop_assert_eq!(pushed(value), value.to_string());
            }
        }
    }
}
