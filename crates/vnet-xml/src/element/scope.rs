//! Elements of a namespace, which a document may bind to any prefix.

use super::report::name_span;
use super::{Element, Grammar};
use crate::rules;
use crate::suggest::did_you_mean;

/// How a document calls the elements of a namespace, and how its grammar and paths call them.
#[derive(Clone)]
pub(crate) struct Scope {
    /// `v:`; empty for the default namespace.
    written: String,
    /// `vnet:`
    usual: &'static str,
}

impl Scope {
    /// The usual name of an element that the document calls so.
    fn usual(&self, name: &str) -> String {
        match name.strip_prefix(&self.written).filter(|local| !local.contains(':')) {
            Some(local) => format!("{}{local}", self.usual),
            None => name.to_owned(),
        }
    }
}

impl<'t> Element<'t> {
    /// The children in a namespace, whose usual prefix is given. `around` is the parent, which may
    /// declare prefixes.
    pub(crate) fn in_namespace(
        &self,
        namespace: &str,
        usual: &'static str,
        around: &Self,
    ) -> Vec<(Scope, Element<'t>)> {
        let children = self.node.children().filter_map(|node| {
            let prefix = node.name().split_once(':').map_or("", |(prefix, _)| prefix);
            let own = Self { node, place: self.place, notes: self.notes };
            let mut bound = own.namespaces().chain(self.namespaces()).chain(around.namespaces());
            let is_it = bound.find(|(bound, _)| *bound == prefix).is_some_and(|(_, uri)| uri == namespace);
            let written = if prefix.is_empty() { String::new() } else { format!("{prefix}:") };
            is_it.then_some((Scope { written, usual }, own))
        });
        let placed = children.map(|(scope, own)| {
            let name = scope.usual(own.node.name());
            let place = self.notes.source.borrow_mut().element_once(self.place, &name, own.node.span());
            (scope, Self { place, ..own })
        });
        placed.collect()
    }

    /// Whether the element has this usual name.
    pub(crate) fn is_called(&self, scope: &Scope, name: &str) -> bool {
        scope.usual(self.node.name()) == name
    }

    /// Reports everything in an element of a namespace that its grammar does not allow, as errors:
    /// nobody else reads the namespace, so what is unknown was meant for vnet.
    pub(crate) fn expect_in(&self, scope: &Scope, grammar: &Grammar) {
        let name = self.node.name();
        for attribute in self.node.attributes() {
            let other = attribute.name;
            if grammar.attributes.contains(&other) || other == "xmlns" || other.starts_with("xmlns:") {
                continue;
            }
            let help = did_you_mean(other, grammar.attributes.iter().copied());
            let help = help.map(|meant| format!("did you mean `{meant}`?"));
            let message = format!("`<{name}>` has no attribute `{other}`");
            let path = self.path().attribute(other);
            self.report(rules::UNKNOWN_TO_VNET, message, help, path, attribute.name_span());
        }
        for child in self.node.children() {
            let usual = scope.usual(child.name());
            if grammar.names().any(|it| it == usual) {
                continue;
            }
            let help = did_you_mean(&usual, grammar.names()).map(|meant| format!("did you mean `{meant}`?"));
            let message = format!("`<{name}>` has no element `<{}>`", child.name());
            self.report(rules::UNKNOWN_TO_VNET, message, help, self.path().element(&usual), name_span(child));
        }
        if !self.node.text().trim().is_empty() {
            self.stray_text();
        }
    }

    /// The child of this usual name; a second one is an error.
    pub(crate) fn only_child_in(&self, scope: &Scope, name: &str) -> Option<Element<'t>> {
        let mut found = self.node.children().filter(|child| scope.usual(child.name()) == name);
        let first = found.next()?;
        for other in found {
            let message = format!("there can be only one `<{}>` in `<{}>`", first.name(), self.node.name());
            self.report(rules::EXCLUSIVE, message, None, self.path().element(name), name_span(other));
        }
        let place = self.notes.source.borrow_mut().element(self.place, name, first.span());
        Some(Self { node: first, place, notes: self.notes })
    }

    /// The children of this usual name that can be understood, as [`Element::children`].
    pub(crate) fn children_in<T>(&self, scope: &Scope, name: &str, read: impl Fn(&Element<'t>) -> Option<T>) -> Vec<T> {
        let mut list = Vec::new();
        for node in self.node.children().filter(|child| scope.usual(child.name()) == name) {
            let place = self.notes.source.borrow_mut().nth(self.place, name, list.len(), node.span());
            list.extend(read(&Self { node, place, notes: self.notes }));
        }
        list
    }
}
