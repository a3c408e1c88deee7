//! Places in a document: paths and byte ranges.

use std::collections::HashMap;
use std::fmt;
use std::mem;
use std::ops::Range;
use std::sync::OnceLock;

use crate::grammar;

/// A range of bytes of a document; the end is exclusive.
pub type Span = Range<usize>;

/// The path of a value in a document: `/network/ip[2]/dhcp/range[1]/@start`.
///
/// Repeatable elements are numbered from 1, among those that were understood: the number is the
/// index in the model plus one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NodePath(String);

impl NodePath {
    /// The root element.
    pub fn root(name: &str) -> Self {
        Self(["/", name].concat())
    }

    /// A child that occurs at most once.
    #[must_use]
    pub fn element(&self, name: &str) -> Self {
        self.step(&["/", name])
    }

    /// A child that can be repeated; `index` counts from 0, as in the model.
    #[must_use]
    pub fn nth(&self, name: &str, index: usize) -> Self {
        self.step(&["/", name, "[", &(index + 1).to_string(), "]"])
    }

    /// An attribute.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Self {
        self.step(&["/@", name])
    }

    /// Extends a path in one allocation, because many paths are made.
    fn step(&self, more: &[&str]) -> Self {
        let mut path = String::with_capacity(self.0.len() + more.iter().map(|it| it.len()).sum::<usize>());
        path.push_str(&self.0);
        more.iter().for_each(|it| path.push_str(it));
        Self(path)
    }

    /// The name of the root element.
    pub(crate) fn document(&self) -> &str {
        self.0.split('/').nth(1).unwrap_or_default()
    }

    /// The parent element.
    pub fn parent(&self) -> Option<Self> {
        let cut = self.0.rfind('/').filter(|at| *at > 0)?;
        Some(Self(self.0[..cut].to_owned()))
    }

    /// The path with its beginning `from` replaced by `to`; `None` if this path is not within
    /// `from`.
    pub fn moved(&self, from: &Self, to: &Self) -> Option<Self> {
        let rest = self.0.strip_prefix(&from.0).filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
        Some(Self(format!("{}{rest}", to.0)))
    }

    /// A key that sorts paths in the order in which documents are printed: attributes before
    /// children, both in the order of the grammar, and elements of one name by number.
    ///
    /// ```
    /// use vnet_xml::NodePath;
    ///
    /// let root = NodePath::root("network");
    /// assert!(root.element("forward").position() < root.nth("ip", 1).position());
    /// assert!(root.nth("ip", 1).position() < root.nth("ip", 9).position());
    /// ```
    pub fn position(&self) -> impl Ord + use<> {
        grammar::position(self)
    }

    pub(crate) fn of_text(path: String) -> Self {
        Self(path)
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The places of one document's values, by path.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    places: Vec<Place>,
    names: Names,
    /// The places by parent and step; built on the first lookup.
    index: OnceLock<HashMap<(PlaceId, Step), PlaceId>>,
}

/// The names in the paths, each stored once, because documents repeat a few names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Names {
    /// One after the other.
    text: String,
    /// Where each ends.
    ends: Vec<usize>,
    /// The number plus one of the name that was last asked for, by [`look`]: most are asked for
    /// again.
    known: [u16; 32],
}

/// What tells names apart at a glance.
fn look(name: &str) -> usize {
    let byte = |byte: Option<&u8>| byte.copied().map_or(0, usize::from);
    let name = name.as_bytes();
    (name.len() + 3 * byte(name.first()) + 5 * byte(name.last())) % 32
}

impl Names {
    fn get(&self, number: u16) -> &str {
        let number = usize::from(number);
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[number]]
    }

    /// The number of a name that is stored.
    fn find(&self, name: &str) -> Option<u16> {
        let (text, mut start) = (self.text.as_bytes(), 0);
        let is_it = |end: &usize| text[mem::replace(&mut start, *end)..*end] == *name.as_bytes();
        self.ends.iter().position(is_it).map(numbered)
    }

    /// The number of a name, which is stored if it is new.
    fn number(&mut self, name: &str) -> u16 {
        let look = look(name);
        if let Some(known) = self.known[look].checked_sub(1).filter(|known| self.get(*known) == name) {
            return known;
        }
        let number = self.find(name).unwrap_or_else(|| {
            self.text.push_str(name);
            self.ends.push(self.text.len());
            numbered(self.ends.len() - 1)
        });
        self.known[look] = number + 1;
        number
    }
}

fn numbered(name: usize) -> u16 {
    u16::try_from(name).expect("the names that are read are those of the grammar")
}

/// The number of a place, in the order of reading.
pub(crate) type PlaceId = u32;

/// The parent of the root element.
pub(crate) const OUTSIDE: PlaceId = PlaceId::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    around: PlaceId,
    step: Step,
    span: (u32, u32),
}

/// The step from an element to one of its children or attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Step {
    name: u16,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Attribute,
    Element,
    /// Counted from 0.
    Nth(u32),
}

impl SourceMap {
    /// Without places, with room for some.
    pub(crate) fn with_capacity(places: usize) -> Self {
        // The usual definitions have about twenty names.
        let names = Names { text: String::with_capacity(128), ends: Vec::with_capacity(24), known: [0; 32] };
        Self { places: Vec::with_capacity(places), names, index: OnceLock::new() }
    }

    /// The place of a value, or else of the nearest element around it that has a place. The place
    /// of an attribute is its value without quotes, that of an element is its start tag.
    pub fn span(&self, path: &NodePath) -> Option<Span> {
        let mut steps = path.0.split('/').skip(1);
        let mut place = self.inside(OUTSIDE, steps.next()?)?;
        for step in steps {
            let Some(next) = self.inside(place, step) else { break };
            place = next;
        }
        let (start, end) = self.places[place as usize].span;
        Some(start as usize..end as usize)
    }

    /// The place of a value. `None` if the document does not have it.
    pub(crate) fn exact(&self, path: &NodePath) -> Option<Span> {
        let mut steps = path.0.split('/').skip(1);
        let root = self.inside(OUTSIDE, steps.next()?)?;
        let place = steps.try_fold(root, |place, step| self.inside(place, step))?;
        let (start, end) = self.places[place as usize].span;
        Some(start as usize..end as usize)
    }

    /// The place that a step such as `range[1]` or `@start` leads to.
    fn inside(&self, around: PlaceId, step: &str) -> Option<PlaceId> {
        let (name, kind) = match step.strip_prefix('@') {
            Some(name) => (name, Kind::Attribute),
            None => match step.strip_suffix(']').and_then(|step| step.split_once('[')) {
                Some((name, number)) => (name, Kind::Nth(number.parse::<u32>().ok()?.checked_sub(1)?)),
                None => (step, Kind::Element),
            },
        };
        let name = self.names.find(name)?;
        let index = self.index.get_or_init(|| {
            let numbered = (0..).zip(&self.places);
            numbered.map(|(number, place)| ((place.around, place.step), number)).collect()
        });
        index.get(&(around, Step { name, kind })).copied()
    }

    pub(crate) fn map(mut self, place: impl Fn(Span) -> Span) -> Self {
        for Place { span, .. } in &mut self.places {
            let Span { start, end } = place(span.0 as usize..span.1 as usize);
            *span = (small(start), small(end));
        }
        self
    }

    /// Notes an element that occurs at most once in its parent.
    pub(crate) fn element(&mut self, around: PlaceId, name: &str, span: Span) -> PlaceId {
        self.insert(around, name, Kind::Element, span)
    }

    /// Notes an element that occurs at most once in its parent and may have been noted before.
    pub(crate) fn element_once(&mut self, around: PlaceId, name: &str, span: Span) -> PlaceId {
        let is_it = |place: &Place| {
            place.around == around && place.step.kind == Kind::Element && self.names.get(place.step.name) == name
        };
        // Children come after their parents.
        let known = self.places.iter().skip(around as usize).position(is_it).map(|at| around + small(at));
        known.unwrap_or_else(|| self.element(around, name, span))
    }

    /// Notes an element that can be repeated; `index` counts from 0.
    pub(crate) fn nth(&mut self, around: PlaceId, name: &str, index: usize, span: Span) -> PlaceId {
        self.insert(around, name, Kind::Nth(small(index)), span)
    }

    /// An attribute.
    pub(crate) fn attribute(&mut self, around: PlaceId, name: &str, span: Span) {
        self.insert(around, name, Kind::Attribute, span);
    }

    fn insert(&mut self, around: PlaceId, name: &str, kind: Kind, span: Span) -> PlaceId {
        let name = self.names.number(name);
        self.places.push(Place { around, step: Step { name, kind }, span: (small(span.start), small(span.end)) });
        small(self.places.len() - 1)
    }

    /// The paths of an element and those that were read after it, by the start of their tags.
    pub(crate) fn elements(&self, from: PlaceId) -> HashMap<usize, NodePath> {
        let places = (from..).zip(self.places.iter().skip(from as usize));
        let elements = places.filter(|(_, place)| place.step.kind != Kind::Attribute);
        elements.map(|(number, place)| (place.span.0 as usize, self.path(number))).collect()
    }

    /// The path of a place.
    pub(crate) fn path(&self, place: PlaceId) -> NodePath {
        let Place { around, step, .. } = self.places[place as usize];
        let name = self.names.get(step.name);
        if around == OUTSIDE {
            return NodePath::root(name);
        }
        let around = self.path(around);
        match step.kind {
            Kind::Attribute => around.attribute(name),
            Kind::Element => around.element(name),
            Kind::Nth(index) => around.nth(name, index as usize),
        }
    }
}

/// Compares everything except the index, which is built from the rest.
impl PartialEq for SourceMap {
    fn eq(&self, other: &Self) -> bool {
        self.places == other.places && self.names == other.names
    }
}

impl Eq for SourceMap {}

fn small(number: usize) -> u32 {
    u32::try_from(number).expect("documents are far below 4 GiB")
}
