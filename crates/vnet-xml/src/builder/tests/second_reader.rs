//! quick-xml reads what this crate reads, and finds the same in it.

use proptest::prelude::*;
use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};

use super::super::*;
use crate::tree::NodeRef;

/// An element in the order of the document: its depth, name, attributes and trimmed text.
type Element = (usize, String, Vec<(String, String)>, String);

fn ours(node: NodeRef<'_>, depth: usize, to: &mut Vec<Element>) {
    let attributes = node.attributes().iter().map(|it| (it.name.to_owned(), it.value.to_string())).collect();
    to.push((depth, node.name().to_owned(), attributes, node.text().trim_matches(is_space).to_owned()));
    node.children().for_each(|child| ours(child, depth + 1, to));
}

/// What quick-xml finds; it is lenient, and does not say that a document is well-formed.
fn theirs(source: &str) -> Result<Vec<Element>, Box<dyn std::error::Error>> {
    let mut reader = Reader::from_str(source);
    let (mut elements, mut open): (Vec<Element>, Vec<usize>) = (Vec::new(), Vec::new());
    loop {
        let event = reader.read_event()?;
        let text = match &event {
            Event::Start(tag) | Event::Empty(tag) => {
                elements.push(element(tag, open.len())?);
                if matches!(event, Event::Start(_)) {
                    open.push(elements.len() - 1);
                }
                continue;
            }
            Event::End(_) => {
                open.pop();
                continue;
            }
            Event::Eof => break,
            Event::Text(text) => line_ends(text).into_owned(),
            Event::CData(text) => line_ends(text).into_owned(),
            Event::GeneralRef(name) => unescape(&format!("&{};", &**name))?.into_owned(),
            _ => continue,
        };
        if let Some(open) = open.last() {
            elements[*open].3 += &text;
        }
    }
    elements.iter_mut().for_each(|it| it.3 = it.3.trim_matches(is_space).to_owned());
    Ok(elements)
}

fn element(tag: &BytesStart<'_>, depth: usize) -> Result<Element, Box<dyn std::error::Error>> {
    let mut attributes = Vec::new();
    for attribute in tag.attributes() {
        let attribute = attribute?;
        let raw = line_ends(&attribute.value).replace(['\n', '\t'], " ");
        attributes.push((attribute.key.as_ref().to_owned(), unescape(&raw)?.into_owned()));
    }
    Ok((depth, tag.name().as_ref().to_owned(), attributes, String::new()))
}

fn same(source: &str) -> Result<(), TestCaseError> {
    let Ok(tree) = parse(source, &Limits::default()) else { return Ok(()) };
    let mut found = Vec::new();
    ours(tree.root(), 0, &mut found);
    let expected = theirs(source).map_err(|error| TestCaseError::fail(format!("{source:?}: {error}")))?;
    prop_assert_eq!(found, expected, "{:?}", source);
    Ok(())
}

/// Pieces of markup and of text, which are often well-formed when they come together.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ \\t\\r\\n]{0,2}[a-c>'\"/=-]{0,3}\\]{0,2}".prop_map(|text| text.replace("]]>", "]]")),
        2 => prop::sample::select(vec!["&amp;", "&#10;", "&#xe9;", "&lt;", "é", "<b/>", "<c\n/>", "<?p <q> '?>"]).prop_map(str::to_owned),
        1 => "[a-c<>&' -]{0,4}".prop_map(|text| format!("<!--{text}-->")),
        1 => "[a-c<>&\\] ]{0,4}".prop_map(|text| format!("<![CDATA[{text}]]>")),
    ]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c> \\t\\r\\n=/\"]{0,4}(&quot;|&#9;)?".prop_map(|text| format!("'{text}'")),
        "[a-c'> ]{0,4}".prop_map(|text| format!("\"{text}\""))
    ]
}

fn document() -> impl Strategy<Value = String> {
    let leaf = prop::collection::vec(piece(), 0..4).prop_map(|pieces| pieces.concat());
    leaf.prop_recursive(4, 24, 4, |inner| {
        let parts =
            (prop::collection::vec(value(), 0..3), prop::collection::vec(prop_oneof![inner, piece()], 0..4), "[ \\n]?");
        parts.prop_map(|(values, within, space)| {
            let attributes: String =
                values.iter().enumerate().map(|(at, value)| format!(" {space}x{at}{space}={space}{value}")).collect();
            format!("<a{attributes}{space}>{}</a{space}>", within.concat())
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn made_documents(source in document()) {
        same(&source)?;
    }

    /// Half of a document, a piece, and the other half.
    #[test]
    fn broken_documents(source in document(), at in any::<prop::sample::Index>(), piece in "[<>/='\"&;! \\]\\[?a-]{0,3}", len in 0_usize..3) {
        let places: Vec<usize> = source.char_indices().map(|(at, _)| at).chain([source.len()]).collect();
        let from = at.index(places.len());
        let to = (from + len).min(places.len() - 1);
        same(&format!("{}{piece}{}", &source[..places[from]], &source[places[to]..]))?;
    }
}

/// The documents above are often read, so that the comparison says something.
#[test]
fn many_are_read() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let made = (0..200).map(|_| document().new_tree(&mut runner).unwrap().current());
    let read = made.filter(|source| parse(source, &Limits::default()).is_ok()).count();
    assert!(read > 50, "{read}");
}
