//! Matches of ACLs and policies. OVN's database accepts any text, and a match that OVN cannot read
//! is a rule that is not there, so each is a value of this type, and its text is read back by
//! tests.

mod read;

use std::fmt;

use vnet_types::{Family, IpNet, MacAddr, PortRange};

pub use read::ParseMatchError;

/// A match of an ACL or a policy, as far as vnet writes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OvnMatch(Test);

/// What is tested. Lists have members, and names need no quotes within.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    All(Vec<Test>),
    Any(Vec<Test>),
    Port(Way, String),
    Group(Way, String),
    Is(Predicate),
    EthernetTo(MacAddr),
    /// A MAC address of an address set.
    EthernetFrom(String),
    Address {
        side: Side,
        family: Family,
        nets: Vec<IpNet>,
    },
    AddressOf {
        side: Side,
        family: Family,
        group: String,
    },
    TransportTo(Transport, PortRange),
}

/// Which end of a switch's or router's pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    In,
    Out,
}

/// Which address of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Source,
    Destination,
}

/// A protocol with ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Transport {
    Tcp,
    Udp,
}

/// A property of a packet that OVN has a word for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Predicate {
    Ipv4,
    Ipv6,
    Icmpv4,
    Icmpv6,
    Tcp,
    Udp,
    /// Neighbour discovery between hosts.
    Neighbour,
    /// A question for a router.
    RouterSolicitation,
    EthernetBroadcast,
    EthernetMulticast,
    Ipv4Multicast,
    /// Its word matches Ethernet's multicasts only, as IPv6 needs.
    Ipv6Multicast,
}

impl Predicate {
    const WORDS: &[(&str, Self)] = &[
        ("ip4", Self::Ipv4),
        ("ip6", Self::Ipv6),
        ("icmp4", Self::Icmpv4),
        ("icmp6", Self::Icmpv6),
        ("tcp", Self::Tcp),
        ("udp", Self::Udp),
        ("nd", Self::Neighbour),
        ("nd_rs", Self::RouterSolicitation),
        ("eth.bcast", Self::EthernetBroadcast),
        ("eth.mcast", Self::EthernetMulticast),
        ("ip4.mcast", Self::Ipv4Multicast),
        ("ip6.mcast", Self::Ipv6Multicast),
    ];

    /// A family of addresses.
    pub(crate) fn of(family: Family) -> Self {
        match family {
            Family::Ipv4 => Self::Ipv4,
            Family::Ipv6 => Self::Ipv6,
        }
    }
}

impl Transport {
    pub(crate) const WORDS: &[(&str, Self)] = &[("tcp", Self::Tcp), ("udp", Self::Udp)];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl OvnMatch {
    /// All of these. There is at least one.
    pub(crate) fn all(tests: impl IntoIterator<Item = Self>) -> Self {
        let mut parts = Vec::new();
        for Self(test) in tests {
            match test {
                Test::All(more) => parts.extend(more),
                other => parts.push(other),
            }
        }
        Self(only(parts).unwrap_or_else(Test::All))
    }

    /// Any of these. There is at least one.
    pub(crate) fn any(tests: impl IntoIterator<Item = Self>) -> Self {
        let mut parts = Vec::new();
        for Self(test) in tests {
            match test {
                Test::Any(more) => parts.extend(more),
                other => parts.push(other),
            }
        }
        Self(only(parts).unwrap_or_else(Test::Any))
    }

    /// This and another.
    pub(crate) fn and(self, other: Self) -> Self {
        Self::all([self, other])
    }

    /// A port of the switch or router.
    pub(crate) fn port(way: Way, name: impl Into<String>) -> Self {
        Self(Test::Port(way, checked(name.into())))
    }

    /// A port of a group.
    pub(crate) fn group(way: Way, name: impl Into<String>) -> Self {
        Self(Test::Group(way, checked(name.into())))
    }

    pub(crate) fn is(predicate: Predicate) -> Self {
        Self(Test::Is(predicate))
    }

    /// What is sent to a MAC address.
    pub(crate) fn ethernet_to(mac: MacAddr) -> Self {
        Self(Test::EthernetTo(mac))
    }

    /// What is sent from a MAC address of an address set.
    pub(crate) fn ethernet_from(set: impl Into<String>) -> Self {
        Self(Test::EthernetFrom(checked(set.into())))
    }

    /// An address that is in one of some subnets of a family; `None` without a subnet.
    pub(crate) fn within(side: Side, family: Family, nets: impl IntoIterator<Item = IpNet>) -> Option<Self> {
        // OVN refuses bits outside the prefix.
        let nets = nets.into_iter().filter(|net| Family::of(net.addr()) == family).map(|net| net.trunc());
        let nets: Vec<IpNet> = nets.collect();
        (!nets.is_empty()).then_some(Self(Test::Address { side, family, nets }))
    }

    /// An address of a port of a group.
    pub(crate) fn address_of(side: Side, family: Family, group: impl Into<String>) -> Self {
        Self(Test::AddressOf { side, family, group: checked(group.into()) })
    }

    /// A port that is sent to.
    pub(crate) fn transport_to(transport: Transport, ports: PortRange) -> Self {
        Self(Test::TransportTo(transport, ports))
    }
}

/// A name that needs no quotes within.
fn checked(name: String) -> String {
    debug_assert!(is_name(&name), "`{name}` is no name for a match");
    name
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || b"_-".contains(&it))
}

/// The only member of a list, or else the list.
fn only(mut parts: Vec<Test>) -> Result<Test, Vec<Test>> {
    debug_assert!(!parts.is_empty(), "a match tests something");
    if parts.len() == 1 { Ok(parts.remove(0)) } else { Err(parts) }
}

/// As OVN reads it.
impl fmt::Display for OvnMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(parts) => joined(f, parts, " && "),
            Self::Any(parts) => joined(f, parts, " || "),
            Self::Port(way, name) => write!(f, "{way} == \"{name}\""),
            Self::Group(way, name) => write!(f, "{way} == @{name}"),
            Self::Is(predicate) => {
                Predicate::WORDS.iter().filter(|(_, it)| it == predicate).try_for_each(|(word, _)| f.write_str(word))
            }
            Self::EthernetTo(mac) => write!(f, "eth.dst == {mac}"),
            Self::EthernetFrom(set) => write!(f, "eth.src == ${set}"),
            Self::Address { side, family, nets } => {
                write!(f, "{}.{side} == ", word(*family))?;
                if let [net] = nets.as_slice() {
                    return f.write_str(&short(*net));
                }
                let nets: Vec<String> = nets.iter().map(|net| short(*net)).collect();
                write!(f, "{{{}}}", nets.join(", "))
            }
            Self::AddressOf { side, family, group } => {
                write!(f, "{0}.{side} == ${group}_{0}", word(*family))
            }
            Self::TransportTo(transport, ports) => match (ports.start(), ports.end()) {
                (start, end) if start == end => write!(f, "{}.dst == {start}", transport.word()),
                (start, end) => write!(f, "{start} <= {}.dst <= {end}", transport.word()),
            },
        }
    }
}

/// OVN reads no mixture of `&&` and `||` without parentheses.
fn joined(f: &mut fmt::Formatter<'_>, parts: &[Test], operator: &str) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        f.write_str(if at == 0 { "" } else { operator })?;
        match part {
            Test::All(_) | Test::Any(_) => write!(f, "({part})")?,
            other => write!(f, "{other}")?,
        }
    }
    Ok(())
}

fn word(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "ip4",
        Family::Ipv6 => "ip6",
    }
}

/// A subnet, or an address where it is one.
fn short(net: IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::In => "inport",
            Self::Out => "outport",
        })
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "src",
            Self::Destination => "dst",
        })
    }
}
