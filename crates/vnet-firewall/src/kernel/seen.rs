//! Whether everything was read, by the numbers that the kernel counts.

use super::own::target;
use super::table::Table;
use crate::ruleset::{Chain, Set};

impl Table {
    /// Whether the table has only our objects and all of them were read.
    pub(super) fn is_whole(&self) -> bool {
        let seen = self.chains.len() + self.sets.len() + usize::from(self.flowtable.is_some());
        self.others.is_empty() && self.uses.is_none_or(|uses| usize::try_from(uses).is_ok_and(|uses| uses == seen))
    }

    /// Whether there are so few chains that listing all rules is faster than listing those of some
    /// chains.
    pub(super) fn is_small(&self) -> bool {
        self.uses.is_some_and(|uses| uses <= 48)
    }

    /// Whether all elements of a set were read.
    pub(super) fn sees_all_of(&self, set: &Set) -> bool {
        let is_size = |size: &usize| *size == 0 || !set.interval && *size == set.elements.len();
        !self.partial || self.listed.contains(&set.name) || self.sizes.get(&set.name).is_some_and(is_size)
    }

    /// Whether the number of elements of a set is unknown.
    pub(super) fn is_uncounted(&self, set: &Set) -> bool {
        self.sizes.get(&set.name).is_none_or(|size| *size > 0 && set.interval)
    }

    /// Whether the rules and elements that were read account for all uses of a chain.
    pub(super) fn accounts_for(&self, chain: &Chain) -> bool {
        let elements = self.sets.iter().flat_map(|set| &set.elements);
        let seen = chain.rules.len() + elements.filter(|element| target(element) == Some(&chain.name)).count();
        self.chain_uses.get(&chain.name).is_none_or(|uses| usize::try_from(*uses).is_ok_and(|uses| uses == seen))
    }
}
