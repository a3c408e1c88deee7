//! Characters, names and references of XML 1.0.

use std::borrow::Cow;

use crate::builder::{Malformed, malformed};
use crate::{Span, rules};

/// The value of an attribute: replaces its references, and each white space character by a blank.
pub(crate) fn unescape(raw: &str, span: Span) -> Result<Cow<'_, str>, Malformed> {
    if !raw.bytes().any(|byte| matches!(byte, b'&' | b'<' | b'\t' | b'\n' | b'\r')) {
        return Ok(Cow::Borrowed(raw));
    }
    if raw.contains('<') {
        return Err(malformed("`<` is written `&lt;` in a value", span));
    }
    let at = span.start;
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(c) = rest.chars().next() {
        let len = if c == '&' {
            let (value, len) = reference(rest, at + raw.len() - rest.len())?;
            text.push(value);
            len
        } else {
            text.push(if is_space(c) { ' ' } else { c });
            if rest.starts_with("\r\n") { 2 } else { c.len_utf8() }
        };
        rest = &rest[len..];
    }
    Ok(Cow::Owned(text))
}

/// The character that a reference at the start of a text stands for, and the reference's length.
pub(crate) fn reference(text: &str, at: usize) -> Result<(char, usize), Malformed> {
    let len = text.bytes().skip(1).take(12).position(|byte| matches!(byte, b';' | b'&' | b'<')).map(|len| len + 1);
    let len = len.filter(|len| text.as_bytes()[*len] == b';');
    let len = len.ok_or_else(|| malformed("`&` is written `&amp;`", at..at + 1))?;
    let span = at..at + len + 1;
    let name = &text[1..len];
    let digits = |digits: &str, radix| {
        let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        plain.then(|| u32::from_str_radix(digits, radix).ok()).flatten().and_then(char::from_u32)
    };
    let value = match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => match (name.strip_prefix("#x"), name.strip_prefix('#')) {
            (Some(hex), _) => digits(hex, 16).filter(|c| is_xml_char(*c)),
            (None, Some(decimal)) => digits(decimal, 10).filter(|c| is_xml_char(*c)),
            (None, None) => {
                let message = format!("the entity `&{name};` is not one of the five of XML");
                return Err(Malformed::new(rules::ENTITY, message, span));
            }
        },
    };
    let value = value.ok_or_else(|| malformed(format!("`&{name};` is no character of XML"), span))?;
    Ok((value, len + 1))
}

pub(crate) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

pub(crate) fn is_xml_char(c: char) -> bool {
    (c >= ' ' || is_space(c)) && !matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// The first character of a text that XML does not allow, and its place.
pub(crate) fn forbidden(text: &str) -> Option<(usize, char)> {
    // U+FFFE and U+FFFF begin with the byte 0xEF. Nearly all documents have neither it nor control
    // characters, which the compiler sees 64 bytes at a time.
    let plain = |byte: &u8| (*byte >= b' ' || matches!(byte, b'\t' | b'\n' | b'\r')) & (*byte != 0xef);
    let is_plain = |bytes: &[u8]| bytes.iter().fold(true, |all, byte| all & plain(byte));
    let suspicious = text.as_bytes().chunks(64).any(|bytes| !is_plain(bytes));
    if suspicious { text.char_indices().find(|(_, c)| !is_xml_char(*c)) } else { None }
}

/// Whether a text is a name like nearly all: of ASCII, and without a prefix.
pub(crate) fn is_plain_name(text: &str) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic) && text.as_bytes().iter().all(plain)
}

pub(crate) fn is_name(text: &str) -> bool {
    if is_plain_name(text) {
        return true;
    }
    let start = |c: char| c.is_alphabetic() || matches!(c, '_' | ':');
    let rest = |c: char| start(c) || c.is_numeric() || matches!(c, '-' | '.' | '\u{b7}');
    let colons = text.matches(':').count() < 2 && !text.starts_with(':') && !text.ends_with(':');
    text.starts_with(start) && text.chars().all(rest) && colons
}
