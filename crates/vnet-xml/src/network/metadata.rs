//! `<metadata>`: data of other programs in a definition, printed as libxml2 prints it for libvirt.

mod help;
mod part;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::{self, Write};
use std::str::FromStr;

use super::extensions::PREFIX;
use super::{Extensions, VNET_NAMESPACE};
use crate::characters::{is_space, reference, unescape};
use crate::element::Element;
use crate::markup::{Written, name_of, tag};
use crate::tokens::{Token, Tokens};
use crate::write::Writer;
use crate::{Libvirt, Refused};

pub use part::{MetadataError, MetadataPart};

/// `<metadata>`: elements of other programs, each in a namespace of its own.
///
/// Kept as written, except for white space between elements. Read it with `parse`:
///
/// ```
/// use vnet_xml::network::Metadata;
///
/// let metadata: Metadata = "<metadata><app:owner xmlns:app='https://app.example'>ci</app:owner></metadata>".parse()?;
/// assert!(metadata.to_string().contains(r#"<app:owner xmlns:app="https://app.example">ci</app:owner>"#));
/// # Ok::<(), vnet_xml::Refused>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata(String);

impl Metadata {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The element as it stands in a definition.
impl fmt::Display for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Reads a `<metadata>` element; warnings are ignored.
impl FromStr for Metadata {
    type Err = Refused;

    fn from_str(text: &str) -> Result<Self, Refused> {
        let parsed = crate::document::parse(text.as_bytes(), "metadata", |element| {
            for (_, own) in element.in_namespace(VNET_NAMESPACE, PREFIX, element) {
                own.misplaced_here("it is not data of another program, but the network's `extensions`");
            }
            Some(metadata(element, element).unwrap_or_else(|| Self("<metadata/>".to_owned())))
        });
        parsed.into_result()
    }
}

/// `<metadata>` with what vnet has in it, which comes last.
pub(super) fn whole(others: Option<&Metadata>, own: &Extensions) -> Result<Option<String>, fmt::Error> {
    if own.is_empty() {
        return Ok(others.map(ToString::to_string));
    }
    let mut text = others.map_or("<metadata>", Metadata::as_str).to_owned();
    text.truncate(text.rfind("</metadata>").unwrap_or(text.len()));
    let mut writer = Writer::new(&mut text, Libvirt::default());
    own.write(&mut writer)?;
    writer.finish()?;
    text += "</metadata>";
    let mut printed = String::new();
    Node::read(&text).ok_or(fmt::Error)?.print(&mut printed, 1, true)?;
    Ok(Some(printed))
}

/// Reads `<metadata>`, without what is vnet's. `None` if it has no other element. `around` is the
/// parent, which may declare prefixes.
pub(super) fn metadata(element: &Element<'_>, around: &Element<'_>) -> Option<Metadata> {
    let mut root = Node::read(element.raw())?;
    let outer: Vec<_> = around.namespaces().collect();
    // Each program finds its element by the namespace, so a namespace may have only one.
    let mut seen = HashSet::new();
    let mut useless = Vec::new();
    let mut has_others = false;
    let scope = root.declared().chain(outer.iter().copied()).map(owned).collect::<Vec<_>>();
    root.children.retain(|child| {
        let Content::Element(child) = child else { return false };
        let namespace = child.namespace(&scope);
        let is_own = namespace.as_deref() == Some(VNET_NAMESPACE);
        let why = match namespace {
            None => Some("is in no namespace"),
            Some(_) if is_own => None,
            Some(namespace) => (!seen.insert(namespace)).then_some("is the second of its namespace"),
        };
        has_others |= !is_own;
        useless.push(why);
        why.is_none() && !is_own
    });
    element.useless_children(useless);
    if root.children.is_empty() && !has_others {
        return None;
    }
    let mut missing = Vec::new();
    root.undeclared(&mut Vec::new(), &mut missing);
    for prefix in missing {
        if let Some((_, uri)) = outer.iter().find(|(bound, _)| *bound == prefix) {
            root.attributes.push((Cow::Owned(format!("xmlns:{prefix}")), Cow::Borrowed(uri)));
        }
    }
    let mut text = String::new();
    root.print(&mut text, 1, true).expect("a string takes everything");
    Some(Metadata(text))
}

/// An element with all its content. Its depth is within the reader's limit.
struct Node<'a> {
    name: Cow<'a, str>,
    /// Declarations of namespaces included.
    attributes: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    children: Vec<Content<'a>>,
    /// Whether a text that begins with a blank was kept: from there on, libxml2 keeps all blanks.
    keeps_blanks: bool,
}

enum Content<'a> {
    Element(Node<'a>),
    Text(String),
    /// A CDATA section, a comment or an instruction, with its marks.
    Verbatim(&'a str),
    Character(&'a str),
}

impl<'a> Node<'a> {
    /// Reads an element whose text was already found well-formed.
    fn read(raw: &'a str) -> Option<Self> {
        let mut open: Vec<Self> = Vec::new();
        for token in Tokens::new(raw) {
            let (token, span) = token.ok()?;
            let (whole, next) = (&raw[span.clone()], &raw[span.end..]);
            let done = match token {
                Token::Start => {
                    open.push(Self::open(whole)?);
                    None
                }
                Token::Empty => Some(Self::open(whole)?),
                Token::End => open.pop(),
                Token::Text => {
                    open.last_mut()?.append(whole, next);
                    None
                }
                Token::Reference => {
                    let (character, _) = reference(whole, 0).ok()?;
                    open.last_mut()?.text().push(character);
                    None
                }
                Token::Section => {
                    open.last_mut()?.children.push(Content::Character(whole));
                    None
                }
                Token::Comment | Token::Instruction | Token::Declaration | Token::Doctype => {
                    open.last_mut()?.children.push(Content::Verbatim(whole));
                    None
                }
            };
            if let Some(done) = done {
                match open.last_mut() {
                    Some(parent) => parent.children.push(Content::Element(done)),
                    None => return Some(done),
                }
            }
        }
        None
    }

    fn open(whole: &'a str) -> Option<Self> {
        let mut attributes = Vec::new();
        let each = |Written { name, value, .. }| {
            attributes.push((Cow::Borrowed(&whole[name]), unescape(&whole[value], 0..0)?));
            Ok(())
        };
        tag(whole, 0, each).ok()?;
        let name = Cow::Borrowed(name_of(whole));
        Some(Self { name, attributes, children: Vec::new(), keeps_blanks: false })
    }

    /// The text at the end.
    fn text(&mut self) -> &mut String {
        if !matches!(self.children.last(), Some(Content::Text(_))) {
            self.children.push(Content::Text(String::new()));
        }
        match self.children.last_mut() {
            Some(Content::Text(text)) => text,
            _ => unreachable!("a text was just put there"),
        }
    }

    /// Adds text; like libxml2, this drops blanks between elements as layout.
    fn append(&mut self, text: &str, next: &str) {
        let is_text = |content: Option<&Content<'_>>| matches!(content, Some(Content::Text(_)));
        let only = self.children.is_empty() && next.starts_with("</");
        let within = is_text(self.children.first()) || is_text(self.children.last());
        let blank = text.trim_matches(is_space).is_empty() && next.starts_with('<');
        if !blank || only || within || self.keeps_blanks {
            self.keeps_blanks |= text.starts_with(is_space);
            self.text().push_str(&text.replace("\r\n", "\n").replace('\r', "\n"));
        }
    }

    fn declared(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attributes.iter().filter_map(|(name, value)| {
            let prefix = name.strip_prefix("xmlns")?;
            let prefix = if prefix.is_empty() { prefix } else { prefix.strip_prefix(':')? };
            Some((prefix, value.as_ref()))
        })
    }

    fn namespace(&self, scope: &[(String, String)]) -> Option<String> {
        let prefix = self.name.split_once(':').map_or("", |(prefix, _)| prefix);
        let own = self.declared().find(|(bound, _)| *bound == prefix).map(|(_, uri)| uri);
        let uri = own.or_else(|| scope.iter().find(|(bound, _)| bound == prefix).map(|(_, uri)| uri.as_str()))?;
        Some(uri.to_owned()).filter(|uri| !uri.is_empty())
    }

    /// The prefixes that the element uses and does not declare.
    fn undeclared(&self, bound: &mut Vec<String>, missing: &mut Vec<String>) {
        let outer = bound.len();
        bound.extend(self.declared().map(|(prefix, _)| prefix.to_owned()));
        let names = std::iter::once(self.name.as_ref()).chain(self.attributes.iter().map(|(name, _)| name.as_ref()));
        for (prefix, _) in names.filter_map(|name| name.split_once(':')) {
            let known = |known: &String| known == prefix;
            if !matches!(prefix, "xml" | "xmlns") && !bound.iter().any(known) && !missing.iter().any(known) {
                missing.push(prefix.to_owned());
            }
        }
        for child in &self.children {
            if let Content::Element(child) = child {
                child.undeclared(bound, missing);
            }
        }
        bound.truncate(outer);
    }

    /// Prints as `xmlNodeDump` does: declarations first, double quotes, and indentation if no child
    /// is text.
    fn print(&self, out: &mut String, level: usize, layout: bool) -> fmt::Result {
        write!(out, "<{}", self.name)?;
        let (declarations, others): (Vec<_>, Vec<_>) =
            self.attributes.iter().partition(|(name, _)| *name == "xmlns" || name.starts_with("xmlns:"));
        for (name, value) in declarations.into_iter().chain(others) {
            write!(out, " {name}=\"")?;
            value.chars().for_each(|c| match c {
                '"' => out.push_str("&quot;"),
                '\t' | '\n' | '\r' => out.push_str(&format!("&#{};", u32::from(c))),
                c if !c.is_ascii() => out.push_str(&format!("&#x{:X};", u32::from(c))),
                c => escape(out, c),
            });
            out.push('"');
        }
        if self.children.is_empty() {
            out.push_str("/>");
            return Ok(());
        }
        let is_text = |child: &Content<'_>| matches!(child, Content::Text(_) | Content::Character(_));
        let layout = layout && !self.children.iter().any(is_text);
        let line = |out: &mut String, level| if layout { write!(out, "\n{:1$}", "", 2 * level) } else { Ok(()) };
        out.push('>');
        let mut keeps_blanks = false;
        for (index, child) in self.children.iter().enumerate() {
            line(out, level + 1)?;
            match child {
                Content::Element(child) => child.print(out, level + 1, layout)?,
                Content::Text(text) => {
                    // Blanks that would be read back as layout are escaped. libxml2 does not do
                    // this and loses them.
                    let before = [self.children.first(), index.checked_sub(1).and_then(|it| self.children.get(it))];
                    let within = index > 0 && before.iter().any(|child| matches!(child, Some(Content::Text(_))));
                    let is_layout =
                        text.trim_matches(is_space).is_empty() && !within && !keeps_blanks && self.children.len() > 1;
                    for (at, c) in text.chars().enumerate() {
                        match c {
                            c if is_layout && at == 0 => write!(out, "&#{};", u32::from(c))?,
                            '\r' => out.push_str("&#13;"),
                            c => escape(out, c),
                        }
                    }
                    // A reference is not a blank to the reader.
                    let plain = text.chars().nth(usize::from(is_layout));
                    keeps_blanks |= plain.is_some_and(|c| is_space(c) && c != '\r');
                }
                Content::Verbatim(text) | Content::Character(text) => out.push_str(text),
            }
        }
        line(out, level)?;
        write!(out, "</{}>", self.name)
    }
}

fn owned((prefix, uri): (&str, &str)) -> (String, String) {
    (prefix.to_owned(), uri.to_owned())
}

fn escape(out: &mut String, c: char) {
    match c {
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '&' => out.push_str("&amp;"),
        c => out.push(c),
    }
}
