//! Places in a document: paths and byte ranges.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

/// Bytes of a document, from the first to before the last.
pub type Span = Range<usize>;

/// Where a value stands in a document: `/network/ip[2]/dhcp/range[1]/@start`.
///
/// Elements that can be repeated have their number among those that were understood, from 1: the same as the
/// position in the model plus one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path(String);

impl Path {
    /// The document's element.
    pub fn root(name: &str) -> Self {
        Self(format!("/{name}"))
    }

    /// A child that stands at most once.
    #[must_use]
    pub fn element(&self, name: &str) -> Self {
        Self(format!("{}/{name}", self.0))
    }

    /// A child that can be repeated; `index` counts from 0, as in the model.
    #[must_use]
    pub fn nth(&self, name: &str, index: usize) -> Self {
        Self(format!("{}/{name}[{}]", self.0, index + 1))
    }

    /// An attribute.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Self {
        Self(format!("{}/@{name}", self.0))
    }

    /// The element around this one.
    pub fn parent(&self) -> Option<Self> {
        let cut = self.0.rfind('/').filter(|at| *at > 0)?;
        Some(Self(self.0[..cut].to_owned()))
    }

    /// The same place where `from` is called `to`; `None` where this is not within `from`.
    pub fn moved(&self, from: &Self, to: &Self) -> Option<Self> {
        let rest = self.0.strip_prefix(&from.0).filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
        Some(Self(format!("{}{rest}", to.0)))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The places of one document's values, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceMap {
    spans: HashMap<Path, Span>,
}

impl SourceMap {
    /// The place of a value, or else of the nearest element around it that has one. For an attribute it is the value
    /// without its quotes, for an element the start tag.
    pub fn span(&self, path: &Path) -> Option<Span> {
        let mut path = path.clone();
        loop {
            if let Some(span) = self.spans.get(&path) {
                return Some(span.clone());
            }
            path = path.parent()?;
        }
    }

    pub(crate) fn map(self, place: impl Fn(Span) -> Span) -> Self {
        Self { spans: self.spans.into_iter().map(|(path, span)| (path, place(span))).collect() }
    }

    pub(crate) fn exact(&self, path: &Path) -> Option<Span> {
        self.spans.get(path).cloned()
    }

    pub(crate) fn insert(&mut self, path: Path, span: Span) {
        self.spans.insert(path, span);
    }
}
