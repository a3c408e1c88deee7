//! The difference between the rows that there are and those that are wanted, as one transaction.

use std::collections::{BTreeMap, BTreeSet};

use vnet_ovsdb::{Condition, DatabaseOperation, Datum, Mutation, Mutator, Row};
use vnet_types::Uuid;

use crate::identity::row_of;
use crate::northbound::marked;
use crate::row::{ColumnValue, GENERATION, NorthboundRow};
use crate::{Northbound, NorthboundTable};

/// What leads from the rows that were read to those that are wanted: one transaction, which is
/// refused where somebody has changed the network since it was read. Empty where nothing differs.
///
/// Its last result is `NB_Global` with `nb_cfg`, which every host reaches that has done it.
pub fn transaction(observed: &Northbound, wanted: &BTreeMap<Uuid, NorthboundRow>) -> Vec<DatabaseOperation> {
    let (mut expected, mut changes) = (Vec::new(), Vec::new());
    for (uuid, row) in wanted {
        match observed.rows.get(uuid).filter(|old| old.table == row.table) {
            None => changes.push(insert(*uuid, row)),
            Some(old) if old != row => change(*uuid, old, row, &mut expected, &mut changes),
            Some(_) => {}
        }
    }
    for (uuid, old) in observed.rows.iter().filter(|(uuid, _)| !wanted.contains_key(uuid)) {
        expected.push(as_read(*uuid, old, &[old.table.columns()[0].0], Vec::new()));
        changes.push(DatabaseOperation::delete(old.table.name(), [itself(*uuid), marked(observed.network)]));
    }
    if changes.is_empty() {
        return Vec::new();
    }
    let switch = NorthboundTable::Switch.name();
    let mut all = vec![unchanged(observed)];
    all.append(&mut expected);
    all.append(&mut changes);
    let own = row_of(observed.network, "switch");
    if wanted.contains_key(&own) {
        let next = observed.generation.unwrap_or(0) + 1;
        let mutations = [
            Mutation::new("external_ids", Mutator::Delete, Datum::set([GENERATION])),
            Mutation::new("external_ids", Mutator::Insert, Datum::map([(GENERATION, next.to_string())])),
        ];
        all.push(DatabaseOperation::mutate(switch, [itself(own)], mutations));
    }
    all.push(DatabaseOperation::mutate("NB_Global", [], [Mutation::new("nb_cfg", Mutator::Add, 1_i64)]));
    all.push(DatabaseOperation::select("NB_Global", [], &["nb_cfg"]));
    all
}

fn itself(uuid: Uuid) -> Condition {
    Condition::equal("_uuid", uuid)
}

/// Refuses the transaction where another host has changed the network since it was read.
fn unchanged(observed: &Northbound) -> DatabaseOperation {
    let switch = NorthboundTable::Switch.name();
    let own = row_of(observed.network, "switch");
    let Some(row) = observed.rows.get(&own) else {
        return DatabaseOperation::expect(switch, [itself(own)], &["name"], []);
    };
    let generation = observed.generation.map(|it| it.to_string());
    let mark = generation.map(|it| Condition::includes("external_ids", Datum::map([(GENERATION, it)])));
    as_read(own, row, &["name"], mark.into_iter().collect())
}

/// Refuses the transaction where a row is not as it was read, in these columns.
fn as_read(uuid: Uuid, row: &NorthboundRow, columns: &[&'static str], more: Vec<Condition>) -> DatabaseOperation {
    let values = columns.iter().filter_map(|name| Some((*name, row.columns.get(name)?.to_datum())));
    let expected = values.fold(Row::new(), |row, (name, value)| row.with(name, value));
    let conditions: Vec<Condition> = [itself(uuid)].into_iter().chain(more).collect();
    DatabaseOperation::expect(row.table.name(), conditions, columns, [expected])
}

fn insert(uuid: Uuid, row: &NorthboundRow) -> DatabaseOperation {
    DatabaseOperation::Insert { table: row.table.name().to_owned(), row: row.to_row(), name: None, uuid: Some(uuid) }
}

/// Changes a row: values as a whole, sets and maps by what differs.
fn change(
    uuid: Uuid,
    old: &NorthboundRow,
    new: &NorthboundRow,
    expected: &mut Vec<DatabaseOperation>,
    changes: &mut Vec<DatabaseOperation>,
) {
    let table = new.table.name();
    // The first column is always compared: a `wait` for no column would compare nothing.
    let mut compared = vec![new.table.columns()[0].0];
    let (mut set, mut mutations, mut conditions) = (Row::new(), Vec::new(), Vec::new());
    for (name, value) in &new.columns {
        let before = &old.columns[name];
        if before == value {
            continue;
        }
        match parts(before, value) {
            None => {
                set = set.with(*name, value.to_datum());
                compared.push(name);
            }
            Some(parts) => {
                conditions.extend(parts.known.map(|it| Condition::includes(*name, it)));
                mutations.extend(parts.gone.map(|it| Mutation::new(*name, Mutator::Delete, it)));
                mutations.extend(parts.added.map(|it| Mutation::new(*name, Mutator::Insert, it)));
            }
        }
    }
    let marks = [&old.marks, &new.marks].map(|marks| ColumnValue::Map(marks.clone()));
    if let Some(parts) = parts(&marks[0], &marks[1]).filter(|_| marks[0] != marks[1]) {
        mutations.extend(parts.gone.map(|it| Mutation::new("external_ids", Mutator::Delete, it)));
        mutations.extend(parts.added.map(|it| Mutation::new("external_ids", Mutator::Insert, it)));
    }
    compared.dedup();
    expected.push(as_read(uuid, old, &compared, conditions));
    if !set.0.is_empty() {
        changes.push(DatabaseOperation::update(table, [itself(uuid)], set));
    }
    if !mutations.is_empty() {
        changes.push(DatabaseOperation::mutate(table, [itself(uuid)], mutations));
    }
}

/// What differs between two sets or two maps.
struct Parts {
    /// What is read and goes, as the database has it.
    known: Option<Datum>,
    /// What goes: members, or keys.
    gone: Option<Datum>,
    /// What comes.
    added: Option<Datum>,
}

/// `None` for values that are no sets or maps.
fn parts(old: &ColumnValue, new: &ColumnValue) -> Option<Parts> {
    use ColumnValue::{Map, Numbers, Rows, Texts};
    let full = |value: ColumnValue, is_empty: bool| (!is_empty).then(|| value.to_datum());
    fn less<T: Ord + Clone>(one: &BTreeSet<T>, other: &BTreeSet<T>) -> BTreeSet<T> {
        one.difference(other).cloned().collect()
    }
    let (gone, added) = match (old, new) {
        (Texts(old), Texts(new)) => {
            let (gone, added) = (less(old, new), less(new, old));
            (full(Texts(gone.clone()), gone.is_empty()), full(Texts(added.clone()), added.is_empty()))
        }
        (Numbers(old), Numbers(new)) => {
            let (gone, added) = (less(old, new), less(new, old));
            (full(Numbers(gone.clone()), gone.is_empty()), full(Numbers(added.clone()), added.is_empty()))
        }
        (Rows(old), Rows(new)) => {
            let (gone, added) = (less(old, new), less(new, old));
            (full(Rows(gone.clone()), gone.is_empty()), full(Rows(added.clone()), added.is_empty()))
        }
        (Map(old), Map(new)) => {
            let missing = |one: &BTreeMap<String, String>, other: &BTreeMap<String, String>| {
                let pairs = one.iter().filter(|(key, value)| other.get(*key) != Some(value));
                pairs.map(|(key, value)| (key.clone(), value.clone())).collect::<BTreeMap<_, _>>()
            };
            let (gone, added) = (missing(old, new), missing(new, old));
            let keys = (!gone.is_empty()).then(|| Datum::set(gone.keys().map(String::as_str)));
            let known = full(Map(gone.clone()), gone.is_empty());
            return Some(Parts { known, gone: keys, added: full(Map(added.clone()), added.is_empty()) });
        }
        _ => return None,
    };
    Some(Parts { known: gone.clone(), gone, added })
}
