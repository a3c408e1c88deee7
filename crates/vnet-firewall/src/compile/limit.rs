//! Compiles what guests may reach beyond their network.

use vnet_types::{Egress, EgressException, EgressPreset, EgressProtocol, Family};

use super::{address, decide, fits};
use crate::Policy;
use crate::name::Role;
use crate::ruleset::{Field, Interface, Part, Ruleset, Statement, Transport, Verdict};
use crate::shared::{
    BOTH, CHECKED, HOST_ONLY, INTERNET_ONLY, LIMITED, OWN_LIMIT, PerFamily, REFUSE_EGRESS, SPOOFED, UNLIMITED,
    link_local,
};

impl Ruleset {
    pub(super) fn limit(&mut self, policy: &Policy) {
        let Some(egress) = &policy.egress else { return };
        let bridge = Part::Interface(Interface::Named(policy.bridge.clone()));
        let mut add = |set, cause| self.add(set, policy.element(vec![bridge.clone()], None, cause));
        add(LIMITED, "egress: guests are limited in what they reach");
        match egress.preset {
            EgressPreset::InternetOnly => add(INTERNET_ONLY, "egress: guests may reach the internet"),
            EgressPreset::HostOnly => add(HOST_ONLY, "egress: guests may reach the host"),
            EgressPreset::Any => add(UNLIMITED, "egress: guests may reach anything"),
            EgressPreset::None => {}
        }
        add(SPOOFED, "egress: what has an address of another network is dropped");
        add(REFUSE_EGRESS, "egress: guests may not reach this");
        let is_usual = egress.exceptions().is_empty() && policy.subnets.iter().all(|subnet| fits(subnet.net));
        if !is_usual {
            add(CHECKED, "egress: its own rules know the addresses");
            let chain = Role::Limit.chain(&policy.network);
            let lead = policy.element(vec![bridge], Some(Verdict::Jump(chain)), "egress: has rules of its own");
            self.add(OWN_LIMIT, lead);
            self.chains.push(policy.chain(Role::Limit, policy.limits(egress)));
            return;
        }
        let kind = match egress.preset {
            EgressPreset::InternetOnly => PerFamily::Internet,
            _ => PerFamily::Source,
        };
        for net in policy.subnets.iter().map(|subnet| subnet.net) {
            let key = vec![bridge.clone(), Part::Address(net.network())];
            self.add(kind.set(Family::of(net.addr())), policy.element(key, None, "egress: an address of a guest"));
        }
    }
}

impl Policy {
    /// The rules for sources, then for exceptions.
    fn limits(&self, egress: &Egress) -> Vec<(Vec<Statement>, &'static str)> {
        let mut rules = Vec::new();
        for family in BOTH {
            let subnets = self.subnets.iter().map(|subnet| subnet.net);
            let nets = subnets.chain([link_local()]).filter(|net| Family::of(net.addr()) == family);
            let others = nets.map(|net| Statement::Address { field: Field::Source, negated: true, net: net.trunc() });
            let matches = [Statement::Family(family)].into_iter().chain(others);
            rules.push((decide(matches, Verdict::Drop), "egress: what has an address of another network is dropped"));
        }
        for (allows, exception) in egress.exceptions() {
            let (verdict, cause) = match allows {
                true => (Verdict::Accept, "egress: guests may reach this, too"),
                false => (Verdict::Goto(REFUSE_EGRESS.to_owned()), "egress: guests may not reach this"),
            };
            rules.extend(matches(exception).into_iter().map(|it| (decide(it, verdict.clone()), cause)));
        }
        rules
    }
}

/// The matches of an exception; any of them is enough.
fn matches(exception: &EgressException) -> Vec<Vec<Statement>> {
    let families = exception.net.map_or(BOTH.to_vec(), |net| vec![Family::of(net.addr())]);
    let transport = |transport| match exception.ports {
        Some(ports) => Statement::Port(transport, ports),
        None => Statement::Transport(transport),
    };
    let protocols: Vec<Statement> = match (exception.protocol, exception.ports) {
        (None, None) => Vec::new(),
        (None, Some(_)) => [Transport::Tcp, Transport::Udp].map(transport).into(),
        (Some(EgressProtocol::Tcp), _) => vec![transport(Transport::Tcp)],
        (Some(EgressProtocol::Udp), _) => vec![transport(Transport::Udp)],
        (Some(EgressProtocol::Icmp), _) => families.into_iter().map(Statement::Icmp).collect(),
    };
    let destination = exception.net.map(|net| address(Field::Destination, false, net)).unwrap_or_default();
    if protocols.is_empty() {
        return vec![destination];
    }
    // nft(8) writes a port behind the address, and a protocol alone before it.
    let with = |protocol: Statement| match protocol {
        Statement::Port(..) => destination.iter().cloned().chain([protocol]).collect(),
        _ => [protocol].into_iter().chain(destination.iter().cloned()).collect(),
    };
    protocols.into_iter().map(with).collect()
}
