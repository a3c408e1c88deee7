//! Rows that are watched (RFC 7047, sections 4.1.5 and 4.1.6; ovsdb-server(7), `monitor_cond`).

use serde_json::{Map, Value, json};
use vnet_types::Uuid;

use crate::value::{Row, ValueError};
use crate::{Condition, Datum};

/// A table that is watched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableMonitor {
    /// Its name.
    pub table: String,
    /// The columns; all where empty.
    pub columns: Vec<String>,
    /// Which rows; all where empty. With conditions, changes are told as differences.
    pub conditions: Vec<Condition>,
}

/// What happened to a row.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RowChange {
    /// It is there, or begins to fit the conditions.
    Is(Row),
    /// It changed: its columns as they are now, and the earlier values of those that changed.
    Became {
        /// The columns that are watched.
        now: Row,
        /// The columns that changed.
        was: Row,
    },
    /// It changed, and these are the differences: a new value, or of sets and maps the members that
    /// only one of both has. They come in place of `Became` where the monitor has conditions.
    Differs(Row),
    /// It is gone, or no longer fits the conditions.
    Gone,
}

/// News of one row.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RowUpdate {
    /// Its table.
    pub table: String,
    /// The row.
    pub uuid: Uuid,
    /// What happened to it.
    pub change: RowChange,
}

impl TableMonitor {
    /// Watches columns of all rows of a table.
    pub fn new(table: &str, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|column| (*column).to_owned()).collect();
        Self { table: table.to_owned(), columns, conditions: Vec::new() }
    }
}

/// Whether a monitor needs the call that knows conditions.
pub(crate) fn has_conditions(tables: &[TableMonitor]) -> bool {
    tables.iter().any(|table| !table.conditions.is_empty())
}

pub(crate) fn requests(tables: &[TableMonitor]) -> Value {
    let mut requests = Map::new();
    for table in tables {
        let mut request = Map::new();
        if !table.columns.is_empty() {
            request.insert("columns".to_owned(), json!(table.columns));
        }
        if !table.conditions.is_empty() {
            let conditions = table.conditions.iter().map(Condition::to_json).collect::<Vec<_>>();
            request.insert("where".to_owned(), conditions.into());
        }
        requests.insert(table.table.clone(), json!([request]));
    }
    requests.into()
}

/// Reads `<table-updates>` or `<table-updates2>`.
pub(crate) fn updates(value: &Value) -> Result<Vec<RowUpdate>, ValueError> {
    let object = |value: &'_ Value| value.as_object().cloned().ok_or_else(|| ValueError::of(value));
    let mut updates = Vec::new();
    for (table, rows) in object(value)? {
        for (uuid, row) in object(&rows)? {
            let uuid = uuid.parse().map_err(|_| ValueError::of(&rows))?;
            updates.push(RowUpdate { table: table.clone(), uuid, change: change(&row)? });
        }
    }
    Ok(updates)
}

fn change(row: &Value) -> Result<RowChange, ValueError> {
    let part = |name: &str| row.get(name).map(Row::from_json).transpose();
    if let Some(row) = part("initial")?.or(part("insert")?) {
        return Ok(RowChange::Is(row));
    }
    if let Some(row) = part("modify")? {
        return Ok(RowChange::Differs(row));
    }
    match (part("old")?, part("new")?) {
        (None, Some(now)) => Ok(RowChange::Is(now)),
        (Some(was), Some(now)) => Ok(RowChange::Became { now, was }),
        (Some(_), None) => Ok(RowChange::Gone),
        (None, None) if row.get("delete").is_some() => Ok(RowChange::Gone),
        (None, None) => Err(ValueError::of(row)),
    }
}

/// The truth value of a column in an update, where it is told.
pub(crate) fn told(update: &RowUpdate, column: &str) -> Option<bool> {
    match &update.change {
        RowChange::Is(row) | RowChange::Became { now: row, .. } | RowChange::Differs(row) => row.boolean(column),
        RowChange::Gone => None,
    }
}

/// Whether a row is that of a database.
pub(crate) fn is_of(row: &Row, database: &str) -> bool {
    row.get("name") == Some(&Datum::from(database))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(json!({"new": {"a": 1}}), RowChange::Is(Row::new().with("a", 1_i64)))]
    #[case(json!({"initial": {"a": 1}}), RowChange::Is(Row::new().with("a", 1_i64)))]
    #[case(json!({"old": {}, "new": {"a": 1}}), RowChange::Became { now: Row::new().with("a", 1_i64), was: Row::new() })]
    #[case(json!({"modify": {"a": 1}}), RowChange::Differs(Row::new().with("a", 1_i64)))]
    #[case(json!({"old": {}}), RowChange::Gone)]
    #[case(json!({"delete": null}), RowChange::Gone)]
    fn both_kinds_of_updates_are_read(#[case] update: Value, #[case] expected: RowChange) {
        let all = json!({ "Port": { "3e3fce45-4f53-4fa7-bb32-11f34168b82b": update } });
        assert_eq!(updates(&all).unwrap()[0].change, expected);
    }

    #[rstest]
    #[case(json!([]))]
    #[case(json!({"Port": {"x": {"new": {}}}}))]
    #[case(json!({"Port": {"3e3fce45-4f53-4fa7-bb32-11f34168b82b": {}}}))]
    #[case(json!({"Port": {"3e3fce45-4f53-4fa7-bb32-11f34168b82b": {"new": {"a": null}}}}))]
    fn what_is_no_update_is_refused(#[case] update: Value) {
        updates(&update).unwrap_err();
    }
}
