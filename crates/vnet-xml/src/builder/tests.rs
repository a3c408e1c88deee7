//! What the builder refuses, and what it keeps.

mod second_reader;

use super::*;
use rstest::rstest;

#[rstest]
#[case::empty("", rules::NOT_WELL_FORMED)]
#[case::text("hello", rules::NOT_WELL_FORMED)]
#[case::unclosed("<a><b></b>", rules::NOT_WELL_FORMED)]
#[case::mismatched("<a></b>", rules::NOT_WELL_FORMED)]
#[case::two_roots("<a/><b/>", rules::NOT_WELL_FORMED)]
#[case::text_after("<a/>x", rules::NOT_WELL_FORMED)]
#[case::name("<1a/>", rules::NOT_WELL_FORMED)]
#[case::attribute_twice("<a b='1' b='2'/>", rules::NOT_WELL_FORMED)]
#[case::attributes_without_space("<a b='1'c='2'/>", rules::NOT_WELL_FORMED)]
#[case::attribute_without_value("<a b/>", rules::NOT_WELL_FORMED)]
#[case::attribute_without_quotes("<a b=1/>", rules::NOT_WELL_FORMED)]
#[case::less_than_in_value("<a b='<'/>", rules::NOT_WELL_FORMED)]
#[case::cdata_end_in_text("<a>]]></a>", rules::NOT_WELL_FORMED)]
#[case::prefix("<x:a/>", rules::NOT_WELL_FORMED)]
#[case::attribute_prefix("<a x:b='1'/>", rules::NOT_WELL_FORMED)]
#[case::late_declaration("<a/><?xml version='1.0'?>", rules::NOT_WELL_FORMED)]
#[case::encoding("<?xml version='1.0' encoding='koi8-r'?><a/>", rules::NOT_UTF8)]
#[case::version("<?xml version='2.0'?><a/>", rules::NOT_WELL_FORMED)]
#[case::no_version("<?xml encoding='UTF-8'?><a/>", rules::NOT_WELL_FORMED)]
#[case::bare_declaration("<?xml?><a/>", rules::NOT_WELL_FORMED)]
#[case::declaration_without_value("<?xml foo?><a/>", rules::NOT_WELL_FORMED)]
#[case::declaration_order("<?xml version='1.0' standalone='no' encoding='UTF-8'?><a/>", rules::NOT_WELL_FORMED)]
#[case::declaration_attribute("<?xml version='1.0' a='1'?><a/>", rules::NOT_WELL_FORMED)]
#[case::instruction_target("<?1?><a/>", rules::NOT_WELL_FORMED)]
#[case::instruction_xml("<?XML version='1.0'?><a/>", rules::NOT_WELL_FORMED)]
#[case::bare_ampersand("<a>x & y</a>", rules::NOT_WELL_FORMED)]
#[case::surrogate("<a b='&#xD800;'/>", rules::NOT_WELL_FORMED)]
#[case::nul_reference("<a b='&#0;'/>", rules::NOT_WELL_FORMED)]
#[case::second_byte_order_mark("\u{feff}<a/>", rules::NOT_WELL_FORMED)]
#[case::open_tag("<a", rules::NOT_WELL_FORMED)]
#[case::open_tag_after_attribute("<a b='1'", rules::NOT_WELL_FORMED)]
#[case::open_value("<a b='1></a>", rules::NOT_WELL_FORMED)]
#[case::open_value_of_other_quotes("<a b='1\"/>", rules::NOT_WELL_FORMED)]
#[case::slash_in_tag("<a/b/>", rules::NOT_WELL_FORMED)]
#[case::slash_and_space("<a / >", rules::NOT_WELL_FORMED)]
#[case::slash_after_attribute("<a b='1'/c='2'/>", rules::NOT_WELL_FORMED)]
#[case::bare_end("</a>", rules::NOT_WELL_FORMED)]
#[case::open_end("<a></a", rules::NOT_WELL_FORMED)]
#[case::end_with_attribute("<a></a b='1'>", rules::NOT_WELL_FORMED)]
#[case::end_with_space_before("<a></ a>", rules::NOT_WELL_FORMED)]
#[case::crossed("<a><b></a></b>", rules::NOT_WELL_FORMED)]
#[case::no_name("<>", rules::NOT_WELL_FORMED)]
#[case::open_comment("<a><!-- b -></a>", rules::NOT_WELL_FORMED)]
#[case::short_comment("<!--><a/>", rules::NOT_WELL_FORMED)]
#[case::shorter_comment("<!---><a/>", rules::NOT_WELL_FORMED)]
#[case::hyphens_in_comment("<!-- a -- b --><a/>", rules::NOT_WELL_FORMED)]
#[case::hyphens_end_comment("<!-- a ---><a/>", rules::NOT_WELL_FORMED)]
#[case::open_section("<a><![CDATA[b]></a>", rules::NOT_WELL_FORMED)]
#[case::section_outside("<a/><![CDATA[]]>", rules::NOT_WELL_FORMED)]
#[case::reference_outside("<a/>&#32;", rules::NOT_WELL_FORMED)]
#[case::other_bang("<a><!b></a>", rules::NOT_WELL_FORMED)]
#[case::open_instruction("<a/><?b >", rules::NOT_WELL_FORMED)]
#[case::short_instruction("<?><a/>", rules::NOT_WELL_FORMED)]
#[case::open_reference("<a>&amp</a>", rules::NOT_WELL_FORMED)]
#[case::reference_in_reference("<a>&b&amp;</a>", rules::NOT_WELL_FORMED)]
#[case::open_doctype("<!DOCTYPE a [<!ENTITY", rules::DOCTYPE)]
#[case::nul("<a>\0</a>", rules::CHARACTER)]
#[case::entity("<a>&lol;</a>", rules::ENTITY)]
#[case::entity_in_value("<a b='&lol;'/>", rules::ENTITY)]
#[case::doctype("<!DOCTYPE a [<!ENTITY lol 'lol'>]><a>&lol;</a>", rules::DOCTYPE)]
fn refuses(#[case] source: &str, #[case] code: Code) {
    let error = parse(source, &Limits::default()).err().expect("refused");
    assert_eq!(error.code, code, "{error:?}");
    assert!(error.span.end <= source.len(), "{error:?}");
}

#[rstest]
#[case::deep("<a>".repeat(200_000))]
#[case::wide(format!("<a>{}</a>", "<b/>".repeat(300_000)))]
#[case::many_attributes(format!("<a {}/>", (0..100_000).map(|n| format!("a{n}='' ")).collect::<String>()))]
#[case::long(format!("<a>{}</a>", " ".repeat(11 << 20)))]
#[case::attributes_in_all(format!("<a>{}</a>", "<b c='' d='' e='' f=''/>".repeat(130_000)))]
#[case::prefixes(format!("<a {}/>", (0..63).map(|n| format!("xmlns:p{n}='' ")).collect::<String>()))]
fn limits(#[case] source: String) {
    let error = parse(&source, &Limits::default()).err().expect("refused");
    assert_eq!(error.code, rules::TOO_LARGE, "{error:?}");
}

#[rstest]
#[case::empty("<!----><a/>", "")]
#[case::hyphen("<!-- - --><a/>", "")]
#[case::greater("<a b='>'>c > d</a >", "c > d")]
#[case::quotes("<a b='\"' c=\"'\">'\"</a\n>", "'\"")]
#[case::section("<a><![CDATA[]]]]><![CDATA[>]]></a>", "]]>")]
#[case::instruction("<?b <c> '?><a>d<?e?>f</a>", "df")]
fn reads(#[case] source: &str, #[case] text: &str) {
    let tree = parse(source, &Limits::default()).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!((tree.root().name(), tree.root().text()), ("a", text));
}

#[test]
fn keeps_text_values_and_places() {
    let source = "<?xml version=\"1.0\" encoding='utf-8' standalone = 'no' ?>\n<?i?><!-- c --><a b = \"x&#10;&lt;\ny\" >\n t&amp;u<![CDATA[<v>]]> </a>\n";
    let tree = parse(source, &Limits::default()).unwrap_or_else(|error| panic!("{error:?}"));
    let root = tree.root();
    assert_eq!((root.name(), root.text()), ("a", "\n t&u<v> "));
    let [attribute] = root.attributes() else { panic!("one attribute") };
    assert_eq!(attribute.value, "x\n< y");
    assert_eq!(&source[attribute.value_span()], "x&#10;&lt;\ny");
    assert_eq!(&source[attribute.name_span()], "b");
}
