//! Builds the tree from quick-xml's events.
//!
//! quick-xml is lenient: this module checks what XML 1.0 demands beyond it. A DTD is refused, and
//! so is every entity except the five of XML.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::characters::{forbidden, is_name, is_space, reference, unescape};
use crate::markup::{attribute, declaration, instruction};
use crate::network::DNSMASQ_NAMESPACE;
use crate::rules;
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
    // One byte order mark is allowed and already removed. quick-xml would skip a second one without
    // counting its bytes.
    if source.starts_with('\u{feff}') {
        return Err(malformed("there is a second byte order mark", 0..'\u{feff}'.len_utf8()));
    }
    let mut builder = Builder::new(source, limits);
    let mut reader = Reader::from_str(source);
    reader.config_mut().check_comments = true;
    loop {
        let start = position(&reader);
        let event = reader.read_event().map_err(|error| {
            let at = usize::try_from(reader.error_position()).unwrap_or(0).min(source.len());
            malformed(error.to_string(), at..at)
        })?;
        let span = start..position(&reader);
        match event {
            Event::Start(tag) => builder.open(&tag, span, true)?,
            Event::Empty(tag) => builder.open(&tag, span, false)?,
            Event::End(_) => builder.close(span.end),
            Event::Text(_) => builder.text(span)?,
            Event::CData(_) => builder.append(span.clone(), &line_ends(&source[span.start + 9..span.end - 3]))?,
            Event::GeneralRef(_) => {
                let (text, _) = reference(&source[span.clone()], span.start)?;
                builder.append(span, text.encode_utf8(&mut [0; 4]))?;
            }
            Event::DocType(_) => {
                let message = "a document type declaration is not allowed".to_owned();
                return Err(Malformed::new(rules::DOCTYPE, message, span));
            }
            Event::Decl(_) if start == 0 => declaration(source, &span)?,
            Event::Decl(_) => return Err(malformed("the XML declaration must come first", span)),
            Event::PI(_) => instruction(&source[span.clone()], span)?,
            Event::Comment(_) => builder.tree.comments.push(span),
            Event::Eof => return builder.finish(),
        }
    }
}

fn position(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).expect("within a document in memory")
}

struct Builder<'a, 'l> {
    source: &'a str,
    limits: &'l Limits,
    tree: Tree<'a>,
    open: Vec<Open>,
    prefixes: Vec<&'a str>,
}

struct Open {
    node: u32,
    last_child: Option<u32>,
    prefixes: usize,
}

impl<'a, 'l> Builder<'a, 'l> {
    fn new(source: &'a str, limits: &'l Limits) -> Self {
        // A usual document has an element in about 50 bytes, and an attribute in about 25.
        let (nodes, attributes) = (Vec::with_capacity(source.len() / 50), Vec::with_capacity(source.len() / 25));
        let tree = Tree { source, nodes, attributes, comments: Vec::new() };
        Self { source, limits, tree, open: Vec::new(), prefixes: vec!["xml", "xmlns"] }
    }

    fn open(&mut self, tag: &BytesStart<'_>, span: Span, has_content: bool) -> Result<(), Malformed> {
        let name_len = tag.name().into_inner().len();
        let name = &self.source[span.start + 1..span.start + 1 + name_len];
        let name_span = span.start + 1..span.start + 1 + name_len;
        if !is_name(name) {
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
        let prefixes = self.prefixes.len();
        let attributes = self.attributes(name_span.end, &span, name)?;
        self.check_prefix(name, name_span.clone())?;
        let index = u32::try_from(self.tree.nodes.len()).expect("within the limit");
        self.tree.nodes.push(Node {
            name,
            start_tag: (small(span.start), small(span.end)),
            end: small(span.end),
            attributes,
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
        self.open.push(Open { node: index, last_child: None, prefixes });
        if !has_content {
            self.close(span.end);
        }
        Ok(())
    }

    /// Reads the attributes between the name of a start tag and its end.
    fn attributes(&mut self, start: usize, tag: &Span, element: &str) -> Result<(u32, u32), Malformed> {
        let first = self.tree.attributes.len();
        let end = tag.end - if self.source[tag.clone()].ends_with("/>") { 2 } else { 1 };
        let mut at = start;
        while let Some((name_span, value_span)) = attribute(self.source, at..end)? {
            let (name, raw) = (&self.source[name_span.clone()], &self.source[value_span.clone()]);
            let this = &self.tree.attributes[first..];
            if this.len() >= self.limits.attributes {
                let message = format!("`{element}` has more than {} attributes", self.limits.attributes);
                return Err(Malformed::new(rules::TOO_LARGE, message, name_span));
            }
            if self.tree.attributes.len() >= self.limits.attributes_in_all {
                let message = format!("the document has more than {} attributes", self.limits.attributes_in_all);
                return Err(Malformed::new(rules::TOO_LARGE, message, name_span));
            }
            if this.iter().any(|attribute| attribute.name == name) {
                return Err(malformed(format!("`{name}` is given twice"), name_span));
            }
            if let Some(prefix) = name.strip_prefix("xmlns:") {
                // Each use of a prefix searches all bound prefixes, so their number is limited.
                if self.prefixes.len() >= self.limits.prefixes {
                    let message = format!("more than {} namespace prefixes are bound at once", self.limits.prefixes);
                    return Err(Malformed::new(rules::TOO_LARGE, message, name_span));
                }
                self.prefixes.push(prefix);
            }
            let value = unescape(raw, value_span.clone())?;
            let (name_at, value_at) = (name_span.start, (small(value_span.start), small(value_span.end)));
            self.tree.attributes.push(Attribute { name, value, name_at: small(name_at), value_at });
            at = value_span.end + 1;
        }
        for index in first..self.tree.attributes.len() {
            let attribute = &self.tree.attributes[index];
            self.check_prefix(attribute.name, attribute.name_span())?;
        }
        let last = self.tree.attributes.len();
        Ok((small(first), small(last)))
    }

    fn check_prefix(&self, name: &str, span: Span) -> Result<(), Malformed> {
        match name.bytes().position(|byte| byte == b':').map(|at| &name[..at]) {
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

    fn close(&mut self, end: usize) {
        let open = self.open.pop().expect("quick-xml matches end tags with start tags");
        self.tree.nodes[open.node as usize].end = small(end);
        self.prefixes.truncate(open.prefixes);
    }

    fn text(&mut self, span: Span) -> Result<(), Malformed> {
        let raw = &self.source[span.clone()];
        if let Some(at) = Some(raw).filter(|raw| raw.as_bytes().contains(&b'>')).and_then(|raw| raw.find("]]>")) {
            let at = span.start + at;
            return Err(malformed("`]]>` is written `]]&gt;` in text", at..at + 3));
        }
        if self.open.is_empty() && raw.trim_matches(is_space).is_empty() {
            return Ok(());
        }
        self.append(span, &line_ends(raw))
    }

    fn append(&mut self, span: Span, text: &str) -> Result<(), Malformed> {
        let Some(open) = self.open.last() else {
            return Err(malformed("there is text outside of the root element", span));
        };
        let node = &mut self.tree.nodes[open.node as usize];
        // White space between elements is dropped; white space between texts is kept.
        if node.text.is_none() && text.trim_matches(is_space).is_empty() {
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
        // Pieces are appended in place, because a text can have a million references.
        node.text.get_or_insert_default().push_str(text);
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
