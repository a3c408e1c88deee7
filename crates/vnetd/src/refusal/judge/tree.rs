//! A document as libvirt's parser sees it: elements by name, attributes as values.

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};

/// An element with what is in it.
#[derive(Debug, Default)]
pub(super) struct Element {
    pub(super) name: String,
    attributes: Vec<(String, String)>,
    children: Vec<Element>,
    text: String,
}

impl Element {
    /// Reads a text that is known to be well-formed.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().ok()? {
                Event::Start(tag) => open.push(Self::of(&tag)?),
                Event::Empty(tag) => open.last_mut()?.children.push(Self::of(&tag)?),
                Event::End(_) => {
                    let closed = open.pop()?;
                    open.last_mut()?.children.push(closed);
                }
                Event::Text(text) => open.last_mut()?.text += &text,
                Event::CData(text) => open.last_mut()?.text += &text,
                Event::GeneralRef(name) => {
                    let reference = format!("&{};", &*name);
                    open.last_mut()?.text += &unescape(&reference).ok()?;
                }
                Event::Eof => break,
                _ => {}
            }
        }
        open.pop()?.children.pop()
    }

    fn of(tag: &BytesStart<'_>) -> Option<Self> {
        let attributes = tag.attributes().map(|attribute| {
            let attribute = attribute.ok()?;
            let value = unescape(&attribute.value).ok()?.into_owned();
            Some((attribute.key.as_ref().to_owned(), value))
        });
        let (name, attributes) = (tag.name().as_ref().to_owned(), attributes.collect::<Option<_>>()?);
        Some(Self { name, attributes, ..Self::default() })
    }

    /// An attribute, even an empty one.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// An attribute that is not empty.
    pub(super) fn filled(&self, name: &str) -> Option<&str> {
        self.attribute(name).filter(|value| !value.is_empty())
    }

    /// The elements in it with this name.
    pub(super) fn children<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The first element in it with this name.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text in an element that is not empty.
    pub(super) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str()).filter(|text| !text.is_empty())
    }

    /// The text in it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// An attribute, not empty, of an element in it.
    pub(super) fn filled_of(&self, child: &str, name: &str) -> Option<&str> {
        self.child(child)?.filled(name)
    }
}
