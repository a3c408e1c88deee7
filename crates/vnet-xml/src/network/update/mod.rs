//! `virsh net-update`: adds, replaces or deletes one element of a network.
//!
//! The sections that libvirt supports follow libvirt's rules. The other sections, which libvirt
//! refuses to update, follow these:
//!
//! | section | how many | which one matches |
//! |---|---|---|
//! | `bridge` `domain` `forward` `forward-pf` `mtu` `bandwidth` `vlan` `nat` `port` | at most one | that one; all that a `delete` says of it has to be true |
//! | `ip` | any number | the one with the same address |
//! | `route` | any number | the one to the same network; of several, the one with the same metric |
//!
//! Adding is refused if the element exists already, modifying and deleting if it does not exist.

mod dhcp;
mod dns;
mod error;
mod forward;
mod help;
mod single;

use std::fmt;
use std::str::FromStr;

use super::Network;
use crate::element::Element;
use crate::{Comments, NodePath, Parsed, Problem, Refused, SourceMap};

pub use error::{UpdateError, UpdateRefusal};

/// The part of a network that an update is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Section {
    /// `bridge`: `<bridge>`
    Bridge,
    /// `domain`: `<domain>`
    Domain,
    /// `ip`: `<ip>`
    Ip,
    /// `ip-dhcp-host`: `<host>` of `<dhcp>`
    IpDhcpHost,
    /// `ip-dhcp-range`: `<range>`
    IpDhcpRange,
    /// `forward`: `<forward>`
    Forward,
    /// `forward-interface`: `<interface>`
    ForwardInterface,
    /// `forward-pf`: `<pf>`
    ForwardPf,
    /// `portgroup`: `<portgroup>`
    PortGroup,
    /// `dns-host`: `<host>` of `<dns>`
    DnsHost,
    /// `dns-txt`: `<txt>`
    DnsTxt,
    /// `dns-srv`: `<srv>`
    DnsSrv,
    /// `route`: `<route>`
    Route,
    /// `mtu`: `<mtu>`
    Mtu,
    /// `bandwidth`: `<bandwidth>`
    Bandwidth,
    /// `vlan`: `<vlan>`
    Vlan,
    /// `nat`: `<nat>`
    Nat,
    /// `port`: `<port>`
    Port,
}

/// What to do with the element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// `add-first`: insert it before the others of its kind.
    AddFirst,
    /// `add-last`: insert it after the others of its kind.
    AddLast,
    /// `modify`: replace the one that matches.
    Modify,
    /// `delete`: delete the one that matches.
    Delete,
}

/// A network after an update.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Updated {
    /// The network; `vnet-validate` checks whether it makes sense.
    pub network: Network,
    /// The path of the element in the network; `None` if it was deleted.
    pub path: Option<NodePath>,
    /// The comments of an element that was deleted.
    pub lost: Comments,
    /// The path of the element in its own text.
    pub root: NodePath,
    /// Warnings about the element's text.
    pub problems: Vec<Problem>,
    /// The places in the element's text.
    pub source: SourceMap,
}

impl Section {
    /// Every section by the word of `virsh net-update`.
    pub const WORDS: &[(&str, Self)] = &[
        ("bridge", Self::Bridge),
        ("domain", Self::Domain),
        ("ip", Self::Ip),
        ("ip-dhcp-host", Self::IpDhcpHost),
        ("ip-dhcp-range", Self::IpDhcpRange),
        ("forward", Self::Forward),
        ("forward-interface", Self::ForwardInterface),
        ("forward-pf", Self::ForwardPf),
        ("portgroup", Self::PortGroup),
        ("dns-host", Self::DnsHost),
        ("dns-txt", Self::DnsTxt),
        ("dns-srv", Self::DnsSrv),
        ("route", Self::Route),
        ("mtu", Self::Mtu),
        ("bandwidth", Self::Bandwidth),
        ("vlan", Self::Vlan),
        ("nat", Self::Nat),
        ("port", Self::Port),
    ];

    /// The word of `virsh net-update`.
    pub fn word(self) -> &'static str {
        word(Self::WORDS, self)
    }

    /// The name of the element that is added, replaced or deleted.
    pub fn element(self) -> &'static str {
        let word = self.word();
        word.rsplit_once('-').map_or(word, |(_, element)| element)
    }
}

impl Command {
    /// Every command by the word of `virsh net-update`.
    pub const WORDS: &[(&str, Self)] = &[
        ("add-last", Self::AddLast),
        ("add-first", Self::AddFirst),
        ("modify", Self::Modify),
        ("delete", Self::Delete),
    ];

    /// The word of `virsh net-update`.
    pub fn word(self) -> &'static str {
        word(Self::WORDS, self)
    }
}

fn word<T: PartialEq>(words: &[(&'static str, T)], value: T) -> &'static str {
    words.iter().find(|(_, it)| *it == value).map(|(word, _)| *word).expect("every value has a word")
}

/// A text that is not a section or command of an update.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not one of {known}")]
pub struct ParseUpdateError {
    given: String,
    known: String,
}

fn parse_word<T: Copy>(words: &[(&'static str, T)], text: &str) -> Result<T, ParseUpdateError> {
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, value)| *value).ok_or_else(|| ParseUpdateError {
        given: text.to_owned(),
        known: words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", "),
    })
}

impl FromStr for Section {
    type Err = ParseUpdateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_word(Self::WORDS, text)
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// `add` is `add-last`, as in virsh.
impl FromStr for Command {
    type Err = ParseUpdateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "add" { Ok(Self::AddLast) } else { parse_word(Self::WORDS, text) }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl Network {
    /// Returns this network with one element added, replaced or deleted.
    ///
    /// `parent_index` is the number, from 0, of the `<ip>` that an element of DHCP belongs to.
    /// Without it, this is the first `<ip>` with DHCP, or else the first of IPv4, or else the
    /// first. The other sections do not use it.
    ///
    /// ```
    /// use vnet_xml::Network;
    /// use vnet_xml::network::{Command, Section};
    ///
    /// let network: Network = "<network><name>lab</name><ip address='10.0.0.1' prefix='24'/></network>".parse()?;
    /// let host = "<host mac='52:54:00:00:00:10' ip='10.0.0.10'/>";
    /// let updated = network.update(Section::IpDhcpHost, Command::AddLast, None, host.as_bytes())?;
    /// assert_eq!(updated.network.ips[0].dhcp.as_ref().map(|dhcp| dhcp.hosts.len()), Some(1));
    ///
    /// let again = updated.network.update(Section::IpDhcpHost, Command::AddLast, None, host.as_bytes());
    /// assert_eq!(again.unwrap_err().to_string(), "the network has a DHCP host with the MAC address `52:54:00:00:00:10` already");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`UpdateError`], if possible with the place in the element.
    pub fn update(
        &self,
        section: Section,
        command: Command,
        parent_index: Option<usize>,
        element: &[u8],
    ) -> Result<Updated, UpdateError> {
        let network = self.clone();
        match section {
            Section::IpDhcpHost => dhcp::hosts(network, command, parent_index, element),
            Section::IpDhcpRange => dhcp::ranges(network, command, parent_index, element),
            Section::ForwardInterface => forward::interfaces(network, command, element),
            Section::PortGroup => forward::port_groups(network, command, element),
            Section::DnsHost => dns::hosts(network, command, element),
            Section::DnsTxt => dns::txts(network, command, element),
            Section::DnsSrv => dns::srvs(network, command, element),
            Section::Ip => single::ips(network, command, element),
            Section::Route => single::routes(network, command, element),
            Section::Bridge
            | Section::Domain
            | Section::Forward
            | Section::ForwardPf
            | Section::Mtu
            | Section::Bandwidth
            | Section::Vlan
            | Section::Nat
            | Section::Port => single::update(network, section, command, element),
        }
    }
}

/// An element that was read for an update.
struct Given<T> {
    value: T,
    comments: Comments,
    root: NodePath,
    problems: Vec<Problem>,
    source: SourceMap,
}

impl<T> Given<T> {
    fn read(
        document: &[u8],
        root: &'static str,
        read: impl FnOnce(&Element<'_>) -> Option<T>,
    ) -> Result<Self, UpdateError> {
        let read = |element: &Element<'_>| Some((read(element)?, element.comments("")));
        let Parsed { value, problems, source } = crate::document::parse(document, root, read);
        let has_errors = problems.iter().any(|problem| problem.severity == crate::Severity::Error);
        match value.filter(|_| !has_errors) {
            Some((value, comments)) => Ok(Self { value, comments, root: NodePath::root(root), problems, source }),
            None => Err(UpdateError::Element(Refused { problems })),
        }
    }

    /// Refuses because of an attribute, or, with an empty name, because of the whole element.
    fn refuse(&self, attribute: &str, reason: UpdateRefusal) -> UpdateError {
        let path = if attribute.is_empty() { self.root.clone() } else { self.root.attribute(attribute) };
        UpdateError::Refused { reason, span: self.source.span(&path) }
    }

    /// The network with the element at this path.
    fn put(self, mut network: Network, command: Command, path: NodePath) -> Updated {
        if command != Command::Modify {
            network.comments.renumber(&path, false);
        }
        network.comments.adopt(self.comments, &self.root, &path);
        let (path, lost) = (Some(path), Comments::default());
        Updated { network, path, lost, root: self.root, problems: self.problems, source: self.source }
    }

    /// The network without the element of this path.
    fn deleted(self, mut network: Network, path: &NodePath) -> Updated {
        let lost = network.comments.take(path);
        network.comments.renumber(path, true);
        Updated { network, path: None, lost, root: self.root, problems: self.problems, source: self.source }
    }
}

/// The place where an element is inserted.
#[derive(Clone, Copy)]
enum Put {
    First,
    Last,
    InPlaceOf(usize),
}

impl Put {
    fn new(command: Command) -> Self {
        if command == Command::AddFirst { Self::First } else { Self::Last }
    }

    /// Inserts the value and returns its index.
    fn into<T>(self, list: &mut Vec<T>, value: T) -> usize {
        match self {
            Self::First => list.insert(0, value),
            Self::Last => list.push(value),
            Self::InPlaceOf(index) => list[index] = value,
        }
        match self {
            Self::First => 0,
            Self::Last => list.len() - 1,
            Self::InPlaceOf(index) => index,
        }
    }
}

/// The only match; more than one is an error.
fn only(found: &[usize], what: impl Fn() -> String) -> Result<usize, UpdateRefusal> {
    match found {
        [one] => Ok(*one),
        [] => Err(UpdateRefusal::Absent(what())),
        several => Err(UpdateRefusal::Ambiguous { what: what(), count: several.len() }),
    }
}

/// The indexes of the elements that match.
fn places<T>(list: &[T], fits: impl Fn(&T) -> bool) -> Vec<usize> {
    list.iter().enumerate().filter(|(_, item)| fits(item)).map(|(index, _)| index).collect()
}
