//! Netlink messages and attributes as bytes (netlink(7), `linux/netlink.h`).
//!
//! A message is a header, a fixed part that depends on its kind, and attributes. An attribute has a
//! length, a type and a value, padded to four bytes; the value may contain attributes. Writing
//! happens in place in one buffer, and reading makes no copies. From a buffer that is cut short or
//! has wrong lengths, the reader returns the complete items before the fault.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The length of a message's header (`struct nlmsghdr`).
pub const MESSAGE_HEADER: usize = 16;

/// The length of an attribute's header (`struct nlattr`).
const HEADER: usize = 4;
/// Set in the type of an attribute that holds attributes (`NLA_F_NESTED`).
const NESTED: u16 = 0x8000;
/// The bits of an attribute's type without its flags (`NLA_TYPE_MASK`).
const TYPE: u16 = 0x3fff;

/// Appends attributes to a buffer.
#[derive(Debug)]
pub struct Writer<'a>(&'a mut Vec<u8>);

impl<'a> Writer<'a> {
    /// A writer that appends to these bytes. Their length must be a multiple of four.
    pub fn new(bytes: &'a mut Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl Writer<'_> {
    /// Appends an attribute with this value.
    pub fn bytes(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        self.attribute(kind, |inner| inner.0.extend_from_slice(value))
    }

    /// Appends a string with its closing NUL.
    pub fn text(&mut self, kind: u16, value: &str) -> &mut Self {
        self.attribute(kind, |inner| {
            inner.0.extend_from_slice(value.as_bytes());
            inner.0.push(0);
        })
    }

    /// Appends a number in network byte order, as nf_tables uses it.
    pub fn be32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// Appends encoded attributes.
    pub fn raw(&mut self, attributes: &[u8]) {
        self.0.extend_from_slice(attributes);
    }

    /// Appends an attribute that contains attributes.
    ///
    /// # Panics
    /// When they are longer than 64 KiB.
    pub fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Writer<'_>)) -> &mut Self {
        self.attribute(kind | NESTED, fill)
    }

    fn attribute(&mut self, kind: u16, fill: impl FnOnce(&mut Writer<'_>)) -> &mut Self {
        let start = self.0.len();
        self.0.extend_from_slice(&[0; HEADER]);
        fill(&mut Writer(self.0));
        let length = u16::try_from(self.0.len() - start).expect("an attribute is shorter than 64 KiB");
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.0[start + 2..start + HEADER].copy_from_slice(&kind.to_ne_bytes());
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }
}

/// Appends a message: its header, the fixed part of its kind, and attributes.
///
/// # Panics
/// When it is longer than 4 GiB.
pub fn write_message(
    to: &mut Vec<u8>,
    kind: u16,
    flags: u16,
    sequence: u32,
    fixed: &[u8],
    fill: impl FnOnce(&mut Writer<'_>),
) {
    let start = to.len();
    to.extend_from_slice(&[0; 4]);
    to.extend_from_slice(&kind.to_ne_bytes());
    to.extend_from_slice(&flags.to_ne_bytes());
    to.extend_from_slice(&sequence.to_ne_bytes());
    to.extend_from_slice(&[0; 4]);
    to.extend_from_slice(fixed);
    fill(&mut Writer(to));
    let length = u32::try_from(to.len() - start).expect("a message is shorter than 4 GiB");
    to[start..start + 4].copy_from_slice(&length.to_ne_bytes());
}

/// The attributes in a buffer, each as its type without flags and its value. It ends at the first
/// malformed one.
pub fn attributes(mut buffer: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (header, _) = buffer.split_first_chunk::<HEADER>()?;
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]) & TYPE;
        let value = buffer.get(HEADER..length)?;
        buffer = buffer.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The value of the first attribute of a type.
pub fn attribute(buffer: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(buffer).find(|(candidate, _)| *candidate == kind).map(|(_, value)| value)
}

/// A string: the bytes before its NUL, if they are UTF-8.
pub fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value.split(|byte| *byte == 0).next()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut bytes = Vec::new();
        Writer::new(&mut bytes).bytes(1, &[7]).nest(2, |inner| {
            inner.text(3, "br0").be32(4, 5);
        });
        let all: Vec<_> = attributes(&bytes).collect();
        assert_eq!(all[0], (1, &[7][..]));
        assert_eq!(all[1].0, 2, "without the flag");
        assert_eq!(attribute(all[1].1, 3).and_then(text), Some("br0"));
        assert_eq!(attribute(all[1].1, 4), Some(&[0, 0, 0, 5][..]));
        assert_eq!((all.len(), bytes.len() % 4), (2, 0));
    }

    #[test]
    fn attributes_end_where_they_are_cut() {
        let good = [&5u16.to_ne_bytes()[..], &0x8003u16.to_ne_bytes(), &[42, 0, 0, 0]].concat();
        let bytes = [&good[..], &[200, 0, 1, 0, 9]].concat();
        assert_eq!(attributes(&bytes).collect::<Vec<_>>(), [(3, &[42][..])]);
        assert_eq!(attribute(&bytes, 3), Some(&[42][..]));
        assert_eq!(attribute(&[3, 0, 1, 0], 1), None, "a length below its own header");
    }

    #[test]
    fn messages_have_their_length_in_front() {
        let mut bytes = vec![9; 4];
        write_message(&mut bytes, 16, 3, 8, &[1; 4], |message| {
            message.bytes(1, &[2]);
        });
        let expected = [&28u32.to_ne_bytes()[..], &16u16.to_ne_bytes(), &3u16.to_ne_bytes(), &8u32.to_ne_bytes()];
        assert_eq!(bytes[4..16], expected.concat());
        assert_eq!(bytes[20..], [&[1; 4][..], &5u16.to_ne_bytes(), &1u16.to_ne_bytes(), &[2, 0, 0, 0]].concat());
    }

    #[test]
    fn strings_end_at_their_nul() {
        assert_eq!(
            [text(b"br0\0x"), text(b"br0"), text(b""), text(b"\xff\0")],
            [Some("br0"), Some("br0"), Some(""), None]
        );
    }
}
