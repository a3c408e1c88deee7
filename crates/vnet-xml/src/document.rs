//! From bytes to a value with its problems and places.

use std::fmt;

use crate::builder::{self, Limits, Malformed};
use crate::element::{Element, Notes};
use crate::encoding::decode;
use crate::{Code, NodePath, Problem, Replacement, Severity, SourceMap, Span, did_you_mean, rules};

/// The result of reading a text, as far as the text could be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parsed<T> {
    /// The value. `None` if the text is not well-formed, is another kind of document, or lacks a
    /// required part. If `problems` has an error, the value lacks the parts that could not be
    /// understood: check it for more problems, but do not use it.
    pub value: Option<T>,
    /// Everything that reading found, in the order of the text.
    pub problems: Vec<Problem>,
    /// The places of all values.
    pub source: SourceMap,
}

/// The error for a text with errors: all problems, warnings included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// All problems, in the order of the text.
    pub problems: Vec<Problem>,
}

impl<T> Parsed<T> {
    /// Whether a problem is an error, so that the value cannot be used.
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// Converts the value.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Parsed<U> {
        Parsed { value: self.value.map(make), problems: self.problems, source: self.source }
    }

    /// The value, if it can be used.
    ///
    /// # Errors
    /// [`Refused`] when a problem is an error.
    pub fn into_result(self) -> Result<T, Refused> {
        match (self.has_errors(), self.value) {
            (false, Some(value)) => Ok(value),
            _ => Err(Refused { problems: self.problems }),
        }
    }
}

impl Refused {
    /// What to do about the first error.
    pub fn help(&self) -> Option<String> {
        let mut errors = self.problems.iter().filter(|problem| problem.severity == Severity::Error);
        errors.next()?.help.clone()
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors = self.problems.iter().filter(|problem| problem.severity == Severity::Error);
        let lines: Vec<String> = errors.map(|it| format!("{} at {}: {}", it.code, it.path, it.message)).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Refused {}

/// Reads a document whose root element has this name. A byte order mark is skipped, and its length
/// counts in the places.
pub(crate) fn parse<T>(document: &[u8], root: &str, read: impl FnOnce(&Element<'_>) -> Option<T>) -> Parsed<T> {
    let Some(rest) = document.strip_prefix(BYTE_ORDER_MARK) else { return parse_plain(document, root, read) };
    let parsed = parse_plain(rest, root, read);
    moved(parsed, |span| span.start + BYTE_ORDER_MARK.len()..span.end + BYTE_ORDER_MARK.len())
}

/// The same result with all its places mapped.
fn moved<T>(parsed: Parsed<T>, place: impl Fn(Span) -> Span) -> Parsed<T> {
    let Parsed { value, problems, source } = parsed;
    let problems = problems.into_iter().map(|it| {
        let fix = it.fix.into_iter().map(|it| Replacement { span: place(it.span), ..it }).collect();
        Problem { span: place(it.span), fix, ..it }
    });
    Parsed { value, problems: problems.collect(), source: source.map(place) }
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

fn parse_plain<T>(document: &[u8], root: &str, read: impl FnOnce(&Element<'_>) -> Option<T>) -> Parsed<T> {
    if document.len() > Limits::DEFAULT.bytes {
        let message = format!("the document is larger than {} bytes", Limits::DEFAULT.bytes);
        return nothing(root, Malformed::new(rules::TOO_LARGE, message, 0..0));
    }
    let decoded = match decode(document) {
        Ok(decoded) => decoded,
        Err(malformed) => return nothing(root, malformed),
    };
    let parsed = parse_text(&decoded.text, root, read);
    if decoded.is_the_document() {
        return parsed;
    }
    moved(parsed, |span| decoded.span(span))
}

fn parse_text<T>(text: &str, root: &str, read: impl FnOnce(&Element<'_>) -> Option<T>) -> Parsed<T> {
    let tree = match builder::parse(text, &Limits::DEFAULT) {
        Ok(tree) => tree,
        Err(malformed) => return nothing(root, malformed),
    };
    let node = tree.root();
    if node.name() != root {
        let message = format!("the root element is `<{}>`, not `<{root}>`", node.name());
        let help = did_you_mean(node.name(), [root]).map(|meant| format!("did you mean `<{meant}>`?"));
        let problem = problem(rules::WRONG_ROOT, message, root, node.span());
        return Parsed { value: None, problems: vec![Problem { help, ..problem }], source: SourceMap::default() };
    }
    let notes = Notes::with_capacity(tree.nodes.len() + tree.attributes.len());
    let value = read(&Element::root(node, &notes));
    let (problems, source) = notes.finish(root);
    Parsed { value, problems, source }
}

/// The only element of a text as it is written, whatever its name. What is wrong is told at
/// places in the text, as a part of `parent`.
pub(crate) fn any_element<'t>(text: &'t str, parent: &str) -> Result<&'t str, Refused> {
    match builder::parse(text, &Limits::DEFAULT) {
        Ok(tree) => Ok(&text[tree.root().whole_span()]),
        Err(malformed) => Err(Refused { problems: nothing::<()>(parent, malformed).problems }),
    }
}

fn nothing<T>(root: &str, malformed: Malformed) -> Parsed<T> {
    let Malformed { code, message, help, span, fix } = malformed;
    let problem = Problem { help, fix: fix.into_iter().collect(), ..problem(code, message, root, span) };
    Parsed { value: None, problems: vec![problem], source: SourceMap::default() }
}

fn problem(code: Code, message: String, root: &str, span: Span) -> Problem {
    let path = NodePath::root(root);
    Problem { code, severity: rules::severity(code), message, help: None, fix: Vec::new(), path, span }
}
