//! Acts that did not come to their end.

use std::path::Path;

use serde::de::IgnoredAny;

use super::{Receipt, Top, VERSION, format, lines, old, parse, whole_lines};
use crate::stop::without_shared;
use crate::{Error, Subject, trust};

impl<S: Subject> Receipt<S> {
    /// Whether the act that did not end makes everything or removes everything: it is a start or a
    /// stop, of a network or a port, and no change.
    pub fn starts_or_stops(&self) -> bool {
        let Some(act) = &self.act else { return false };
        let mut after = without_shared(&act.owned);
        let starts = after.is_empty();
        act.changes.iter().for_each(|change| change.apply_to(&mut after));
        starts || without_shared(&after).is_empty()
    }
}

/// Whether the last act of a network or port came to its end. Understands no more of its receipt
/// than that takes.
pub(crate) fn is_settled<S: Subject>(path: &Path) -> Result<bool, Error> {
    let Some(text) = trust::read(path)? else { return Ok(true) };
    let first = lines(&text).next().unwrap_or_default();
    if format(path, first)? != VERSION {
        return Ok(old::read::<S>(path, &text)?.is_none_or(|receipt| receipt.settled));
    }
    let top: Top<IgnoredAny> = parse(path, 0, first)?;
    Ok(top.settled && lines(whole_lines(&text)).count() == top.owns + 1)
}
