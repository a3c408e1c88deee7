//! The rules as a value: the part of nf_tables that virtual networks need, in the words of nft(8).

use std::net::IpAddr;

use vnet_types::{AddressRange, Family, InterfaceName, IpNet, PortRange};

/// The table `inet vnet` as far as one network is concerned: the base chains and maps that all networks share, with the
/// network's own chains and map elements.
///
/// Two are equal when every packet meets the same rules in them. Counters are no part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Ruleset {
    /// Whose rules these are.
    pub network: String,
    /// The verdict maps, with this network's elements only.
    pub maps: Vec<Map>,
    /// The base chains, then the network's own.
    pub chains: Vec<Chain>,
}

/// A verdict map: leads from a packet to the chain of its network in one look-up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Map {
    /// Its name.
    pub name: String,
    /// What it is keyed by.
    pub key: KeyType,
    /// Its elements, in order of their keys.
    pub elements: Vec<Element>,
}

/// What a map is keyed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum KeyType {
    /// `iface_index`
    InterfaceIndex,
    /// `ipv4_addr`, with intervals
    Ipv4Address,
    /// `ipv6_addr`, with intervals
    Ipv6Address,
}

/// An element of a verdict map.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Element {
    /// Which packets.
    pub key: Key,
    /// What becomes of them.
    pub verdict: Verdict,
}

/// The key of a map's element.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Key {
    /// An interface.
    Interface(Interface),
    /// The addresses of a subnet.
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
    /// An index that no interface has: it is gone. Only read, never made.
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
    /// What it is for, for a person.
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
        /// All others but these?
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
    /// `oif vmap @to_guests`
    Lookup {
        /// What is looked up.
        subject: Subject,
        /// In which map.
        map: String,
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
    /// The packet is gone.
    Drop,
    /// On with the rule after the jump that led here.
    Return,
    /// On with the rules of another chain, and back when it has nothing to say.
    Jump(String),
    /// On with the rules of another chain, for good.
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

/// What a map is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Subject {
    /// `iif` or `oif`
    Interface(Direction),
    /// `ip saddr` or `ip6 saddr`
    Source(Family),
}

impl Ruleset {
    /// A network without rules, and without what is shared.
    #[cfg(feature = "netlink")]
    pub(crate) fn nothing(network: &str) -> Self {
        Self { network: network.to_owned(), maps: Vec::new(), chains: Vec::new() }
    }

    /// The chain of this name.
    pub fn chain(&self, name: &str) -> Option<&Chain> {
        self.chains.iter().find(|chain| chain.name == name)
    }
}

impl Rule {
    /// Does the rule count what it matches?
    pub fn counts(&self) -> bool {
        self.statements.contains(&Statement::Counter)
    }
}
