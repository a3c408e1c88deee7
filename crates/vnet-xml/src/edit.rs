//! Edits: remedies for what is wrong in a document, as changes of its text.

use crate::characters::is_space;
use crate::tokens::{Token, Tokens};
use crate::write::escaped;
use crate::{NodePath, SourceMap, Span};

/// A part of a document and the text that replaces it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Replacement {
    /// The bytes that are replaced; empty where text is inserted.
    pub span: Span,
    /// What stands there instead.
    pub text: String,
}

/// A change of one value of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Edit {
    /// Gives an attribute a value. An attribute that is absent is added.
    Attribute {
        /// The attribute.
        path: NodePath,
        /// Its new value.
        value: String,
    },
    /// Replaces the text of an element that has nothing but text.
    Text {
        /// The element.
        path: NodePath,
        /// Its new text.
        text: String,
    },
    /// Removes an element or an attribute.
    Remove {
        /// The element or the attribute.
        path: NodePath,
    },
}

impl Edit {
    /// Gives an attribute a value.
    pub fn attribute(path: NodePath, value: impl ToString) -> Self {
        Self::Attribute { path, value: value.to_string() }
    }

    /// The edit as a change of the text, by the places of the document. `None` if the document has
    /// no such place, or writes the value in another place than the model has it.
    ///
    /// ```
    /// use vnet_xml::{Edit, Network, NodePath, edited};
    ///
    /// let document = "<network><name>lab</name><mtu size='9000'/></network>";
    /// let places = Network::parse(document.as_bytes()).source;
    /// let mtu = NodePath::root("network").element("mtu");
    /// let edit = Edit::attribute(mtu.attribute("size"), 1500);
    /// let replacement = edit.in_text(document, &places).expect("a place");
    /// assert_eq!(edited(document, [vec![replacement]]).0, "<network><name>lab</name><mtu size='1500'/></network>");
    /// let edit = Edit::Remove { path: mtu };
    /// let replacement = edit.in_text(document, &places).expect("a place");
    /// assert_eq!(edited(document, [vec![replacement]]).0, "<network><name>lab</name></network>");
    /// ```
    pub fn in_text(&self, document: &str, places: &SourceMap) -> Option<Replacement> {
        match self {
            Self::Attribute { path, value } => match places.exact(path) {
                Some(span) => in_quotes(document, &span).then(|| Replacement { span, text: escaped(value) }),
                None => {
                    let name = path.as_str().rsplit_once("/@")?.1;
                    let tag = places.exact(&path.parent()?)?;
                    let end = tag_end(document, &tag)?;
                    Some(Replacement { span: end..end, text: format!(" {name}='{}'", escaped(value)) })
                }
            },
            Self::Text { path, text } => {
                let tag = places.exact(path)?;
                let len = document[tag.end..].find('<').filter(|_| !document[tag.clone()].ends_with("/>"))?;
                let span = tag.end..tag.end + len;
                document[span.end..].starts_with("</").then(|| Replacement { span, text: escaped(text) })
            }
            Self::Remove { path } => {
                let span = places.exact(path)?;
                let span = match path.as_str().rsplit_once("/@") {
                    Some((_, name)) => attribute_around(document, &span, name)?,
                    None => line_around(document, element_at(document, &span)?),
                };
                Some(Replacement { span, text: String::new() })
            }
        }
    }
}

/// A document with replacements made, and how many were made. Each list belongs together: if one of
/// its places is changed already, none of it is made.
pub fn edited(document: &str, changes: impl IntoIterator<Item = Vec<Replacement>>) -> (String, usize) {
    let mut made: Vec<Replacement> = Vec::new();
    let mut count = 0;
    for change in changes {
        let is_free = |it: &Replacement| {
            made.iter().all(|other| it.span.end < other.span.start || other.span.end < it.span.start)
        };
        if !change.is_empty() && change.iter().all(is_free) {
            made.extend(change);
            count += 1;
        }
    }
    made.sort_by_key(|replacement| replacement.span.start);
    let (mut text, mut kept) = (String::with_capacity(document.len()), 0);
    for Replacement { span, text: instead } in made {
        text.push_str(&document[kept..span.start]);
        text.push_str(&instead);
        kept = span.end;
    }
    text.push_str(&document[kept..]);
    (text, count)
}

fn in_quotes(document: &str, span: &Span) -> bool {
    let quote = |at: Option<usize>| document.as_bytes().get(at?).copied().filter(|byte| matches!(byte, b'\'' | b'"'));
    let before = quote(span.start.checked_sub(1));
    before.is_some() && before == quote(Some(span.end))
}

/// Where an attribute is added to a start tag.
fn tag_end(document: &str, tag: &Span) -> Option<usize> {
    let inside = document.get(tag.clone())?.strip_suffix('>')?;
    let inside = inside.strip_suffix('/').unwrap_or(inside).trim_end_matches(is_space);
    inside.starts_with('<').then_some(tag.start + inside.len())
}

/// An attribute with its name and the space before it.
fn attribute_around(document: &str, value: &Span, name: &str) -> Option<Span> {
    let head = document.get(..value.start.checked_sub(1)?)?.trim_end_matches(is_space).strip_suffix('=')?;
    let head = head.trim_end_matches(is_space).strip_suffix(name)?;
    in_quotes(document, value).then(|| head.trim_end_matches(is_space).len()..value.end + 1)
}

/// The whole of an element that begins with this start tag.
fn element_at(document: &str, tag: &Span) -> Option<Span> {
    let mut tokens = Tokens::new(document.get(tag.start..)?);
    let mut depth = 0_usize;
    loop {
        match tokens.next()?.ok()?.0 {
            Token::Start => depth += 1,
            Token::End => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(tag.start..tag.start + tokens.at);
        }
    }
}

/// With the rest of its lines, if nothing else is on them.
pub(crate) fn line_around(document: &str, span: Span) -> Span {
    let before = document[..span.start].trim_end_matches([' ', '\t']);
    let after = document[span.end..].trim_start_matches([' ', '\t']);
    match after.strip_prefix("\r\n").or_else(|| after.strip_prefix('\n')) {
        Some(next) if before.ends_with('\n') => before.len()..document.len() - next.len(),
        _ => span,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::Network;

    const DOCUMENT: &str = "<network ipv6 = \"yes\">\n  <name>a</name>\n  <title>b\nc</title>\n  <ip address='fd00::1'\n  />\n  \
                            <portgroup name='p'>\n    <vlan><tag id='1'/></vlan>\n  </portgroup>\n</network>\n";

    fn path(text: &str) -> NodePath {
        text.split('/').fold(NodePath::root("network"), |path, step| path.element(step))
    }

    #[rstest]
    #[case(Edit::attribute(path("@ipv6"), "a'<&\""), "ipv6 = \"a&apos;&lt;&amp;&quot;\"")]
    #[case(Edit::attribute(path("ip[1]/@family"), "ipv6"), "<ip address='fd00::1' family='ipv6'\n  />")]
    #[case(Edit::Remove { path: path("@ipv6") }, "<network>\n")]
    #[case(Edit::Remove { path: path("portgroup[1]") }, "  />\n</network>")]
    #[case(Edit::Remove { path: path("portgroup[1]/vlan/tag[1]") }, "<vlan></vlan>")]
    #[case(Edit::Text { path: path("title"), text: "b & c".to_owned() }, "<title>b &amp; c</title>\n")]
    fn edits_are_made_in_the_text(#[case] edit: Edit, #[case] expected: &str) {
        let places = Network::parse(DOCUMENT.as_bytes()).source;
        let replacement = edit.in_text(DOCUMENT, &places).expect("a place");
        let (text, count) = edited(DOCUMENT, [vec![replacement]]);
        assert!(count == 1 && text.contains(expected), "{text}");
        assert!(Network::parse(text.as_bytes()).value.is_some(), "{text}");
    }

    #[test]
    fn what_overlaps_is_left_for_later() {
        let at = |span: Span, text: &str| Replacement { span, text: text.to_owned() };
        let changes = [vec![at(0..1, "A"), at(4..5, "E")], vec![at(2..3, "C"), at(4..4, "!")], vec![at(2..3, "c")]];
        assert_eq!(edited("abcdef", changes), ("Abcdef".replace('e', "E"), 2));
    }
}
