//! What is between `<` and `>` (XML 1.0): start tags, attributes, declarations, instructions.

use crate::Span;
use crate::builder::{Malformed, malformed};
use crate::characters::{is_name, is_plain_name, is_space};
use crate::encoding::{is_latin1, unread};

/// An attribute as it is written.
pub(crate) struct Written {
    pub(crate) name: Span,
    /// Whether the name has no prefix.
    pub(crate) has_plain_name: bool,
    /// Without the quotes.
    pub(crate) value: Span,
    /// Whether the value stands for itself, without references and odd white space.
    pub(crate) is_plain: bool,
}

/// Reads the start tag at a place: its end, and whether that is the end of the element too. Gives
/// each attribute to `each`. The name is not checked.
pub(crate) fn tag(
    source: &str,
    at: usize,
    mut each: impl FnMut(Written) -> Result<(), Malformed>,
) -> Result<(usize, bool), Malformed> {
    let bytes = source.as_bytes();
    let mut here = word_end(bytes, at + 1);
    loop {
        let next = skip(bytes, here);
        match bytes.get(next) {
            Some(b'>') => return Ok((next + 1, false)),
            Some(b'/') if bytes.get(next + 1) == Some(&b'>') => return Ok((next + 2, true)),
            Some(b'/') => return Err(malformed("`/` ends a tag only as `/>`", next..next + 1)),
            Some(_) if next == here => {
                let end = word_end(bytes, next).max(next + 1);
                return Err(malformed("a space is missing before the attribute", next..end));
            }
            Some(_) => {
                let written = attribute(source, next, bytes.len())?;
                here = written.value.end + 1;
                each(written)?;
            }
            None => return Err(malformed("the tag is not closed: it has no `>`", at..at + 1)),
        }
    }
}

/// The name in the start tag at the beginning of a text.
pub(crate) fn name_of(tag: &str) -> &str {
    &tag[1..word_end(tag.as_bytes(), 1)]
}

/// Finds the first attribute in a part of a declaration.
pub(crate) fn attribute_in(source: &str, within: Span) -> Result<Option<Written>, Malformed> {
    let at = skip(&source.as_bytes()[..within.end], within.start);
    if at == within.end {
        return Ok(None);
    }
    if at == within.start {
        return Err(malformed("a space is missing before the attribute", within));
    }
    attribute(source, at, within.end).map(Some)
}

/// Reads the attribute that begins at a place, in a text that ends at another.
fn attribute(source: &str, at: usize, end: usize) -> Result<Written, Malformed> {
    // All delimiters are ASCII, so places between them are places between characters.
    let bytes = &source.as_bytes()[..end];
    let name = at..word_end(bytes, at);
    let word = &source[name.clone()];
    let has_plain_name = is_plain_name(word);
    if !has_plain_name && !is_name(word) {
        return Err(malformed(format!("`{word}` is not a name in XML"), name));
    }
    let equals = skip(bytes, name.end);
    if bytes.get(equals) != Some(&b'=') {
        return Err(malformed(format!("`{word}` has no value"), name));
    }
    let start = skip(bytes, equals + 1) + 1;
    let Some(quote @ (b'\'' | b'"')) = bytes.get(start - 1).copied() else {
        return Err(malformed(format!("`{word}` has no value in quotes"), name));
    };
    let (rest, mut is_plain) = (&bytes[start..], true);
    for (len, byte) in rest.iter().enumerate() {
        if *byte == quote {
            return Ok(Written { name, has_plain_name, value: start..start + len, is_plain });
        }
        is_plain &= !matches!(byte, b'&' | b'<' | b'\t' | b'\n' | b'\r');
    }
    let quote = char::from(quote);
    Err(malformed(format!("the value of `{word}` is not closed: it has no second `{quote}`"), name))
}

/// The end of a word: of a name, if it is one.
fn word_end(bytes: &[u8], from: usize) -> usize {
    after(bytes, from, |byte| !is_blank(byte) && !matches!(byte, b'=' | b'>' | b'/'))
}

/// The end of the white space here.
fn skip(bytes: &[u8], from: usize) -> usize {
    after(bytes, from, is_blank)
}

/// The place of the first byte from here on that fails a test, or the end.
fn after(bytes: &[u8], mut at: usize, passes: impl Fn(u8) -> bool) -> usize {
    while bytes.get(at).is_some_and(|byte| passes(*byte)) {
        at += 1;
    }
    at
}

pub(crate) fn is_blank(byte: u8) -> bool {
    is_space(char::from(byte))
}

/// Checks `<?xml version='1.0' encoding='UTF-8' standalone='yes'?>`: it has the version, and the
/// attributes are in this order.
pub(crate) fn declaration(source: &str, span: &Span) -> Result<(), Malformed> {
    let (mut at, end) = (span.start + "<?xml".len(), span.end - "?>".len());
    let mut known = ["version", "encoding", "standalone"].as_slice();
    while let Some(Written { name, value, .. }) = attribute_in(source, at..end)? {
        let word = &source[name.clone()];
        let place = known.iter().position(|known| *known == word).filter(|place| known.len() < 3 || *place == 0);
        let Some(place) = place else {
            return Err(malformed(format!("`{word}` has no place here in an XML declaration"), name));
        };
        known = &known[place + 1..];
        let text = &source[value.clone()];
        let (right, expected) = match word {
            "version" => (text == "1.0", "only version 1.0 of XML is read"),
            "encoding" => (is_read(text), ""),
            _ => (matches!(text, "yes" | "no"), "`standalone` is `yes` or `no`"),
        };
        if !right && word == "encoding" {
            return Err(unread(text, value));
        }
        if !right {
            return Err(malformed(expected, value));
        }
        at = value.end + 1;
    }
    if known.len() == 3 { Err(malformed("the XML declaration has no version", span.clone())) } else { Ok(()) }
}

/// Whether this crate reads the encoding that a document names.
fn is_read(encoding: &str) -> bool {
    let utf8 = ["utf-8", "us-ascii"].iter().any(|known| encoding.eq_ignore_ascii_case(known));
    utf8 || is_latin1(encoding)
}

/// Checks the target of `<?target …?>`; the rest of an instruction is free text.
pub(crate) fn instruction(text: &str, span: Span) -> Result<(), Malformed> {
    let inner = &text["<?".len()..text.len() - "?>".len()];
    let target = &inner[..inner.find(is_space).unwrap_or(inner.len())];
    if is_name(target) && !target.eq_ignore_ascii_case("xml") {
        return Ok(());
    }
    Err(malformed(format!("`{target}` cannot be the target of an instruction"), span))
}
