//! How much of clients' calls is in memory at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Messages up to this length are always taken. A connection has few of them in memory at once.
const SMALL: usize = 16 * 1024;
/// What all larger messages may have together.
const TOGETHER: usize = 16 * 1024 * 1024;
/// The longest message. A definition has at most 1 MiB.
const LONGEST: usize = 4 * 1024 * 1024;

/// The memory for large messages, shared by all connections.
#[derive(Clone, Debug, Default)]
pub(crate) struct Budget {
    used: Arc<AtomicUsize>,
}

/// A part of the budget. It is given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    of: Budget,
    length: usize,
}

impl Budget {
    /// The share for a message of this length. `None` when it is too long, or others have all
    /// memory at this moment.
    pub(crate) fn share(&self, length: usize) -> Option<Share> {
        let length = match length {
            0..=SMALL => 0,
            large => large,
        };
        let taken = |used: usize| used.checked_add(length).filter(|sum| *sum <= TOGETHER);
        let is_free = length <= LONGEST && self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_ok();
        is_free.then(|| Share { of: self.clone(), length })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.used.fetch_sub(self.length, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_messages_share_what_there_is() {
        let budget = Budget::default();
        let shares: Vec<Share> = std::iter::from_fn(|| budget.share(LONGEST)).collect();
        assert_eq!(shares.len(), 4);
        assert!(budget.share(SMALL).is_some(), "small ones are always taken");
        drop(shares);
        assert!(budget.share(LONGEST).is_some());
        assert!(budget.share(LONGEST + 1).is_none());
    }
}
