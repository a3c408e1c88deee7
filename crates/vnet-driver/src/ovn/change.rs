//! The rows that a change makes, changes and removes.

use std::collections::BTreeMap;
use std::fmt;

use vnet_ovn::{ColumnValue, Northbound, NorthboundRow, NorthboundTable};
use vnet_types::Uuid;

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OvnAct {
    /// It is made.
    Create,
    /// Columns of it are changed.
    Update,
    /// It is removed.
    Delete,
}

/// A row of the northbound database that is made, changed or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OvnChange {
    /// What becomes of it.
    pub act: OvnAct,
    /// Its table.
    pub table: &'static str,
    /// Its UUID.
    pub row: Uuid,
    /// The columns that get a value, in the words of ovn-nbctl.
    pub columns: BTreeMap<&'static str, String>,
    /// The values that these columns of a row that is changed have now.
    pub before: BTreeMap<&'static str, String>,
}

/// What leads from the rows that are there to the wanted ones.
pub(super) fn changes(observed: &Northbound, wanted: &BTreeMap<Uuid, NorthboundRow>) -> Vec<OvnChange> {
    let is_empty = |value: &ColumnValue| ["\"\"", "[]", "{}"].contains(&&*words(value));
    let mut changes = Vec::new();
    for (row, old) in observed.rows.iter().filter(|(row, _)| !wanted.contains_key(row)) {
        let name = old.columns.get_key_value("name").map(|(column, value)| (*column, words(value)));
        changes.push(OvnChange {
            act: OvnAct::Delete,
            table: old.table.name(),
            row: *row,
            columns: name.into_iter().collect(),
            before: BTreeMap::new(),
        });
    }
    for (row, new) in wanted {
        let old = observed.rows.get(row).filter(|old| old.table == new.table);
        let is_set = |(column, value): &(&&'static str, &ColumnValue)| match old {
            Some(old) => old.columns.get(**column) != Some(*value),
            None => !is_empty(value),
        };
        let set = new.columns.iter().filter(is_set).map(|(column, value)| (*column, words(value)));
        let act = if old.is_some() { OvnAct::Update } else { OvnAct::Create };
        let columns: BTreeMap<_, _> = set.collect();
        let marks_differ = old.is_some_and(|old| old.marks != new.marks);
        if act == OvnAct::Create || !columns.is_empty() || marks_differ {
            let old = |column: &&'static str| Some((*column, words(old?.columns.get(*column)?)));
            let before = columns.keys().filter_map(old).collect();
            changes.push(OvnChange { act, table: new.table.name(), row: *row, columns, before });
        }
    }
    let place = |change: &OvnChange| NorthboundTable::ALL.iter().position(|table| table.name() == change.table);
    changes.sort_by_key(|change| (place(change), change.row));
    changes
}

/// A value as ovn-nbctl prints it.
fn words(value: &ColumnValue) -> String {
    fn all<T: ToString>(values: impl IntoIterator<Item = T>) -> String {
        values.into_iter().map(|it| it.to_string()).collect::<Vec<_>>().join(", ")
    }
    match value {
        ColumnValue::Text(text) => format!("{text:?}"),
        ColumnValue::Number(number) => number.to_string(),
        ColumnValue::Texts(texts) => format!("[{}]", all(texts.iter().map(|it| format!("{it:?}")))),
        ColumnValue::Numbers(numbers) => format!("[{}]", all(numbers)),
        ColumnValue::Map(map) => format!("{{{}}}", all(map.iter().map(|(key, value)| format!("{key}={value:?}")))),
        ColumnValue::Amounts(map) => format!("{{{}}}", all(map.iter().map(|(key, value)| format!("{key}={value}")))),
        ColumnValue::Rows(rows) => format!("[{}]", all(rows)),
    }
}

impl fmt::Display for OvnChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.act {
            OvnAct::Create => '+',
            OvnAct::Update => '~',
            OvnAct::Delete => '-',
        };
        write!(f, "{mark} {} {}", self.table, self.row)?;
        self.columns.iter().try_for_each(|(column, value)| {
            write!(f, " {column}={value}")?;
            self.before.get(column).map_or(Ok(()), |before| write!(f, " (now {before})"))
        })
    }
}
