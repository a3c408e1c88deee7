//! Documents in other encodings than UTF-8.
//!
//! libvirt reads every encoding that libxml2 knows. This crate reads UTF-8 and ISO-8859-1, which
//! needs no table, because its bytes are the first 256 characters of Unicode.

use std::borrow::Cow;

use crate::builder::Malformed;
use crate::characters::is_space;
use crate::markup::{Written, attribute_in};
use crate::{Span, rules};

/// A document as UTF-8. It maps places in the text back to bytes of the document.
pub(crate) struct Decoded<'a> {
    pub(crate) text: Cow<'a, str>,
    /// The places of characters that take one byte more in UTF-8.
    longer: Vec<usize>,
}

impl Decoded<'_> {
    /// Whether places in the text are the same as in the document.
    pub(crate) fn is_the_document(&self) -> bool {
        self.longer.is_empty()
    }

    /// The bytes of the document for a place in the text.
    pub(crate) fn span(&self, span: Span) -> Span {
        let at = |at: usize| at - self.longer.partition_point(|longer| *longer < at);
        at(span.start)..at(span.end)
    }
}

/// Reads the characters of a document without its byte order mark.
pub(crate) fn decode(document: &[u8]) -> Result<Decoded<'_>, Malformed> {
    let (declared, place) = declared(document).unwrap_or_default();
    if is_latin1(declared) && !document.is_ascii() {
        let text: String = document.iter().map(|byte| char::from(*byte)).collect();
        let longer = text.char_indices().filter(|(_, c)| !c.is_ascii()).map(|(at, _)| at).collect();
        return Ok(Decoded { text: text.into(), longer });
    }
    match str::from_utf8(document) {
        Ok(text) => Ok(Decoded { text: text.into(), longer: Vec::new() }),
        Err(_) if !declared.is_empty() && !declared.eq_ignore_ascii_case("utf-8") => Err(unread(declared, place)),
        Err(error) => {
            let at = error.valid_up_to();
            let end = (at + error.error_len().unwrap_or(1)).min(document.len());
            let message = "the text is not UTF-8 from here on".to_owned();
            let help = Some("say which encoding it is in, or convert it with iconv(1)".to_owned());
            Err(Malformed { help, ..Malformed::new(rules::NOT_UTF8, message, at..end) })
        }
    }
}

/// The encoding that the XML declaration names, and where.
pub(crate) fn declared(document: &[u8]) -> Option<(&str, Span)> {
    let end = document.starts_with(b"<?xml").then(|| document.iter().position(|byte| *byte == b'>'))??;
    let head = str::from_utf8(&document[..end]).ok()?.trim_end_matches('?');
    let mut at = "<?xml".len();
    while let Ok(Some(Written { name, value, .. })) = attribute_in(head, at..head.trim_end_matches(is_space).len()) {
        if &head[name] == "encoding" {
            return Some((&head[value.clone()], value));
        }
        at = value.end + 1;
    }
    None
}

/// The names by which libxml2 knows ISO-8859-1.
pub(crate) fn is_latin1(encoding: &str) -> bool {
    ["iso-8859-1", "iso-latin-1", "latin1"].iter().any(|known| encoding.eq_ignore_ascii_case(known))
}

pub(crate) fn unread(encoding: &str, span: Span) -> Malformed {
    let message = format!("documents in {encoding} are not read, only UTF-8 and ISO-8859-1");
    let help = Some(format!("convert it with `iconv -f {encoding} -t utf-8`, and leave `encoding` out"));
    Malformed { help, ..Malformed::new(rules::NOT_UTF8, message, span) }
}
