//! Why a document is refused: in libvirt's code and words for what its clients meet, else in
//! vnet's, which name the place.

use vnet_driver::{Error, Finding};
use vnet_rpc::{ErrorCode, ErrorDomain};
use vnet_types::Family;
use vnet_xml::network::{DhcpRange, Ip, Mask};
use vnet_xml::{Code, Network, Problem, Refused, Severity};

use super::{Refusal, network, of, other};

/// The rules of the reader that libvirt has codes of its own for.
const NOT_A_DOCUMENT: std::ops::RangeInclusive<u16> = 1..=6;
pub(crate) const WRONG_ROOT: Code = Code(7);
const UNKNOWN: std::ops::RangeInclusive<u16> = 20..=24;
const INVALID_VALUE: Code = Code(30);
pub(crate) const MISSING_ATTRIBUTE: Code = Code(31);
pub(crate) const MISSING_ELEMENT: Code = Code(32);
/// The highest number of a VLAN.
const VLAN_MAX: u64 = 4095;

/// A code, the part of libvirt, and its words.
type Words = (ErrorCode, ErrorDomain, String);

/// A document that cannot be read. An element that belongs to a network is named with it.
pub(crate) fn document(text: &str, refused: &Refused, of_network: Option<&str>) -> Refusal {
    let errors = || refused.problems.iter().filter(|problem| problem.severity == Severity::Error);
    if text.trim().is_empty() {
        return empty_document();
    }
    let Some(first) = errors().next() else { return network(ErrorCode::XmlError, "no document") };
    if NOT_A_DOCUMENT.contains(&first.code.0) {
        return network(ErrorCode::XmlDetail, at_line(text, first));
    }
    let has_no_name = |it: &Problem| {
        let is_empty = it.path.as_str() == "/network/name" && value(text, it).is_empty();
        is_empty || (it.code == MISSING_ELEMENT && it.message.contains("`<name>`"))
    };
    if errors().any(has_no_name) {
        return network(ErrorCode::NoName, "");
    }
    if let Some((code, domain, words)) = of_problem(text, first, of_network) {
        return of(code, domain, words);
    }
    let words: Vec<String> = errors().map(|it| format!("{} at {}", it.message, it.path)).collect();
    network(ErrorCode::XmlError, words.join("; "))
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
    let is_wrong = |it: &&Problem| it.severity == Severity::Error || UNKNOWN.contains(&it.code.0);
    let words: Vec<String> =
        problems.iter().filter(is_wrong).map(|it| format!("{} at {}\n", it.message, it.path)).collect();
    let error = || of(ErrorCode::XmlInvalidSchema, ErrorDomain::Xml, words.concat());
    (!words.is_empty()).then(error)
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
pub(crate) fn definition(error: Error, definition: &Network) -> Refusal {
    let Error::Refused { findings } = &error else { return other(error) };
    let first = findings.iter().find(|finding| finding.severity == Severity::Error);
    match first.and_then(|finding| of_finding(finding, definition)) {
        Some((code, domain, words)) => of(code, domain, words),
        None => other(error),
    }
}

/// The value that a problem is about. Without one, the place is that of the element.
fn value<'t>(text: &'t str, problem: &Problem) -> &'t str {
    let value = text.get(problem.span.clone()).unwrap_or_default().trim();
    if value.starts_with('<') { "" } else { value }
}

/// libvirt's words for what the reader of a document finds.
fn of_problem(text: &str, problem: &Problem, of_network: Option<&str>) -> Option<Words> {
    use ErrorCode::{ConfigUnsupported, InternalError, XmlDetail, XmlError};
    let value = value(text, problem);
    let name = of_network.or_else(|| text.split_once("<name>")?.1.split('<').next()).unwrap_or_default();
    // A place without the numbers of elements.
    let place: String =
        problem.path.as_str().split('[').map(|part| part.split_once(']').map_or(part, |it| it.1)).collect();
    let ours = |code, words| Some((code, ErrorDomain::Network, words));
    let (is_invalid, lacks_attribute) = (problem.code == INVALID_VALUE, problem.code == MISSING_ATTRIBUTE);
    if problem.code == WRONG_ROOT {
        let (expected, found) = (place.trim_start_matches('/'), problem.message.split(['<', '>']).nth(1)?);
        return Some(match of_network {
            Some(name) => {
                let words =
                    format!("unexpected element <{found}>, expecting <{expected}>, while updating network '{name}'");
                (XmlError, ErrorDomain::Network, words)
            }
            None => {
                let words = format!("expecting root element of '{expected}', not '{found}'");
                (XmlError, ErrorDomain::Xml, words)
            }
        });
    }
    match place.as_str() {
        "/network/name" => {
            let wrong = if value.contains('/') { '/' } else { '\n' };
            Some((XmlDetail, ErrorDomain::Xml, format!("invalid char in name: {wrong}")))
        }
        "/network/uuid" => ours(InternalError, "malformed uuid element".to_owned()),
        "/network/forward/@mode" if is_invalid => ours(ConfigUnsupported, format!("unknown forwarding type '{value}'")),
        "/network/forward/nat/port/@start" | "/network/forward/nat/port/@end" => {
            let end = place.rsplit('@').next().unwrap_or_default();
            let words =
                format!("Missing or invalid '{end}' attribute in <port> in <nat> in <forward> in network {name}");
            ours(XmlDetail, words)
        }
        "/network/ip/@address" if lacks_attribute => {
            ours(XmlError, format!("Missing required address attribute in network '{name}'"))
        }
        "/network/ip/@address" => ours(XmlError, format!("Invalid address '{value}' in network '{name}'")),
        "/network/ip/dhcp/host/@mac" | "/host/@mac" if is_invalid => {
            ours(XmlError, format!("Cannot parse MAC address '{value}' in network '{name}'"))
        }
        "/network/ip/dhcp/range/@start" | "/network/ip/dhcp/range/@end" | "/range/@start" | "/range/@end"
            if lacks_attribute =>
        {
            let end = place.rsplit('@').next().unwrap_or_default();
            ours(XmlError, format!("Missing '{end}' attribute in dhcp range for network '{name}'"))
        }
        "/network/portgroup/@name" | "/portgroup/@name" if lacks_attribute => {
            ours(XmlError, "Missing required name attribute in portgroup".to_owned())
        }
        "/network/mtu/@size" => ours(XmlError, format!("Invalid mtu size '{value}' in network '{name}'")),
        "/network/dns/host/@ip" if is_invalid => {
            ours(XmlDetail, format!("Invalid IP address in network '{name}' DNS HOST record"))
        }
        "/network/dns/host" | "/host" if problem.message.contains("<hostname>") => {
            ours(XmlDetail, format!("Missing hostname in network '{name}' DNS HOST record"))
        }
        "/network/dns/txt/@name" | "/txt/@name" if lacks_attribute => {
            ours(XmlDetail, format!("missing required name attribute in DNS TXT record of network {name}"))
        }
        "/network/dns/srv/@service" | "/srv/@service" if lacks_attribute => {
            ours(XmlDetail, format!("missing required service attribute in DNS SRV record of network '{name}'"))
        }
        "/srv/@protocol" if lacks_attribute => {
            let service = attribute(text, "service").unwrap_or_default();
            let words =
                format!("missing required protocol attribute in DNS SRV record '{service}' of network '{name}'");
            ours(XmlDetail, words)
        }
        "/interface/@dev" if lacks_attribute => {
            ours(XmlError, "missing dev attribute in <interface> element".to_owned())
        }
        place if place.ends_with("/virtualport/@type") && is_invalid => {
            Some((ConfigUnsupported, ErrorDomain::None, format!("unknown virtualport type {value}")))
        }
        place if place.ends_with("/vlan") && problem.code == MISSING_ELEMENT => {
            let words = "missing tag id - each <vlan> must have at least one <tag id='n'/> subelement";
            Some((XmlError, ErrorDomain::None, words.to_owned()))
        }
        place if place.ends_with("/vlan/tag/@id") && value.parse::<u64>().is_ok_and(|id| id > VLAN_MAX) => {
            Some((XmlError, ErrorDomain::None, format!("vlan tag id {value} too large (maximum {VLAN_MAX})")))
        }
        place if place.contains("/bandwidth/") && problem.message.contains("`average`") => {
            Some((XmlDetail, ErrorDomain::None, "Missing mandatory average or floor attributes".to_owned()))
        }
        place if ["/port/@isolated", "/plug/@type"].iter().any(|end| place.ends_with(end)) && is_invalid => {
            let mut parts = place.rsplit('/');
            let (attribute, element) = (parts.next()?.trim_start_matches('@'), parts.next()?);
            let words = format!("Invalid value for attribute '{attribute}' in element '{element}': '{value}'.");
            Some((XmlError, ErrorDomain::Xml, words))
        }
        _ => None,
    }
}

/// libvirt's words for what is wrong with a definition, by the number of vnet's rule.
fn of_finding(finding: &Finding, definition: &Network) -> Option<Words> {
    use ErrorCode::{ConfigUnsupported, InternalError, XmlError};
    let (name, mode) = (&definition.name, definition.forward_mode());
    let ours = |code, words| Some((code, ErrorDomain::Network, words));
    let ranges = || {
        let of = |ip: &Ip| ip.dhcp.clone().map(|dhcp| dhcp.ranges).unwrap_or_default();
        definition.ips.iter().flat_map(move |ip| of(ip).into_iter().map(move |range| (ip, range)))
    };
    match finding.code.0 {
        201 => {
            let is_other = |ip: &&Ip| ip.family.is_some_and(|family| (family == Family::Ipv6) != ip.address.is_ipv6());
            let address = definition.ips.iter().find(is_other)?.address;
            ours(
                ConfigUnsupported,
                match address.is_ipv6() {
                    true => format!("ipv4 family specified for non-IPv4 address '{address}' in network '{name}'"),
                    false => format!("Family 'ipv6' specified for non-IPv6 address '{address}' in network '{name}'"),
                },
            )
        }
        202 => definition.ips.iter().find_map(|ip| match ip.mask {
            Some(Mask::Prefix(prefix)) if prefix > if ip.address.is_ipv6() { 128 } else { 32 } => {
                let family = if ip.address.is_ipv6() { "IPv6" } else { "IPv4" };
                ours(ConfigUnsupported, format!("Invalid {family} prefix '{prefix}' in network '{name}'"))
            }
            _ => None,
        }),
        223 => {
            let is_outside = |(ip, range): &(&Ip, DhcpRange)| {
                ip.net().is_some_and(|subnet| !(subnet.contains(&range.start) && subnet.contains(&range.end)))
            };
            let (ip, DhcpRange { start, end, .. }) = ranges().find(is_outside)?;
            let (address, prefix) = (ip.address, ip.net()?.prefix_len());
            let words = format!("range {start} - {end} is not entirely within network {address}/{prefix}");
            Some((InternalError, ErrorDomain::None, words))
        }
        224 => {
            let (_, DhcpRange { start, end, .. }) = ranges().find(|(_, range)| range.start > range.end)?;
            Some((InternalError, ErrorDomain::None, format!("range {start} - {end} is reversed ")))
        }
        231 => {
            ours(XmlError, format!("Static host definition in IPv4 network '{name}' must have mac or name attribute"))
        }
        501 => {
            let words = format!("{mode} forwarding requested, but no IP address provided for network '{name}'");
            ours(XmlError, words)
        }
        503 => ours(XmlError, format!("forward dev not allowed for network '{name}' with forward mode='{mode}'")),
        511 => {
            let words = format!("The <nat> element can only be used when <forward> 'mode' is 'nat' in network {name}");
            ours(XmlError, words)
        }
        532 => {
            let mut groups = definition.port_groups.iter().filter(|group| group.default).map(|group| &group.name);
            let (first, second) = (groups.next()?, groups.next()?);
            let words = format!(
                "network '{name}' has multiple default <portgroup> elements ({first} and {second}), but only one default \
                 is allowed"
            );
            ours(ConfigUnsupported, words)
        }
        533 => {
            let words =
                format!("<vlan> element specified for network {name}, whose type doesn't support vlan configuration");
            ours(ConfigUnsupported, words)
        }
        601 => {
            let device = finding.message.split_once(" dev ")?.1.split('`').next()?.trim();
            Some((InternalError, ErrorDomain::None, format!("Network is already in use by interface {device}")))
        }
        _ => None,
    }
}

/// A place in a document, as libvirt shows it: the line, and a mark below the place.
fn at_line(text: &str, problem: &Problem) -> String {
    let before = text.get(..problem.span.start).unwrap_or(text);
    let number = before.matches('\n').count() + 1;
    let begins = before.rfind('\n').map_or(0, |at| at + 1);
    let line = text[begins..].lines().next().unwrap_or_default();
    let mark = "-".repeat(before[begins..].chars().count());
    format!("at line {number}: {}\n{line}\n{mark}^", problem.message)
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
        let error = document(text, &refused, None);
        assert_eq!((error.code, error.domain, error.message.as_deref()), (code, domain, Some(words)));
    }
}
