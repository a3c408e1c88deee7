//! Compiles what a network promises into rules. They give every packet the same verdict and
//! translation as the rules that libvirt 11.3 gives to nft(8) for the same network.
//!
//! For a forwarded packet, first the rules of the network it goes to apply (by outgoing bridge),
//! then those of the network it comes from (by incoming bridge). libvirt has the same order, so
//! guests of an isolated network can reach a network that accepts packets from anyone. A network
//! without IPv6 has no rules for IPv6. Within a network, all rules but the last accept, so their
//! order makes no difference.
//!
//! Translation matches the source address only, as in libvirt, so the host's own packets with an
//! address of the subnet are translated too. Only the first packet of a connection passes these
//! rules.

mod limit;

use std::net::SocketAddr;

use vnet_types::{AddressRange, Family, InterfaceName, IpNet, PortRange};

use crate::name::{Role, comment, word};
use crate::ruleset::{
    Chain, Direction, Element, Field, Interface, Key, Part, Rule, Ruleset, Statement, Transport, Verdict,
};
use crate::shared::{
    ACCELERATED, BOTH, BRIDGES, HAIRPIN, NETWORKS, OWN_FROM, OWN_TO, PerFamily, REFUSE_FROM, REFUSE_TO, SAME_NETWORK,
    Share, default_ports, flowtable, prefix,
};
use crate::{Access, Policy, Subnet};

impl Ruleset {
    /// The rules for a policy.
    pub fn compile(policy: &Policy) -> Self {
        let mut ruleset =
            Self { network: policy.network.clone(), sets: Vec::new(), chains: Vec::new(), flowtable: None };
        ruleset.share(Share::Filter);
        if policy.translated().next().is_some() && !policy.filtered_elsewhere {
            ruleset.share(Share::Translation);
        }
        if !policy.forwards.is_empty() {
            ruleset.share(Share::Forwarding);
        }
        if policy.egress.is_some() {
            ruleset.share(Share::Egress);
        }
        if policy.is_accelerated() {
            ruleset.share(Share::Acceleration);
        }
        ruleset.belong(policy);
        if !policy.filtered_elsewhere {
            ruleset.filter(policy);
            ruleset.translate(policy);
            ruleset.redirect(policy);
        }
        ruleset.forward(policy);
        ruleset.limit(policy);
        ruleset.accelerate(policy);
        for set in &mut ruleset.sets {
            set.elements.sort();
            // A subnet may be listed twice.
            set.elements.dedup_by(|one, other| one.key == other.key);
        }
        ruleset
    }

    fn share(&mut self, share: Share) {
        self.sets.extend_from_slice(share.sets());
        self.chains.extend_from_slice(share.chains());
        for (set, element) in share.elements() {
            self.add(set, element.clone());
        }
    }

    /// What every network has. By its bridge, guests that may reach the internet only are kept from
    /// the others.
    fn belong(&mut self, policy: &Policy) {
        let bridge = Part::Interface(Interface::Named(policy.bridge.clone()));
        let element = |parts: Vec<Part>, cause: &str| policy.element(parts, None, cause);
        self.add(NETWORKS, element(vec![Part::Word(word(&policy.network))], "has elements in the sets below"));
        self.add(BRIDGES, element(vec![bridge.clone()], "its bridge"));
        if policy.filtered_elsewhere {
            let pass = policy.element(vec![bridge.clone()], Some(Verdict::Accept), "its guests are not filtered here");
            self.add(OWN_FROM, pass);
        }
        self.add(SAME_NETWORK, element(vec![bridge.clone(), bridge], "guests may talk with each other"));
    }

    fn filter(&mut self, policy: &Policy) {
        let bridge = Part::Interface(Interface::Named(policy.bridge.clone()));
        let element = |parts: Vec<Part>, cause: &str| policy.element(parts, None, cause);
        let [refuse_to, refuse_from] = if policy.filters(Family::Ipv6) {
            ["nothing else may reach the guests", "guests may reach nothing else"]
        } else {
            [
                "nothing else may reach the guests (IPv6 is not filtered)",
                "guests may reach nothing else (IPv6 is not filtered)",
            ]
        };
        for family in BOTH.into_iter().filter(|family| policy.filters(*family)) {
            let key = vec![Part::Family(family), bridge.clone()];
            self.add(REFUSE_TO, element(key.clone(), refuse_to));
            self.add(REFUSE_FROM, element(key, refuse_from));
        }
        if policy.is_usual() {
            for Subnet { net, access } in &policy.subnets {
                let family = Family::of(net.addr());
                let mut add = |set: PerFamily, cause| {
                    self.add(set.set(family), element(vec![bridge.clone(), Part::Address(net.network())], cause));
                };
                match access {
                    Access::Isolated => {}
                    Access::Routed => {
                        add(PerFamily::Reach, "routed: anyone may reach these guests");
                        add(PerFamily::Leave, "routed: these guests may reach out");
                    }
                    Access::Nat { .. } => {
                        add(PerFamily::Answer, "nat: answers may reach these guests");
                        add(PerFamily::Leave, "nat: these guests may reach out");
                    }
                }
            }
            return;
        }
        for (map, role, rules) in [(OWN_TO, Role::In, policy.rules_in()), (OWN_FROM, Role::Out, policy.rules_out())] {
            let chain = role.chain(&policy.network);
            let lead = policy.element(vec![bridge.clone()], Some(Verdict::Jump(chain)), "has rules of its own");
            self.add(map, lead);
            self.chains.push(policy.chain(role, rules));
        }
    }

    fn translate(&mut self, policy: &Policy) {
        if policy.translates_as_usual() {
            for (net, ..) in policy.translated() {
                let (family, first) = (Family::of(net.addr()), Part::Address(net.network()));
                let inside = vec![first.clone(), first.clone()];
                let element = |parts, cause| policy.element(parts, None, cause);
                self.add(PerFamily::Inside.set(family), element(inside, "nat: guests of one subnet keep their source"));
                self.add(PerFamily::Translate.set(family), element(vec![first], "nat: what leaves has another source"));
            }
            return;
        }
        for net in outermost(policy.translated().map(|(net, ..)| net).collect()) {
            let verdict = Some(Verdict::Jump(Role::Nat.chain(&policy.network)));
            let lead = policy.element(vec![Part::Subnet(net)], verdict, "nat: has rules of its own");
            self.add(PerFamily::OwnNat.set(Family::of(net.addr())), lead);
        }
        self.chains.push(policy.chain(Role::Nat, policy.translations()));
    }

    fn forward(&mut self, policy: &Policy) {
        let bridge = Part::Interface(Interface::Named(policy.bridge.clone()));
        if !policy.forwards.is_empty() {
            for from in [bridge.clone(), Part::Interface(Interface::Absent)] {
                let element = policy.element(vec![from, bridge.clone()], None, "it is reached by the host");
                self.add(HAIRPIN, element);
            }
        }
        let translates = policy.translated().next().is_some() && !policy.filtered_elsewhere;
        for forward in &policy.forwards {
            let (family, transport) = (forward.family(), Part::Protocol(forward.transport));
            let device = forward.device.as_ref().map(|device| Part::Word(device.to_string()));
            let map = match (&device, forward.address) {
                (None, None) => PerFamily::LeadAny,
                (None, Some(_)) => PerFamily::Lead,
                (Some(_), None) => PerFamily::LeadDevice,
                (Some(_), Some(_)) => PerFamily::LeadDeviceAddress,
            };
            for (port, to) in forward.pairs() {
                let parts = device.iter().cloned().chain([transport.clone()]);
                let parts = parts.chain(forward.address.map(Part::Address)).chain([Part::Port(port)]);
                let lead = policy.element(parts.collect(), None, "a port of the host that leads to a guest");
                let target = Some(SocketAddr::new(forward.guest, to));
                self.add(map.set(family), Element { target, ..lead });
                // Routed guests are reached by anyone.
                if translates {
                    let guest = vec![bridge.clone(), transport.clone(), Part::Address(forward.guest), Part::Port(to)];
                    let element = policy.element(guest, None, "a port that the host leads to");
                    self.add(PerFamily::Forwarded.set(family), element);
                }
            }
        }
    }

    fn redirect(&mut self, policy: &Policy) {
        let bridge = Part::Interface(Interface::Named(policy.bridge.clone()));
        for guest in policy.redirected.iter().filter(|guest| policy.translated().any(|(net, ..)| net.contains(*guest)))
        {
            let key = vec![bridge.clone(), Part::Address(*guest)];
            let element = policy.element(key, None, "nat: others may redirect connections to it");
            self.add(PerFamily::Redirected.set(Family::of(*guest)), element);
        }
    }

    fn accelerate(&mut self, policy: &Policy) {
        if !policy.is_accelerated() {
            return;
        }
        for device in &policy.accelerated {
            for transport in [Transport::Tcp, Transport::Udp] {
                let bridge = Part::Interface(Interface::Named(policy.bridge.clone()));
                let key = vec![bridge, Part::Word(device.to_string()), Part::Protocol(transport)];
                let cause = "established connections may skip the rules";
                self.add(ACCELERATED, policy.element(key, None, cause));
            }
        }
        self.flowtable = Some(flowtable(policy.accelerated.iter().chain([&policy.bridge]).cloned()));
    }

    fn add(&mut self, set: &str, element: Element) {
        let set = self.sets.iter_mut().find(|candidate| candidate.name == set).expect("one of those that are shared");
        set.elements.push(element);
    }
}

impl Policy {
    /// Whether the shared rules can express who may reach whom. Sets have keys of one length.
    fn is_usual(&self) -> bool {
        let mut open = self.subnets.iter().filter(|subnet| subnet.access != Access::Isolated);
        open.all(|subnet| self.device.is_none() && fits(subnet.net))
    }

    /// Whether connections may skip the rules. Where others filter, such as libvirt, nobody
    /// would flush the flowtable when their rules change.
    fn is_accelerated(&self) -> bool {
        !self.accelerated.is_empty() && !self.filtered_elsewhere
    }

    /// Whether the shared chain can translate for this network.
    fn translates_as_usual(&self) -> bool {
        let usual = |(net, addresses, ports): (IpNet, Option<AddressRange>, PortRange)| {
            self.device.is_none() && fits(net) && addresses.is_none() && ports == default_ports()
        };
        self.translated().all(usual)
    }

    fn element(&self, parts: Vec<Part>, verdict: Option<Verdict>, cause: &str) -> Element {
        Element { key: Key(parts), verdict, target: None, comment: Some(comment(&self.network, cause)) }
    }

    fn chain(&self, role: Role, rules: Vec<(Vec<Statement>, &str)>) -> Chain {
        let rule = |(statements, cause): (Vec<Statement>, &str)| Rule {
            statements,
            comment: Some(comment(&self.network, cause)),
        };
        Chain { name: role.chain(&self.network), base: None, rules: rules.into_iter().map(rule).collect() }
    }

    fn rules_in(&self) -> Vec<(Vec<Statement>, &str)> {
        let mut rules = Vec::new();
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
    }

    /// Whether packets that no rule accepts are refused. A network without IPv6 has no rules for
    /// IPv6.
    fn filters(&self, family: Family) -> bool {
        family == Family::Ipv4 || self.ipv6 || self.subnets.iter().any(|subnet| subnet.net.addr().is_ipv6())
    }

    /// libvirt inserts each rule before the existing ones, so the last subnet comes first.
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
        vec![
            (translate(Some(Transport::Tcp)), "nat: TCP leaves with another source and port"),
            (translate(Some(Transport::Udp)), "nat: UDP leaves with another source and port"),
            (translate(None), "nat: anything else leaves with another source"),
        ]
    }
}

/// Whether a set can hold the subnet.
fn fits(net: IpNet) -> bool {
    net.prefix_len() == prefix(Family::of(net.addr()))
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

/// The subnets that no other one contains, in order: intervals of a map must not overlap.
fn outermost(mut nets: Vec<IpNet>) -> Vec<IpNet> {
    nets.sort();
    nets.dedup();
    let inside = |net: &IpNet| nets.iter().any(|other| other != net && other.contains(net));
    nets.iter().filter(|net| !inside(net)).copied().collect()
}
