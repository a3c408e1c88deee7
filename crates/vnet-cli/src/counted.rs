//! The counters of a network's rules, by decision.

use std::collections::BTreeMap;

use serde::Serialize;
use vnet_firewall::{Counts, Rule, Statement, Verdict};

/// A rule and its counters.
#[derive(Serialize)]
pub(crate) struct Counted {
    pub(crate) decision: Decision,
    pub(crate) chain: String,
    pub(crate) rule: String,
    #[serde(flatten)]
    pub(crate) counts: Counts,
}

/// What a rule does with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Decision {
    /// It accepts the packet.
    Accepted,
    /// It rejects the packet and tells the sender.
    Rejected,
    /// It changes the packet's source address.
    Translated,
    /// It leaves the source address as it is.
    Kept,
    /// A rule that vnet does not make: somebody has changed it.
    Other,
}

impl Counted {
    /// As the driver has it.
    pub(crate) fn of(counted: &vnet_driver::Counted) -> Self {
        let vnet_driver::Counted { chain, rule, counts } = counted;
        let text = rule.comment.clone().unwrap_or_else(|| rule.to_string());
        Self { decision: Decision::of(rule), chain: chain.clone(), rule: text, counts: *counts }
    }
}

/// The sums, by decision.
pub(crate) fn sums(rules: &[Counted]) -> BTreeMap<Decision, Counts> {
    let mut sums = BTreeMap::<Decision, Counts>::new();
    for rule in rules {
        let sum = sums.entry(rule.decision).or_default();
        sum.packets += rule.counts.packets;
        sum.bytes += rule.counts.bytes;
    }
    sums
}

impl Decision {
    fn of(rule: &Rule) -> Self {
        match rule.statements.last() {
            Some(Statement::Verdict(Verdict::Accept)) => Self::Accepted,
            Some(Statement::Reject(_)) => Self::Rejected,
            Some(Statement::Masquerade(_) | Statement::Snat { .. } | Statement::Verdict(Verdict::Jump(_))) => {
                Self::Translated
            }
            Some(Statement::Verdict(Verdict::Return)) => Self::Kept,
            _ => Self::Other,
        }
    }

    /// For people.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Translated => "translated",
            Self::Kept => "kept",
            Self::Other => "other",
        }
    }
}
