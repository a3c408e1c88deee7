//! Names and texts that DNS and the configuration of dnsmasq(8) can hold.

use vnet_xml::NodePath;

use crate::finding::Finding;
use crate::rules::{DNSMASQ_LINE_TOO_LONG, DNSMASQ_SYNTAX, NOT_A_DNS_NAME};

/// The maximum length of a DNS name and of a label, in bytes (RFC 1035, section 2.3.4).
pub(crate) const LONGEST_NAME: usize = 253;
pub(crate) const LONGEST_LABEL: usize = 63;

/// The longest value that fits in a line of dnsmasq's configuration. dnsmasq reads at most 1023
/// bytes of a line.
const LONGEST_TEXT: usize = 1000;

/// Whether a value is a single label of a DNS name that begins with a letter or a digit: nothing is
/// wrong with it.
pub(crate) fn is_label(value: &str) -> bool {
    let begins_well = value.starts_with(|first: char| first.is_ascii_alphanumeric());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    begins_well && value.len() <= LONGEST_LABEL && value.bytes().all(plain)
}

/// Checks a value that becomes a DNS name.
pub(crate) fn name(path: NodePath, what: &str, value: &str) -> Option<Finding> {
    if value.is_empty() {
        let finding = Finding::new(DNSMASQ_SYNTAX, path, format!("{what} is empty"));
        return Some(finding.help("write a name, or leave it out"));
    }
    // Fields end at `,`, domains at `/`, values at white space and `#` in one file or the other;
    // `"` and `\` quote.
    let special = |c: char| c.is_control() || c.is_whitespace() || matches!(c, ',' | '/' | '#' | '"' | '\\');
    breaks_syntax(&path, what, value, special).or_else(|| {
        let odd = value.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.'));
        match odd {
            Some(character) => Some(no_dns_name(path, what, value, &format!("it has the character {character:?}"))),
            None => labels(path, what, value),
        }
    })
}

/// Checks the lengths of a name and its labels, with any characters.
pub(crate) fn labels(path: NodePath, what: &str, value: &str) -> Option<Finding> {
    let name = value.strip_suffix('.').unwrap_or(value);
    let reason = if name.len() > LONGEST_NAME {
        format!("it is {} bytes long, the limit is {LONGEST_NAME}", name.len())
    } else {
        name.split('.').find_map(|label| match label.len() {
            0 => Some("a label is empty".to_owned()),
            len if len > LONGEST_LABEL => Some(format!("a label is {len} bytes long, the limit is {LONGEST_LABEL}")),
            _ => None,
        })?
    };
    Some(no_dns_name(path, what, value, &reason))
}

/// Checks a value that is quoted where necessary.
pub(crate) fn text(path: NodePath, what: &str, value: &str) -> Option<Finding> {
    // Quoted values can hold these as escapes.
    let escaped = |c: char| matches!(c, '\\' | '"' | '\t' | '\n' | '\r' | '\u{8}' | '\u{1b}');
    let len = value.len() + value.chars().filter(|c| escaped(*c)).count();
    if len > LONGEST_TEXT {
        let message = format!("{what} is {len} bytes long, and dnsmasq reads {LONGEST_TEXT} of it at most");
        let finding = Finding::new(DNSMASQ_LINE_TOO_LONG, path, message);
        return Some(finding.help("write something shorter"));
    }
    breaks_syntax(&path, what, value, |c| c.is_control() && !escaped(c))
}

/// Checks a line that dnsmasq gets unchanged.
pub(crate) fn line(path: NodePath, value: &str) -> Option<Finding> {
    if value.len() > LONGEST_TEXT {
        let message =
            format!("the option is {} bytes long, and dnsmasq reads {LONGEST_TEXT} of it at most", value.len());
        return Some(Finding::new(DNSMASQ_LINE_TOO_LONG, path, message).help("write something shorter"));
    }
    breaks_syntax(&path, "the option", value, |c| c != '\t' && c.is_control())
}

/// Checks that a text is not empty.
pub(crate) fn some_text(path: NodePath, what: &str, value: &str) -> Option<Finding> {
    if value.is_empty() {
        return Some(Finding::new(DNSMASQ_SYNTAX, path, format!("{what} is empty")).help("write it, or leave it out"));
    }
    text(path, what, value)
}

pub(crate) fn breaks_syntax(
    path: &NodePath,
    what: &str,
    value: &str,
    special: impl Fn(char) -> bool,
) -> Option<Finding> {
    let character = value.chars().find(|c| special(*c))?;
    let message = format!("{what} {value:?} has the character {character:?}, which means something else to dnsmasq");
    Some(Finding::new(DNSMASQ_SYNTAX, path.clone(), message).help("write it without that character"))
}

fn no_dns_name(path: NodePath, what: &str, value: &str, reason: &str) -> Finding {
    let message = format!("{what} `{value}` is no DNS name: {reason}");
    let help = format!("use letters, digits and `-` in labels of 1 to {LONGEST_LABEL}, with `.` between them");
    Finding::new(NOT_A_DNS_NAME, path, message).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("example.com", None)]
    #[case("example.com.", None)]
    #[case("_dmarc.example.com", None)]
    #[case("", Some(301))]
    #[case("a,b", Some(301))]
    #[case("a\nserver=6.6.6.6", Some(301))]
    #[case("a/b", Some(301))]
    #[case("a b", Some(301))]
    #[case("a\0", Some(301))]
    #[case(".", Some(302))]
    #[case("a..b", Some(302))]
    #[case("bücher.example", Some(302))]
    #[case(&"a".repeat(63), None)]
    #[case(&"a".repeat(64), Some(302))]
    #[case(&"a.".repeat(127), None)]
    #[case(&"a.".repeat(128), Some(302))]
    fn names(#[case] value: &str, #[case] code: Option<u16>) {
        let finding = name(NodePath::root("network"), "the name", value);
        assert_eq!(finding.map(|finding| finding.code.0), code);
        assert!(!is_label(value) || code.is_none());
    }

    #[rstest]
    #[case("v=spf1 include:example.com, -all", None)]
    #[case("two\nlines", None)]
    #[case("a\u{1}b", Some(301))]
    #[case(&"a".repeat(1000), None)]
    #[case(&"\"".repeat(600), Some(313))]
    fn texts(#[case] value: &str, #[case] code: Option<u16>) {
        let finding = text(NodePath::root("network"), "the text", value);
        assert_eq!(finding.map(|finding| finding.code.0), code);
    }
}
