//! The rules that elements stand for, and what rules match.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vnet_types::{Family, InterfaceName, IpNet};

use super::{Chain, Element, Holds, Interface, Part, Rule, Ruleset, Set, Statement, Subject};
use crate::name::Role;
use crate::shared::LIMIT;

impl Ruleset {
    /// A network without rules and without the shared parts.
    #[cfg(feature = "netlink")]
    pub(crate) fn nothing(network: &str) -> Self {
        Self { network: network.to_owned(), sets: Vec::new(), chains: Vec::new(), flowtable: None }
    }

    /// The network's own rules, each with its chain, or with the set that it is an element of: an
    /// element of a set stands for a rule that matches the element's key.
    pub fn rules(&self) -> impl Iterator<Item = (&str, Rule)> {
        let own = self.chains.iter().filter(|chain| Role::ALL.iter().any(|role| role.is_of(&chain.name)));
        let own = own.flat_map(|chain| chain.rules.iter().map(|rule| (chain.name.as_str(), rule.clone())));
        let elements = self.sets.iter().flat_map(|set| set.elements.iter().map(move |element| (set, element)));
        let stands_for = |set, element: &Element| element.stands_for(set, self.chains.iter());
        elements.filter_map(move |(set, element)| Some((set.name.as_str(), stands_for(set, element)?))).chain(own)
    }

    /// The interfaces that they match by index.
    pub fn interfaces(&self) -> impl Iterator<Item = &InterfaceName> {
        let parts = self.sets.iter().flat_map(|set| &set.elements).flat_map(|element| &element.key.0);
        let statements = self.chains.iter().flat_map(|chain| &chain.rules).flat_map(|rule| &rule.statements);
        let in_keys = parts.filter_map(|part| if let Part::Interface(it) = part { Some(it) } else { None });
        let in_rules = statements.filter_map(|it| if let Statement::Interface(_, it) = it { Some(it) } else { None });
        in_keys.chain(in_rules).filter_map(|it| if let Interface::Named(name) = it { Some(name) } else { None })
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
        if let Some(flowtable) = &mut self.flowtable {
            flowtable.devices.iter_mut().filter(|device| *device == from).for_each(|device| *device = to.clone());
            flowtable.devices.sort();
        }
    }

    /// Whether it limits what guests reach.
    pub fn limits_guests(&self) -> bool {
        self.chain(LIMIT).is_some()
    }

    /// The chain with this name.
    pub fn chain(&self, name: &str) -> Option<&Chain> {
        self.chains.iter().find(|chain| chain.name == name)
    }
}

impl Element {
    /// The rule that an element of a set with a counter stands for, or one whose connections skip
    /// the rules, among the rules of these chains.
    pub(crate) fn stands_for<'c>(&self, set: &Set, chains: impl Iterator<Item = &'c Chain>) -> Option<Rule> {
        let asks = |statement: &'c Statement| match statement {
            Statement::Lookup { subjects, set: name, decides: false } if *name == set.name => Some(subjects),
            _ => None,
        };
        let (rule, subjects) = chains
            .flat_map(|chain| &chain.rules)
            .filter(|rule| set.holds == Holds::Counter || rule.offloads())
            .find_map(|rule| Some((rule, rule.statements.iter().find_map(asks)?)))?;
        let mut statements = Vec::new();
        for statement in &rule.statements {
            match statement {
                lookup if asks(lookup).is_some() => {
                    let parts = subjects.iter().zip(&self.key.0);
                    statements.extend(parts.flat_map(|(subject, part)| subject.is(part)));
                    statements.extend((set.holds == Holds::Counter).then_some(Statement::Counter));
                }
                // The address implies the family.
                Statement::Family(_) => {}
                other => statements.push(other.clone()),
            }
        }
        Some(Rule { statements, comment: self.comment.clone() })
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
            (Self::InterfaceName(direction), Part::Word(name)) => {
                name.parse().ok().map(|name| Statement::InterfaceName(*direction, name)).into_iter().collect()
            }
            (Self::Address { field, family, prefix }, Part::Address(first)) => {
                let net = IpNet::new(*first, *prefix).ok();
                let address = net.map(|net| Statement::Address { field: *field, negated: false, net });
                [Statement::Family(*family)].into_iter().chain(address).collect()
            }
            (Self::Protocol, Part::Protocol(transport)) => vec![Statement::Transport(*transport)],
            _ => Vec::new(),
        }
    }
}

impl Rule {
    /// Whether nft(8) omits a statement because the next one implies it.
    pub(crate) fn is_implied(&self, at: usize) -> bool {
        let has_address = |subjects: &[Subject]| subjects.iter().any(|it| matches!(it, Subject::Address { .. }));
        matches!(self.statements[at], Statement::Family(_))
            && match self.statements.get(at + 1) {
                Some(Statement::Address { .. } | Statement::Icmpv6Type(_)) => true,
                Some(Statement::Lookup { subjects, .. } | Statement::Dnat { subjects, .. }) => has_address(subjects),
                _ => false,
            }
    }

    /// Whether the rule adds connections to a flowtable. It does not count: what it lets skip the
    /// rules is not counted, either.
    pub fn offloads(&self) -> bool {
        matches!(self.statements.last(), Some(Statement::Offload(_)))
    }

    /// Whether the rule counts what it matches.
    pub fn counts(&self) -> bool {
        self.statements.contains(&Statement::Counter)
    }
}
