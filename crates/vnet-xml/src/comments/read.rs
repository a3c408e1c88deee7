//! Reads comments and finds the element that each stands at.

use std::collections::{HashMap, HashSet};

use super::{Comment, Comments, Position};
use crate::tree::NodeRef;
use crate::{NodePath, Span};

/// Finds the elements of comments.
pub(crate) struct Reader<'t> {
    text: &'t str,
    /// The paths of the elements that were read, by the start of their tags.
    paths: HashMap<usize, NodePath>,
    /// The comments in text that is printed as it was read.
    verbatim: HashSet<&'t str>,
}

impl<'t> Reader<'t> {
    pub(crate) fn new(text: &'t str, paths: HashMap<usize, NodePath>, verbatim: &'t str) -> Self {
        let verbatim = verbatim.split("<!--").skip(1).filter_map(|rest| Some(rest.split_once("-->")?.0));
        Self { text, paths, verbatim: verbatim.collect() }
    }

    /// The comments in an element and around it.
    pub(crate) fn read(&self, node: NodeRef<'_>, spans: &[Span]) -> Comments {
        let whole = node.whole_span();
        let Some(path) = self.paths.get(&whole.start) else { return Comments::default() };
        let (before, rest) = spans.split_at(spans.partition_point(|span| span.start < whole.start));
        let (within, behind) = rest.split_at(rest.partition_point(|span| span.start < whole.end));
        let mut comments: Vec<_> = before.iter().map(|span| self.comment(path, Position::Before, span)).collect();
        self.within(node, path, within, &mut comments);
        comments.extend(behind.iter().map(|span| self.comment(path, Position::Behind, span)));
        Comments(comments)
    }

    /// The comments in an element.
    fn within(&self, node: NodeRef<'_>, path: &NodePath, mut spans: &[Span], comments: &mut Vec<Comment>) {
        // Comments that wait for the next element that was read.
        let mut waiting: Vec<&Span> = Vec::new();
        let mut previous: Option<(&NodePath, usize)> = None;
        for child in node.children() {
            let whole = child.whole_span();
            let (between, rest) = spans.split_at(spans.partition_point(|span| span.start < whole.start));
            let (inside, rest) = rest.split_at(rest.partition_point(|span| span.start < whole.end));
            spans = rest;
            self.between(previous, between, &mut waiting, comments);
            match self.paths.get(&whole.start) {
                Some(path) => {
                    comments.extend(waiting.drain(..).map(|span| self.comment(path, Position::Before, span)));
                    match child.name() {
                        "metadata" => {
                            let is_left = |span: &&Span| !self.verbatim.contains(self.content(span));
                            let inside: Vec<_> = inside.iter().filter(is_left).cloned().collect();
                            self.within(child, path, &inside, comments);
                        }
                        _ => self.within(child, path, inside, comments),
                    }
                    previous = Some((path, whole.end));
                }
                None => waiting.extend(inside),
            }
        }
        self.between(previous, spans, &mut waiting, comments);
        comments.extend(waiting.into_iter().map(|span| self.comment(path, Position::Last, span)));
    }

    /// Comments between two children: those at the end of the first one's line stand behind it.
    fn between<'s>(
        &self,
        previous: Option<(&NodePath, usize)>,
        spans: &'s [Span],
        waiting: &mut Vec<&'s Span>,
        comments: &mut Vec<Comment>,
    ) {
        let behind = match previous {
            Some((_, end)) if waiting.is_empty() => self.on_the_line(end, spans),
            _ => 0,
        };
        let (behind, others) = spans.split_at(behind);
        if let Some((path, _)) = previous {
            comments.extend(behind.iter().map(|span| self.comment(path, Position::Behind, span)));
        }
        waiting.extend(others);
    }

    /// How many of the comments stand on the line that begins here, if nothing else does.
    fn on_the_line(&self, mut at: usize, spans: &[Span]) -> usize {
        let of_line = spans.iter().take_while(|span| {
            let is_of_line = !self.text[at..span.start].contains('\n');
            at = span.end;
            is_of_line
        });
        let count = of_line.count();
        let Some(last) = count.checked_sub(1).map(|last| &spans[last]) else { return 0 };
        let rest = self.text[last.end..].trim_start_matches(is_blank);
        if rest.is_empty() || rest.starts_with(['\r', '\n']) { count } else { 0 }
    }

    /// Everything between `<!--` and `-->`.
    fn content(&self, span: &Span) -> &str {
        &self.text[span.start + 4..span.end - 3]
    }

    fn comment(&self, path: &NodePath, position: Position, span: &Span) -> Comment {
        let line = &self.text[..span.start];
        let line = &line[line.rfind('\n').map_or(0, |newline| newline + 1)..];
        let indentation = line.chars().take_while(|c| is_blank(*c)).count();
        let text = self.content(span).replace("\r\n", "\n").replace('\r', "\n");
        let lines = text.split('\n').enumerate().map(|(at, line)| if at == 0 { line } else { cut(line, indentation) });
        Comment { path: path.clone(), position, text: lines.collect::<Vec<_>>().join("\n") }
    }
}

/// The line without so many blanks at its beginning.
fn cut(line: &str, blanks: usize) -> &str {
    let cut = line.chars().take(blanks).take_while(|c| is_blank(*c)).count();
    &line[cut..]
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}
