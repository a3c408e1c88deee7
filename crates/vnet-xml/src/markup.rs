//! What is between `<` and `>` (XML 1.0): attributes, declarations, instructions.

use crate::Span;
use crate::builder::{Malformed, malformed};
use crate::characters::{is_name, is_space};
use crate::encoding::{is_latin1, unread};

/// Finds the first attribute in a part of a tag: its name, and its value without the quotes.
pub(crate) fn attribute(source: &str, within: Span) -> Result<Option<(Span, Span)>, Malformed> {
    let (at, end) = (within.start, within.end);
    let rest = source[within].trim_start_matches(is_space);
    let name_at = end - rest.len();
    if rest.is_empty() {
        return Ok(None);
    }
    if name_at == at {
        return Err(malformed("a space is missing before the attribute", at..end));
    }
    let name = &rest[..rest.find(|c| is_space(c) || c == '=').unwrap_or(rest.len())];
    let name_span = name_at..name_at + name.len();
    if !is_name(name) {
        return Err(malformed(format!("`{name}` is not a name in XML"), name_span));
    }
    let value = rest[name.len()..].trim_start_matches(is_space).strip_prefix('=');
    let value = value.ok_or_else(|| malformed(format!("`{name}` has no value"), name_span.clone()))?;
    let value = value.trim_start_matches(is_space);
    let quoted = value.strip_prefix(['\'', '"']).and_then(|inner| {
        let quote = value.chars().next()?;
        Some(&inner[..inner.find(quote)?])
    });
    let raw = quoted.ok_or_else(|| malformed(format!("`{name}` has no value in quotes"), name_span.clone()))?;
    let value_at = end - value.len() + 1;
    Ok(Some((name_span, value_at..value_at + raw.len())))
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
