//! A cursor over the tree. Readers ask it for the parts of a document; it notes their places and
//! what is wrong with them.

mod notes;
mod report;
mod scope;

use crate::comments::{Comments, Reader};
use crate::grammar::{Grammar, TEXT};
use crate::source::{OUTSIDE, PlaceId};
use crate::tree::{Attribute, NodeRef};
use crate::{NodePath, rules};

pub(crate) use notes::Notes;
use report::name_span;
pub(crate) use scope::Scope;

/// An element of the tree, with its place in the model.
#[derive(Clone)]
pub(crate) struct Element<'t> {
    node: NodeRef<'t>,
    place: PlaceId,
    notes: &'t Notes,
}

/// Reads a value; the error says what is expected: "a number".
pub(crate) type Value<T> = fn(&str) -> Result<T, String>;

/// A yes-or-no attribute for which libvirt knows only one word.
pub(crate) struct Switch {
    /// The word that libvirt knows.
    pub(crate) word: &'static str,
    /// The opposite; libvirt reads every other word as this.
    pub(crate) opposite: &'static str,
    /// Whether upper and lower case are the same.
    pub(crate) any_case: bool,
}

impl<'t> Element<'t> {
    pub(crate) fn root(node: NodeRef<'t>, notes: &'t Notes) -> Self {
        let place = notes.source.borrow_mut().element(OUTSIDE, node.name(), node.span());
        Self { node, place, notes }
    }

    fn path(&self) -> NodePath {
        self.notes.source.borrow().path(self.place)
    }

    /// Reports everything in the element that the grammar does not allow. Every reader begins with
    /// this.
    pub(crate) fn expect(&self, grammar: &Grammar) {
        self.expect_beside(grammar, None);
    }

    /// As [`Self::expect`], but also allows a child whose name depends on the document.
    pub(crate) fn expect_beside(&self, grammar: &Grammar, child: Option<&str>) {
        self.expect_no_more(grammar, child);
        if !self.node.text().trim().is_empty() {
            self.stray_text();
        }
    }

    fn expect_no_more(&self, grammar: &Grammar, other: Option<&str>) {
        for attribute in self.node.attributes() {
            let name = attribute.name;
            if grammar.attributes.contains(&name) || name == "xmlns" || name.starts_with("xmlns:") {
                continue;
            }
            self.unknown_attribute(attribute, grammar);
        }
        for child in self.node.children() {
            let name = child.name();
            if !grammar.names().any(|it| it == name) && other != Some(name) {
                self.unknown_child(child, grammar);
            }
        }
    }

    /// The first child of this name.
    pub(crate) fn child(&self, name: &str) -> Option<Element<'t>> {
        let mut found = self.node.children().filter(|child| child.name() == name);
        let first = found.next()?;
        for other in found {
            let message = format!("only the first `<{name}>` of `<{}>` counts", self.node.name());
            self.report(rules::REPEATED, message, None, self.path().element(name), name_span(other));
        }
        Some(self.only(first))
    }

    /// The child of this name; a second one is an error.
    pub(crate) fn only_child(&self, name: &str) -> Option<Element<'t>> {
        let mut found = self.node.children().filter(|child| child.name() == name);
        let first = found.next()?;
        for other in found {
            let message = format!("there can be only one `<{name}>` in `<{}>`", self.node.name());
            self.report(rules::EXCLUSIVE, message, None, self.path().element(name), name_span(other));
        }
        Some(self.only(first))
    }

    /// A child that occurs once in the model.
    fn only(&self, node: NodeRef<'t>) -> Self {
        let place = self.notes.source.borrow_mut().element(self.place, node.name(), node.span());
        Self { node, place, notes: self.notes }
    }

    /// The child of this name; its absence is an error.
    pub(crate) fn required_child(&self, name: &str) -> Option<Element<'t>> {
        let child = self.child(name);
        if child.is_none() {
            self.missing_child(name);
        }
        child
    }

    /// The children of this name that can be understood. Their number in a path is their position
    /// in the result.
    pub(crate) fn children<T>(&self, name: &str, read: impl Fn(&Element<'t>) -> Option<T>) -> Vec<T> {
        let named = || self.node.children().filter(|child| child.name() == name);
        let mut list = Vec::with_capacity(named().count());
        for node in named() {
            let place = self.notes.source.borrow_mut().nth(self.place, name, list.len(), node.span());
            list.extend(read(&Self { node, place, notes: self.notes }));
        }
        list
    }

    /// The text of an element that may have text only. This replaces [`Element::expect`].
    pub(crate) fn only_text(&self) -> &'t str {
        self.expect_no_more(&TEXT, None);
        self.node.text()
    }

    /// The text directly in the element, whatever else it has.
    pub(crate) fn text(&self) -> &'t str {
        self.node.text()
    }

    /// The whole element as written.
    pub(crate) fn raw(&self) -> &'t str {
        self.node.raw()
    }

    /// The comments in the element, and around it if it is the root of the document. Its children
    /// have to be read before. Comments in text that is printed `verbatim` are left out.
    pub(crate) fn comments(&self, verbatim: &str) -> Comments {
        if self.node.comments().is_empty() {
            return Comments::default();
        }
        let (source, path) = (self.notes.source.borrow(), self.path());
        let spans = if path.parent().is_none() { self.node.comments() } else { self.node.comments_within() };
        let mut comments = Comments::default();
        if !spans.is_empty() {
            let reader = Reader::new(self.node.source(), source.elements(self.place), verbatim);
            comments.adopt(reader.read(self.node, spans), &path, &NodePath::root(self.node.name()));
        }
        comments
    }

    /// The namespaces that are declared here, by prefix; the prefix of the default namespace is
    /// empty.
    pub(crate) fn namespaces(&self) -> impl Iterator<Item = (&'t str, &'t str)> + use<'t> {
        self.node.attributes().iter().filter_map(|attribute| {
            let prefix = attribute.name.strip_prefix("xmlns")?;
            let prefix = if prefix.is_empty() { prefix } else { prefix.strip_prefix(':')? };
            Some((prefix, attribute.value.as_ref()))
        })
    }

    /// The name that a child of a namespace has in this document.
    pub(crate) fn name_in(&self, namespace: &str, local: &str) -> Option<&'t str> {
        let names = self.node.children().filter(|child| child.name().ends_with(local));
        let mut names = names.filter_map(|child| {
            let (prefix, name) = child.name().split_once(':')?;
            let own = Self { node: child, place: self.place, notes: self.notes };
            let bound = own.namespaces().chain(self.namespaces()).find(|(bound, _)| *bound == prefix)?;
            (name == local && bound.1 == namespace).then(|| child.name())
        });
        names.next()
    }

    /// An attribute's value; an empty one is a value.
    pub(crate) fn value<T>(&self, name: &str, read: Value<T>) -> Option<T> {
        let attribute = self.attribute(name)?;
        self.read(attribute, read)
    }

    /// An attribute's value; like libvirt, this ignores an empty one.
    pub(crate) fn filled<T>(&self, name: &str, read: Value<T>) -> Option<T> {
        let attribute = self.attribute(name).filter(|attribute| !attribute.value.is_empty())?;
        self.read(attribute, read)
    }

    /// The value of a required attribute.
    pub(crate) fn required<T>(&self, name: &str, read: Value<T>) -> Option<T> {
        match self.attribute(name) {
            Some(attribute) => self.read(attribute, read),
            None => {
                self.missing(name);
                None
            }
        }
    }

    /// Whether an attribute has the one word that libvirt knows; libvirt reads all others as the
    /// opposite.
    pub(crate) fn is_word(&self, name: &str, switch: &Switch) -> Option<bool> {
        let attribute = self.attribute(name).filter(|attribute| !attribute.value.is_empty())?;
        self.notes.source.borrow_mut().attribute(self.place, attribute.name, attribute.value_span());
        let value = attribute.value.as_ref();
        let is = |word: &str| if switch.any_case { value.eq_ignore_ascii_case(word) } else { value == word };
        if !is(switch.word) && !is(switch.opposite) {
            self.read_otherwise(attribute, switch);
        }
        Some(is(switch.word))
    }

    /// Whether the element has neither attributes nor children.
    pub(crate) fn is_bare(&self) -> bool {
        self.node.attributes().is_empty() && self.node.children().next().is_none()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    /// Notes that an attribute of the model is written as an attribute of the first child of this
    /// name.
    pub(crate) fn stands_at(&self, name: &str, child: &str, attribute: &str) {
        let mut children = self.node.children().filter(|node| node.name() == child);
        let found = children.next().and_then(|node| node.attributes().iter().find(|it| it.name == attribute));
        if let Some(found) = found {
            self.notes.source.borrow_mut().attribute(self.place, name, found.value_span());
        }
    }

    /// Notes that an attribute of a child in the model is written as an attribute of another
    /// element.
    pub(crate) fn child_stands_at(&self, child: &str, name: &str, other: &Self, attribute: &str) {
        let Some(found) = other.attribute(attribute) else { return };
        let mut source = self.notes.source.borrow_mut();
        let place = source.element_once(self.place, child, other.node.span());
        source.attribute(place, name, found.value_span());
    }

    fn attribute(&self, name: &str) -> Option<&'t Attribute<'t>> {
        self.node.attributes().iter().find(|attribute| attribute.name == name)
    }

    fn read<T>(&self, attribute: &Attribute<'_>, read: Value<T>) -> Option<T> {
        let result = read(&attribute.value);
        if let Err(expected) = &result {
            self.unreadable(attribute, expected, read);
        }
        self.notes.source.borrow_mut().attribute(self.place, attribute.name, attribute.value_span());
        result.ok()
    }
}
