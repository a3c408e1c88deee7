//! What all networks share: sets, verdict maps, and the chains that use them.
//!
//! A usual network consists of elements of these sets only. The kernel checks all jumps of a table,
//! from every base chain through every map, whenever a rule or an element with a jump is added, and
//! it rebuilds an interval set as a whole. The cost of a hash set element without a verdict does
//! not grow with the number of networks. A set has keys of one length, so rules can look up subnets
//! of one length only: [`PREFIX4`] and [`PREFIX6`], the most common ones. A network that does not
//! fit has its own chains, which come last.
//!
//! Ports of the host that lead to guests are elements of maps, which only the first packet of a
//! connection looks up. The maps are added with the first network that has such ports.
//!
//! What guests may reach beyond their network is asked before everything else, in base chains that
//! are added with the first network that limits it.
//!
//! Connections that may skip the rules get into a flowtable, in a base chain that is added with the
//! first network that asks for it.
//!
//! Connection tracking costs more than all rules. A rule that uses it, or a chain that translates,
//! turns it on for everything that the host forwards. So the parts that need it are added with the
//! first network that translates, has ports of the host, limits what guests reach, or has a
//! flowtable.

mod acceleration;
mod egress;
mod forwarding;
mod per_family;

use std::sync::LazyLock;

use vnet_types::{Family, IpNet, PortRange};

use crate::ruleset::{
    Base, Chain, Direction, Element, Field, Holds, Key, KeyType, Part, Rule, Set, Statement, Subject, Transport,
    Verdict,
};

pub(crate) use acceleration::{ACCELERATE, ACCELERATED, devices, flowtable};
pub(crate) use egress::{CHECKED, HOST_ONLY, INTERNET_ONLY, LIMIT, LIMITED, OWN_LIMIT, REFUSE_EGRESS};
pub(crate) use egress::{SPOOFED, UNLIMITED, link_local};
pub(crate) use per_family::PerFamily;

/// How long the prefixes are that sets can be asked for.
pub(crate) const PREFIX4: u8 = 24;
/// The same for IPv6.
pub(crate) const PREFIX6: u8 = 64;

/// The most networks, and the most subnets of each family, that a host can have. Of a set whose
/// size the kernel is told, it makes a hash table that finds faster what is there, and what is not.
const MOST: u32 = 6144;

pub(crate) const NETWORKS: &str = "networks";
pub(crate) const BRIDGES: &str = "bridges";
pub(crate) const SAME_NETWORK: &str = "same_network";
pub(crate) const REFUSE_TO: &str = "refuse_to";
pub(crate) const REFUSE_FROM: &str = "refuse_from";
pub(crate) const OWN_TO: &str = "own_to";
pub(crate) const HAIRPIN: &str = "hairpin";
pub(crate) const OWN_FROM: &str = "own_from";
const ANSWERS: &str = "answers";
const TRANSLATE: &str = "translate";

/// A shared part: it is added with the first network, with the first network that translates, with
/// the first one that ports of the host lead to, with the first one whose egress is limited, or
/// with the first one that has a flowtable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    Filter,
    Translation,
    Forwarding,
    Egress,
    Acceleration,
}

impl Share {
    pub(crate) const ALL: [Self; 5] =
        [Self::Filter, Self::Translation, Self::Forwarding, Self::Egress, Self::Acceleration];
    /// Those that not every network needs.
    pub(crate) const SOME: [Self; 4] = [Self::Translation, Self::Forwarding, Self::Egress, Self::Acceleration];

    /// The shares that a network needs.
    #[cfg(feature = "netlink")]
    pub(crate) fn of(ruleset: &crate::Ruleset) -> Vec<Self> {
        let has = |share: &Self| share.chains().iter().any(|chain| ruleset.chain(&chain.name).is_some());
        Self::ALL.into_iter().filter(has).collect()
    }

    /// Its sets, without elements of networks.
    pub(crate) fn sets(self) -> &'static [Set] {
        &self.value().sets
    }

    /// The elements that belong to no network, each with its map.
    pub(crate) fn elements(self) -> &'static [(&'static str, Element)] {
        &self.value().elements
    }

    /// Its chains, with their rules.
    pub(crate) fn chains(self) -> &'static [Chain] {
        &self.value().chains
    }

    fn value(self) -> &'static Shared {
        static ALL: [LazyLock<Shared>; 5] = [
            LazyLock::new(|| Shared::new(Share::Filter)),
            LazyLock::new(|| Shared::new(Share::Translation)),
            LazyLock::new(|| Shared::new(Share::Forwarding)),
            LazyLock::new(|| Shared::new(Share::Egress)),
            LazyLock::new(|| Shared::new(Share::Acceleration)),
        ];
        match self {
            Self::Filter => &ALL[0],
            Self::Translation => &ALL[1],
            Self::Forwarding => &ALL[2],
            Self::Egress => &ALL[3],
            Self::Acceleration => &ALL[4],
        }
    }

    fn make_sets(self) -> Vec<Set> {
        use KeyType::InterfaceIndex;
        match self {
            Self::Filter => vec![
                set(NETWORKS, &[KeyType::Word], Holds::Nothing),
                set(BRIDGES, &[InterfaceIndex], Holds::Nothing),
                set(SAME_NETWORK, &[InterfaceIndex, InterfaceIndex], Holds::Counter),
                of_interface(PerFamily::Reach, Family::Ipv4),
                of_interface(PerFamily::Reach, Family::Ipv6),
                of_interface(PerFamily::Leave, Family::Ipv4),
                of_interface(PerFamily::Leave, Family::Ipv6),
                set(ANSWERS, &[KeyType::Family], Holds::Verdict),
                set(OWN_TO, &[InterfaceIndex], Holds::Verdict),
                set(OWN_FROM, &[InterfaceIndex], Holds::Verdict),
                set(REFUSE_TO, &[KeyType::Family, InterfaceIndex], Holds::Counter),
                set(REFUSE_FROM, &[KeyType::Family, InterfaceIndex], Holds::Counter),
            ],
            Self::Translation => {
                let mut sets: Vec<Set> = BOTH.map(|family| of_interface(PerFamily::Answer, family)).into();
                for family in BOTH {
                    let address = address_type(family);
                    sets.push(set(PerFamily::Inside.set(family), &[address, address], Holds::Counter));
                    sets.push(set(PerFamily::Translate.set(family), &[address], Holds::Counter));
                    let own = set(PerFamily::OwnNat.set(family), &[address], Holds::Verdict);
                    sets.push(Set { interval: true, ..own });
                    let endpoint = [InterfaceIndex, KeyType::Protocol, address, KeyType::Port];
                    sets.push(set(PerFamily::Forwarded.set(family), &endpoint, Holds::Counter));
                    sets.push(of_interface(PerFamily::Redirected, family));
                }
                sets
            }
            Self::Forwarding => forwarding::sets(),
            Self::Egress => egress::sets(),
            Self::Acceleration => acceleration::sets(),
        }
    }

    fn make_elements(self) -> Vec<(&'static str, Element)> {
        let element = |family| Element {
            key: Key(vec![Part::Family(family)]),
            target: None,
            verdict: Some(Verdict::Jump(PerFamily::Answer.set(family).to_owned())),
            comment: Some(format!("{SHARED}ask whether it is an answer")),
        };
        match self {
            Self::Filter | Self::Forwarding | Self::Acceleration => Vec::new(),
            Self::Translation => BOTH.map(|family| (ANSWERS, element(family))).into(),
            Self::Egress => egress::elements(),
        }
    }

    fn make_chains(self) -> Vec<Chain> {
        use Direction::{In, Out};
        use Family::{Ipv4, Ipv6};
        use Field::{Destination, Source};
        let accept = Statement::Verdict(Verdict::Accept);
        let jump = |chain: &str| Statement::Verdict(Verdict::Jump(chain.to_owned()));
        let iface = |direction| Subject::Interface(direction);
        match self {
            Self::Filter => {
                let forward = vec![
                    rule(find([iface(Out)], BRIDGES), jump("to_guests"), "first ask the network the packet goes to"),
                    rule(
                        find([iface(In), net(Source, Ipv4)], PerFamily::Leave.set(Ipv4)),
                        accept.clone(),
                        "then let guests leave",
                    ),
                    rule(find([iface(In)], BRIDGES), jump("from_guests"), "ask the network the packet comes from"),
                ];
                // Answers are most of what guests get. Each of these rules accepts, but the last:
                // their order makes no difference to what becomes of a packet.
                let to_guests = vec![
                    decide([Subject::Family], ANSWERS, "guests that only answers reach"),
                    rule(find([iface(In), iface(Out)], SAME_NETWORK), accept.clone(), "guests of one network"),
                    rule(
                        find([iface(Out), net(Destination, Ipv4)], PerFamily::Reach.set(Ipv4)),
                        accept.clone(),
                        "guests that anyone may reach",
                    ),
                    rule(
                        find([iface(Out), net(Destination, Ipv6)], PerFamily::Reach.set(Ipv6)),
                        accept.clone(),
                        "guests that anyone may reach",
                    ),
                    decide([iface(Out)], OWN_TO, "networks with rules of their own"),
                    rule(
                        find([Subject::Family, iface(Out)], REFUSE_TO),
                        Statement::Reject(None),
                        "nothing else may reach guests",
                    ),
                ];
                let from_guests = vec![
                    rule(
                        find([iface(In), net(Source, Ipv6)], PerFamily::Leave.set(Ipv6)),
                        accept,
                        "guests that may leave",
                    ),
                    decide([iface(In)], OWN_FROM, "networks with rules of their own"),
                    rule(
                        find([Subject::Family, iface(In)], REFUSE_FROM),
                        Statement::Reject(None),
                        "guests may reach nothing else",
                    ),
                ];
                vec![
                    base("forward", "filter", 2, 0, forward),
                    chain("to_guests", to_guests),
                    chain("from_guests", from_guests),
                ]
            }
            Self::Translation => {
                let answer = |family| {
                    let set = PerFamily::Answer.set(family);
                    let mut matches = vec![Statement::Established];
                    matches.extend(find([iface(Out), net(Destination, family)], set));
                    let goto = Statement::Verdict(Verdict::Goto(forwarding::crossing(family).to_owned()));
                    let rules = vec![
                        rule(matches, accept.clone(), "answers to what guests have asked"),
                        rule(find([iface(In)], BRIDGES), goto, "guests need leave to get out"),
                        rule(forwarding::led(family), accept.clone(), "ports that the host leads to"),
                        rule(forwarding::redirected(family), accept.clone(), "guests that others lead to"),
                    ];
                    chain(set, rules)
                };
                let keep = |net: &str| {
                    let net: IpNet = net.parse().expect("a subnet");
                    let family = Statement::Family(Family::of(net.addr()));
                    vec![family, Statement::Address { field: Destination, negated: false, net }]
                };
                let back = Statement::Verdict(Verdict::Return);
                let mut postrouting = vec![
                    rule(keep("224.0.0.0/24"), back.clone(), "local multicast keeps its source"),
                    rule(keep("255.255.255.255/32"), back.clone(), "broadcast keeps its source"),
                    rule(keep("ff02::/16"), back.clone(), "local multicast keeps its source"),
                ];
                for family in BOTH {
                    let inside = find([net(Source, family), net(Destination, family)], PerFamily::Inside.set(family));
                    postrouting.push(rule(inside, back.clone(), "guests of one subnet"));
                    let translate = find([net(Source, family)], PerFamily::Translate.set(family));
                    postrouting.push(rule(translate, jump(TRANSLATE), "guests that leave with another source"));
                }
                for family in BOTH {
                    let source = Subject::Address { field: Source, family, prefix: family.bits() };
                    postrouting.push(decide(
                        [source],
                        PerFamily::OwnNat.set(family),
                        "networks with rules of their own",
                    ));
                }
                let masquerade = |transport: Option<Transport>, what| {
                    let ports = transport.map(|_| default_ports());
                    let matches = transport.map(Statement::Transport).into_iter().collect();
                    rule(matches, Statement::Masquerade(ports), what)
                };
                vec![
                    answer(Ipv4),
                    answer(Ipv6),
                    forwarding::from_guests(Ipv4),
                    forwarding::from_guests(Ipv6),
                    base("postrouting", "nat", 4, 100, postrouting),
                    chain(
                        TRANSLATE,
                        vec![
                            masquerade(Some(Transport::Tcp), "TCP leaves with another source and port"),
                            masquerade(Some(Transport::Udp), "UDP leaves with another source and port"),
                            masquerade(None, "anything else leaves with another source"),
                        ],
                    ),
                ]
            }
            Self::Forwarding => forwarding::chains(),
            Self::Egress => egress::chains(),
            Self::Acceleration => acceleration::chains(),
        }
    }
}

/// A share, built once.
struct Shared {
    sets: Vec<Set>,
    elements: Vec<(&'static str, Element)>,
    chains: Vec<Chain>,
}

impl Shared {
    fn new(share: Share) -> Self {
        Self { sets: share.make_sets(), elements: share.make_elements(), chains: share.make_chains() }
    }
}

/// The prefix of the comments of rules and elements that belong to no network.
pub(crate) const SHARED: &str = "vnet: ";

pub(crate) const BOTH: [Family; 2] = [Family::Ipv4, Family::Ipv6];

/// libvirt's source ports, which the shared chain uses.
pub(crate) fn default_ports() -> PortRange {
    PortRange::new(1024, u16::MAX).expect("in order")
}

/// The prefix length of the subnets that sets can hold.
pub(crate) fn prefix(family: Family) -> u8 {
    match family {
        Family::Ipv4 => PREFIX4,
        Family::Ipv6 => PREFIX6,
    }
}

fn net(field: Field, family: Family) -> Subject {
    Subject::Address { field, family, prefix: prefix(family) }
}

fn set(name: &str, key: &[KeyType], holds: Holds) -> Set {
    Set { name: name.to_owned(), key: key.to_vec(), interval: false, holds, elements: Vec::new() }
}

/// The most elements that a set can have: a set that usual packets of established connections are
/// looked up in has a limit.
pub(crate) fn size(set: &str) -> Option<u32> {
    let of_subnets = [PerFamily::Reach, PerFamily::Leave, PerFamily::Answer];
    let mut often = of_subnets.iter().flat_map(|kind| BOTH.map(|family| kind.set(family))).chain([BRIDGES]);
    match set {
        ANSWERS => Some(4),
        _ => often.any(|name| name == set).then_some(MOST),
    }
}

fn of_interface(kind: PerFamily, family: Family) -> Set {
    set(kind.set(family), &[KeyType::InterfaceIndex, address_type(family)], Holds::Counter)
}

fn address_type(family: Family) -> KeyType {
    match family {
        Family::Ipv4 => KeyType::Ipv4Address,
        Family::Ipv6 => KeyType::Ipv6Address,
    }
}

fn chain(name: &str, rules: Vec<Rule>) -> Chain {
    Chain { name: name.to_owned(), base: None, rules }
}

fn base(name: &str, kind: &str, hook: u32, priority: i32, rules: Vec<Rule>) -> Chain {
    Chain { base: Some(Base { kind: kind.to_owned(), hook, priority, policy: 1 }), ..chain(name, rules) }
}

fn rule(mut statements: Vec<Statement>, act: Statement, what: &str) -> Rule {
    statements.push(act);
    Rule { statements, comment: Some(format!("{SHARED}{what}")) }
}

fn find<const N: usize>(subjects: [Subject; N], set: &str) -> Vec<Statement> {
    lookup(subjects.into(), set, false)
}

fn decide<const N: usize>(subjects: [Subject; N], map: &str, what: &str) -> Rule {
    Rule { statements: lookup(subjects.into(), map, true), comment: Some(format!("{SHARED}{what}")) }
}

fn lookup(subjects: Vec<Subject>, set: &str, decides: bool) -> Vec<Statement> {
    let family = subjects.iter().find_map(|subject| match subject {
        Subject::Address { family, .. } => Some(Statement::Family(*family)),
        _ => None,
    });
    family.into_iter().chain([Statement::Lookup { subjects, set: set.to_owned(), decides }]).collect()
}
