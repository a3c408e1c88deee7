//! A cursor over the tree: asks for what a document should have, notes where it is and what is wrong.

use std::cell::{Cell, RefCell};

use crate::grammar::{Grammar, TEXT};
use crate::network::DNSMASQ_NAMESPACE;
use crate::rules;
use crate::source::{OUTSIDE, PlaceId};
use crate::suggest::did_you_mean;
use crate::tree::{Attribute, NodeRef};
use crate::{Code, Path, Problem, SourceMap, Span};

/// Beyond so many problems nobody reads on, and memory would grow with the document.
const MAX_PROBLEMS: usize = 1000;

/// What is found while a document is read.
#[derive(Default)]
pub(crate) struct Notes {
    problems: RefCell<Vec<Problem>>,
    withheld: Cell<usize>,
    source: RefCell<SourceMap>,
}

/// An element at a place of the model.
#[derive(Clone)]
pub(crate) struct Element<'t> {
    node: NodeRef<'t>,
    place: PlaceId,
    notes: &'t Notes,
}

/// Reads a value; the error says what is expected: "a number".
pub(crate) type Value<T> = fn(&str) -> Result<T, String>;

impl Notes {
    pub(crate) fn add(&self, problem: Problem) {
        if self.is_full() {
            self.withhold();
        } else {
            self.problems.borrow_mut().push(problem);
        }
    }

    fn is_full(&self) -> bool {
        self.problems.borrow().len() >= MAX_PROBLEMS
    }

    fn withhold(&self) {
        self.withheld.set(self.withheld.get() + 1);
    }

    /// Everything found, in the order of the text.
    pub(crate) fn finish(self, root: &Path) -> (Vec<Problem>, SourceMap) {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
        if let (withheld @ 1.., Some(last)) = (self.withheld.get(), problems.last()) {
            let message = format!("there are {withheld} more problems");
            let (span, path) = (last.span.clone(), root.clone());
            let (code, severity) = (rules::MORE_PROBLEMS, rules::severity(rules::MORE_PROBLEMS));
            problems.push(Problem { code, severity, message, help: None, path, span });
        }
        (problems, self.source.into_inner())
    }
}

impl<'t> Element<'t> {
    pub(crate) fn root(node: NodeRef<'t>, notes: &'t Notes) -> Self {
        let place = notes.source.borrow_mut().element(OUTSIDE, node.name(), node.span());
        Self { node, place, notes }
    }

    fn path(&self) -> Path {
        self.notes.source.borrow().path(self.place)
    }

    /// Says what may stand here: anything else is reported. Every reader begins with this.
    pub(crate) fn expect(&self, grammar: &Grammar) {
        self.expect_beside(grammar, None);
    }

    /// Says what may stand here beside a child whose name is this document's choice.
    pub(crate) fn expect_beside(&self, grammar: &Grammar, child: Option<&str>) {
        self.expect_no_more(grammar, child);
        if !self.node.text().trim().is_empty() {
            let message = format!("text in `<{}>` has no meaning", self.node.name());
            self.report(rules::STRAY_TEXT, message, None, self.path(), self.node.span());
        }
    }

    fn expect_no_more(&self, grammar: &Grammar, other: Option<&str>) {
        for attribute in self.node.attributes() {
            let name = attribute.name;
            if grammar.attributes.contains(&name) || name == "xmlns" || name.starts_with("xmlns:") {
                continue;
            }
            let (path, span) = (self.path().attribute(name), attribute.name_span());
            let what = format!("attribute `{name}`");
            self.unexpected(rules::UNKNOWN_ATTRIBUTE, what, name, grammar.attributes, path, span);
        }
        for child in self.node.children() {
            let name = child.name();
            if !grammar.names().any(|it| it == name) && other != Some(name) {
                let (path, what) = (self.path().element(name), format!("element `<{name}>`"));
                let code = rules::UNKNOWN_ELEMENT;
                let known: Vec<_> = grammar.names().collect();
                self.unexpected(code, what, name, &known, path, name_span(child));
            }
        }
    }

    fn unexpected(&self, code: Code, what: String, name: &str, known: &[&'static str], path: Path, span: Span) {
        if self.notes.is_full() {
            return self.notes.withhold();
        }
        let parent = self.node.name();
        let help = did_you_mean(name, known.iter().copied()).map(|meant| format!("did you mean `{meant}`?"));
        let foreign = || {
            let (_, local) = name.split_once(':')?;
            Some(match (parent, local) {
                ("network", "options") => format!("its prefix has to mean `{DNSMASQ_NAMESPACE}`"),
                _ => "libvirt reads nothing of this namespace here".to_owned(),
            })
        };
        let help = help.or_else(foreign);
        self.report(code, format!("`<{parent}>` has no {what}: it has no effect"), help, path, span);
    }

    /// The child of this name; the first, where there are more.
    pub(crate) fn child(&self, name: &str) -> Option<Element<'t>> {
        let mut found = self.node.children().filter(|child| child.name() == name);
        let first = found.next()?;
        for other in found {
            let message = format!("only the first `<{name}>` of `<{}>` counts", self.node.name());
            self.report(rules::REPEATED, message, None, self.path().element(name), name_span(other));
        }
        Some(self.only(first))
    }

    /// The child of this name, which must not be there twice.
    pub(crate) fn only_child(&self, name: &str) -> Option<Element<'t>> {
        let mut found = self.node.children().filter(|child| child.name() == name);
        let first = found.next()?;
        for other in found {
            let message = format!("there can be only one `<{name}>` in `<{}>`", self.node.name());
            self.report(rules::EXCLUSIVE, message, None, self.path().element(name), name_span(other));
        }
        Some(self.only(first))
    }

    /// A child that stands once, as far as the model goes.
    fn only(&self, node: NodeRef<'t>) -> Self {
        let place = self.notes.source.borrow_mut().element(self.place, node.name(), node.span());
        Self { node, place, notes: self.notes }
    }

    /// The child of this name, which has to be there.
    pub(crate) fn required_child(&self, name: &str) -> Option<Element<'t>> {
        let child = self.child(name);
        if child.is_none() {
            self.missing_child(name);
        }
        child
    }

    /// Reports that a child is missing.
    pub(crate) fn missing_child(&self, name: &str) {
        let message = format!("`<{}>` lacks `<{name}>`", self.node.name());
        let help = Some(format!("add a `<{name}>` element"));
        self.report(rules::MISSING_ELEMENT, message, help, self.path(), name_span(self.node));
    }

    /// The children of this name that can be understood. Their number in a path is their place in the result.
    pub(crate) fn children<T>(&self, name: &str, read: impl Fn(&Element<'t>) -> Option<T>) -> Vec<T> {
        let mut list = Vec::new();
        for node in self.node.children().filter(|child| child.name() == name) {
            let place = self.notes.source.borrow_mut().nth(self.place, name, list.len(), node.span());
            list.extend(read(&Self { node, place, notes: self.notes }));
        }
        list
    }

    /// The text of an element that has nothing else: it stands for [`Element::expect`].
    pub(crate) fn only_text(&self) -> &'t str {
        self.expect_no_more(&TEXT, None);
        self.node.text()
    }

    /// The text directly within, whatever else there is.
    pub(crate) fn text(&self) -> &'t str {
        self.node.text()
    }

    /// The whole element as written.
    pub(crate) fn raw(&self) -> &'t str {
        self.node.raw()
    }

    /// The namespaces that are declared here, by prefix; the default one has none.
    pub(crate) fn namespaces(&self) -> impl Iterator<Item = (&'t str, &'t str)> {
        self.node.attributes().iter().filter_map(|attribute| {
            let prefix = attribute.name.strip_prefix("xmlns")?;
            let prefix = if prefix.is_empty() { prefix } else { prefix.strip_prefix(':')? };
            Some((prefix, attribute.value.as_ref()))
        })
    }

    /// The name in this document of a child that belongs to a namespace.
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

    /// Reports of each child that does nothing why: "is in no namespace".
    pub(crate) fn useless_children(&self, why: impl IntoIterator<Item = Option<&'static str>>) {
        for (child, why) in self.node.children().zip(why) {
            if let Some(why) = why {
                let name = child.name();
                let message = format!("`<{name}>` {why}: it has no effect");
                self.report(rules::WITHOUT_EFFECT, message, None, self.path().element(name), name_span(child));
            }
        }
    }

    /// An attribute's value; an empty one is a value.
    pub(crate) fn value<T>(&self, name: &str, read: Value<T>) -> Option<T> {
        let attribute = self.attribute(name)?;
        self.read(attribute, read)
    }

    /// An attribute's value; libvirt takes an empty one for none.
    pub(crate) fn filled<T>(&self, name: &str, read: Value<T>) -> Option<T> {
        let attribute = self.attribute(name).filter(|attribute| !attribute.value.is_empty())?;
        self.read(attribute, read)
    }

    /// The value of an attribute that has to be there.
    pub(crate) fn required<T>(&self, name: &str, read: Value<T>) -> Option<T> {
        match self.attribute(name) {
            Some(attribute) => self.read(attribute, read),
            None => {
                self.missing(name);
                None
            }
        }
    }

    /// Reports that an attribute is missing.
    pub(crate) fn missing(&self, name: &str) {
        let message = format!("`<{}>` lacks the attribute `{name}`", self.node.name());
        self.report(
            rules::MISSING_ATTRIBUTE,
            message,
            self.text_as(name),
            self.path().attribute(name),
            name_span(self.node),
        );
    }

    /// Reports that the element means nothing for want of this attribute, unless it is there.
    pub(crate) fn depends_on(&self, name: &str) {
        if !self.has(name) {
            let message = format!("`<{}>` has no effect without the attribute `{name}`", self.node.name());
            self.report(
                rules::WITHOUT_EFFECT,
                message,
                self.text_as(name),
                self.path().attribute(name),
                name_span(self.node),
            );
        }
    }

    /// What is written as text may be meant for an attribute.
    fn text_as(&self, name: &str) -> Option<String> {
        let text = self.node.text().trim();
        let short = (1..=40).contains(&text.len()) && !text.contains(['\'', '<', '&', '\n']);
        short.then(|| format!("write `<{} {name}='{text}'/>`", self.node.name()))
    }

    /// Reports that an attribute does nothing, and why: "on this element".
    pub(crate) fn useless_attribute(&self, name: &str, why: &str) {
        let Some(attribute) = self.attribute(name) else { return };
        let message = format!("`{name}` has no effect {why}");
        self.report(rules::WITHOUT_EFFECT, message, None, self.path().attribute(name), attribute.name_span());
    }

    /// Reports that the element does nothing, and why: "in this place".
    pub(crate) fn useless(&self, why: &str) {
        let message = format!("`<{}>` has no effect {why}", self.node.name());
        self.report(rules::WITHOUT_EFFECT, message, None, self.path(), name_span(self.node));
    }

    /// Has it neither attributes nor children?
    pub(crate) fn is_bare(&self) -> bool {
        self.node.attributes().is_empty() && self.node.children().next().is_none()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    /// Notes that an attribute of the model stands as one of the first child of a name.
    pub(crate) fn stands_at(&self, name: &str, child: &str, attribute: &str) {
        let mut children = self.node.children().filter(|node| node.name() == child);
        let found = children.next().and_then(|node| node.attributes().iter().find(|it| it.name == attribute));
        if let Some(found) = found {
            self.notes.source.borrow_mut().attribute(self.place, name, found.value_span());
        }
    }

    /// Reports that two attributes exclude each other, at the second.
    pub(crate) fn exclusive(&self, one: &str, other: &str, help: &str) {
        let message = format!("`{one}` and `{other}` exclude each other");
        let span = self.attribute(other).map_or_else(|| self.node.span(), Attribute::value_span);
        let help = Some(help.to_owned());
        self.report(rules::EXCLUSIVE, message, help, self.path().attribute(other), span);
    }

    /// Where the text within stands; without any, the element.
    fn text_span(&self) -> Span {
        Some(self.node.text_span()).filter(|_| !self.node.text().is_empty()).unwrap_or_else(|| self.node.span())
    }

    /// Reports what is wrong with the text within.
    pub(crate) fn invalid_text(&self, expected: &str) {
        let message = format!("`{}` is not {expected}", shortened(self.node.text().trim()));
        self.report(rules::INVALID_VALUE, message, None, self.path(), self.text_span());
    }

    /// Reports what is wrong with an attribute's value.
    pub(crate) fn invalid(&self, name: &str, expected: &str) {
        let Some(attribute) = self.attribute(name) else { return self.missing(name) };
        let message = format!("`{}` is not {expected}", shortened(&attribute.value));
        self.report(rules::INVALID_VALUE, message, None, self.path().attribute(name), attribute.value_span());
    }

    /// Reports that an attribute has no place here.
    pub(crate) fn misplaced(&self, name: &str, message: String) {
        let Some(attribute) = self.attribute(name) else { return };
        self.report(rules::MISPLACED, message, None, self.path().attribute(name), attribute.name_span());
    }

    /// Reports that the element has no place here, and why.
    pub(crate) fn misplaced_here(&self, why: &str) {
        let message = format!("`<{}>` has no place here: {why}", self.node.name());
        self.report(rules::MISPLACED, message, None, self.path(), name_span(self.node));
    }

    /// Reports that something stands here once more.
    pub(crate) fn repeated(&self, message: String) {
        self.report(rules::EXCLUSIVE, message, None, self.path(), self.node.span());
    }

    fn attribute(&self, name: &str) -> Option<&'t Attribute<'t>> {
        self.node.attributes().iter().find(|attribute| attribute.name == name)
    }

    fn read<T>(&self, attribute: &Attribute<'_>, read: Value<T>) -> Option<T> {
        let result = read(&attribute.value);
        if let Err(expected) = &result {
            let message = format!("`{}` is not {expected}", shortened(&attribute.value));
            let path = self.path().attribute(attribute.name);
            self.report(rules::INVALID_VALUE, message, None, path, attribute.value_span());
        }
        self.notes.source.borrow_mut().attribute(self.place, attribute.name, attribute.value_span());
        result.ok()
    }

    fn report(&self, code: Code, message: String, help: Option<String>, path: Path, span: Span) {
        self.notes.add(Problem { code, severity: rules::severity(code), message, help, path, span });
    }
}

/// The name in a start tag.
fn name_span(node: NodeRef<'_>) -> Span {
    let start = node.span().start + 1;
    start..start + node.name().len()
}

/// A value in a message is there to be recognised, not to be read whole.
pub(crate) fn shortened(text: &str) -> String {
    let plain: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.chars().nth(60).is_some() { plain + "…" } else { plain }
}
