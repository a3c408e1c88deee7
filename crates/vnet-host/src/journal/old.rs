//! Receipts of format 1: a header, and one line before and one line after each change. They are
//! only read, never written.

use std::path::Path;

use serde::Deserialize;
use vnet_plan::Change;

use super::{Receipt, parse, whole_lines};
use crate::{Error, Fact, Subject};

/// The first line of a receipt of this format.
pub(super) const HEADER: &[u8] = br#"{"header":"#;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line<S> {
    Header(Box<S>),
    /// A change that is about to be made.
    Intent(Box<Change>),
    /// The change was made.
    Done(Option<Fact>),
    /// The change was refused, and nothing was made.
    Refused,
    /// All changes were made.
    Settled,
}

/// Reads a receipt. `None` when it has no complete header: then nothing was made. A change that may
/// have been made becomes an unfinished act.
pub(super) fn read<S: Subject>(path: &Path, text: &[u8]) -> Result<Option<Receipt<S>>, Error> {
    let mut receipt: Option<Receipt<S>> = None;
    let mut pending: Option<Change> = None;
    for (number, line) in whole_lines(text).split_inclusive(|byte| *byte == b'\n').enumerate() {
        match (parse(path, number, line)?, &mut receipt) {
            (Line::Header(header), None) => receipt = Some(Receipt::new(*header)),
            (Line::Header(header), Some(receipt)) => receipt.header = *header,
            (_, None) => {}
            (Line::Intent(change), Some(receipt)) => {
                receipt.settled = false;
                pending = Some(*change);
            }
            (Line::Done(fact), Some(receipt)) => {
                if let Some(change) = pending.take() {
                    change.apply_to(&mut receipt.owned);
                    if fact.is_some() || !matches!(change, Change::Update { .. }) {
                        receipt.facts.set(change.key(), fact);
                    }
                }
            }
            (Line::Refused, Some(_)) => pending = None,
            (Line::Settled, Some(receipt)) => receipt.settled = true,
        }
    }
    if let (Some(receipt), Some(change)) = (&mut receipt, pending) {
        receipt.begin(vec![change]);
    }
    Ok(receipt)
}
