//! What libvirt's own parser objects to in a document that vnet has refused: its checks in their
//! order, and the code, part and words of the first that fails. Where none does, vnet alone has
//! refused, and says so in its own words.

mod dhcp;
mod dns;
mod forward;
mod ip;
mod network;
mod parts;
mod tree;

use vnet_rpc::{ErrorCode, ErrorDomain};
use vnet_types::Uuid;
use vnet_xml::network::Section;

use self::tree::Element;
use super::{Refusal, network as by_network, of};

/// The first objection, if there is one.
type Judgement = Result<(), Refusal>;

/// libvirt's objection to a definition.
pub(crate) fn definition(text: &str) -> Option<Refusal> {
    let root = Element::read(text)?;
    network::check(&root).and_then(|()| network::validate(&root)).err()
}

/// libvirt's objection to a port, once its owner and its MAC address are known to be right.
pub(crate) fn port(text: &str) -> Option<Refusal> {
    let root = Element::read(text)?;
    is_root(&root, "networkport").and_then(|()| parts::port(&root)).err()
}

/// Checks what kind of document it is.
fn is_root(root: &Element, expected: &str) -> Judgement {
    let words = || format!("expecting root element of '{expected}', not '{}'", root.name);
    if root.name == expected { Ok(()) } else { Err(of(ErrorCode::XmlError, ErrorDomain::Xml, words())) }
}

/// An element that is to change a network.
#[derive(Clone, Copy)]
pub(crate) struct Change<'a> {
    pub(crate) section: Section,
    /// Whether it is read at all, after its name.
    pub(crate) is_read: bool,
    /// Whether it is only to be found: then it may be a part of one.
    pub(crate) is_partial: bool,
    /// The position of the `<ip>`; negative for any.
    pub(crate) parent: i32,
    pub(crate) text: &'a str,
}

/// libvirt's objection to an element that is to change a network with this definition.
pub(crate) fn change(name: &str, definition: &str, change: &Change<'_>) -> Option<Refusal> {
    let element = Element::read(change.text)?;
    let expected = change.section.element();
    if element.name != expected {
        let found = &element.name;
        return Some(xml_error(format!(
            "unexpected element <{found}>, expecting <{expected}>, while updating network '{name}'"
        )));
    }
    let definition = Element::read(definition).filter(|_| change.is_read)?;
    let judged = match change.section {
        Section::IpDhcpHost | Section::IpDhcpRange => ip_of(&definition, name, change.parent).and_then(|ip| {
            let ip = ip::parsed(name, ip)?;
            match change.section {
                Section::IpDhcpHost if change.is_partial => dhcp::host(name, &ip, &element, true),
                Section::IpDhcpHost => {
                    dhcp::host(name, &ip, &element, false).and_then(|()| dhcp::family(&ip, &element))
                }
                _ => dhcp::range(name, &ip, &element),
            }
        }),
        Section::ForwardInterface if element.attribute("dev").is_none() => {
            Err(xml_error("missing dev attribute in <interface> element"))
        }
        Section::PortGroup => parts::port_group(&element),
        Section::DnsHost => dns::host(name, &element, change.is_partial),
        Section::DnsTxt => dns::txt(name, &element, change.is_partial),
        Section::DnsSrv => dns::srv(name, &element, change.is_partial),
        _ => Ok(()),
    };
    judged.err()
}

/// The `<ip>` whose DHCP is to be changed.
fn ip_of<'a>(definition: &'a Element, name: &str, parent: i32) -> Result<&'a Element, Refusal> {
    let none = |at: &str| {
        let what = format!("couldn't update dhcp host entry - no <ip> element found {at}in network '{name}'");
        by_network(ErrorCode::OperationInvalid, what)
    };
    if let Ok(at) = usize::try_from(parent) {
        return definition.children("ip").nth(at).ok_or_else(|| none(&format!("at index {at} ")));
    }
    let has_dhcp = |ip: &&Element| {
        let dhcp = ip.child("dhcp");
        dhcp.is_some_and(|dhcp| dhcp.child("range").is_some() || dhcp.child("host").is_some())
    };
    let is_v4 = |ip: &&Element| !ip.attribute("address").unwrap_or_default().contains(':');
    let mut ips = [definition.children("ip").find(has_dhcp), definition.children("ip").find(is_v4)].into_iter();
    ips.find_map(|ip| ip).or_else(|| definition.child("ip")).ok_or_else(|| none(""))
}

fn xml_error(words: impl Into<String>) -> Refusal {
    by_network(ErrorCode::XmlError, words)
}

fn detail(words: impl Into<String>) -> Refusal {
    by_network(ErrorCode::XmlDetail, words)
}

fn unsupported(words: impl Into<String>) -> Refusal {
    by_network(ErrorCode::ConfigUnsupported, words)
}

/// An attribute with a wrong value.
fn invalid(element: &Element, attribute: &str, more: &str) -> Refusal {
    let (name, value) = (&element.name, element.attribute(attribute).unwrap_or_default());
    let words = format!("Invalid value for attribute '{attribute}' in element '{name}': {more}");
    of(ErrorCode::XmlError, ErrorDomain::Xml, words.replace("VALUE", &format!("'{value}'.")))
}

/// Checks an attribute that is a word of a list.
fn word(element: Option<&Element>, attribute: &str, words: &[&str]) -> Judgement {
    let Some(element) = element else { return Ok(()) };
    match element.attribute(attribute) {
        Some(value) if !words.contains(&value) => Err(invalid(element, attribute, "VALUE")),
        _ => Ok(()),
    }
}

/// Checks an attribute that is `yes` or `no`.
fn yes_no(element: Option<&Element>, attribute: &str) -> Judgement {
    word(element, attribute, &["yes", "no"])
}

/// Reads an attribute that is a number, decimal or of another base by its prefix.
fn number(element: &Element, attribute: &str, most: u64) -> Result<Option<u64>, Refusal> {
    let Some(value) = element.attribute(attribute) else { return Ok(None) };
    let number = value.trim_start().trim_start_matches('+').parse::<u64>().ok().filter(|number| *number <= most);
    let wrong = || invalid(element, attribute, "VALUE Expected non-negative integer value");
    number.map(Some).ok_or_else(wrong)
}

/// The attribute, which must be there.
fn required<'a>(element: &'a Element, attribute: &str) -> Result<&'a str, Refusal> {
    let missing = || {
        let words = format!("Missing required attribute '{attribute}' in element '{}'", element.name);
        of(ErrorCode::XmlError, ErrorDomain::Xml, words)
    };
    element.attribute(attribute).ok_or_else(missing)
}

fn is_uuid(text: &str) -> bool {
    text.trim().parse::<Uuid>().is_ok()
}
