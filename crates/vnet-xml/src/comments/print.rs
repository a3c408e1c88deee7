//! Prints comments into a definition that is printed without them.

use std::collections::HashMap;

use super::{Comment, Comments, Position};
use crate::builder::{self, Limits};
use crate::tree::NodeRef;

/// An element of the printed text.
struct Printed {
    start: usize,
    end: usize,
    /// The place of its end tag, if that has a line of its own.
    end_tag: Option<usize>,
    depth: usize,
}

impl Comments {
    /// The printed definition with its comments.
    pub(crate) fn print_into(&self, text: &str) -> String {
        // The printer prints well-formed text.
        let Ok(tree) = builder::parse(text, &Limits::NONE) else { return text.to_owned() };
        let mut elements = HashMap::new();
        collect(text, tree.root(), format!("/{}", tree.root().name()), 0, &mut elements);
        let mut insertions: Vec<(usize, String)> =
            self.0.iter().filter_map(|comment| insertion(text, &elements, comment)).collect();
        insertions.sort_by_key(|(at, _)| *at);
        let mut printed = String::with_capacity(text.len());
        let mut kept = 0;
        for (at, insertion) in insertions {
            printed.push_str(&text[kept..at]);
            printed.push_str(&insertion);
            kept = at;
        }
        printed.push_str(&text[kept..]);
        printed
    }
}

/// Finds all elements by path. An element that occurs once has a path without a number.
fn collect(text: &str, node: NodeRef<'_>, path: String, depth: usize, elements: &mut HashMap<String, Printed>) {
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    for child in node.children() {
        let number = numbers.entry(child.name()).or_default();
        *number += 1;
        collect(text, child, format!("{path}/{}[{number}]", child.name()), depth + 1, elements);
    }
    let span = node.whole_span();
    let end_tag = text[span.clone()].rfind("</").map(|at| span.start + at).filter(|at| {
        let (start, indentation) = line(text, *at);
        start + indentation.len() == *at
    });
    elements.insert(path, Printed { start: span.start, end: span.end, end_tag, depth });
}

/// The start of the line of a byte, and the line's indentation.
fn line(text: &str, at: usize) -> (usize, &str) {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    (start, &text[start..at][..text[start..at].len() - text[start..at].trim_start_matches([' ', '\t']).len()])
}

/// The place of a comment in the printed text, and how it is printed there.
fn insertion(text: &str, elements: &HashMap<String, Printed>, comment: &Comment) -> Option<(usize, String)> {
    let mut position = comment.position;
    let mut path = comment.path.clone();
    let element = loop {
        if let Some(element) = elements.get(&all_numbered(path.as_str())) {
            break element;
        }
        path = path.parent()?;
        position = Position::Last;
    };
    let above = |at: usize, depth: usize| {
        let indentation = "  ".repeat(depth);
        (line(text, at).0, format!("{indentation}{}\n", comment.indented(&indentation)))
    };
    Some(match (position, element.end_tag) {
        (Position::Behind, _) if element.depth == 0 => (text.len(), format!("{}\n", comment.indented(""))),
        (Position::Behind, _) => (element.end, format!(" {}", comment.indented(line(text, element.end).1))),
        (Position::Last, Some(end_tag)) => above(end_tag, element.depth + 1),
        (Position::Last, None) | (Position::Before, _) => above(element.start, element.depth),
    })
}

impl Comment {
    /// The comment as it is printed on a line with this indentation.
    fn indented(&self, indentation: &str) -> String {
        let last = self.text.matches('\n').count();
        let lines = self.text.split('\n').enumerate().map(|(at, line)| match at {
            0 => line.to_owned(),
            at if line.is_empty() && at < last => "\n".to_owned(),
            _ => format!("\n{indentation}{line}"),
        });
        format!("<!--{}-->", lines.collect::<String>())
    }
}

/// The path with a number at each element below the root.
fn all_numbered(path: &str) -> String {
    let mut steps = path.split('/').skip(1);
    let root = format!("/{}", steps.next().unwrap_or_default());
    steps.fold(root, |path, step| if step.ends_with(']') { path + "/" + step } else { path + "/" + step + "[1]" })
}
