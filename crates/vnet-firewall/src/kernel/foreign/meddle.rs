//! What the rules of others do with a packet before and after the hooks where it is filtered:
//! whether they drop it there, translate it, or keep connection tracking from it.

use std::net::IpAddr;

use vnet_types::InterfaceName;

use super::packet::Packet;
use super::registers::raw;
use super::walk::{DEPTH, Effect, PATIENCE, Walk, site};
use super::{Chain, Foreign, ForeignRule, Name, Site};
use crate::kernel::attribute::text_of;
use crate::kernel::expression::Expression;
use crate::ruleset::Verdict;

/// A place of a packet's way other than `input` and `forward`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Around {
    /// It has arrived (`prerouting`). Its outgoing device is not known yet.
    Arrives,
    /// The host sends it (`output`).
    Sent,
    /// It leaves (`postrouting`).
    Leaves {
        /// The source that it has after this table has translated it.
        translated: Option<IpAddr>,
    },
}

/// Something that the rules of others do with a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Meddling {
    /// The rule, or the policy of the chain.
    pub site: Site,
    /// What it does.
    pub act: MeddlingAct,
    /// Whether it certainly does so. Otherwise that depends on something that cannot be known
    /// beforehand.
    pub sure: bool,
}

/// What a rule of others does with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MeddlingAct {
    /// It drops or refuses it.
    Refuses,
    /// It gives it another source or destination than that of the outgoing device.
    Translates,
    /// It keeps connection tracking, and so translation, from it.
    Untracks,
    /// Something that is not understood.
    Unknown,
}

/// Where sources are translated (`NF_IP_PRI_NAT_SRC`).
const SOURCE: i32 = 100;

impl Foreign {
    /// What the rules do with a packet at a place. `index_of` returns the index of an existing
    /// interface.
    pub fn meddle(
        &self,
        at: Around,
        packet: &Packet,
        index_of: impl Fn(&InterfaceName) -> Option<u32>,
    ) -> Vec<Meddling> {
        let (hook, later) = match at {
            Around::Arrives => (0, None),
            Around::Sent => (3, None),
            Around::Leaves { translated } => (4, translated),
        };
        let packet = match at {
            Around::Arrives => Packet { to: None, ..packet.clone() },
            _ => packet.clone(),
        };
        let translated = later.map(|source| Packet { source, ..packet.clone() });
        let mut found = Vec::new();
        for (name, chain, priority, drops) in self.bases(hook, &packet) {
            let packet = translated.as_ref().filter(|_| priority > SOURCE).unwrap_or(&packet);
            let walk = Walk {
                foreign: self,
                packet,
                has_marks: self.sets_marks(),
                redirected: false,
                index_of: &index_of,
                left: PATIENCE,
            };
            let mut visit = Visit { walk, sure: true, found: &mut found };
            if !visit.chain(name, chain, 0) && drops {
                visit.push(name, None, MeddlingAct::Refuses, true);
            }
        }
        found
    }
}

struct Visit<'a> {
    walk: Walk<'a>,
    /// Whether it is certain that the packet comes this far.
    sure: bool,
    found: &'a mut Vec<Meddling>,
}

impl Visit<'_> {
    fn push(&mut self, name: &Name, rule: Option<&ForeignRule>, act: MeddlingAct, sure: bool) {
        self.found.push(Meddling { site: site(name, rule), act, sure: sure && self.sure });
    }

    /// Whether the base chain certainly ends here.
    fn chain(&mut self, name: &Name, chain: &Chain, depth: usize) -> bool {
        for rule in &chain.rules {
            self.walk.left = self.walk.left.saturating_sub(1);
            if self.walk.left == 0 || depth > DEPTH {
                self.push(name, Some(rule), MeddlingAct::Unknown, false);
                return true;
            }
            if let Some((at, act)) = act_of(rule) {
                let matches = ForeignRule { expressions: rule.expressions[..at].to_vec(), text: rule.text.clone() };
                let Some((sure, _)) = self.walk.rule(name, &matches) else { continue };
                if let Some(act) = act {
                    self.push(name, Some(rule), act, sure);
                }
                match act {
                    Some(MeddlingAct::Untracks) => {}
                    _ if sure => return true,
                    _ => self.sure = false,
                }
                continue;
            }
            let Some((sure, effect)) = self.walk.rule(name, rule) else { continue };
            let is_over = match effect {
                Effect::None | Effect::Verdict(Verdict::Other(-1)) => continue,
                Effect::Refuse | Effect::Verdict(Verdict::Drop) => {
                    self.push(name, Some(rule), MeddlingAct::Refuses, sure);
                    true
                }
                Effect::Unknown | Effect::Verdict(Verdict::Other(_)) => {
                    self.push(name, Some(rule), MeddlingAct::Unknown, false);
                    self.sure = false;
                    continue;
                }
                Effect::Verdict(Verdict::Accept) => true,
                Effect::Verdict(Verdict::Return) if sure => return false,
                Effect::Verdict(Verdict::Return) => {
                    self.sure = false;
                    continue;
                }
                Effect::Verdict(ref verdict @ (Verdict::Jump(ref target) | Verdict::Goto(ref target))) => {
                    let target = (name.0, name.1.clone(), target.clone());
                    let Some(chain) = self.walk.foreign.chains.get(&target) else { continue };
                    self.sure &= sure;
                    let is_over = self.chain(&target, chain, depth + 1);
                    if !is_over && sure && matches!(verdict, Verdict::Goto(_)) {
                        return false;
                    }
                    is_over
                }
            };
            if is_over && sure {
                return true;
            }
            self.sure &= !is_over;
        }
        false
    }
}

/// Where a rule translates or untracks, and what that is. `None` inside: it translates to the
/// address of the outgoing device, as is usual for what leaves.
fn act_of(rule: &ForeignRule) -> Option<(usize, Option<MeddlingAct>)> {
    rule.expressions.iter().enumerate().find_map(|(at, expression)| Some((at, act(expression)?)))
}

fn act(expression: &Expression) -> Option<Option<MeddlingAct>> {
    let target = || raw(expression, 1).and_then(text_of).unwrap_or_default();
    Some(match expression.name.as_str() {
        "masq" => None,
        "nat" | "redir" | "tproxy" => Some(MeddlingAct::Translates),
        "notrack" => Some(MeddlingAct::Untracks),
        "target" => match target().as_str() {
            "MASQUERADE" => None,
            "DNAT" | "SNAT" | "NETMAP" | "REDIRECT" | "TPROXY" => Some(MeddlingAct::Translates),
            "NOTRACK" => Some(MeddlingAct::Untracks),
            // The first flag of `struct xt_ct_target_info`.
            "CT" if raw(expression, 3).and_then(|info| info.first()).is_some_and(|flags| flags & 1 != 0) => {
                Some(MeddlingAct::Untracks)
            }
            _ => return None,
        },
        _ => return None,
    })
}
