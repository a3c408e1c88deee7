//! What is between `<` and `>` (XML 1.0): attributes, declarations, instructions.

use crate::Span;
use crate::builder::{Malformed, malformed};
use crate::characters::{is_name, is_space};
use crate::encoding::{is_latin1, unread};

/// Finds the first attribute in a part of a tag: its name, and its value without the quotes.
pub(crate) fn attribute(source: &str, within: Span) -> Result<Option<(Span, Span)>, Malformed> {
    let (at, end) = (within.start, within.end);
    // All delimiters are ASCII, so places between them are places between characters.
    let tag = &source.as_bytes()[..end];
    let Some(name_at) = after(tag, at, is_blank) else { return Ok(None) };
    if name_at == at {
        return Err(malformed("a space is missing before the attribute", at..end));
    }
    let name_end = after(tag, name_at, |byte| !is_blank(byte) && byte != b'=').unwrap_or(end);
    let (name, name_span) = (&source[name_at..name_end], name_at..name_end);
    if !is_name(name) {
        return Err(malformed(format!("`{name}` is not a name in XML"), name_span));
    }
    let equals = after(tag, name_end, is_blank).filter(|at| tag[*at] == b'=');
    let equals = equals.ok_or_else(|| malformed(format!("`{name}` has no value"), name_span.clone()))?;
    let value = || {
        let quote_at = after(tag, equals + 1, is_blank)?;
        let quote = Some(tag[quote_at]).filter(|quote| matches!(quote, b'\'' | b'"'))?;
        Some(quote_at + 1..after(tag, quote_at + 1, |byte| byte != quote)?)
    };
    match value() {
        Some(value) => Ok(Some((name_span, value))),
        None => Err(malformed(format!("`{name}` has no value in quotes"), name_span)),
    }
}

/// The place of the first byte from here on that fails a test.
fn after(bytes: &[u8], from: usize, passes: impl Fn(u8) -> bool) -> Option<usize> {
    bytes[from..].iter().position(|byte| !passes(*byte)).map(|len| from + len)
}

fn is_blank(byte: u8) -> bool {
    is_space(char::from(byte))
}

/// Checks `<?xml version='1.0' encoding='UTF-8' standalone='yes'?>`: it has the version, and the
/// attributes are in this order.
pub(crate) fn declaration(source: &str, span: &Span) -> Result<(), Malformed> {
    let (mut at, end) = (span.start + "<?xml".len(), span.end - "?>".len());
    let mut known = ["version", "encoding", "standalone"].as_slice();
    while let Some((name, value)) = attribute(source, at..end)? {
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
