//! The problems that reading a text finds.

use crate::{NodePath, Replacement, Span};

/// One problem that reading found, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// What kind of problem it is.
    pub code: Code,
    /// Whether the document can be used.
    pub severity: Severity,
    /// What is wrong, in a sentence without a full stop.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// A sure remedy: with all of these made, the problem is gone and nothing else is said than was
    /// meant. Empty if there is none.
    pub fix: Vec<Replacement>,
    /// The path in the tree.
    pub path: NodePath,
    /// The place in the text.
    pub span: Span,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Severity {
    /// The document can be used, but probably does not do what was meant.
    Warning,
    /// The document cannot be used.
    Error,
}

/// A stable name for a kind of problem, such as `VN0021`. Numbers below 100 are the reader's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Code(pub u16);

/// A kind of problem, with an explanation for users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its stable name.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// Its name in words, `kebab-case`.
    pub name: &'static str,
    /// Cause and remedy with an example, in Markdown.
    pub explanation: &'static str,
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VN{:04}", self.0)
    }
}
