//! Follows a packet through the rules of others. What is not known stays open.

use vnet_types::InterfaceName;

use super::packet::{CtState, Hook, Packet};
use super::registers::{Registers, compare, range, raw, store, take};
use super::xtables::{self, Target};
use super::{Chain, Element, Foreign, ForeignRule, Judgement, Name, Set, Site};
use crate::kernel::attribute::text_of;
use crate::kernel::expression::{BITWISE, CMP, COUNTER, CT, Expression, FIB, IMMEDIATE, LOOKUP, META, PAYLOAD, REJECT};
use crate::kernel::statement::{FIB_ADDRESS_TYPE, FIB_DESTINATION, STATUS_DNAT};
use crate::ruleset::Verdict;

/// After this many rules the outcome stays open.
pub(super) const PATIENCE: usize = 100_000;
/// The kernel's own limit for jumps is 16.
pub(super) const DEPTH: usize = 16;

impl Foreign {
    /// Judges a packet; `index_of` returns the index of an existing interface.
    pub fn judge(&self, packet: &Packet, index_of: impl Fn(&InterfaceName) -> Option<u32>) -> Judgement {
        let hook = match packet.hook {
            Hook::Input => 1,
            Hook::Forward => 2,
        };
        let has_marks = self.sets_marks();
        let mut unsure = None;
        for (name, chain, _, drops) in self.bases(hook, packet) {
            let mut walk =
                Walk { foreign: self, packet, has_marks, redirected: false, index_of: &index_of, left: PATIENCE };
            let mut outcome = walk.chain(name, chain, 0);
            if outcome.through && drops {
                outcome.refused.push(site(name, None));
            }
            let Some(first) = outcome.refused.into_iter().next() else { continue };
            if !outcome.accepted && (!outcome.through || drops) {
                return Judgement::Refused(first);
            }
            unsure.get_or_insert(first);
        }
        unsure.map_or(Judgement::Passes, Judgement::Unsure)
    }

    /// The base chains that a packet meets at a hook, in order, each with its priority and whether
    /// it drops what no rule decides.
    pub(super) fn bases(&self, hook: u32, packet: &Packet) -> Vec<(&Name, &Chain, i32, bool)> {
        let mut bases = Vec::new();
        for (name, chain) in &self.chains {
            // The family of the table: `inet`, or the packet's.
            if let Some((at, priority, drops)) = chain.base
                && at == hook
                && (name.0 == 1 || name.0 == packet.family())
            {
                bases.push((name, chain, priority, drops));
            }
        }
        bases.sort_by_key(|(_, _, priority, _)| *priority);
        bases
    }

    /// Whether any rule sets marks. Otherwise every packet has the mark 0.
    pub(super) fn sets_marks(&self) -> bool {
        self.chains.values().flat_map(|chain| &chain.rules).flat_map(|rule| &rule.expressions).any(|expression| {
            let name = raw(expression, 1).and_then(text_of);
            let is_target = expression.name == "target" && name.is_some_and(|name| name.ends_with("MARK"));
            is_target || expression.is(&META) && expression.u32(2) == Some(3) && expression.u32(1).is_none()
        })
    }
}

/// The possible outcomes for a packet in a chain.
#[derive(Default)]
struct Outcome {
    accepted: bool,
    refused: Vec<Site>,
    /// It may reach the end, or return.
    through: bool,
}

/// The effect of a rule on a packet that it matches.
pub(super) enum Effect {
    /// It decides nothing.
    None,
    Verdict(Verdict),
    Refuse,
    Unknown,
}

pub(super) struct Walk<'a> {
    pub(super) foreign: &'a Foreign,
    pub(super) packet: &'a Packet,
    pub(super) has_marks: bool,
    /// The destination of its connection was translated.
    pub(super) redirected: bool,
    pub(super) index_of: &'a dyn Fn(&InterfaceName) -> Option<u32>,
    pub(super) left: usize,
}

impl Walk<'_> {
    fn chain(&mut self, name: &Name, chain: &Chain, depth: usize) -> Outcome {
        let mut outcome = Outcome::default();
        for rule in &chain.rules {
            self.left = self.left.saturating_sub(1);
            if self.left == 0 || depth > DEPTH {
                outcome.accepted = true;
                outcome.refused.push(site(name, Some(rule)));
                return outcome;
            }
            let Some((is_sure, effect)) = self.rule(name, rule) else { continue };
            let is_over = match effect {
                Effect::None => false,
                Effect::Unknown => {
                    outcome.accepted = true;
                    outcome.refused.push(site(name, Some(rule)));
                    true
                }
                Effect::Refuse | Effect::Verdict(Verdict::Drop) => {
                    outcome.refused.push(site(name, Some(rule)));
                    true
                }
                Effect::Verdict(Verdict::Accept) => {
                    outcome.accepted = true;
                    true
                }
                Effect::Verdict(Verdict::Return) => {
                    outcome.through = true;
                    true
                }
                Effect::Verdict(Verdict::Other(-1)) => false,
                // A program gets the packet, and may do anything.
                Effect::Verdict(Verdict::Other(_)) => {
                    outcome.accepted = true;
                    outcome.refused.push(site(name, Some(rule)));
                    true
                }
                Effect::Verdict(ref verdict @ (Verdict::Jump(ref target) | Verdict::Goto(ref target))) => {
                    let target = (name.0, name.1.clone(), target.clone());
                    let inner = match self.foreign.chains.get(&target) {
                        Some(chain) => self.chain(&target, chain, depth + 1),
                        None => Outcome { through: true, ..Outcome::default() },
                    };
                    outcome.accepted |= inner.accepted;
                    outcome.refused.extend(inner.refused);
                    match verdict {
                        Verdict::Goto(_) => {
                            outcome.through |= inner.through;
                            true
                        }
                        _ => !inner.through,
                    }
                }
            };
            if is_over && is_sure {
                return outcome;
            }
        }
        outcome.through = true;
        outcome
    }

    /// Whether the rule certainly matches, and its effect; `None` if it certainly does not match.
    pub(super) fn rule(&self, name: &Name, rule: &ForeignRule) -> Option<(bool, Effect)> {
        self.run(name, &rule.expressions, &mut [None; 64])
    }

    /// The same for the first expressions of a rule, with what they leave in the registers.
    pub(super) fn run(
        &self,
        name: &Name,
        expressions: &[Expression],
        registers: &mut Registers,
    ) -> Option<(bool, Effect)> {
        let mut is_sure = true;
        for expression in expressions {
            let matches = match expression.name.as_str() {
                _ if expression.is(&IMMEDIATE) && expression.verdict(2).is_some() => {
                    return Some((is_sure, Effect::Verdict(expression.verdict(2)?.clone())));
                }
                _ if expression.is(&REJECT) => return Some((is_sure, Effect::Refuse)),
                _ if expression.is(&COUNTER) => Some(true),
                _ if expression.is(&CMP) => compare(expression, registers),
                _ if expression.is(&LOOKUP) => match self.lookup(name, expression, registers) {
                    Found::No => Some(false),
                    Found::Yes => Some(true),
                    Found::Verdict(verdict) => return Some((is_sure, Effect::Verdict(verdict))),
                    Found::Data(data) => {
                        store(registers, expression.u32(3)?, Some(data.into_iter().map(Some).collect()));
                        Some(true)
                    }
                    // The key for the verdict map is not known.
                    Found::Unknown if expression.u32(3) == Some(0) => return Some((is_sure, Effect::Unknown)),
                    Found::Unknown => None,
                },
                "range" => range(expression, registers),
                "match" => {
                    let info = raw(expression, 3).unwrap_or_default();
                    xtables::matches(&raw(expression, 1).and_then(text_of).unwrap_or_default(), info, self.packet)
                }
                "target" => match xtables::target(&raw(expression, 1).and_then(text_of).unwrap_or_default()) {
                    Target::Passes => Some(true),
                    Target::Rejects => return Some((is_sure, Effect::Refuse)),
                    Target::Unknown => return Some((is_sure, Effect::Unknown)),
                },
                "queue" => return Some((is_sure, Effect::Unknown)),
                "log" | "notrack" | "objref" | "last" | "flow_offload" => Some(true),
                _ => self.load(expression, registers),
            };
            match matches {
                Some(false) => return None,
                Some(true) => {}
                None => is_sure = false,
            }
        }
        Some((is_sure, Effect::None))
    }

    /// Fills a register. `None` for any other expression: a match whose outcome is not known.
    fn load(&self, expression: &Expression, registers: &mut Registers) -> Option<bool> {
        if expression.is(&META) {
            let Some(at) = expression.u32(1) else { return Some(true) };
            let name = |device: &Option<InterfaceName>| device.as_ref().map(|device| padded(device.as_str()));
            // No rule can have the index of a device that does not exist yet.
            let index = |device: &Option<InterfaceName>| {
                device.as_ref().map(|device| (self.index_of)(device).unwrap_or(0).to_ne_bytes().to_vec())
            };
            let ethernet: u16 = if self.packet.source.is_ipv4() { 0x0800 } else { 0x86dd };
            let value = match expression.u32(2)? {
                1 => Some(ethernet.to_be_bytes().to_vec()),
                3 if !self.has_marks => Some(vec![0; 4]),
                4 => index(&self.packet.from),
                5 => index(&self.packet.to),
                6 => name(&self.packet.from),
                7 => name(&self.packet.to),
                15 => Some(vec![self.packet.family()]),
                16 => Some(vec![self.packet.transport()]),
                _ => None,
            };
            store(registers, at, value.map(|bytes| bytes.into_iter().map(Some).collect()));
        } else if expression.is(&CT) {
            let Some(at) = expression.u32(1) else { return Some(true) };
            let value = match (expression.u32(2)?, self.packet.connection) {
                (0, _) => Some(self.packet.state()),
                (1, _) => Some(self.packet.direction()),
                // Nothing else has seen or translated a new connection yet.
                (2, CtState::New) => Some(if self.redirected { STATUS_DNAT } else { 0 }),
                _ => None,
            };
            store(registers, at, value.map(|value| value.to_ne_bytes().map(Some).to_vec()));
        } else if expression.is(&PAYLOAD) {
            let Some(at) = expression.u32(1) else { return Some(true) };
            let header = match expression.u32(2) {
                Some(1) => self.packet.network_header(),
                Some(2) => self.packet.transport_header(),
                _ => Vec::new(),
            };
            let [from, len] = [3, 4].map(|number| usize::try_from(expression.u32(number).unwrap_or(0)).unwrap_or(0));
            store(registers, at, Some((from..from + len).map(|at| header.get(at).copied().flatten()).collect()));
        } else if expression.is(&BITWISE) {
            let [from, to, len] = [1, 2, 3].map(|number| expression.u32(number).unwrap_or(0));
            let value = (expression.u32(6).unwrap_or(0) == 0)
                .then_some(())
                .and_then(|()| Some(take(registers, from, usize::try_from(len).ok()?).to_vec()))
                .zip(expression.bytes(4).zip(expression.bytes(5)))
                .map(|(value, (mask, xor))| {
                    let bit = |(value, (mask, xor)): (Option<u8>, (&u8, &u8))| match (value, *mask) {
                        (_, 0) => Some(*xor),
                        (value, mask) => value.map(|value| value & mask ^ xor),
                    };
                    value.into_iter().zip(mask.iter().zip(xor)).map(bit).collect()
                });
            store(registers, to, value);
        } else if expression.is(&IMMEDIATE) {
            let value = expression.bytes(2).map(|bytes| bytes.iter().copied().map(Some).collect());
            store(registers, expression.u32(1)?, value);
        } else if expression.is(&FIB)
            && expression.u32(2) == Some(FIB_ADDRESS_TYPE)
            && expression.u32(3) == Some(FIB_DESTINATION)
        {
            let kind = self.packet.destination_type().trailing_zeros();
            store(registers, expression.u32(1)?, Some(kind.to_ne_bytes().map(Some).to_vec()));
        } else if expression.name == "fib"
            || expression.name == "byteorder"
            || expression.name == "rt"
            || expression.name == "socket"
        {
            // The loaded value is not known, so the register does not matter.
            registers.fill(None);
        } else {
            return None;
        }
        Some(true)
    }

    fn lookup(&self, name: &Name, expression: &Expression, registers: &Registers) -> Found {
        let set = expression.text(1).and_then(|set| self.foreign.sets.get(&(name.0, name.1.clone(), set.to_owned())));
        let Some(set) = set else { return Found::Unknown };
        let key = take(registers, expression.u32(2).unwrap_or(0), set.key_len);
        let is_inverted = expression.u32(5).unwrap_or(0) & 1 != 0;
        let Some(known) = key.iter().copied().collect::<Option<Vec<u8>>>() else {
            return match set.may_have(key) {
                true => Found::Unknown,
                false if is_inverted => Found::Yes,
                false => Found::No,
            };
        };
        if set.is_concatenated {
            return Found::Unknown;
        }
        match (set.find(&known), expression.u32(3)) {
            (Some(Element { verdict: Some(verdict), .. }), _) => Found::Verdict(verdict.clone()),
            // A map that holds no verdicts.
            (Some(Element { data: Some(data), .. }), Some(_)) => Found::Data(data.clone()),
            (Some(_), Some(_)) => Found::Unknown,
            (found, _) => match found.is_some() != is_inverted {
                true => Found::Yes,
                false => Found::No,
            },
        }
    }
}

enum Found {
    Yes,
    No,
    Verdict(Verdict),
    Data(Vec<u8>),
    Unknown,
}

impl Set {
    /// Whether an element may match a key of which some bytes are known.
    fn may_have(&self, key: &[Option<u8>]) -> bool {
        let agrees = |element: &Element| {
            let own = element.key.as_ref();
            own.is_none_or(|own| own.iter().zip(key).all(|(own, known)| known.is_none_or(|known| known == *own)))
        };
        self.is_interval || self.is_concatenated || self.elements.iter().any(agrees)
    }

    fn find(&self, key: &[u8]) -> Option<&Element> {
        let listed = self.elements.iter().filter(|element| element.key.is_some());
        let found = match self.is_interval {
            false => listed.into_iter().find(|element| element.key.as_deref() == Some(key)),
            true => listed
                .take_while(|element| element.key.as_deref() <= Some(key))
                .last()
                .filter(|element| !element.is_end),
        };
        found.or_else(|| self.elements.iter().find(|element| element.key.is_none()))
    }
}

fn padded(name: &str) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.resize(16, 0);
    bytes
}

pub(super) fn site(name: &Name, rule: Option<&ForeignRule>) -> Site {
    let family = family_word(name.0);
    Site { table: format!("{family} {}", name.1), chain: name.2.clone(), rule: rule.map(|rule| rule.text.clone()) }
}

/// The family of a table, as nft(8) calls it.
pub(in crate::kernel) fn family_word(family: u8) -> &'static str {
    match family {
        1 => "inet",
        2 => "ip",
        3 => "arp",
        5 => "netdev",
        7 => "bridge",
        10 => "ip6",
        _ => "other",
    }
}
