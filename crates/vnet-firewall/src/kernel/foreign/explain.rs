//! Explains what the rules of a host, of everybody, do with a packet: each rule that decides
//! something, in order. From a rule on that is not understood, nothing is said.

use std::net::SocketAddr;

use vnet_types::{Family, InterfaceName};

use super::packet::{CtState, Hook, Packet};
use super::registers::{Registers, take};
use super::walk::{DEPTH, Effect, PATIENCE, Walk, site};
use super::{Chain, Foreign, ForeignRule, Name, Site};
use crate::kernel::expression::{Expression, NAT};
use crate::kernel::statement::{DESTINATION_NAT, ip, nfproto};
use crate::ruleset::Verdict;

/// What rules do with a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The rules and policies that decide something, in order.
    pub steps: Vec<ExplainedStep>,
    /// How the way ends.
    pub end: ExplainedEnd,
}

/// A rule or a policy that a packet meets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExplainedStep {
    /// The hook.
    pub hook: &'static str,
    /// The rule, or the policy of the chain.
    pub site: Site,
    /// What it decides.
    pub deed: Deed,
}

/// What a rule decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A verdict.
    Verdict(Verdict),
    /// The packet is refused, and its sender told.
    Rejects,
    /// The source or the destination is translated.
    Translates,
    /// Something that is not understood.
    Unknown,
}

/// How the way of a packet ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExplainedEnd {
    /// It passes all rules.
    Passes,
    /// The last step refuses it.
    Refused,
    /// It has this destination now, and another way: ask for that with [`Foreign::explain_led`].
    Led(SocketAddr),
    /// The last step is not understood, or changes where the packet goes.
    Unknown,
}

/// The hooks by their numbers.
const HOOKS: [&str; 5] = ["prerouting", "input", "forward", "output", "postrouting"];
const PREROUTING: u32 = 0;
const POSTROUTING: u32 = 4;
/// Expressions that translate.
const TRANSLATIONS: [&str; 3] = ["nat", "masq", "redir"];

/// How a chain ends.
enum Turn {
    /// With the next rule of the chain that led here.
    On,
    /// The base chain accepts.
    Accept,
    /// The base chain gives the connection this destination.
    Led(SocketAddr),
    Refused,
    Unknown,
}

impl Foreign {
    /// Follows a packet from `prerouting` on: at each hook through the
    /// base chains in the order of their priorities. The routes are taken from the packet's hook
    /// and its devices. `index_of` returns the index of an existing interface.
    pub fn explain(&self, packet: &Packet, index_of: impl Fn(&InterfaceName) -> Option<u32>) -> Explanation {
        let hooks: &[u32] = match packet.hook {
            Hook::Input => &[PREROUTING, 1],
            Hook::Forward => &[PREROUTING, 2, POSTROUTING],
        };
        self.follow(packet, hooks, false, &index_of)
    }

    /// Follows a packet that was given its destination, from there on.
    pub fn explain_led(&self, packet: &Packet, index_of: impl Fn(&InterfaceName) -> Option<u32>) -> Explanation {
        let hooks: &[u32] = match packet.hook {
            Hook::Input => &[1],
            Hook::Forward => &[2, POSTROUTING],
        };
        self.follow(packet, hooks, true, &index_of)
    }

    fn follow(
        &self,
        packet: &Packet,
        hooks: &[u32],
        redirected: bool,
        index_of: &dyn Fn(&InterfaceName) -> Option<u32>,
    ) -> Explanation {
        let mut steps = Vec::new();
        let mut packet = packet.clone();
        let (way_out, mut led) = (packet.to.clone(), None);
        for hook in hooks {
            // A packet has no way yet when it comes in.
            packet.to = way_out.clone().filter(|_| *hook != PREROUTING);
            for (name, chain, _, drops) in self.bases(*hook, &packet) {
                // What translates is asked once for a connection, by its first packet. An answer
                // gets back what the connection has.
                let mut asked = packet.clone();
                match (chain.is_nat, packet.connection) {
                    (true, CtState::Established) => continue,
                    (true, _) => asked.connection = CtState::New,
                    (false, _) => {}
                }
                let (has_marks, redirected) = (self.sets_marks(), redirected || led.is_some());
                let walk = Walk { foreign: self, packet: &asked, has_marks, redirected, index_of, left: PATIENCE };
                let mut way = Way { walk, hook: *hook, steps: &mut steps };
                match way.chain(name, chain, 0) {
                    Turn::Led(target) => {
                        (packet.destination, packet.port) = (target.ip(), target.port());
                        led = Some(target);
                    }
                    Turn::On if drops => {
                        way.step(name, None, Deed::Verdict(Verdict::Drop));
                        return Explanation { steps, end: ExplainedEnd::Refused };
                    }
                    Turn::On | Turn::Accept => {}
                    Turn::Refused => return Explanation { steps, end: ExplainedEnd::Refused },
                    // What leaves is translated, and goes where it goes.
                    Turn::Unknown if *hook == POSTROUTING && chain.is_nat => {}
                    Turn::Unknown => return Explanation { steps, end: ExplainedEnd::Unknown },
                }
            }
            if let Some(target) = led.filter(|_| *hook == PREROUTING) {
                return Explanation { steps, end: ExplainedEnd::Led(target) };
            }
        }
        Explanation { steps, end: ExplainedEnd::Passes }
    }
}

struct Way<'a> {
    walk: Walk<'a>,
    hook: u32,
    steps: &'a mut Vec<ExplainedStep>,
}

impl Way<'_> {
    fn step(&mut self, name: &Name, rule: Option<&ForeignRule>, deed: Deed) {
        let hook = HOOKS[usize::try_from(self.hook).unwrap_or(0).min(4)];
        self.steps.push(ExplainedStep { hook, site: site(name, rule), deed });
    }

    fn chain(&mut self, name: &Name, chain: &Chain, depth: usize) -> Turn {
        for rule in &chain.rules {
            self.walk.left = self.walk.left.saturating_sub(1);
            if self.walk.left == 0 || depth > DEPTH {
                self.step(name, Some(rule), Deed::Unknown);
                return Turn::Unknown;
            }
            if let Some(at) = rule.expressions.iter().position(|it| TRANSLATIONS.contains(&it.name.as_str())) {
                let mut registers = [None; 64];
                match self.walk.run(name, &rule.expressions[..at], &mut registers) {
                    None => continue,
                    // It is not known whether it matches, but if it does, nothing else changes.
                    Some(_) if self.hook == POSTROUTING => {
                        self.step(name, Some(rule), Deed::Translates);
                        return Turn::Accept;
                    }
                    Some((is_sure, _)) => {
                        self.step(name, Some(rule), Deed::Translates);
                        let target = target(&rule.expressions[at], &registers, self.walk.packet);
                        return target.filter(|_| is_sure).map_or(Turn::Unknown, Turn::Led);
                    }
                }
            }
            let Some((is_sure, effect)) = self.walk.rule(name, rule) else { continue };
            let verdict = match effect {
                Effect::None | Effect::Verdict(Verdict::Other(-1)) => continue,
                Effect::Unknown => {
                    self.step(name, Some(rule), Deed::Unknown);
                    return Turn::Unknown;
                }
                _ if !is_sure => {
                    self.step(name, Some(rule), Deed::Unknown);
                    return Turn::Unknown;
                }
                Effect::Refuse => {
                    self.step(name, Some(rule), Deed::Rejects);
                    return Turn::Refused;
                }
                Effect::Verdict(verdict) => verdict,
            };
            self.step(name, Some(rule), Deed::Verdict(verdict.clone()));
            match &verdict {
                Verdict::Accept => return Turn::Accept,
                Verdict::Drop => return Turn::Refused,
                Verdict::Return => return Turn::On,
                Verdict::Jump(target) | Verdict::Goto(target) => {
                    let target = (name.0, name.1.clone(), target.clone());
                    let turn = match self.walk.foreign.chains.get(&target) {
                        Some(chain) => self.chain(&target, chain, depth + 1),
                        None => Turn::On,
                    };
                    match turn {
                        Turn::On if matches!(verdict, Verdict::Goto(_)) => return Turn::On,
                        Turn::On => {}
                        end => return end,
                    }
                }
                // A program gets the packet, and may do anything.
                Verdict::Other(_) => return Turn::Unknown,
            }
        }
        Turn::On
    }
}

/// The destination that an expression gives, where it is one address and at most one port.
fn target(expression: &Expression, registers: &Registers, packet: &Packet) -> Option<SocketAddr> {
    let family = Family::of(packet.destination);
    let is_it = expression.is(&NAT)
        && expression.u32(1).unwrap_or(0) == DESTINATION_NAT
        && expression.u32(2) == Some(u32::from(nfproto(family)));
    let value = |[first, last]: [u16; 2], len: usize| -> Option<Option<Vec<u8>>> {
        let Some(register) = expression.u32(first) else { return Some(None) };
        let bytes = |register| take(registers, register, len).iter().copied().collect::<Option<Vec<u8>>>();
        let bytes = bytes(register).filter(|it| bytes(expression.u32(last).unwrap_or(register)).as_ref() == Some(it));
        bytes.map(Some)
    };
    let address = value([3, 4], usize::from(family.bits() / 8)).filter(|_| is_it)?;
    let address = address.map_or(Some(packet.destination), |bytes| ip(family, &bytes))?;
    let port = value([5, 6], 2)?.map_or(packet.port, |bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
    Some(SocketAddr::new(address, port))
}
