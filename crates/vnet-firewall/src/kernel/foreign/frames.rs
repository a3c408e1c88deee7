//! The rules of others for frames: the families arp, netdev and bridge. Which frames they match is
//! not judged.

use std::collections::BTreeSet;

use super::walk::site;
use super::xtables::{self, Target};
use super::{Foreign, ForeignRule, Name, Site};
use crate::kernel::attribute::{attribute, attributes, text_of};
use crate::kernel::expression::{COUNTER, Expression, IMMEDIATE, LOOKUP, REJECT};
use crate::ruleset::Verdict;

/// `NFPROTO_ARP`, `NFPROTO_NETDEV`, `NFPROTO_BRIDGE`
const FAMILIES: [u8; 3] = [3, 5, 7];
const HOOK_DEV: u16 = 3;
const HOOK_DEVS: u16 = 4;

/// The links in the hook of a base chain.
pub(super) fn devices(hook: &[u8]) -> Vec<String> {
    let one = attribute(hook, HOOK_DEV).and_then(text_of);
    let several = attributes(attribute(hook, HOOK_DEVS).unwrap_or_default());
    let mut devices: Vec<String> = one.into_iter().chain(several.filter_map(|(_, name)| text_of(name))).collect();
    devices.dedup();
    devices
}

/// A rule or a policy of others that may drop frames.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrameRule {
    /// The links whose frames pass it; empty for those of all.
    pub devices: Vec<String>,
    /// The rule, or the policy of the chain.
    pub site: Site,
    /// Whether it drops every frame that passes the chain.
    pub drops_all: bool,
}

impl Foreign {
    /// The rules and policies of others that may drop frames, in tables of the families arp, netdev
    /// and bridge.
    pub fn frame_rules(&self) -> Vec<FrameRule> {
        let mut found = Vec::new();
        for (name, chain) in self.chains.iter().filter(|(name, _)| FAMILIES.contains(&name.0)) {
            let Some((_, _, drops)) = chain.base else { continue };
            let mut sites = Vec::new();
            self.dropping(name, &mut BTreeSet::new(), &mut sites);
            sites.extend(drops.then(|| site(name, None)));
            let first = chain.rules.first();
            let drops_all = match first {
                Some(rule) => rule.expressions.split_last().is_some_and(|(last, before)| {
                    is_drop(last) && before.iter().all(|expression| expression.is(&COUNTER))
                }),
                None => drops,
            };
            let of = |(at, site)| FrameRule { devices: chain.devices.clone(), site, drops_all: drops_all && at == 0 };
            found.extend(sites.into_iter().enumerate().map(of));
        }
        found
    }

    fn dropping(&self, name: &Name, seen: &mut BTreeSet<Name>, sites: &mut Vec<Site>) {
        let Some(chain) = self.chains.get(name).filter(|_| seen.insert(name.clone())) else { return };
        for rule in &chain.rules {
            if rule.expressions.iter().any(|expression| self.may_drop(name, expression)) {
                sites.push(site(name, Some(rule)));
            }
            for target in targets(rule) {
                self.dropping(&(name.0, name.1.clone(), target.to_owned()), seen, sites);
            }
        }
    }

    fn may_drop(&self, name: &Name, expression: &Expression) -> bool {
        match expression.name.as_str() {
            _ if is_drop(expression) => true,
            _ if expression.is(&REJECT) => true,
            // A map of verdicts.
            _ if expression.is(&LOOKUP) && expression.u32(3) == Some(0) => {
                let set = expression.text(1).and_then(|set| self.sets.get(&(name.0, name.1.clone(), set.to_owned())));
                set.is_none_or(|set| set.elements.iter().any(|it| matches!(it.verdict, Some(Verdict::Drop))))
            }
            "target" => {
                let target = super::registers::raw(expression, 1).and_then(text_of).unwrap_or_default();
                !matches!(xtables::target(&target), Target::Passes)
            }
            // Other programs and other links get them.
            "queue" | "fwd" => true,
            _ => false,
        }
    }
}

fn is_drop(expression: &Expression) -> bool {
    expression.is(&IMMEDIATE) && matches!(expression.verdict(2), Some(Verdict::Drop))
}

/// The chains that a rule jumps to.
fn targets(rule: &ForeignRule) -> impl Iterator<Item = &str> {
    rule.expressions.iter().filter_map(|expression| match expression.verdict(2)? {
        Verdict::Jump(target) | Verdict::Goto(target) => Some(target.as_str()),
        _ => None,
    })
}
