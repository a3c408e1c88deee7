//! Why a document is refused: in libvirt's code and words where it would refuse it, too, else in
//! vnet's, which name the place.

use vnet_driver::Error;
use vnet_rpc::{ErrorCode, ErrorDomain};
use vnet_xml::{Code, Network, Problem, Refused, Severity};

use super::{Refusal, judge, network, of, other};

/// The rules of the reader that libvirt has codes of its own for.
const NOT_A_DOCUMENT: std::ops::RangeInclusive<u16> = 1..=6;
const WRONG_ROOT: Code = Code(7);
const UNKNOWN: std::ops::RangeInclusive<u16> = 20..=24;
pub(crate) const MISSING_ATTRIBUTE: Code = Code(31);
pub(crate) const MISSING_ELEMENT: Code = Code(32);
/// vnet's rule that no other network or link has the addresses of this one.
const ADDRESS_IN_USE: Code = Code(601);

/// A document that cannot be read, with what libvirt objects to in one that is well-formed.
pub(crate) fn document(text: &str, refused: &Refused, judge: impl FnOnce(&str) -> Option<Refusal>) -> Refusal {
    let errors = || refused.problems.iter().filter(|problem| problem.severity == Severity::Error);
    if text.trim().is_empty() {
        return empty_document();
    }
    let Some(first) = errors().next() else { return network(ErrorCode::XmlError, "no document") };
    if NOT_A_DOCUMENT.contains(&first.code.0) {
        return network(ErrorCode::XmlDetail, at_line(text, first));
    }
    let in_words = || {
        let words: Vec<String> = errors().map(|it| format!("{} at {}", it.message, it.path)).collect();
        network(ErrorCode::XmlError, words.join("; "))
    };
    judge(text).unwrap_or_else(in_words)
}

/// A text without an element.
fn empty_document() -> Refusal {
    network(ErrorCode::XmlDetail, "at line 1: Document is empty\n(null)\n^")
}

/// What a schema refuses: elements and attributes that are not known, are missing, or have a wrong
/// value. `None` also where the text is no such document at all.
pub(crate) fn by_schema(problems: &[Problem]) -> Option<Refusal> {
    if problems.iter().any(|it| NOT_A_DOCUMENT.contains(&it.code.0) || it.code == WRONG_ROOT) {
        return None;
    }
    // To libvirt's schema each of the limits is optional.
    let is_bare = |it: &Problem| it.path.as_str().contains("/bandwidth/") && !UNKNOWN.contains(&it.code.0);
    let is_wrong = |it: &&Problem| (it.severity == Severity::Error && !is_bare(it)) || UNKNOWN.contains(&it.code.0);
    let words: Vec<String> =
        problems.iter().filter(is_wrong).map(|it| format!("{} at {}\n", it.message, it.path)).collect();
    let error = || of(ErrorCode::XmlInvalidSchema, ErrorDomain::Xml, words.concat());
    (!words.is_empty()).then(error)
}

/// Refuses a text with bytes that are not UTF-8, which were replaced as the call was read.
pub(crate) fn readable(text: &str) -> Result<(), Refusal> {
    let Some(at) = text.find(char::REPLACEMENT_CHARACTER) else { return Ok(()) };
    let words = "Input is not proper UTF-8, indicate encoding !";
    Err(network(ErrorCode::XmlDetail, at_place(text, at, words)))
}

/// What libvirt says of a text that is no XML.
pub(crate) fn not_well_formed(text: &str) -> Option<Refusal> {
    if text.trim().is_empty() {
        return Some(empty_document());
    }
    let problems = Network::parse(text.as_bytes()).problems;
    let malformed = problems.iter().find(|problem| NOT_A_DOCUMENT.contains(&problem.code.0))?;
    Some(network(ErrorCode::XmlDetail, at_line(text, malformed)))
}

/// An attribute of the first element of a text, as it is written.
pub(crate) fn attribute<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let start = text.split('>').next().unwrap_or_default();
    let (_, rest) = start.split_once(&format!(" {name}="))?;
    let quote = rest.chars().next()?;
    rest[1..].split(quote).next()
}

/// A definition that was read and is refused by the driver.
pub(crate) fn definition(error: Error, text: &str) -> Refusal {
    let Error::Refused { findings } = &error else { return other(error) };
    if let Some(refused) = judge::definition(text) {
        return refused;
    }
    let first = findings.iter().find(|finding| finding.severity == Severity::Error);
    let device = first
        .filter(|finding| finding.code == ADDRESS_IN_USE)
        .and_then(|finding| Some(finding.message.split_once(" dev ")?.1.split('`').next()?.trim().to_owned()));
    match device {
        Some(device) => {
            let words = format!("Network is already in use by interface {device}");
            of(ErrorCode::InternalError, ErrorDomain::None, words)
        }
        None => other(error),
    }
}

/// A place in a document, as libvirt shows it: the line, and a mark below the place.
fn at_line(text: &str, problem: &Problem) -> String {
    at_place(text, problem.span.start, &problem.message)
}

fn at_place(text: &str, place: usize, words: &str) -> String {
    let before = text.get(..place).unwrap_or(text);
    let number = before.matches('\n').count() + 1;
    let begins = before.rfind('\n').map_or(0, |at| at + 1);
    let line = text[begins..].lines().next().unwrap_or_default();
    let mark = "-".repeat(before[begins..].chars().count());
    format!("at line {number}: {words}\n{line}\n{mark}^")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use rstest::rstest;

    use super::*;

    /// The words of libvirt 11.3.
    #[rstest]
    #[case::root("<domain/>", 27, 5, "XML error: expecting root element of 'network', not 'domain'")]
    #[case::no_name("<network/>", 21, 19, "missing name information")]
    #[case::empty_name("<network><name></name></network>", 21, 19, "missing name information")]
    #[case::slash("<network><name>a/b</name></network>", 35, 5, "invalid char in name: /")]
    #[case::uuid("<network><name>a</name><uuid>x</uuid></network>", 1, 19, "internal error: malformed uuid element")]
    #[case::mode(
        "<network><name>a</name><forward mode='x'/></network>",
        67,
        19,
        "unsupported configuration: unknown forwarding type 'x'"
    )]
    #[case::address(
        "<network><name>a</name><ip address='x' prefix='24'/></network>",
        27,
        19,
        "XML error: Invalid address 'x' in network 'a'"
    )]
    #[case::mtu(
        "<network><name>a</name><mtu size='x'/></network>",
        27,
        19,
        "XML error: Invalid mtu size 'x' in network 'a'"
    )]
    #[case::vlan(
        "<network><name>a</name><vlan><tag id='5000'/></vlan></network>",
        27,
        0,
        "XML error: vlan tag id 5000 too large (maximum 4095)"
    )]
    #[case::no_tag(
        "<network><name>a</name><vlan/></network>",
        27,
        0,
        "XML error: missing tag id - each <vlan> must have at least one <tag id='n'/> subelement"
    )]
    #[case::virtualport(
        "<network><name>a</name><virtualport type='x'/></network>",
        67,
        0,
        "unsupported configuration: unknown virtualport type x"
    )]
    #[case::bandwidth(
        "<network><name>a</name><bandwidth><inbound peak='3'/></bandwidth></network>",
        35,
        0,
        "Missing mandatory average or floor attributes"
    )]
    #[case::isolated(
        "<network><name>a</name><port isolated='x'/></network>",
        27,
        5,
        "XML error: Invalid value for attribute 'isolated' in element 'port': 'x'."
    )]
    #[case::mac(
        "<network><name>a</name><ip address='10.0.0.1' prefix='24'><dhcp><host mac='x' ip='10.0.0.2'/></dhcp></ip></network>",
        27,
        19,
        "XML error: Cannot parse MAC address 'x' in network 'a'"
    )]
    fn texts_are_refused_in_the_words_of_libvirt(
        #[case] text: &str,
        #[case] code: i32,
        #[case] domain: i32,
        #[case] words: &str,
    ) {
        let refused = Network::parse(text.as_bytes()).into_result().unwrap_err();
        let error = document(text, &refused, judge::definition);
        assert_eq!((error.code, error.domain, error.message.as_deref()), (code, domain, Some(words)));
    }
}
