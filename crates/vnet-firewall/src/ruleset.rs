//! The rules as a value: the part of nf_tables that virtual networks need, with the terms of
//! nft(8).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vnet_types::{AddressRange, Family, InterfaceName, IpNet, PortRange};

use crate::name::Role;

/// The table `inet vnet` for one network: the base chains and sets that all networks share, with
/// the network's own elements and chains.
///
/// Two are equal if they have the same rules for every packet. The comparison ignores counts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Ruleset {
    /// The network.
    pub network: String,
    /// The shared sets and verdict maps, with this network's elements only.
    pub sets: Vec<Set>,
    /// The shared chains, then the network's own chains, if it needs any.
    pub chains: Vec<Chain>,
}

/// A set or a verdict map.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Set {
    /// Its name.
    pub name: String,
    /// The types of the parts of its keys.
    pub key: Vec<KeyType>,
    /// Whether its keys are intervals.
    pub interval: bool,
    /// What its elements have besides their keys.
    pub holds: Holds,
    /// Its elements, in the order of their keys.
    pub elements: Vec<Element>,
}

/// What an element has besides its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Holds {
    /// Nothing.
    Nothing,
    /// A counter of the packets that matched it.
    Counter,
    /// A verdict: the set is a verdict map.
    Verdict,
}

/// The type of a part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum KeyType {
    /// `ifname`, the only type for text
    Word,
    /// `nf_proto`
    Family,
    /// `iface_index`
    InterfaceIndex,
    /// `ipv4_addr`
    Ipv4Address,
    /// `ipv6_addr`
    Ipv6Address,
}

/// An element of a set or verdict map.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Element {
    /// The packets that it matches.
    pub key: Key,
    /// The verdict. An element of a set has none: the rule that looks it up decides.
    pub verdict: Option<Verdict>,
    /// The comment: the network and the purpose.
    pub comment: Option<String>,
}

/// The parts of an element's key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Key(pub Vec<Part>);

/// A part of a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Part {
    /// A text of at most 15 letters, digits, `-`, `.` and `_`.
    Word(String),
    /// An address family.
    Family(Family),
    /// An interface.
    Interface(Interface),
    /// An address, or the first address of the subnet that the rule looks up.
    Address(IpAddr),
    /// The addresses of a subnet, as an interval.
    Subnet(IpNet),
    /// The first and last of addresses that are not a subnet. vnet makes no such element; others
    /// may.
    Range(IpAddr, IpAddr),
}

/// An interface that is matched by index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Interface {
    /// The interface with this name.
    Named(InterfaceName),
    /// The index of an interface that no longer exists. vnet reads such an element and never makes
    /// one.
    Gone(u32),
}

/// A list of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Chain {
    /// Its name.
    pub name: String,
    /// Its hook, for a base chain; `None` if only other rules lead to it.
    pub base: Option<Base>,
    /// The rules, in order of evaluation.
    pub rules: Vec<Rule>,
}

/// The hook of a base chain.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Base {
    /// `filter` or `nat`.
    pub kind: String,
    /// The number of the hook (`NF_INET_FORWARD` is 2, `NF_INET_POST_ROUTING` 4).
    pub hook: u32,
    /// The priority among the hook's base chains; a lower one comes first.
    pub priority: i32,
    /// The policy for packets without a verdict: 1 accepts, 0 drops.
    pub policy: u32,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Rule {
    /// Its matches, counter and verdict, in order.
    pub statements: Vec<Statement>,
    /// Its purpose in words.
    pub comment: Option<String>,
}

/// A part of a rule. A match lets only some packets continue to the next part; other statements
/// act.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Statement {
    /// `meta nfproto ipv4`. nft(8) shows it only if no address of the family follows.
    Family(Family),
    /// `meta l4proto tcp`
    Transport(Transport),
    /// `iif "virbr0"`, by index.
    Interface(Direction, Interface),
    /// `oifname "eth0"`, by name.
    InterfaceName(Direction, InterfaceName),
    /// `ip daddr != 192.168.122.0/24`
    Address {
        /// Of the source or of the destination.
        field: Field,
        /// Whether it matches all other addresses instead.
        negated: bool,
        /// The addresses.
        net: IpNet,
    },
    /// `ct state established,related`
    Established,
    /// `counter`
    Counter,
    /// `accept`, `return`, `jump CHAIN`
    Verdict(Verdict),
    /// `reject`, with the port-unreachable message of one family or of both.
    Reject(Option<Family>),
    /// `masquerade to :1024-65535`: the source becomes the outgoing interface's address.
    Masquerade(Option<PortRange>),
    /// `snat ip to 10.0.0.1-10.0.0.9:1024-65535`
    Snat {
        /// The new source address.
        addresses: AddressRange,
        /// The new source port.
        ports: Option<PortRange>,
    },
    /// `iif . ip saddr & 255.255.255.0 @leave_ipv4`, `oif vmap @own_to`
    Lookup {
        /// What is looked up.
        subjects: Vec<Subject>,
        /// The set or map.
        set: String,
        /// Whether the found element gives the verdict. Otherwise the rule continues if an element
        /// is found.
        decides: bool,
    },
    /// A statement that vnet never makes, with the kernel's name for it.
    Unknown(String),
}

/// The verdict of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Verdict {
    /// The packet is accepted; no other rule of this base chain applies.
    Accept,
    /// The kernel drops the packet.
    Drop,
    /// Continue with the rule after the jump to this chain.
    Return,
    /// Continue with another chain, and return if it gives no verdict.
    Jump(String),
    /// Continue with another chain, without returning.
    Goto(String),
    /// Any other, by number.
    Other(i32),
}

/// A transport protocol whose ports are translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Transport {
    /// `tcp`
    Tcp,
    /// `udp`
    Udp,
}

/// The direction of a packet at an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Direction {
    /// It arrives through the interface.
    In,
    /// It leaves through the interface.
    Out,
}

/// An address of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Field {
    /// `saddr`
    Source,
    /// `daddr`
    Destination,
}

/// A part of the key that a rule looks up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Subject {
    /// `meta nfproto`
    Family,
    /// `iif` or `oif`
    Interface(Direction),
    /// `ip saddr & 255.255.255.0`
    Address {
        /// Of the source or of the destination.
        field: Field,
        /// Of which family.
        family: Family,
        /// The number of its leading bits; nft(8) writes no mask if that is the whole address.
        prefix: u8,
    },
}

impl Ruleset {
    /// A network without rules and without the shared parts.
    #[cfg(feature = "netlink")]
    pub(crate) fn nothing(network: &str) -> Self {
        Self { network: network.to_owned(), sets: Vec::new(), chains: Vec::new() }
    }

    /// The network's own rules, each with its chain, or with the set that it is an element of: an
    /// element of a set stands for a rule that matches the element's key.
    pub fn rules(&self) -> impl Iterator<Item = (&str, Rule)> {
        let own = self.chains.iter().filter(|chain| Role::ALL.iter().any(|role| role.is_of(&chain.name)));
        let own = own.flat_map(|chain| chain.rules.iter().map(|rule| (chain.name.as_str(), rule.clone())));
        let elements = self.sets.iter().flat_map(|set| set.elements.iter().map(move |element| (set, element)));
        elements.filter_map(|(set, element)| Some((set.name.as_str(), self.stands_for(set, element)?))).chain(own)
    }

    /// The rule that an element with a counter stands for.
    pub(crate) fn stands_for(&self, set: &Set, element: &Element) -> Option<Rule> {
        let asks = |statement: &Statement| match statement {
            Statement::Lookup { subjects, set: name, decides: false } if *name == set.name => Some(subjects.clone()),
            _ => None,
        };
        let rules = self.chains.iter().flat_map(|chain| &chain.rules);
        let (rule, subjects) = rules
            .filter(|_| set.holds == Holds::Counter)
            .find_map(|rule| Some((rule, rule.statements.iter().find_map(asks)?)))?;
        let mut statements = Vec::new();
        for statement in &rule.statements {
            match statement {
                lookup if asks(lookup).is_some() => {
                    let parts = subjects.iter().zip(&element.key.0);
                    statements.extend(parts.flat_map(|(subject, part)| subject.is(part)));
                    statements.push(Statement::Counter);
                }
                // The address implies the family.
                Statement::Family(_) => {}
                other => statements.push(other.clone()),
            }
        }
        Some(Rule { statements, comment: element.comment.clone() })
    }

    /// The same rules after an interface that they match by index was renamed. Matches by name
    /// stay.
    pub fn rename(&mut self, from: &InterfaceName, to: &InterfaceName) {
        let parts = self.sets.iter_mut().flat_map(|set| &mut set.elements).flat_map(|element| &mut element.key.0);
        let statements =
            self.chains.iter_mut().flat_map(|chain| &mut chain.rules).flat_map(|rule| &mut rule.statements);
        let in_keys = parts.filter_map(|part| if let Part::Interface(it) = part { Some(it) } else { None });
        let in_rules = statements.filter_map(|it| if let Statement::Interface(_, it) = it { Some(it) } else { None });
        for interface in in_keys.chain(in_rules) {
            if matches!(interface, Interface::Named(name) if name == from) {
                *interface = Interface::Named(to.clone());
            }
        }
    }

    /// The chain with this name.
    pub fn chain(&self, name: &str) -> Option<&Chain> {
        self.chains.iter().find(|chain| chain.name == name)
    }
}

impl Subject {
    /// The mask of the address, unless the whole address is looked up.
    pub(crate) fn mask(&self) -> Option<IpAddr> {
        let Self::Address { family, prefix, .. } = *self else { return None };
        let any: IpAddr = match family {
            Family::Ipv4 => Ipv4Addr::UNSPECIFIED.into(),
            Family::Ipv6 => Ipv6Addr::UNSPECIFIED.into(),
        };
        let net = IpNet::new(any, prefix).ok().filter(|_| prefix < family.bits())?;
        Some(net.netmask())
    }

    /// The matches that this part of a key stands for.
    fn is(&self, part: &Part) -> Vec<Statement> {
        match (self, part) {
            (Self::Family, Part::Family(family)) => vec![Statement::Family(*family)],
            (Self::Interface(direction), Part::Interface(interface)) => {
                vec![Statement::Interface(*direction, interface.clone())]
            }
            (Self::Address { field, family, prefix }, Part::Address(first)) => {
                let net = IpNet::new(*first, *prefix).ok();
                let address = net.map(|net| Statement::Address { field: *field, negated: false, net });
                [Statement::Family(*family)].into_iter().chain(address).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Rule {
    /// Whether nft(8) omits a statement because the next one implies it.
    pub(crate) fn is_implied(&self, at: usize) -> bool {
        matches!(self.statements[at], Statement::Family(_))
            && matches!(self.statements.get(at + 1), Some(Statement::Address { .. } | Statement::Lookup { .. }))
    }

    /// Whether the rule counts what it matches.
    pub fn counts(&self) -> bool {
        self.statements.contains(&Statement::Counter)
    }
}
