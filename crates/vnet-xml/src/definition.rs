//! A document of any kind, recognised by its root element.

use std::fmt;

use crate::encoding::decode;
use crate::markup::name_of;
use crate::tokens::Tokens;
use crate::{Domain, Interface, Network, NetworkPort, NodePath, Parsed, Style, did_you_mean};

/// A document of one of the kinds that this crate reads.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Definition {
    /// `<network>`
    Network(Box<Network>),
    /// `<networkport>`
    NetworkPort(Box<NetworkPort>),
    /// `<interface>`
    Interface(Box<Interface>),
    /// `<domain>`: only its interfaces are read and printed.
    Domain(Domain),
}

/// Reads a kind of document.
type Read = fn(&[u8]) -> Parsed<Definition>;

/// The kinds by the name of their root element.
const KINDS: &[(&str, Read)] = &[
    ("network", |document| Network::parse(document).map(|value| Definition::Network(Box::new(value)))),
    ("networkport", |document| NetworkPort::parse(document).map(|value| Definition::NetworkPort(Box::new(value)))),
    ("interface", |document| Interface::parse(document).map(|value| Definition::Interface(Box::new(value)))),
    ("domain", |document| Domain::parse(document).map(Definition::Domain)),
];

impl Definition {
    /// Reads a document of the kind that its root element names, and finds everything that is wrong
    /// with its text.
    ///
    /// A root element of another name is taken for the kind with the most similar name, or else for
    /// a network.
    ///
    /// ```
    /// use vnet_xml::Definition;
    ///
    /// let parsed = Definition::parse(b"<network><name>lab</name></network>");
    /// assert!(matches!(parsed.value, Some(Definition::Network(network)) if network.name == "lab"));
    /// ```
    pub fn parse(document: &[u8]) -> Parsed<Self> {
        let root = root(document).unwrap_or_default();
        let of = |name: &str| KINDS.iter().find(|(kind, _)| *kind == name);
        let meant = || did_you_mean(&root, KINDS.iter().map(|(kind, _)| *kind)).and_then(of);
        let (_, read) = of(&root).or_else(meant).unwrap_or(&KINDS[0]);
        read(document)
    }

    /// The name of a document's root element, if it is a kind of document that is not read here. A
    /// name that is similar to that of a kind was probably meant to be it, and gives `None`.
    ///
    /// ```
    /// use vnet_xml::Definition;
    ///
    /// assert_eq!(Definition::foreign_root(b"<pool type='dir'/>").as_deref(), Some("pool"));
    /// assert_eq!(Definition::foreign_root(b"<netwrok/>"), None);
    /// ```
    pub fn foreign_root(document: &[u8]) -> Option<String> {
        let root = root(document)?;
        let kinds = || KINDS.iter().map(|(kind, _)| *kind);
        let is_kind = kinds().any(|kind| kind == root) || did_you_mean(&root, kinds()).is_some();
        (!is_kind).then_some(root)
    }

    /// The path of the root element.
    pub fn root(&self) -> NodePath {
        NodePath::root(match self {
            Self::Network(_) => "network",
            Self::NetworkPort(_) => "networkport",
            Self::Interface(_) => "interface",
            Self::Domain(_) => "domain",
        })
    }

    /// The definition as text in a style; a network port is the same in every style. For a domain
    /// this prints only the interfaces, one below the other; [`Self::print_into`] prints the whole
    /// document.
    pub fn to_text(&self, style: Style) -> String {
        match self {
            Self::Network(network) => network.display(style).to_string(),
            Self::NetworkPort(port) => port.to_string(),
            Self::Interface(interface) => interface.display(style).to_string(),
            Self::Domain(domain) => domain.interfaces.iter().map(|it| it.display(style).to_string()).collect(),
        }
    }

    /// The document that the definition was read from, printed in a style. For a domain only the
    /// interfaces are printed anew, see [`Domain::print_into`]; other documents are printed whole.
    pub fn print_into(&self, document: &[u8], style: Style) -> Option<String> {
        match self {
            Self::Domain(domain) => domain.print_into(document, style),
            _ => Some(self.to_text(style)),
        }
    }
}

/// As libvirt prints it while it is in use.
impl fmt::Display for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text(Style::default()))
    }
}

/// The name of the first element.
fn root(document: &[u8]) -> Option<String> {
    let decoded = decode(document.strip_prefix("\u{feff}".as_bytes()).unwrap_or(document)).ok()?;
    let mut tokens = Tokens::new(&decoded.text);
    loop {
        let rest = &decoded.text[tokens.at..];
        // What is wrong in its tag does not matter here.
        if rest.strip_prefix('<').is_some_and(|rest| !rest.starts_with(['/', '!', '?'])) {
            return Some(name_of(rest).to_owned());
        }
        tokens.next()?.ok()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("<?xml version='1.0'?><!-- c -->\n<networkport/>", "networkport")]
    #[case("\u{feff}<networkport/>", "networkport")]
    #[case("<networkprot/>", "networkport")]
    #[case("<newtork/>", "network")]
    #[case("<interface x=''/>", "interface")]
    #[case("<!DOCTYPE a [<!ENTITY b '>'>]><interface/>", "interface")]
    #[case("<interface type/>", "interface")]
    #[case("<banana/>", "network")]
    #[case("", "network")]
    fn recognises(#[case] document: &str, #[case] kind: &str) {
        let problems = Definition::parse(document.as_bytes()).problems;
        let root = problems[0].path.as_str().split('/').nth(1);
        assert_eq!(root, Some(kind), "{problems:?}");
    }
}
