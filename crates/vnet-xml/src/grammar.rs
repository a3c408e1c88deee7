//! What is allowed where in a document: one table of all grammars. Each grammar is beside its
//! reader.
//!
//! Readers report what the table does not allow. Findings are sorted by it, and messages say by it
//! where a name belongs.

use crate::{NodePath, domain, interface, network, network_port};

/// What is allowed in an element, in the order in which libvirt prints it.
pub(crate) struct Grammar {
    pub(crate) attributes: &'static [&'static str],
    pub(crate) children: &'static [Child],
}

/// A name and what is allowed in an element of that name.
pub(crate) type Child = (&'static str, &'static Grammar);

/// An element with neither attributes nor children: it has text or is empty.
pub(crate) static TEXT: Grammar = Grammar::new(&[], &[]);

/// The documents by the name of their root element.
static DOCUMENTS: &[Child] = &[
    ("network", &network::GRAMMAR),
    ("networkport", &network_port::GRAMMAR),
    ("interface", &interface::GRAMMAR),
    ("domain", &domain::GRAMMAR),
];

impl Grammar {
    pub(crate) const fn new(attributes: &'static [&'static str], children: &'static [Child]) -> Self {
        Self { attributes, children }
    }

    fn child(&self, name: &str) -> Option<&'static Grammar> {
        self.children.iter().find(|(child, _)| *child == name).map(|(_, grammar)| *grammar)
    }

    /// The names of the children.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.children.iter().map(|(name, _)| *name)
    }
}

/// The key of [`NodePath::position`]: for each step its position in the grammar, and its number.
pub(crate) fn position(path: &NodePath) -> Vec<(usize, usize)> {
    let mut here = Some(&Grammar { attributes: &[], children: DOCUMENTS });
    let steps = path.as_str().split('/').skip(1).map(|step| {
        let (name, number) = step.strip_suffix(']').and_then(|rest| rest.split_once('[')).unwrap_or((step, "0"));
        let grammar = here.take();
        let (attributes, children) = grammar.map_or((&[][..], &[][..]), |it| (it.attributes, it.children));
        here = grammar.and_then(|grammar| grammar.child(name));
        // A name that the grammar does not have comes last.
        let rank = match name.strip_prefix('@') {
            Some(name) => attributes.iter().position(|it| *it == name).unwrap_or(attributes.len()),
            None => {
                let place = children.iter().position(|(it, _)| *it == name).unwrap_or(children.len());
                attributes.len() + 1 + place
            }
        };
        (rank, number.parse().unwrap_or(0))
    });
    steps.collect()
}

/// The elements of a document that have a child of a name, each as the names that lead to it.
pub(crate) fn parents_of(document: &str, child: &str) -> Vec<Vec<&'static str>> {
    elements_with(document, &|grammar| grammar.child(child).is_some())
}

/// The elements of a document that have an attribute of a name, each as the names that lead to it.
pub(crate) fn owners_of(document: &str, attribute: &str) -> Vec<Vec<&'static str>> {
    elements_with(document, &|grammar| grammar.attributes.contains(&attribute))
}

fn elements_with(document: &str, fits: &dyn Fn(&Grammar) -> bool) -> Vec<Vec<&'static str>> {
    fn walk(
        (name, grammar): &Child,
        way: &mut Vec<&'static str>,
        fits: &dyn Fn(&Grammar) -> bool,
        found: &mut Vec<Vec<&'static str>>,
    ) {
        way.push(name);
        if fits(grammar) {
            found.push(way.clone());
        }
        grammar.children.iter().for_each(|child| walk(child, way, fits, found));
        way.pop();
    }
    let mut found = Vec::new();
    let documents = DOCUMENTS.iter().filter(|(name, _)| *name == document);
    documents.for_each(|root| walk(root, &mut Vec::new(), fits, &mut found));
    found
}

#[cfg(test)]
mod kept;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_that_of_documents() {
        let sorted = [
            "/network/name",
            "/network/forward/@mode",
            "/network/forward/nat/@ipv6",
            "/network/bridge/@delay",
            "/network/ip[2]/@address",
            "/network/ip[2]/@localPtr",
            "/network/ip[2]/tftp/@root",
            "/network/ip[2]/dhcp/range[1]/@start",
            "/network/ip[2]/dhcp/host[1]/@ip",
            "/network/ip[10]",
            "/network/route[1]/@gateway",
            "/network/portgroup[1]/@name",
            "/network/dnsmasq:options[1]/dnsmasq:option[1]/@value",
        ];
        let path = |text: &&str| {
            let steps = text.split('/').skip(2);
            steps.fold(NodePath::root("network"), |path, step| path.element(step)).position()
        };
        let mut shuffled = sorted;
        shuffled.reverse();
        shuffled.sort_by_cached_key(path);
        assert_eq!(shuffled, sorted);
    }

    #[test]
    fn elements_are_found_by_what_they_have() {
        assert_eq!(parents_of("network", "nat"), [["network", "forward"]]);
        assert_eq!(owners_of("network", "stp"), [["network", "bridge"]]);
        assert_eq!(owners_of("network", "logFile"), [[""; 0]; 0]);
        assert_eq!(owners_of("domain", "logFile"), [["domain", "devices", "interface", "backend"]]);
    }
}
