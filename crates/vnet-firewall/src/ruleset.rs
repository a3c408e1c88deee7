//! The rules as a value: the part of nf_tables that virtual networks need, in the words of nft(8).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vnet_types::{AddressRange, Family, InterfaceName, IpNet, PortRange};

use crate::name::Role;

/// The table `inet vnet` as far as one network is concerned: the base chains and sets that all
/// networks share, with the network's own elements and chains.
///
/// Two are equal when every packet meets the same rules in them. Counters do not count.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Ruleset {
    /// Whose rules these are.
    pub network: String,
    /// The shared sets and verdict maps, with this network's elements only.
    pub sets: Vec<Set>,
    /// The shared chains, then the network's own, if it needs any.
    pub chains: Vec<Chain>,
}

/// A set, or a verdict map: finds what concerns a packet in one look-up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Set {
    /// Its name.
    pub name: String,
    /// What the parts of its keys are.
    pub key: Vec<KeyType>,
    /// Whether its keys are intervals.
    pub interval: bool,
    /// What its elements have beside their keys.
    pub holds: Holds,
    /// Its elements, in order of their keys.
    pub elements: Vec<Element>,
}

/// What an element has beside its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Holds {
    /// Nothing.
    Nothing,
    /// A counter of the packets that it was found for.
    Counter,
    /// What becomes of a packet: a verdict map.
    Verdict,
}

/// What a part of a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum KeyType {
    /// `ifname`, the one type for words
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
    /// Which packets.
    pub key: Key,
    /// What becomes of them. An element of a set has no verdict: the rule that looks it up decides.
    pub verdict: Option<Verdict>,
    /// Whose it is and what it is for.
    pub comment: Option<String>,
}

/// The key of an element, part by part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Key(pub Vec<Part>);

/// A part of a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Part {
    /// A word of at most 15 letters, digits, `-`, `.` and `_`.
    Word(String),
    /// A family.
    Family(Family),
    /// An interface.
    Interface(Interface),
    /// An address, or the first one of the subnet that the rule asks for.
    Address(IpAddr),
    /// The addresses of a subnet, as an interval.
    Subnet(IpNet),
    /// Addresses that are no subnet, from first to last. vnet makes no such element; others may.
    Range(IpAddr, IpAddr),
}

/// An interface that is matched by index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Interface {
    /// The interface that has this name.
    Named(InterfaceName),
    /// An index that no interface has any more. vnet reads such an element and never makes one.
    Gone(u32),
}

/// A list of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Chain {
    /// Its name.
    pub name: String,
    /// How packets come to it; `None` when only other rules lead there.
    pub base: Option<Base>,
    /// The rules, in order of evaluation.
    pub rules: Vec<Rule>,
}

/// How packets come to a base chain.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Base {
    /// `filter` or `nat`.
    pub kind: String,
    /// The number of the hook (`NF_INET_FORWARD` is 2, `NF_INET_POST_ROUTING` 4).
    pub hook: u32,
    /// The place among the hook's base chains; lower comes first.
    pub priority: i32,
    /// What happens to a packet that no rule decides about: 1 accepts, 0 drops.
    pub policy: u32,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Rule {
    /// Matches, counter and verdict, from left to right.
    pub statements: Vec<Statement>,
    /// What it is for, in words.
    pub comment: Option<String>,
}

/// A part of a rule: a match lets only some packets go on to the next part, the others act.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Statement {
    /// `meta nfproto ipv4`. nft(8) shows it only where no address of the family follows.
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
        /// Whether all but these are meant.
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
    /// `reject`, with the port-unreachable message of the one family or of either.
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
        /// In which set or map.
        set: String,
        /// Whether the element that is found decides. Otherwise the rule goes on where there is
        /// one.
        decides: bool,
    },
    /// Something that vnet never makes, by the kernel's name for it.
    Unknown(String),
}

/// What a rule decides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Verdict {
    /// The packet may pass, as far as this hook of this table is concerned.
    Accept,
    /// The packet is dropped.
    Drop,
    /// Go on with the rule after the jump that led here.
    Return,
    /// Go on with the rules of another chain, and come back when none of them decides.
    Jump(String),
    /// Go on with the rules of another chain, and do not come back.
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

/// The side of the host that a packet is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Direction {
    /// It came in through the interface.
    In,
    /// It goes out through the interface.
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

/// What a set is asked for.
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
        /// How many bits of it; nft(8) writes no mask where these are all.
        prefix: u8,
    },
}

impl Ruleset {
    /// A network without rules, and without what is shared.
    #[cfg(feature = "netlink")]
    pub(crate) fn nothing(network: &str) -> Self {
        Self { network: network.to_owned(), sets: Vec::new(), chains: Vec::new() }
    }

    /// The network's own rules, with the chain that each is in or the set that stands for it: an
    /// element of a set is as good as a rule that asks for what the element has.
    pub fn rules(&self) -> impl Iterator<Item = (&str, Rule)> {
        let own = self.chains.iter().filter(|chain| Role::ALL.iter().any(|role| role.is_of(&chain.name)));
        let own = own.flat_map(|chain| chain.rules.iter().map(|rule| (chain.name.as_str(), rule.clone())));
        let elements = self.sets.iter().flat_map(|set| set.elements.iter().map(move |element| (set, element)));
        elements.filter_map(|(set, element)| Some((set.name.as_str(), self.stands_for(set, element)?))).chain(own)
    }

    /// The rule that a counting element stands for.
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
                // Comes with the address.
                Statement::Family(_) => {}
                other => statements.push(other.clone()),
            }
        }
        Some(Rule { statements, comment: element.comment.clone() })
    }

    /// What becomes of the rules when an interface that they match by index is called otherwise.
    /// What they match by name stays.
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

    /// The chain of this name.
    pub fn chain(&self, name: &str) -> Option<&Chain> {
        self.chains.iter().find(|chain| chain.name == name)
    }
}

impl Subject {
    /// Which bits of an address are asked for, where not all.
    pub(crate) fn mask(&self) -> Option<IpAddr> {
        let Self::Address { family, prefix, .. } = *self else { return None };
        let any: IpAddr = match family {
            Family::Ipv4 => Ipv4Addr::UNSPECIFIED.into(),
            Family::Ipv6 => Ipv6Addr::UNSPECIFIED.into(),
        };
        let net = IpNet::new(any, prefix).ok().filter(|_| prefix < family.bits())?;
        Some(net.netmask())
    }

    /// The matches that hold where this is the part of a key.
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
    /// Whether nft(8) leaves a statement out, because it follows from the next one.
    pub(crate) fn is_implied(&self, at: usize) -> bool {
        matches!(self.statements[at], Statement::Family(_))
            && matches!(self.statements.get(at + 1), Some(Statement::Address { .. } | Statement::Lookup { .. }))
    }

    /// Whether the rule counts what it matches.
    pub fn counts(&self) -> bool {
        self.statements.contains(&Statement::Counter)
    }
}
