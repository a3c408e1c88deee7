//! The comments of a definition: read with the element that they stand at, and printed there again.

mod print;
mod read;

use crate::NodePath;

pub(crate) use read::Reader;

/// The comments of a definition, each with the element that it stands at.
///
/// They are for people: definitions that differ in their comments alone are equal. A comment whose
/// element is not printed is printed in the nearest element around it.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct Comments(Vec<Comment>);

/// One comment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Comment {
    /// The element.
    path: NodePath,
    position: Position,
    /// Everything between `<!--` and `-->`. Lines after the first have only the indentation that
    /// they have beyond the first.
    text: String,
}

/// Where a comment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
enum Position {
    /// Above the element.
    Before,
    /// Behind the element, on its last line; below the root element.
    Behind,
    /// In the element, after its last child.
    Last,
}

impl Comments {
    /// Whether there is no comment.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The texts, without white space around them, in the order of the document.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|comment| comment.text.trim())
    }

    /// Keeps the comments whose text, without white space around it, passes the test.
    pub fn retain(&mut self, mut is_kept: impl FnMut(&str) -> bool) {
        self.0.retain(|comment| is_kept(comment.text.trim()));
    }

    /// Takes out the comments at an element and in it.
    pub(crate) fn take(&mut self, path: &NodePath) -> Self {
        let (taken, kept) = self.0.drain(..).partition(|comment| comment.path.moved(path, path).is_some());
        self.0 = kept;
        Self(taken)
    }

    /// Adds the comments at an element of another document.
    pub(crate) fn adopt(&mut self, others: Self, from: &NodePath, to: &NodePath) {
        let moved = others.0.into_iter();
        self.0.extend(moved.filter_map(|it| Some(Comment { path: it.path.moved(from, to)?, ..it })));
    }

    /// Renumbers elements like the one of this path, from its number on: one has come before them,
    /// or, if `gone`, one has gone.
    pub(crate) fn renumber(&mut self, path: &NodePath, gone: bool) {
        let Some((like, number)) = numbered(path.as_str()) else { return };
        for comment in &mut self.0 {
            let Some(rest) = comment.path.as_str().strip_prefix(like) else { continue };
            let Some((other, below)) = rest.split_once(']') else { continue };
            let Some(other) = other.parse::<usize>().ok().filter(|other| *other >= number) else { continue };
            let other = if gone { other - 1 } else { other + 1 };
            comment.path = NodePath::of_text(format!("{like}{other}]{below}"));
        }
    }
}

/// Comments do not change what a definition says.
impl PartialEq for Comments {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Comments {}

/// Splits the path of a numbered element into everything up to its number, and the number.
fn numbered(path: &str) -> Option<(&str, usize)> {
    let at = path.strip_suffix(']')?.rfind('[')? + 1;
    Some((&path[..at], path[at..path.len() - 1].parse().ok()?))
}
