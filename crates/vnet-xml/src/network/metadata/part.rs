//! The parts of a network that are for people and other programs alone: `<title>`, `<description>`
//! and the elements of `<metadata>`, each read and set on its own, as libvirt does it.

use std::borrow::Cow;
use std::fmt;

use super::{Content, Metadata, Node, owned, whole};
use crate::characters::{is_name, is_xml_char};
use crate::document::any_element;
use crate::network::VNET_NAMESPACE;
use crate::{Network, Refused};

/// A part of a network that is for people or other programs, and changes nothing on a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MetadataPart {
    /// `<title>`: one line for people.
    Title,
    /// `<description>`: any text for people.
    Description,
    /// The element of `<metadata>` in the namespace with this URI.
    Element(String),
}

/// The namespaces of the prefixes `xml` and `xmlns` (Namespaces in XML 1.0, section 3).
const RESERVED: [&str; 2] = ["http://www.w3.org/XML/1998/namespace", "http://www.w3.org/2000/xmlns/"];

/// Why a part cannot be set. The network is unchanged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// The title has a line break.
    #[error("a title is one line: a longer text can be the description")]
    TitleOfLines,
    /// The text has a character that XML cannot have.
    #[error("line {line}, column {column}: the control character U+{character:04X} cannot be in XML: leave it out",
        character = u32::from(*character))]
    Character {
        /// The character.
        character: char,
        /// Its line, from 1.
        line: usize,
        /// Its column in characters, from 1.
        column: usize,
    },
    /// The namespace is one of XML itself.
    #[error("`{0}` is a namespace of XML itself: no program can have an element in it")]
    ReservedNamespace(String),
    /// The namespace has no URI.
    #[error("the URI of the namespace is empty")]
    NoNamespace,
    /// The prefix is missing.
    #[error("the key is missing: the prefix that the namespace gets")]
    NoKey,
    /// The prefix is not one of XML.
    #[error("`{0}` cannot be the prefix of a namespace: it is a name without `:`, and not `xml` or `xmlns`")]
    Key(String),
    /// The element binds the prefix to another namespace.
    #[error("the element binds the prefix `{key}` to the namespace `{namespace}`: choose another key")]
    KeyTaken {
        /// The prefix.
        key: String,
        /// The namespace that it is bound to.
        namespace: String,
    },
    /// The element is in another namespace.
    #[error("the element is in the namespace `{found}`, not in `{wanted}`: name that one, or leave out its `xmlns`")]
    OtherNamespace {
        /// The namespace of the element.
        found: String,
        /// The namespace that was named.
        wanted: String,
    },
    /// The element is vnet's own, which has effects on a host.
    #[error("what vnet has in `<metadata>` changes what runs: `vnet forward` and `vnet edit` change it")]
    OfVnet,
    /// The text is not one element.
    #[error("the text is not an element: {0}")]
    Element(#[source] Refused),
}

/// `description`, `element of the namespace …`
impl fmt::Display for MetadataPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Title => f.write_str("title"),
            Self::Description => f.write_str("description"),
            Self::Element(namespace) => write!(f, "element of the namespace `{namespace}`"),
        }
    }
}

impl Network {
    /// The parts that the network has.
    pub fn metadata_parts(&self) -> Vec<MetadataPart> {
        let title = self.title.as_ref().map(|_| MetadataPart::Title);
        let description = self.description.as_ref().map(|_| MetadataPart::Description);
        let elements = self.metadata.iter().flat_map(Metadata::namespaces).map(MetadataPart::Element);
        let own = (!self.extensions.is_empty()).then(|| MetadataPart::Element(VNET_NAMESPACE.to_owned()));
        title.into_iter().chain(description).chain(elements).chain(own).collect()
    }

    /// A part as text. An element is without its namespace, which the caller has named.
    ///
    /// ```
    /// use vnet_xml::Network;
    /// use vnet_xml::network::MetadataPart;
    ///
    /// let (mut network, owner) = (Network::new("lab"), MetadataPart::Element("https://app.example".into()));
    /// network.set_metadata_part(&owner, Some("<owner team='ci'/>"), Some("app"))?;
    /// assert!(network.to_string().contains(r#"<app:owner xmlns:app="https://app.example" team="ci"/>"#));
    /// assert_eq!(network.metadata_part(&owner).as_deref(), Some(r#"<owner team="ci"/>"#));
    /// # Ok::<(), vnet_xml::network::MetadataError>(())
    /// ```
    pub fn metadata_part(&self, part: &MetadataPart) -> Option<String> {
        match part {
            MetadataPart::Title => self.title.clone(),
            MetadataPart::Description => self.description.clone(),
            MetadataPart::Element(namespace) if namespace == VNET_NAMESPACE => {
                Metadata(whole(None, &self.extensions).ok()??).element(namespace)
            }
            MetadataPart::Element(namespace) => self.metadata.as_ref()?.element(namespace),
        }
    }

    /// Sets a part in place of the one before; without a text, or with an empty one, removes it,
    /// which succeeds where there is none. The elements of an element's text that are in no
    /// namespace get that of the part, with `key` as their prefix.
    ///
    /// # Errors
    /// [`MetadataError`].
    pub fn set_metadata_part(
        &mut self,
        part: &MetadataPart,
        text: Option<&str>,
        key: Option<&str>,
    ) -> Result<(), MetadataError> {
        let text = text.filter(|text| !text.is_empty());
        if let (Some(text), MetadataPart::Title | MetadataPart::Description) = (text, part) {
            of_xml(text)?;
        }
        match part {
            MetadataPart::Title if text.is_some_and(|text| text.contains('\n')) => {
                return Err(MetadataError::TitleOfLines);
            }
            MetadataPart::Title => self.title = text.map(str::to_owned),
            MetadataPart::Description => self.description = text.map(str::to_owned),
            MetadataPart::Element(namespace) if namespace == VNET_NAMESPACE => return Err(MetadataError::OfVnet),
            MetadataPart::Element(namespace) => {
                let new = text.map(|text| element(text, namespace, key)).transpose()?;
                let before = std::mem::take(&mut self.metadata);
                self.metadata = with(before.as_ref(), namespace, new);
                // The element is deeper in the definition than in its text.
                if let Err(refused) = self.inactive().to_string().parse::<Self>() {
                    self.metadata = before;
                    return Err(MetadataError::Element(refused));
                }
            }
        }
        Ok(())
    }
}

impl Metadata {
    /// The URIs of the namespaces of the elements.
    pub fn namespaces(&self) -> Vec<String> {
        let Some(root) = Node::read(self.as_str()) else { return Vec::new() };
        let scope = root.scope();
        root.elements().filter_map(|element| element.namespace(&scope)).collect()
    }

    /// The element of a namespace, without the namespace.
    fn element(&self, namespace: &str) -> Option<String> {
        let root = Node::read(self.as_str())?;
        let scope = root.scope();
        let is_it = |element: &Node<'_>| element.namespace(&scope).as_deref() == Some(namespace);
        let elements = root.children.into_iter().filter_map(Content::into_element);
        let mut element = elements.into_iter().find(is_it)?;
        element.declare(&scope, namespace);
        element.leave(namespace);
        let mut text = String::new();
        element.print(&mut text, 1, true).expect("a string takes everything");
        Some(text)
    }
}

/// Whether every character of a text can be in XML.
fn of_xml(text: &str) -> Result<(), MetadataError> {
    for (line, words) in (1..).zip(text.split('\n')) {
        if let Some((column, character)) = (1..).zip(words.chars()).find(|(_, c)| !is_xml_char(*c)) {
            return Err(MetadataError::Character { character, line, column });
        }
    }
    Ok(())
}

/// The metadata with a new element in a namespace, after the others. `None` when no element is
/// left.
fn with(before: Option<&Metadata>, namespace: &str, new: Option<Node<'_>>) -> Option<Metadata> {
    let known = before.and_then(|before| Node::read(before.as_str()));
    let mut root = known.unwrap_or_else(|| Node {
        name: Cow::Borrowed("metadata"),
        attributes: Vec::new(),
        children: Vec::new(),
        keeps_blanks: false,
    });
    let scope = root.scope();
    root.children.retain(|child| match child {
        Content::Element(child) => child.namespace(&scope).as_deref() != Some(namespace),
        _ => true,
    });
    root.children.extend(new.map(Content::Element));
    if root.children.is_empty() {
        return None;
    }
    let mut text = String::new();
    root.print(&mut text, 1, true).expect("a string takes everything");
    Some(Metadata(text))
}

/// Reads an element, and puts it into a namespace.
fn element<'a>(text: &'a str, namespace: &str, key: Option<&str>) -> Result<Node<'a>, MetadataError> {
    if namespace.is_empty() {
        return Err(MetadataError::NoNamespace);
    }
    if RESERVED.contains(&namespace) {
        return Err(MetadataError::ReservedNamespace(namespace.to_owned()));
    }
    let key = key.ok_or(MetadataError::NoKey)?;
    if !is_name(key) || key.contains(':') || matches!(key, "xml" | "xmlns") {
        return Err(MetadataError::Key(key.to_owned()));
    }
    let raw = any_element(text, "metadata").map_err(MetadataError::Element)?;
    let mut element = Node::read(raw).ok_or_else(|| MetadataError::Key(key.to_owned()))?;
    if let Some(bound) = element.binds(key, namespace) {
        return Err(MetadataError::KeyTaken { key: key.to_owned(), namespace: bound });
    }
    if element.enter(key, false) && !element.declared().any(|(prefix, _)| prefix == key) {
        element.attributes.push((Cow::Owned(format!("xmlns:{key}")), Cow::Owned(namespace.to_owned())));
    }
    match element.namespace(&[]) {
        Some(found) if found != namespace => Err(MetadataError::OtherNamespace { found, wanted: namespace.to_owned() }),
        _ => Ok(element),
    }
}

impl<'a> Content<'a> {
    fn into_element(self) -> Option<Node<'a>> {
        match self {
            Self::Element(element) => Some(element),
            _ => None,
        }
    }
}

impl<'a> Node<'a> {
    fn elements(&self) -> impl Iterator<Item = &Node<'a>> {
        self.children.iter().filter_map(|child| match child {
            Content::Element(child) => Some(child),
            _ => None,
        })
    }

    fn elements_mut(&mut self) -> impl Iterator<Item = &mut Node<'a>> {
        self.children.iter_mut().filter_map(|child| match child {
            Content::Element(child) => Some(child),
            _ => None,
        })
    }

    /// The namespaces that it declares, by prefix.
    fn scope(&self) -> Vec<(String, String)> {
        self.declared().map(owned).collect()
    }

    /// Another namespace that the prefix is bound to, here or within.
    fn binds(&self, prefix: &str, namespace: &str) -> Option<String> {
        let mut bound = self.declared().filter(|(bound, uri)| *bound == prefix && *uri != namespace);
        let within = || self.elements().find_map(|child| child.binds(prefix, namespace));
        bound.next().map(|(_, uri)| uri.to_owned()).or_else(within)
    }

    /// Gives the elements that are in no namespace a prefix. Returns whether there are any.
    fn enter(&mut self, key: &str, has_default: bool) -> bool {
        let default = self.declared().find(|(prefix, _)| prefix.is_empty()).map(|(_, uri)| !uri.is_empty());
        let has_default = default.unwrap_or(has_default);
        let enters = !has_default && !self.name.contains(':');
        if enters {
            self.name = Cow::Owned(format!("{key}:{}", self.name));
        }
        self.elements_mut().fold(enters, |any, child| child.enter(key, has_default) || any)
    }

    /// Declares what it uses of an outer scope. An element without a prefix that is in `namespace`
    /// needs no declaration, as that goes.
    fn declare(&mut self, scope: &[(String, String)], namespace: &str) {
        let mut missing = Vec::new();
        self.undeclared(&mut Vec::new(), &mut missing);
        let default = !self.declared().any(|(prefix, _)| prefix.is_empty());
        for (prefix, uri) in scope {
            let is_used = missing.contains(prefix) || (prefix.is_empty() && default && uri != namespace);
            if is_used {
                let name = if prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{prefix}") };
                self.attributes.push((Cow::Owned(name), Cow::Owned(uri.clone())));
            }
        }
    }

    /// Takes a namespace that it declares from its elements, unless something else would change.
    fn leave(&mut self, namespace: &str) {
        let Some(prefix) = self.declared().find(|(_, uri)| *uri == namespace).map(|(prefix, _)| prefix.to_owned())
        else {
            return;
        };
        if !prefix.is_empty() && self.needs(&prefix, true) {
            return;
        }
        let declaration = if prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{prefix}") };
        self.attributes.retain(|(name, _)| *name != declaration);
        if !prefix.is_empty() {
            self.strip(&format!("{prefix}:"));
        }
    }

    /// Whether a prefix cannot go: an attribute has it, it is declared again, or an element would
    /// come into a default namespace.
    fn needs(&self, prefix: &str, is_root: bool) -> bool {
        let is_prefixed = |name: &str| name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(':'));
        let is_again = |bound: &str| bound.is_empty() || (bound == prefix && !is_root);
        self.attributes.iter().any(|(name, _)| is_prefixed(name))
            || self.declared().any(|(bound, _)| is_again(bound))
            || self.elements().any(|child| child.needs(prefix, false))
    }

    fn strip(&mut self, prefix: &str) {
        if let Some(name) = self.name.strip_prefix(prefix) {
            self.name = Cow::Owned(name.to_owned());
        }
        self.elements_mut().for_each(|child| child.strip(prefix));
    }
}
