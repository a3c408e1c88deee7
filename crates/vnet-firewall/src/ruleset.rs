//! The rules as a value: the part of nf_tables that virtual networks need, with the terms of
//! nft(8).

mod meaning;

use std::net::{IpAddr, SocketAddr};

use vnet_types::{AddressRange, Family, InterfaceName, IpNet, PortRange};

/// The table `inet vnet` for one network: the base chains and sets that all networks share, with
/// the network's own elements and chains.
///
/// Two are equal if they have the same rules for every packet. The comparison ignores counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Ruleset {
    /// The network.
    pub network: String,
    /// The shared sets and verdict maps, with this network's elements only.
    pub sets: Vec<Set>,
    /// The shared chains, then the network's own chains, if it needs any.
    pub chains: Vec<Chain>,
    /// The shared flowtable, with this network's devices only, if it uses that.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub flowtable: Option<Flowtable>,
}

/// A flowtable: what arrives through its devices and belongs to a connection in it is forwarded at
/// once, past the rules of everybody.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Flowtable {
    /// Its name.
    pub name: String,
    /// The priority at the ingress of its devices.
    pub priority: i32,
    /// Its devices, in order.
    pub devices: Vec<InterfaceName>,
}

/// A set or a verdict map.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Holds {
    /// Nothing.
    Nothing,
    /// A counter of the packets that matched it.
    Counter,
    /// A verdict: the set is a verdict map.
    Verdict,
    /// An address of this family and a port, for the translation of destinations.
    Target(Family),
}

/// The type of a part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// `inet_proto`
    Protocol,
    /// `inet_service`
    Port,
}

/// An element of a set or verdict map.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Element {
    /// The packets that it matches.
    pub key: Key,
    /// The verdict. An element of a set has none: the rule that looks it up decides.
    pub verdict: Option<Verdict>,
    /// The new destination, in a map that has some.
    pub target: Option<SocketAddr>,
    /// The comment: the network and the purpose.
    pub comment: Option<String>,
}

/// The parts of an element's key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Key(pub Vec<Part>);

/// A part of a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
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
    /// A transport protocol.
    Protocol(Transport),
    /// A port.
    Port(u16),
}

/// An interface that is matched by index.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Interface {
    /// The interface with this name.
    Named(InterfaceName),
    /// The index of an interface that no longer exists. vnet reads such an element and never makes
    /// one.
    Gone(u32),
    /// No interface: what the host sends itself has not arrived, and the kernel does not tell where
    /// what br_netfilter bridges has.
    Absent,
}

/// A list of rules.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Rule {
    /// Its matches, counter and verdict, in order.
    pub statements: Vec<Statement>,
    /// Its purpose in words.
    pub comment: Option<String>,
}

/// A part of a rule. A match lets only some packets continue to the next part; other statements
/// act.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
    /// `ct status dnat`: the destination of the connection was translated.
    Redirected,
    /// `ct state new`
    New,
    /// `tcp flags != syn / fin,syn,rst,ack`: a segment of TCP that begins no connection.
    Midway,
    /// `ct direction reply`: it answers a connection that the other side has begun.
    Reply,
    /// `fib daddr type local`: the destination is an address of the host.
    LocalDestination,
    /// `udp dport 67`
    Port(Transport, PortRange),
    /// `meta l4proto icmp`, or ICMPv6 for IPv6.
    Icmp(Family),
    /// `icmpv6 type 135`
    Icmpv6Type(u8),
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
    /// `dnat ip to meta l4proto . ip daddr . th dport map @lead_ipv4`: the destination becomes what
    /// the map has for the key; without an element, the rule ends.
    Dnat {
        /// The family of the addresses.
        family: Family,
        /// What is looked up.
        subjects: Vec<Subject>,
        /// The map.
        map: String,
    },
    /// `flow add @flows`: the connection is added to this flowtable.
    Offload(String),
    /// A statement that vnet never makes, with the kernel's name for it.
    Unknown(String),
}

/// The verdict of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Transport {
    /// `tcp`
    Tcp,
    /// `udp`
    Udp,
}

/// The direction of a packet at an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Direction {
    /// It arrives through the interface.
    In,
    /// It leaves through the interface.
    Out,
}

/// An address or port of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Field {
    /// `saddr`, `sport`
    Source,
    /// `daddr`, `dport`
    Destination,
}

/// A part of the key that a rule looks up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Subject {
    /// `meta nfproto`
    Family,
    /// `iif` or `oif`
    Interface(Direction),
    /// `iifname` or `oifname`
    InterfaceName(Direction),
    /// `meta l4proto`
    Protocol,
    /// `th dport`
    Port(Field),
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
