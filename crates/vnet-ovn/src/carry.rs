//! The change of guests alone: what else differs from the definition stays as it is.

use std::collections::{BTreeMap, BTreeSet};

use vnet_types::Uuid;

use crate::row::{ColumnValue, NorthboundRow};

type Rows = BTreeMap<Uuid, NorthboundRow>;

/// The rows that there are, with what differs between the rows of a definition with its guests
/// `before` and `after`.
///
/// Who attaches a guest neither repairs the network nor brings another definition to it.
pub fn with_guests(there: &Rows, before: &Rows, after: &Rows) -> Rows {
    let mut rows = there.clone();
    rows.retain(|uuid, _| after.contains_key(uuid) || !before.contains_key(uuid));
    for (uuid, new) in after.iter().filter(|(uuid, new)| before.get(*uuid) != Some(*new)) {
        match (rows.get_mut(uuid), before.get(uuid)) {
            (Some(row), Some(old)) => {
                if old.marks != new.marks {
                    row.marks.clone_from(&new.marks);
                }
                for (column, value) in &new.columns {
                    let (old, now) = (&old.columns[column], &row.columns[column]);
                    if old != value {
                        let changed = carried(now, old, value);
                        row.columns.insert(column, changed);
                    }
                }
            }
            // A row that somebody has removed comes back by an apply only.
            (None, Some(_)) => {}
            (_, None) => _ = rows.insert(*uuid, new.clone()),
        }
    }
    rows
}

/// A value with the difference between two others: of sets and maps, what goes and what comes.
fn carried(now: &ColumnValue, old: &ColumnValue, new: &ColumnValue) -> ColumnValue {
    fn set<T: Ord + Clone>(now: &BTreeSet<T>, old: &BTreeSet<T>, new: &BTreeSet<T>) -> BTreeSet<T> {
        let stays = now.iter().filter(|it| new.contains(it) || !old.contains(it));
        stays.chain(new.difference(old)).cloned().collect()
    }
    match (now, old, new) {
        (ColumnValue::Rows(now), ColumnValue::Rows(old), ColumnValue::Rows(new)) => {
            ColumnValue::Rows(set(now, old, new))
        }
        (ColumnValue::Map(now), ColumnValue::Map(old), ColumnValue::Map(new)) => {
            let stays = now.iter().filter(|(key, _)| new.contains_key(*key) || !old.contains_key(*key));
            let comes = new.iter().filter(|(key, value)| old.get(*key) != Some(value));
            ColumnValue::Map(stays.chain(comes).map(|(key, value)| (key.clone(), value.clone())).collect())
        }
        _ => new.clone(),
    }
}
