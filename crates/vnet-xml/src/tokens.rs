//! The tokens of a document.

use crate::Span;
use crate::builder::{Malformed, malformed};
use crate::characters::reference;
use crate::markup::{Written, tag};

/// A part of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// `<a>`
    Start,
    /// `<a/>`
    Empty,
    /// `</a>`
    End,
    /// Everything up to the next `<` or `&`.
    Text,
    /// `&amp;`
    Reference,
    /// `<![CDATA[…]]>`
    Section,
    /// `<!--…-->`
    Comment,
    /// `<?a …?>`
    Instruction,
    /// `<?xml …?>`
    Declaration,
    /// `<!DOCTYPE …>`
    Doctype,
}

/// The tokens of a document with their places. What is wrong ends them.
pub(crate) struct Tokens<'a> {
    source: &'a str,
    /// The end of the last one.
    pub(crate) at: usize,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(source: &'a str) -> Self {
        Self { source, at: 0 }
    }

    /// The next token. Gives the attributes of a start tag to `each`.
    pub(crate) fn read(
        &mut self,
        each: impl FnMut(Written) -> Result<(), Malformed>,
    ) -> Option<Result<(Token, Span), Malformed>> {
        let rest = &self.source.as_bytes()[self.at..];
        let token = match rest {
            [] => return None,
            [b'<', b'/', ..] => self.until(Token::End, "</", ">"),
            [b'<', b'?', ..] => self.until(kind(rest), "<?", "?>"),
            [b'<', b'!', ..] => self.bang(),
            [b'<', ..] => tag(self.source, self.at, each).map(|(end, is_empty)| {
                let token = if is_empty { Token::Empty } else { Token::Start };
                (token, end)
            }),
            [b'&', ..] => reference(&self.source[self.at..], self.at).map(|(_, len)| (Token::Reference, self.at + len)),
            _ => {
                let len = rest.iter().position(|byte| matches!(byte, b'<' | b'&')).unwrap_or(rest.len());
                Ok((Token::Text, self.at + len))
            }
        };
        let start = self.at;
        self.at = token.as_ref().map_or(self.source.len(), |(_, end)| *end);
        Some(token.map(|(token, end)| (token, start..end)))
    }

    /// What begins with `<!`.
    fn bang(&self) -> Result<(Token, usize), Malformed> {
        let rest = &self.source[self.at..];
        if rest.starts_with("<![CDATA[") {
            return self.until(Token::Section, "<![CDATA[", "]]>");
        }
        if let Some(inner) = rest.strip_prefix("<!--") {
            let (token, end) = self.until(Token::Comment, "<!--", "-->")?;
            // Before the last mark, or with its first bytes.
            return match inner.find("--").map(|at| self.at + "<!--".len() + at) {
                Some(at) if at + "-->".len() < end => Err(malformed("`--` cannot be in a comment", at..at + 2)),
                _ => Ok((token, end)),
            };
        }
        if rest.as_bytes().get(..9).is_some_and(|start| start.eq_ignore_ascii_case(b"<!DOCTYPE")) {
            // What is in brackets has tags of its own.
            let opening = rest.find(['>', '[']).filter(|at| rest[*at..].starts_with('[')).unwrap_or_default();
            let inner = if opening > 0 { rest[opening..].find(']').unwrap_or_default() } else { 0 };
            let end = rest[opening + inner..].find('>').map_or(rest.len(), |len| opening + inner + len + 1);
            return Ok((Token::Doctype, self.at + end));
        }
        Err(malformed("`<!` begins neither a comment nor a CDATA section", self.at..self.at + 2))
    }

    /// A token from one mark to another.
    fn until(&self, token: Token, from: &str, to: &str) -> Result<(Token, usize), Malformed> {
        let start = self.at + from.len();
        match self.source[start..].find(to) {
            Some(len) => Ok((token, start + len + to.len())),
            None => Err(malformed(format!("`{from}` is not closed: there is no `{to}` after it"), self.at..start)),
        }
    }
}

/// Whether something that begins with `<?` is a declaration.
fn kind(rest: &[u8]) -> Token {
    match rest {
        [b'<', b'?', b'x', b'm', b'l', b' ' | b'\t' | b'\n' | b'\r' | b'?', ..] => Token::Declaration,
        _ => Token::Instruction,
    }
}

/// Without looking at attributes.
impl Iterator for Tokens<'_> {
    type Item = Result<(Token, Span), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read(|_| Ok(()))
    }
}
