//! Follows a packet through the rules as the kernel does, without the policies. The integration
//! tests compare this with a kernel.

use std::net::{IpAddr, SocketAddr};

use vnet_firewall::{
    Direction, Element, Field, Interface, Key, Part, Rule, Ruleset, Statement, Subject, Transport, Verdict,
};
use vnet_types::{AddressRange, Family, InterfaceName, IpNet, PortRange};

#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    /// `None`: neither TCP nor UDP.
    pub(crate) transport: Option<Transport>,
    /// It belongs to an accepted connection, or is related to one.
    pub(crate) established: bool,
    /// The incoming interface.
    pub(crate) from: InterfaceName,
    /// The outgoing interface.
    pub(crate) to: InterfaceName,
    /// The destination's port.
    pub(crate) port: u16,
    /// The destination of its connection was translated.
    pub(crate) redirected: bool,
    /// Its destination is an address of the host.
    pub(crate) local: bool,
    /// It goes against the direction in which its connection began.
    pub(crate) reply: bool,
    /// It is a segment of TCP that begins no connection.
    pub(crate) midway: bool,
    /// The type of ICMPv6.
    pub(crate) icmpv6: Option<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Refused,
    /// Nobody is told.
    Dropped,
    Passed,
    /// It passes with another source: one of these addresses, or the outgoing interface's; one of
    /// these ports, or any.
    Translated(Option<AddressRange>, Option<PortRange>),
    /// It has another destination.
    Led(SocketAddr),
}

/// The interface of what has not arrived through any.
pub(crate) const ABSENT: &str = "none";

pub(crate) struct Walk<'a> {
    pub(crate) rulesets: &'a [Ruleset],
    pub(crate) packet: &'a Packet,
}

enum Step {
    /// Continue with the next rule.
    On,
    /// Return to the rule after the jump.
    Back,
    End(Fate),
}

impl Walk<'_> {
    pub(crate) fn fate(&self) -> Fate {
        let filters = ["egress_forward", "forward"].map(|chain| self.base_chain(chain));
        match filters.into_iter().find(|fate| *fate != Fate::Passed).unwrap_or(Fate::Passed) {
            refused @ (Fate::Refused | Fate::Dropped) => refused,
            // Of a connection, the first chain that translates does.
            _ => match self.base_chain("hairpin") {
                Fate::Passed => self.base_chain("postrouting"),
                fate => fate,
            },
        }
    }

    /// What becomes of the packet on its way to the host itself.
    #[allow(dead_code, reason = "not every test asks")]
    pub(crate) fn to_host(&self) -> Fate {
        self.base_chain("egress_input")
    }

    /// Where the packet is led by a base chain that translates destinations.
    #[allow(dead_code, reason = "not every test leads packets")]
    pub(crate) fn led(&self, hook: &str) -> Option<SocketAddr> {
        match self.base_chain(hook) {
            Fate::Led(target) => Some(target),
            _ => None,
        }
    }

    fn base_chain(&self, name: &str) -> Fate {
        // The chain that translates exists only if some network translates.
        if self.rulesets.iter().all(|ruleset| ruleset.chain(name).is_none()) {
            return Fate::Passed;
        }
        match self.chain(name) {
            Step::End(fate) => fate,
            // Base chains accept packets without a verdict.
            Step::On | Step::Back => Fate::Passed,
        }
    }

    fn chain(&self, name: &str) -> Step {
        let chain = self.rulesets.iter().find_map(|ruleset| ruleset.chain(name)).expect("jumps lead somewhere");
        for rule in &chain.rules {
            match self.rule(rule) {
                Step::On => {}
                Step::Back => return Step::On,
                end @ Step::End(_) => return end,
            }
        }
        Step::On
    }

    fn rule(&self, rule: &Rule) -> Step {
        let packet = self.packet;
        for statement in &rule.statements {
            let matches = match statement {
                Statement::Family(family) => *family == Family::of(packet.source),
                Statement::Transport(transport) => Some(*transport) == packet.transport,
                Statement::Interface(direction, Interface::Named(name)) | Statement::InterfaceName(direction, name) => {
                    self.interface(*direction) == name
                }
                Statement::Interface(..) | Statement::Unknown(_) => panic!("{rule}"),
                // It gives no verdict.
                Statement::Offload(_) => true,
                Statement::Address { field, negated, net } => {
                    let address = if *field == Field::Source { packet.source } else { packet.destination };
                    assert_eq!(Family::of(address), Family::of(net.addr()), "the family was asked before: {rule}");
                    net.contains(&address) != *negated
                }
                Statement::Established => packet.established,
                Statement::Redirected => packet.redirected,
                Statement::LocalDestination => packet.local,
                Statement::New => !packet.established && !packet.reply,
                Statement::Midway => packet.midway,
                Statement::Reply => packet.reply,
                Statement::Port(transport, ports) => {
                    Some(*transport) == packet.transport && (ports.start()..=ports.end()).contains(&packet.port)
                }
                Statement::Icmp(family) => packet.transport.is_none() && *family == Family::of(packet.source),
                Statement::Icmpv6Type(kind) => packet.icmpv6 == Some(*kind),
                Statement::Dnat { family, subjects, map } => {
                    assert_eq!(*family, Family::of(packet.source), "the family was asked before: {rule}");
                    match self.look_up(subjects, map) {
                        Some(element) => return Step::End(Fate::Led(element.target.expect("a map has targets"))),
                        None => false,
                    }
                }
                Statement::Counter => true,
                Statement::Verdict(verdict) => return self.verdict(verdict),
                Statement::Reject(family) => {
                    assert!(family.is_none_or(|family| family == Family::of(packet.source)), "{rule}");
                    return Step::End(Fate::Refused);
                }
                Statement::Masquerade(ports) => return self.translate(rule, None, *ports),
                Statement::Snat { addresses, ports } => return self.translate(rule, Some(*addresses), *ports),
                Statement::Lookup { subjects, set, decides } => match (self.look_up(subjects, set), decides) {
                    (Some(element), true) => {
                        return self.verdict(element.verdict.as_ref().expect("a map has verdicts"));
                    }
                    (found, _) => found.is_some(),
                },
            };
            if !matches {
                return Step::On;
            }
        }
        Step::On
    }

    fn translate(&self, rule: &Rule, addresses: Option<AddressRange>, ports: Option<PortRange>) -> Step {
        assert!(ports.is_none() || self.packet.transport.is_some(), "what has no ports keeps none: {rule}");
        Step::End(Fate::Translated(addresses, ports))
    }

    fn verdict(&self, verdict: &Verdict) -> Step {
        match verdict {
            Verdict::Accept => Step::End(Fate::Passed),
            Verdict::Drop => Step::End(Fate::Dropped),
            Verdict::Return => Step::Back,
            Verdict::Jump(chain) => self.chain(chain),
            Verdict::Goto(chain) => match self.chain(chain) {
                Step::On => Step::Back,
                other => other,
            },
            other => panic!("no rule of ours says {other:?}"),
        }
    }

    fn look_up(&self, subjects: &[Subject], name: &str) -> Option<&Element> {
        let sets = self.rulesets.iter().flat_map(|ruleset| &ruleset.sets).filter(|candidate| candidate.name == name);
        let mut found: Vec<&Element> =
            sets.flat_map(|set| &set.elements).filter(|it| self.is_key(subjects, &it.key)).collect();
        // The set of each network contains the shared elements.
        found.dedup();
        assert!(found.len() <= 1, "a set has one element for a packet: {found:?}");
        found.first().copied()
    }

    fn is_key(&self, subjects: &[Subject], key: &Key) -> bool {
        assert_eq!(subjects.len(), key.0.len());
        subjects.iter().zip(&key.0).all(|(subject, part)| match (subject, part) {
            (Subject::Family, Part::Family(family)) => *family == Family::of(self.packet.source),
            (Subject::Interface(direction), Part::Interface(Interface::Named(name))) => {
                self.interface(*direction) == name
            }
            (Subject::Interface(direction), Part::Interface(Interface::Absent)) => {
                self.interface(*direction).as_str() == ABSENT
            }
            (Subject::InterfaceName(direction), Part::Word(name)) => self.interface(*direction).as_str() == name,
            (Subject::Protocol, Part::Protocol(transport)) => self.packet.transport == Some(*transport),
            (Subject::Port(Field::Destination), Part::Port(port)) => {
                // What has no ports has something else there.
                self.packet.transport.is_some() && self.packet.port == *port
            }
            (Subject::Address { field, family, prefix }, part) => {
                let address = if *field == Field::Source { self.packet.source } else { self.packet.destination };
                assert_eq!(Family::of(address), *family, "the family was asked before");
                match part {
                    Part::Address(first) => {
                        IpNet::new(address, *prefix).expect("a prefix that fits").network() == *first
                    }
                    Part::Subnet(net) => net.contains(&address),
                    other => panic!("{other:?}"),
                }
            }
            other => panic!("{other:?}"),
        })
    }

    fn interface(&self, direction: Direction) -> &InterfaceName {
        match direction {
            Direction::In => &self.packet.from,
            Direction::Out => &self.packet.to,
        }
    }
}
