//! From what a network promises to rules that keep it. For every packet they decide and translate as the rules that
//! libvirt 11.3 gives to nft(8) for the same network.
//!
//! A packet that is forwarded meets at most two chains: that of the network it goes to (by outgoing bridge), then that of the
//! network it comes from (by incoming bridge). libvirt asks in the same order, so a network that takes anyone in is
//! reachable even for the guests of an isolated one. Where a network has no IPv6, neither chain decides about IPv6.
//!
//! Translation goes by source address alone, as in libvirt: the host's own packets with an address of the subnet are
//! translated too. Only the first packet of a connection comes here, and an interval map finds its network in O(log n).

use vnet_types::{AddressRange, Family, InterfaceName, IpNet, PortRange};

use crate::name::{Role, comment};
use crate::ruleset::{
    Base, Chain, Direction, Element, Field, Interface, Key, KeyType, Map, Rule, Ruleset, Statement, Subject, Transport,
    Verdict,
};
use crate::{Access, Policy, Subnet};

const TO_GUESTS: &str = "to_guests";
const FROM_GUESTS: &str = "from_guests";
const NAT_IPV4: &str = "nat_ipv4";
const NAT_IPV6: &str = "nat_ipv6";

impl Ruleset {
    /// The rules that keep a policy.
    pub fn compile(policy: &Policy) -> Self {
        let mut ruleset = Self { network: policy.network.clone(), maps: empty_maps(), chains: base_chains() };
        for (map, role) in [(TO_GUESTS, Role::In), (FROM_GUESTS, Role::Out)] {
            let bridge = Key::Interface(Interface::Named(policy.bridge.clone()));
            ruleset.lead(map, bridge, role.chain(&policy.network));
        }
        ruleset.chains.push(policy.chain(Role::In, policy.rules_in()));
        ruleset.chains.push(policy.chain(Role::Out, policy.rules_out()));
        let nat = policy.translations();
        if !nat.is_empty() {
            for net in outermost(policy.translated().map(|(net, ..)| net).collect()) {
                let map = if net.addr().is_ipv4() { NAT_IPV4 } else { NAT_IPV6 };
                ruleset.lead(map, Key::Subnet(net), Role::Nat.chain(&policy.network));
            }
            ruleset.chains.push(policy.chain(Role::Nat, nat));
        }
        ruleset
    }

    fn lead(&mut self, map: &str, key: Key, chain: String) {
        let map = self.maps.iter_mut().find(|candidate| candidate.name == map).expect("one of the four");
        map.elements.push(Element { key, verdict: Verdict::Jump(chain) });
    }
}

/// The maps that all networks share.
pub(crate) fn empty_maps() -> Vec<Map> {
    [
        (TO_GUESTS, KeyType::InterfaceIndex),
        (FROM_GUESTS, KeyType::InterfaceIndex),
        (NAT_IPV4, KeyType::Ipv4Address),
        (NAT_IPV6, KeyType::Ipv6Address),
    ]
    .map(|(name, key)| Map { name: name.to_owned(), key, elements: Vec::new() })
    .into()
}

/// The base chains that all networks share: each looks for the networks of a packet.
pub(crate) fn base_chains() -> Vec<Chain> {
    let lookup = |subject, map: &str, cause| {
        let statements = match subject {
            Subject::Interface(_) => vec![],
            Subject::Source(family) => vec![Statement::Family(family)],
        };
        let lookup = [Statement::Lookup { subject, map: map.to_owned() }];
        Rule {
            statements: [Statement::Counter].into_iter().chain(statements).chain(lookup).collect(),
            comment: Some(format!("vnet: {cause}")),
        }
    };
    let base = |kind: &str, hook, priority| Some(Base { kind: kind.to_owned(), hook, priority, policy: 1 });
    vec![
        Chain {
            name: "forward".to_owned(),
            base: base("filter", 2, 0),
            rules: vec![
                lookup(Subject::Interface(Direction::Out), TO_GUESTS, "first ask the network the packet goes to"),
                lookup(Subject::Interface(Direction::In), FROM_GUESTS, "then ask the network the packet comes from"),
            ],
        },
        Chain {
            name: "postrouting".to_owned(),
            base: base("nat", 4, 100),
            rules: vec![
                lookup(Subject::Source(Family::Ipv4), NAT_IPV4, "find the network that translates this IPv4 source"),
                lookup(Subject::Source(Family::Ipv6), NAT_IPV6, "find the network that translates this IPv6 source"),
            ],
        },
    ]
}

impl Policy {
    fn chain(&self, role: Role, rules: Vec<(Vec<Statement>, &str)>) -> Chain {
        let rule = |(statements, cause): (Vec<Statement>, &str)| Rule {
            statements,
            comment: Some(comment(&self.network, cause)),
        };
        Chain { name: role.chain(&self.network), base: None, rules: rules.into_iter().map(rule).collect() }
    }

    fn rules_in(&self) -> Vec<(Vec<Statement>, &str)> {
        let bridge = Statement::Interface(Direction::In, Interface::Named(self.bridge.clone()));
        let mut rules = vec![(decide([bridge], Verdict::Accept), "guests may talk with each other")];
        for subnet in &self.subnets {
            let mut matches = through(Direction::In, self.device.as_ref());
            matches.extend(address(Field::Destination, false, subnet.net));
            match subnet.access {
                Access::Isolated => {}
                Access::Routed => {
                    rules.push((decide(matches, Verdict::Accept), "routed: anyone may reach these guests"))
                }
                Access::Nat { .. } => {
                    matches.push(Statement::Established);
                    rules.push((decide(matches, Verdict::Accept), "nat: answers may reach these guests"));
                }
            }
        }
        rules.push(
            self.refuse(
                "nothing else may reach the guests",
                "nothing else may reach the guests (IPv6 is not filtered)",
            ),
        );
        rules
    }

    fn rules_out(&self) -> Vec<(Vec<Statement>, &str)> {
        let mut rules = Vec::new();
        for subnet in &self.subnets {
            let mut matches = address(Field::Source, false, subnet.net);
            matches.extend(through(Direction::Out, self.device.as_ref()));
            match subnet.access {
                Access::Isolated => {}
                Access::Routed => rules.push((decide(matches, Verdict::Accept), "routed: these guests may reach out")),
                Access::Nat { .. } => rules.push((decide(matches, Verdict::Accept), "nat: these guests may reach out")),
            }
        }
        rules
            .push(self.refuse("guests may reach nothing else", "guests may reach nothing else (IPv6 is not filtered)"));
        rules
    }

    /// Says no to what no rule before has allowed; of a network without IPv6 only to IPv4.
    fn refuse<'a>(&self, cause: &'a str, without_ipv6: &'a str) -> (Vec<Statement>, &'a str) {
        if self.has_ipv6() {
            return (vec![Statement::Counter, Statement::Reject(None)], cause);
        }
        let only = Family::Ipv4;
        (vec![Statement::Family(only), Statement::Counter, Statement::Reject(Some(only))], without_ipv6)
    }

    fn has_ipv6(&self) -> bool {
        self.ipv6 || self.subnets.iter().any(|subnet| subnet.net.addr().is_ipv6())
    }

    /// libvirt inserts each rule before those it already has: the last subnet is asked first.
    fn translations(&self) -> Vec<(Vec<Statement>, &'static str)> {
        self.translated().rev().flat_map(|(net, addresses, ports)| self.translation(net, addresses, ports)).collect()
    }

    fn translated(&self) -> impl DoubleEndedIterator<Item = (IpNet, Option<AddressRange>, PortRange)> {
        self.subnets.iter().filter_map(|Subnet { net, access }| match *access {
            Access::Nat { addresses, ports } => {
                Some((net.trunc(), addresses.filter(|range| range.start().is_ipv4() && net.addr().is_ipv4()), ports))
            }
            Access::Isolated | Access::Routed => None,
        })
    }

    fn translation(
        &self,
        net: IpNet,
        addresses: Option<AddressRange>,
        ports: PortRange,
    ) -> Vec<(Vec<Statement>, &'static str)> {
        let device = through(Direction::Out, self.device.as_ref());
        let keep = |to: IpNet| {
            let mut matches = address(Field::Source, false, net);
            matches.push(Statement::Address { field: Field::Destination, negated: false, net: to });
            matches.extend(device.clone());
            decide(matches, Verdict::Return)
        };
        let translate = |transport: Option<Transport>| {
            let mut statements: Vec<_> = transport.map(Statement::Transport).into_iter().collect();
            statements.extend(address(Field::Source, false, net));
            statements.push(Statement::Address { field: Field::Destination, negated: true, net });
            statements.extend(device.clone());
            let ports = transport.map(|_| ports);
            statements.push(Statement::Counter);
            statements.push(match addresses {
                Some(addresses) => Statement::Snat { addresses, ports },
                None => Statement::Masquerade(ports),
            });
            statements
        };
        let constant = |text: &str| text.parse().expect("a subnet");
        let mut rules = match net {
            IpNet::V4(_) => vec![
                (keep(constant("224.0.0.0/24")), "nat: local multicast keeps its source"),
                (keep(constant("255.255.255.255/32")), "nat: broadcast keeps its source"),
            ],
            IpNet::V6(_) => vec![(keep(constant("ff02::/16")), "nat: local multicast keeps its source")],
        };
        rules.push((translate(Some(Transport::Tcp)), "nat: TCP leaves with another source and port"));
        rules.push((translate(Some(Transport::Udp)), "nat: UDP leaves with another source and port"));
        rules.push((translate(None), "nat: anything else leaves with another source"));
        rules
    }
}

fn decide(matches: impl IntoIterator<Item = Statement>, verdict: Verdict) -> Vec<Statement> {
    matches.into_iter().chain([Statement::Counter, Statement::Verdict(verdict)]).collect()
}

fn through(direction: Direction, device: Option<&InterfaceName>) -> Vec<Statement> {
    device.map(|name| Statement::InterfaceName(direction, name.clone())).into_iter().collect()
}

fn address(field: Field, negated: bool, net: IpNet) -> Vec<Statement> {
    let net = net.trunc();
    vec![Statement::Family(Family::of(net.addr())), Statement::Address { field, negated, net }]
}

/// The subnets that lie in no other, in order: an interval map holds no interval twice.
fn outermost(mut nets: Vec<IpNet>) -> Vec<IpNet> {
    nets.sort();
    nets.dedup();
    let inside = |net: &IpNet| nets.iter().any(|other| other != net && other.contains(net));
    nets.iter().filter(|net| !inside(net)).copied().collect()
}
