//! Builds the tree from tokens, and checks what XML 1.0 demands beyond them. A DTD is refused, and
//! so is every entity except the five of XML.

use std::borrow::Cow;

use crate::characters::{forbidden, is_name, is_plain_name, is_space, reference, unescape};
use crate::markup::{Written, declaration, instruction, is_blank, name_of};
use crate::network::DNSMASQ_NAMESPACE;
use crate::rules;
use crate::tokens::{Token, Tokens};
use crate::tree::{Attribute, Node, Tree};
use crate::{Code, Replacement, Span};

/// The limits of a document. What exceeds them is refused before it is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of text.
    pub bytes: usize,
    /// How deep elements are nested.
    pub depth: usize,
    /// Number of elements.
    pub elements: usize,
    /// Number of attributes of one element.
    pub attributes: usize,
    /// Number of attributes of all elements together.
    pub attributes_in_all: usize,
    /// Number of namespace prefixes that are bound at once.
    pub prefixes: usize,
}

impl Limits {
    /// The limits that documents are read with: they allow about a hundred thousand DHCP hosts. The
    /// tree takes at most 64 MiB.
    pub const DEFAULT: Self = Self {
        bytes: 10 << 20,
        depth: 64,
        elements: 250_000,
        attributes: 64,
        attributes_in_all: 500_000,
        prefixes: 64,
    };

    /// For text that this crate has printed.
    pub(crate) const NONE: Self = Self {
        bytes: usize::MAX,
        depth: usize::MAX,
        elements: usize::MAX,
        attributes: usize::MAX,
        attributes_in_all: usize::MAX,
        prefixes: usize::MAX,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Why a text is not a document.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) span: Span,
    pub(crate) fix: Option<Replacement>,
}

impl Malformed {
    pub(crate) fn new(code: Code, message: String, span: Span) -> Self {
        Self { code, message, help: None, span, fix: None }
    }
}

/// Reads a document.
pub(crate) fn parse<'a>(source: &'a str, limits: &Limits) -> Result<Tree<'a>, Malformed> {
    if source.len() > limits.bytes {
        let message = format!("the document is larger than {} bytes", limits.bytes);
        return Err(Malformed::new(rules::TOO_LARGE, message, 0..0));
    }
    if let Some((at, c)) = forbidden(source) {
        let message = format!("the character {c:?} is not allowed in XML");
        return Err(Malformed::new(rules::CHARACTER, message, at..at + c.len_utf8()));
    }
    // One byte order mark is allowed and already removed.
    if source.starts_with('\u{feff}') {
        return Err(malformed("there is a second byte order mark", 0..'\u{feff}'.len_utf8()));
    }
    Builder::new(source, limits).build()
}

struct Builder<'a, 'l> {
    source: &'a str,
    limits: &'l Limits,
    tree: Tree<'a>,
    open: Vec<Open>,
    prefixes: Vec<&'a str>,
    /// Whether an attribute of the start tag that is read may have a prefix.
    may_have_prefix: bool,
}

/// What was read before a start tag.
struct Before {
    attributes: usize,
    prefixes: usize,
}

struct Open {
    node: u32,
    last_child: Option<u32>,
    prefixes: usize,
}

impl<'a, 'l> Builder<'a, 'l> {
    fn new(source: &'a str, limits: &'l Limits) -> Self {
        // In parts whose counts fit into a byte, the compiler counts 16 bytes at a time.
        let in_part = |part: &[u8], mark: u8| part.iter().fold(0, |count: u8, byte| count + u8::from(*byte == mark));
        let count = |mark| source.as_bytes().chunks(255).map(|part| usize::from(in_part(part, mark))).sum::<usize>();
        let nodes = Vec::with_capacity(count(b'<').min(limits.elements));
        let attributes = Vec::with_capacity(count(b'=').min(limits.attributes_in_all));
        let tree = Tree { source, nodes, attributes, comments: Vec::new() };
        Self { source, limits, tree, open: Vec::new(), prefixes: vec!["xml", "xmlns"], may_have_prefix: false }
    }

    fn build(mut self) -> Result<Tree<'a>, Malformed> {
        let source = self.source;
        let mut tokens = Tokens::new(source);
        loop {
            let before = Before { attributes: self.tree.attributes.len(), prefixes: self.prefixes.len() };
            let start = tokens.at;
            let Some(token) = tokens.read(|written| self.attribute(start, &before, written)) else {
                return self.finish();
            };
            let (token, span) = token?;
            match token {
                Token::Start => self.open(span, &before)?,
                Token::Empty => {
                    let end = span.end;
                    self.open(span, &before)?;
                    self.close(end);
                }
                Token::End => self.end(span)?,
                Token::Text => self.text(span)?,
                Token::Section => self.append(span.clone(), line_ends(&source[span.start + 9..span.end - 3]))?,
                Token::Reference => {
                    let (text, _) = reference(&source[span.clone()], span.start)?;
                    self.append(span, Cow::Owned(text.to_string()))?;
                }
                Token::Doctype => {
                    let message = "a document type declaration is not allowed".to_owned();
                    return Err(Malformed::new(rules::DOCTYPE, message, span));
                }
                Token::Declaration if span.start == 0 => declaration(source, &span)?,
                Token::Declaration => return Err(malformed("the XML declaration must come first", span)),
                Token::Instruction => instruction(&source[span.clone()], span)?,
                Token::Comment => self.tree.comments.push(span),
            }
        }
    }

    /// Opens the element of a start tag whose attributes are read.
    fn open(&mut self, span: Span, before: &Before) -> Result<(), Malformed> {
        let name = name_of(&self.source[span.start..]);
        let name_span = span.start + 1..span.start + 1 + name.len();
        let has_plain_name = is_plain_name(name);
        if !has_plain_name && !is_name(name) {
            return Err(malformed(format!("`{name}` is not a name in XML"), name_span));
        }
        if self.open.is_empty() && !self.tree.nodes.is_empty() {
            return Err(malformed("a document has one element at its root", name_span));
        }
        let too_large = |what: String| Malformed::new(rules::TOO_LARGE, what, name_span.clone());
        if self.open.len() >= self.limits.depth {
            return Err(too_large(format!("more than {} elements are within each other", self.limits.depth)));
        }
        if self.tree.nodes.len() >= self.limits.elements {
            return Err(too_large(format!("the document has more than {} elements", self.limits.elements)));
        }
        // A tag may declare its prefixes behind their use.
        if std::mem::take(&mut self.may_have_prefix) {
            for attribute in &self.tree.attributes[before.attributes..] {
                self.check_prefix(attribute.name, attribute.name_span())?;
            }
        }
        if !has_plain_name {
            self.check_prefix(name, name_span)?;
        }
        let index = small(self.tree.nodes.len());
        self.tree.nodes.push(Node {
            name,
            start_tag: (small(span.start), small(span.end)),
            end: small(span.end),
            attributes: (small(before.attributes), small(self.tree.attributes.len())),
            first_child: None,
            next_sibling: None,
            text: None,
            text_at: (0, 0),
        });
        if let Some(parent) = self.open.last_mut() {
            match parent.last_child.replace(index) {
                Some(previous) => self.tree.nodes[previous as usize].next_sibling = Some(index),
                None => self.tree.nodes[parent.node as usize].first_child = Some(index),
            }
        }
        self.open.push(Open { node: index, last_child: None, prefixes: before.prefixes });
        Ok(())
    }

    /// Takes an attribute of the start tag at a place.
    fn attribute(&mut self, tag: usize, before: &Before, written: Written) -> Result<(), Malformed> {
        let (name, raw) = (&self.source[written.name.clone()], &self.source[written.value.clone()]);
        let this = &self.tree.attributes[before.attributes..];
        if this.len() >= self.limits.attributes {
            let element = name_of(&self.source[tag..]);
            let message = format!("`{element}` has more than {} attributes", self.limits.attributes);
            return Err(Malformed::new(rules::TOO_LARGE, message, written.name));
        }
        if self.tree.attributes.len() >= self.limits.attributes_in_all {
            let message = format!("the document has more than {} attributes", self.limits.attributes_in_all);
            return Err(Malformed::new(rules::TOO_LARGE, message, written.name));
        }
        if this.iter().any(|attribute| attribute.name == name) {
            return Err(malformed(format!("`{name}` is given twice"), written.name));
        }
        if let Some(prefix) = name.strip_prefix("xmlns:") {
            // Each use of a prefix searches all bound prefixes, so their number is limited.
            if self.prefixes.len() >= self.limits.prefixes {
                let message = format!("more than {} namespace prefixes are bound at once", self.limits.prefixes);
                return Err(Malformed::new(rules::TOO_LARGE, message, written.name));
            }
            self.prefixes.push(prefix);
        }
        self.may_have_prefix |= !written.has_plain_name;
        let value = if written.is_plain { Cow::Borrowed(raw) } else { unescape(raw, written.value.clone())? };
        let (name_at, value_at) = (small(written.name.start), (small(written.value.start), small(written.value.end)));
        self.tree.attributes.push(Attribute { name, value, name_at, value_at });
        Ok(())
    }

    fn check_prefix(&self, name: &str, span: Span) -> Result<(), Malformed> {
        match name.split_once(':').map(|(prefix, _)| prefix) {
            Some(prefix) if !self.prefixes.contains(&prefix) => {
                let known = [("dnsmasq", DNSMASQ_NAMESPACE)].into_iter().find(|(known, _)| *known == prefix);
                let namespace = known.map_or("…", |(_, namespace)| namespace);
                let (root, message) = (self.tree.nodes.first(), format!("the prefix `{prefix}` is not declared"));
                let root = root.map_or("network", |root| root.name);
                let help = Some(format!("write `<{root} xmlns:{prefix}='{namespace}'>`"));
                // The end of the name of the root element.
                let at = self.tree.nodes.first().map_or(0, |root| root.start_tag.0 as usize + 1 + root.name.len());
                let text = format!(" xmlns:{prefix}='{namespace}'");
                let fix = known.filter(|_| at > 0).map(|_| Replacement { span: at..at, text });
                Err(Malformed { help, fix, ..malformed(message, span) })
            }
            _ => Ok(()),
        }
    }

    fn end(&mut self, span: Span) -> Result<(), Malformed> {
        let name = self.source[span.start + 2..span.end - 1].trim_end_matches(is_space);
        match self.open.last().map(|open| self.tree.nodes[open.node as usize].name) {
            Some(open) if open == name => {
                self.close(span.end);
                Ok(())
            }
            Some(open) => Err(malformed(format!("`<{open}>` ends with `</{open}>`, not with `</{name}>`"), span)),
            None => Err(malformed(format!("`</{name}>` ends an element that is not open"), span)),
        }
    }

    fn close(&mut self, end: usize) {
        let open = self.open.pop().expect("an element is open");
        self.tree.nodes[open.node as usize].end = small(end);
        self.prefixes.truncate(open.prefixes);
    }

    fn text(&mut self, span: Span) -> Result<(), Malformed> {
        let raw = &self.source[span.clone()];
        if raw.bytes().all(is_blank) && self.is_layout() {
            return Ok(());
        }
        if let Some(at) = raw.find("]]>") {
            let at = span.start + at;
            return Err(malformed("`]]>` is written `]]&gt;` in text", at..at + 3));
        }
        self.append(span, line_ends(raw))
    }

    /// Whether white space here is dropped: outside of the root element, and between elements.
    fn is_layout(&self) -> bool {
        self.open.last().is_none_or(|open| self.tree.nodes[open.node as usize].text.is_none())
    }

    fn append(&mut self, span: Span, text: Cow<'a, str>) -> Result<(), Malformed> {
        let Some(open) = self.open.last() else {
            return Err(malformed("there is text outside of the root element", span));
        };
        let node = &mut self.tree.nodes[open.node as usize];
        if node.text.is_none() && text.bytes().all(is_blank) {
            return Ok(());
        }
        let raw = &self.source[span.clone()];
        if node.text.is_none() {
            node.text_at.0 = small(span.end - raw.trim_start_matches(is_space).len());
        }
        let end = raw.trim_end_matches(is_space).len();
        if end > 0 && (node.text.is_none() || open.last_child.is_none()) {
            node.text_at.1 = small(span.start + end);
        }
        match &mut node.text {
            // Pieces are appended in place, because a text can have a million references.
            Some(whole) => whole.to_mut().push_str(&text),
            None => node.text = Some(text),
        }
        Ok(())
    }

    fn finish(self) -> Result<Tree<'a>, Malformed> {
        let end = self.source.len();
        if let Some(open) = self.open.last() {
            let node = &self.tree.nodes[open.node as usize];
            let span = node.start_tag.0 as usize..node.start_tag.1 as usize;
            return Err(malformed(format!("`<{}>` is not closed", node.name), span));
        }
        if self.tree.nodes.is_empty() {
            return Err(malformed("the document has no element", end..end));
        }
        Ok(self.tree)
    }
}

pub(crate) fn malformed(message: impl Into<String>, span: Span) -> Malformed {
    Malformed::new(rules::NOT_WELL_FORMED, message.into(), span)
}

/// The text with one newline for each line ending (XML 1.0, 2.11).
fn line_ends(text: &str) -> Cow<'_, str> {
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n").into() } else { text.into() }
}

fn small(at: usize) -> u32 {
    u32::try_from(at).expect("documents are far below 4 GiB")
}

#[cfg(test)]
mod tests;
