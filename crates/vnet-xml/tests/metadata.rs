//! Title, description and the elements of `<metadata>`, each on its own.
#![allow(clippy::unwrap_used, reason = "a test")]

use rstest::rstest;
use vnet_xml::Network;
use vnet_xml::network::{MetadataError, MetadataPart};

fn element(namespace: &str) -> MetadataPart {
    MetadataPart::Element(namespace.to_owned())
}

/// A network that has an element of another program.
fn network() -> Network {
    "<network><name>n</name><metadata><o:other xmlns:o='urn:other'/></metadata></network>".parse().unwrap()
}

/// The element as it is in the definition, and as it is read back.
#[rstest]
#[case::alone("<a b='1'/>", r#"<k:a xmlns:k="urn:u" b="1"/>"#, r#"<a b="1"/>"#)]
#[case::all_get_the_prefix(
    "<a><b>t</b><c/></a>",
    "<k:a xmlns:k=\"urn:u\">\n      <k:b>t</k:b>\n      <k:c/>\n    </k:a>",
    "<a>\n    <b>t</b>\n    <c/>\n  </a>"
)]
#[case::other_namespaces_stay(
    "<a xmlns:x='urn:x'><x:b/></a>",
    "<k:a xmlns:x=\"urn:x\" xmlns:k=\"urn:u\">\n      <x:b/>\n    </k:a>",
    "<a xmlns:x=\"urn:x\">\n    <x:b/>\n  </a>"
)]
#[case::a_default_namespace_stays(
    "<a><b xmlns='urn:x'><c/></b></a>",
    "<k:a xmlns:k=\"urn:u\">\n      <b xmlns=\"urn:x\">\n        <c/>\n      </b>\n    </k:a>",
    "<k:a xmlns:k=\"urn:u\">\n    <b xmlns=\"urn:x\">\n      <c/>\n    </b>\n  </k:a>"
)]
#[case::its_own_prefix("<p:a xmlns:p='urn:u'/>", r#"<p:a xmlns:p="urn:u"/>"#, "<a/>")]
#[case::the_same_prefix("<k:a xmlns:k='urn:u'/>", r#"<k:a xmlns:k="urn:u"/>"#, "<a/>")]
#[case::its_default_namespace(
    "<a xmlns='urn:u'><b/></a>",
    "<a xmlns=\"urn:u\">\n      <b/>\n    </a>",
    "<a>\n    <b/>\n  </a>"
)]
#[case::an_attribute_with_the_prefix(
    "<a k:b='1' xmlns:k='urn:u'/>",
    r#"<k:a xmlns:k="urn:u" k:b="1"/>"#,
    r#"<k:a xmlns:k="urn:u" k:b="1"/>"#
)]
#[case::with_a_prolog("<?xml version='1.0'?>\n<!-- c -->\n<a/>\n", r#"<k:a xmlns:k="urn:u"/>"#, "<a/>")]
fn an_element_is_set_and_read_back(#[case] text: &str, #[case] printed: &str, #[case] read: &str) {
    let (mut network, part) = (network(), element("urn:u"));
    network.set_metadata_part(&part, Some("<before/>"), Some("old")).unwrap();
    network.set_metadata_part(&part, Some(text), Some("k")).unwrap();
    let expected = format!("  <metadata>\n    <o:other xmlns:o=\"urn:other\"/>\n    {printed}\n  </metadata>\n");
    assert!(network.to_string().contains(&expected), "{network}");
    assert_eq!(network.metadata_part(&part).as_deref(), Some(read));
    assert_eq!(network.metadata_parts(), [element("urn:other"), part.clone()]);
    // What is read can be set again, and means the same.
    let mut again = network.clone();
    again.set_metadata_part(&part, Some(read), Some("k")).unwrap();
    assert_eq!(again.metadata_part(&part).as_deref(), Some(read));
    let printed: Network = network.to_string().parse().unwrap();
    assert_eq!(printed.metadata, network.metadata);

    network.set_metadata_part(&part, None, None).unwrap();
    network.set_metadata_part(&part, None, None).unwrap();
    assert_eq!(network, self::network(), "the element of the other program stays");
    network.set_metadata_part(&element("urn:other"), None, None).unwrap();
    assert_eq!(network.metadata, None);
}

#[test]
fn an_element_is_read_with_what_is_declared_around_it() {
    let text = "<network xmlns:n='urn:n'><name>n</name><metadata xmlns='urn:d' xmlns:m='urn:m'><a><n:b/></a>\
                <m:c><n:d/><e/></m:c></metadata></network>";
    let network: Network = text.parse().unwrap();
    let read = |namespace: &str| network.metadata_part(&element(namespace));
    assert_eq!(network.metadata_parts(), [element("urn:d"), element("urn:m")]);
    let expected = "<a xmlns:n=\"urn:n\">\n    <n:b/>\n  </a>";
    assert_eq!(read("urn:d").as_deref(), Some(expected));
    let expected = "<m:c xmlns=\"urn:d\" xmlns:m=\"urn:m\" xmlns:n=\"urn:n\">\n    <n:d/>\n    <e/>\n  </m:c>";
    assert_eq!(read("urn:m").as_deref(), Some(expected));
    assert_eq!(read("urn:n"), None);
}

#[rstest]
#[case::two_elements("<a/><b/>", "k", "a document has one element at its root")]
#[case::no_element("text", "k", "there is text outside of the root element")]
#[case::open("<a>", "k", "`<a>` is not closed")]
#[case::undeclared("<p:a/>", "k", "the prefix `p` is not declared")]
#[case::no_name("<a/>", "1", "`1` cannot be the prefix of a namespace")]
#[case::a_colon("<a/>", "a:b", "`a:b` cannot be the prefix of a namespace")]
#[case::reserved("<a/>", "xmlns", "`xmlns` cannot be the prefix of a namespace")]
#[case::taken("<a xmlns:k='urn:x'/>", "k", "binds the prefix `k` to the namespace `urn:x`")]
#[case::taken_within("<a><k:b xmlns:k='urn:x'/></a>", "k", "binds the prefix `k` to the namespace `urn:x`")]
#[case::elsewhere("<a xmlns='urn:x'/>", "k", "in the namespace `urn:x`, not in `urn:u`")]
fn what_is_no_element_of_the_namespace_is_refused(#[case] text: &str, #[case] key: &str, #[case] told: &str) {
    let mut network = network();
    let error = network.set_metadata_part(&element("urn:u"), Some(text), Some(key)).unwrap_err();
    assert!(error.to_string().contains(told), "{error}");
    assert_eq!(network, self::network());
}

#[rstest]
#[case::of_xmlns("http://www.w3.org/2000/xmlns/")]
#[case::of_xml("http://www.w3.org/XML/1998/namespace")]
fn the_namespaces_of_xml_are_refused(#[case] namespace: &str) {
    let mut network = network();
    let error = network.set_metadata_part(&element(namespace), Some("<a/>"), Some("k")).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("`{namespace}` is a namespace of XML itself: no program can have an element in it")
    );
    assert_eq!(network, self::network());
}

#[test]
fn a_text_has_no_control_characters() {
    let mut network = network();
    for part in [MetadataPart::Title, MetadataPart::Description] {
        let error = network.set_metadata_part(&part, Some("ä\tb\u{1b}[1m"), None).unwrap_err();
        let told = "line 1, column 4: the control character U+001B cannot be in XML: leave it out";
        assert_eq!(error.to_string(), told);
    }
    let error = network.set_metadata_part(&MetadataPart::Description, Some("one\ntwo\0"), None).unwrap_err();
    assert!(matches!(error, MetadataError::Character { character: '\0', line: 2, column: 4 }));
    assert_eq!(network, self::network());
}

#[test]
fn an_element_is_not_deeper_than_a_definition_can_be() {
    let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    let (mut network, part) = (network(), element("urn:u"));
    network.set_metadata_part(&part, Some(&nested(62)), Some("k")).unwrap();
    let before = network.clone();
    let error = network.set_metadata_part(&part, Some(&nested(63)), Some("k")).unwrap_err();
    assert!(error.to_string().contains("more than 64 elements"), "{error}");
    assert_eq!(network, before);
}

#[test]
fn texts_are_set_and_removed() {
    let mut network = Network::new("n");
    assert_eq!(network.metadata_part(&MetadataPart::Title), None);
    network.set_metadata_part(&MetadataPart::Title, Some("Lab <1>"), None).unwrap();
    network.set_metadata_part(&MetadataPart::Description, Some("two\nlines"), None).unwrap();
    assert_eq!(network.metadata_parts(), [MetadataPart::Title, MetadataPart::Description]);
    let read: Network = network.to_string().parse().unwrap();
    assert_eq!(read.metadata_part(&MetadataPart::Title).as_deref(), Some("Lab <1>"));
    assert_eq!(read.metadata_part(&MetadataPart::Description).as_deref(), Some("two\nlines"));
    let two_lines = network.set_metadata_part(&MetadataPart::Title, Some("two\nlines"), None);
    assert_eq!(two_lines, Err(MetadataError::TitleOfLines));
    network.set_metadata_part(&MetadataPart::Title, Some(""), None).unwrap();
    network.set_metadata_part(&MetadataPart::Description, None, None).unwrap();
    assert_eq!(network, Network::new("n"));
    let none = |part: &MetadataPart, key| Network::new("n").set_metadata_part(part, Some("<a/>"), key).unwrap_err();
    assert_eq!(none(&element("urn:u"), None), MetadataError::NoKey);
    assert_eq!(none(&element(""), Some("k")), MetadataError::NoNamespace);
}
