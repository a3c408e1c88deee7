//! A document as a tree with places.

use std::borrow::Cow;

use crate::Span;
use crate::characters::is_space;
use crate::edit::line_around;

pub(crate) struct Tree<'a> {
    pub(crate) source: &'a str,
    pub(crate) nodes: Vec<Node<'a>>,
    pub(crate) attributes: Vec<Attribute<'a>>,
    /// The places of the comments, with their marks, in the order of the text.
    pub(crate) comments: Vec<Span>,
}

pub(crate) struct Node<'a> {
    pub(crate) name: &'a str,
    pub(crate) start_tag: (u32, u32),
    /// The end of the end tag.
    pub(crate) end: u32,
    pub(crate) attributes: (u32, u32),
    pub(crate) first_child: Option<u32>,
    pub(crate) next_sibling: Option<u32>,
    pub(crate) text: Option<Cow<'a, str>>,
    /// The place of the text, up to the first child element.
    pub(crate) text_at: (u32, u32),
}

#[derive(Clone, Debug)]
pub(crate) struct Attribute<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: Cow<'a, str>,
    pub(crate) name_at: u32,
    pub(crate) value_at: (u32, u32),
}

/// An element of a tree.
#[derive(Clone, Copy)]
pub(crate) struct NodeRef<'t> {
    tree: &'t Tree<'t>,
    index: u32,
}

impl Attribute<'_> {
    pub(crate) fn name_span(&self) -> Span {
        let start = self.name_at as usize;
        start..start + self.name.len()
    }

    pub(crate) fn value_span(&self) -> Span {
        self.value_at.0 as usize..self.value_at.1 as usize
    }
}

impl<'t> NodeRef<'t> {
    fn node(self) -> &'t Node<'t> {
        &self.tree.nodes[self.index as usize]
    }

    pub(crate) fn name(self) -> &'t str {
        self.node().name
    }

    pub(crate) fn span(self) -> Span {
        let (start, end) = self.node().start_tag;
        start as usize..end as usize
    }

    /// The length of the white space before a place of the document.
    pub(crate) fn before(self, at: usize) -> usize {
        let before = &self.tree.source[..at];
        before.len() - before.trim_end_matches(is_space).len()
    }

    /// The place of the whole element.
    pub(crate) fn whole_span(self) -> Span {
        self.node().start_tag.0 as usize..self.node().end as usize
    }

    /// The document.
    pub(crate) fn source(self) -> &'t str {
        self.tree.source
    }

    /// The places of the comments of the document.
    pub(crate) fn comments(self) -> &'t [Span] {
        &self.tree.comments
    }

    /// The places of the comments in the element.
    pub(crate) fn comments_within(self) -> &'t [Span] {
        let (whole, comments) = (self.whole_span(), &self.tree.comments);
        let before = |at| comments.partition_point(|span| span.start < at);
        &comments[before(whole.start)..before(whole.end)]
    }

    /// The place of the whole element, with its lines if nothing else is on them.
    pub(crate) fn lines(self) -> Span {
        line_around(self.tree.source, self.whole_span())
    }

    /// The whole element as written.
    pub(crate) fn raw(self) -> &'t str {
        &self.tree.source[self.whole_span()]
    }

    /// The place of the text directly in the element, without surrounding white space, up to the
    /// first child element.
    pub(crate) fn text_span(self) -> Option<Span> {
        let (start, end) = self.node().text_at;
        self.node().text.as_ref().map(|_| start as usize..end as usize)
    }

    /// The text directly in the element, as written, with white space.
    pub(crate) fn text(self) -> &'t str {
        self.node().text.as_deref().unwrap_or_default()
    }

    pub(crate) fn attributes(self) -> &'t [Attribute<'t>] {
        let (start, end) = self.node().attributes;
        &self.tree.attributes[start as usize..end as usize]
    }

    pub(crate) fn children(self) -> impl Iterator<Item = NodeRef<'t>> {
        let child = move |index: Option<u32>| index.map(|index| NodeRef { tree: self.tree, index });
        std::iter::successors(child(self.node().first_child), move |node| child(node.node().next_sibling))
    }
}

impl Tree<'_> {
    pub(crate) fn root(&self) -> NodeRef<'_> {
        NodeRef { tree: self, index: 0 }
    }
}
