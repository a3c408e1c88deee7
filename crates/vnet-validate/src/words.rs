//! Names, as DNS and dnsmasq's configuration take them.

use vnet_xml::Path;

use crate::finding::Finding;
use crate::rules::{DNSMASQ_SYNTAX, NOT_A_DNS_NAME};

/// A value that becomes a name in dnsmasq's configuration: refused where it would say something else there, doubted
/// where DNS cannot carry it.
pub(crate) fn name(path: Path, what: &str, value: &str) -> Option<Finding> {
    if value.is_empty() {
        return Some(
            Finding::new(DNSMASQ_SYNTAX, path, format!("{what} is empty")).help("write a name, or leave it out"),
        );
    }
    // Fields end at `,`, domains at `/`, values at white space and `#` in one file or the other; `"` and `\` quote.
    let special = |c: &char| c.is_control() || c.is_whitespace() || matches!(c, ',' | '/' | '#' | '"' | '\\');
    if let Some(finding) = breaks_syntax(path.clone(), what, value, special) {
        return Some(finding);
    }
    let reason = no_dns_name(value)?;
    let finding = Finding::new(NOT_A_DNS_NAME, path, format!("{what} `{value}` is no DNS name: {reason}"));
    Some(finding.help("use letters, digits and `-` in labels of up to 63 characters, separated by `.`"))
}

/// A value that becomes the rest of a line of dnsmasq's configuration.
pub(crate) fn text(path: Path, what: &str, value: &str) -> Option<Finding> {
    breaks_syntax(path, what, value, |c| c.is_control())
}

/// A value that becomes one of the fields of a line.
pub(crate) fn field(path: Path, what: &str, value: &str) -> Option<Finding> {
    if value.is_empty() {
        return Some(Finding::new(DNSMASQ_SYNTAX, path, format!("{what} is empty")));
    }
    breaks_syntax(path, what, value, |c| c.is_control() || matches!(c, ',' | '"' | '\\'))
}

fn breaks_syntax(path: Path, what: &str, value: &str, special: impl Fn(&char) -> bool) -> Option<Finding> {
    let character = value.chars().find(special)?;
    let message =
        format!("{what} {value:?} has the character {character:?}, which would change dnsmasq's configuration");
    Some(Finding::new(DNSMASQ_SYNTAX, path, message).help("write it without that character"))
}

fn no_dns_name(name: &str) -> Option<String> {
    let labels = name.strip_suffix('.').unwrap_or(name);
    if labels.is_empty() {
        return None;
    }
    if labels.len() > 253 {
        return Some(format!("it is {} bytes long, the limit is 253", labels.len()));
    }
    labels.split('.').find_map(|label| match label.len() {
        0 => Some("it has an empty label".to_owned()),
        len @ 64.. => Some(format!("a label is {len} bytes long, the limit is 63")),
        _ => {
            let odd = label.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_'))?;
            Some(format!("it has the character {odd:?}"))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("example.com", None)]
    #[case("example.com.", None)]
    #[case("_dmarc.example.com", None)]
    #[case(".", None)]
    #[case("", Some(301))]
    #[case("a,b", Some(301))]
    #[case("a\nserver=6.6.6.6", Some(301))]
    #[case("a/b", Some(301))]
    #[case("bücher.example", Some(302))]
    #[case("a..b", Some(302))]
    #[case("b@d", Some(302))]
    fn names(#[case] value: &str, #[case] code: Option<u16>) {
        let finding = name(Path::root("network"), "the name", value);
        assert_eq!(finding.map(|finding| finding.code.0), code);
    }

    #[test]
    fn long_names_are_doubted() {
        let long = |value: String| name(Path::root("network"), "the name", &value).map(|finding| finding.code.0);
        assert_eq!(long("a".repeat(63)), None);
        assert_eq!(long("a".repeat(64)), Some(302));
        assert_eq!(long("a.".repeat(127)), Some(302));
    }
}
