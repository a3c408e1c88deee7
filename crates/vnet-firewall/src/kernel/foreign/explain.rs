//! Explains what the rules of a host, of everybody, do with a packet: each rule that decides
//! something, in order. From a rule on that is not understood, nothing is said.

use vnet_types::InterfaceName;

use super::packet::{Hook, Packet};
use super::walk::{DEPTH, Effect, PATIENCE, Walk, site};
use super::{Chain, Foreign, ForeignRule, Name, Site};
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
    Refused,
    Unknown,
}

impl Foreign {
    /// Follows a packet that begins a connection from `prerouting` on: at each hook through the
    /// base chains in the order of their priorities. The routes are taken from the packet's hook
    /// and its devices. `index_of` returns the index of an existing interface.
    pub fn explain(&self, packet: &Packet, index_of: impl Fn(&InterfaceName) -> Option<u32>) -> Explanation {
        let hooks: &[u32] = match packet.hook {
            Hook::Input => &[PREROUTING, 1],
            Hook::Forward => &[PREROUTING, 2, POSTROUTING],
        };
        let mut steps = Vec::new();
        for hook in hooks {
            // A packet has no way yet when it comes in.
            let packet = match *hook {
                PREROUTING => &Packet { to: None, ..packet.clone() },
                _ => packet,
            };
            let walk =
                Walk { foreign: self, packet, has_marks: self.sets_marks(), index_of: &index_of, left: PATIENCE };
            let mut way = Way { walk, hook: *hook, steps: &mut steps };
            for (name, chain, _, drops) in self.bases(*hook, packet) {
                match way.chain(name, chain, 0) {
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
                let matches = ForeignRule { expressions: rule.expressions[..at].to_vec(), text: rule.text.clone() };
                match self.walk.rule(name, &matches) {
                    None => continue,
                    // It is not known whether it matches, but if it does, nothing else changes.
                    Some(_) if self.hook == POSTROUTING => {
                        self.step(name, Some(rule), Deed::Translates);
                        return Turn::Accept;
                    }
                    Some(_) => {
                        self.step(name, Some(rule), Deed::Translates);
                        return Turn::Unknown;
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
