//! A model of a database server, for what our transactions use of one.

use std::collections::BTreeMap;

use vnet_ovsdb::{Atom, Comparison, Condition, DatabaseOperation, Datum, Mutator, OperationResult, Row, Uuid};

#[derive(Clone, Default)]
pub(crate) struct Database(BTreeMap<(String, Uuid), Row>);

impl Database {
    /// Does all operations or none.
    pub(crate) fn transact(&mut self, operations: &[DatabaseOperation]) -> bool {
        let mut new = self.clone();
        let done = operations.iter().all(|operation| new.operate(operation));
        if done {
            *self = new;
        }
        done
    }

    /// Gives a column of all rows of a table another text, as somebody else does.
    pub(crate) fn overwrite(&mut self, table: &str, column: &str, text: &str) {
        for ((_, _), row) in self.0.iter_mut().filter(|((of, _), _)| of == table) {
            row.0.insert(column.to_owned(), Datum::set([text]));
        }
    }

    /// What `select` finds. A column without a value is an empty set, map or text, as asked.
    pub(crate) fn results(&self, operations: &[DatabaseOperation]) -> Vec<OperationResult> {
        let of = |operation: &DatabaseOperation| match operation {
            DatabaseOperation::Select { table, conditions, columns } => {
                let rows = self.found(table, conditions).into_iter().map(|uuid| self.row(table, uuid, columns));
                OperationResult::Rows(rows.collect())
            }
            _ => OperationResult::Done,
        };
        operations.iter().map(of).collect()
    }

    fn row(&self, table: &str, uuid: Uuid, columns: &[String]) -> Row {
        let row = &self.0[&(table.to_owned(), uuid)];
        let value = |column: &String| match column.as_str() {
            "_uuid" => uuid.into(),
            it => row.get(it).cloned().unwrap_or_else(|| default(it)),
        };
        columns.iter().fold(Row::new(), |all, column| all.with(column, value(column)))
    }

    fn found(&self, table: &str, conditions: &[Condition]) -> Vec<Uuid> {
        let own = self.0.iter().filter(|((of, _), _)| of == table);
        let fits = |uuid: Uuid, row: &Row| {
            conditions.iter().all(|it| match (it.column.as_str(), it.comparison) {
                ("_uuid", Comparison::Equal) => it.value == uuid.into(),
                (column, Comparison::Includes) => {
                    let value = row.get(column).cloned().unwrap_or_else(|| default(column));
                    members(&it.value).iter().all(|part| members(&value).contains(part))
                }
                (_, other) => panic!("no such comparison: {other:?}"),
            })
        };
        own.filter(|((_, uuid), row)| fits(*uuid, row)).map(|((_, uuid), _)| *uuid).collect()
    }

    fn operate(&mut self, operation: &DatabaseOperation) -> bool {
        match operation {
            DatabaseOperation::Insert { table, row, uuid: Some(uuid), .. } => {
                self.0.insert((table.clone(), *uuid), row.clone()).is_none()
            }
            DatabaseOperation::Update { table, conditions, row } => {
                for uuid in self.found(table, conditions) {
                    self.0.get_mut(&(table.clone(), uuid)).unwrap().0.extend(row.0.clone());
                }
                true
            }
            DatabaseOperation::Mutate { table, .. } if table == "NB_Global" => true,
            DatabaseOperation::Mutate { table, conditions, mutations } => {
                for uuid in self.found(table, conditions) {
                    let row = self.0.get_mut(&(table.clone(), uuid)).unwrap();
                    for it in mutations {
                        let value = row.get(&it.column).cloned().unwrap_or_else(|| default(&it.column));
                        let value = mutated(value, it.mutator, &it.value);
                        row.0.insert(it.column.clone(), value);
                    }
                }
                true
            }
            DatabaseOperation::Delete { table, conditions } => {
                self.found(table, conditions).into_iter().all(|uuid| self.0.remove(&(table.clone(), uuid)).is_some())
            }
            DatabaseOperation::Wait { table, conditions, columns, rows, .. } => {
                let found = self.found(table, conditions).into_iter().map(|uuid| self.row(table, uuid, columns));
                found.collect::<Vec<_>>() == *rows
            }
            DatabaseOperation::Select { .. } => true,
            other => panic!("no such operation: {other:?}"),
        }
    }
}

fn default(column: &str) -> Datum {
    match column {
        "external_ids" | "other_config" | "options" | "records" | "vips" | "ipv6_ra_configs" | "bandwidth" => {
            Datum::Map(Vec::new())
        }
        "name" | "type" | "external_port_range" => "".into(),
        "priority" => 0_i64.into(),
        _ => Datum::Set(Vec::new()),
    }
}

fn members(datum: &Datum) -> Vec<(Atom, Option<Atom>)> {
    match datum {
        Datum::Map(all) => all.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect(),
        other => other.atoms().iter().map(|it| (it.clone(), None)).collect(),
    }
}

fn mutated(old: Datum, mutator: Mutator, by: &Datum) -> Datum {
    match (old, mutator) {
        (Datum::Map(mut all), Mutator::Insert) => {
            for (key, value) in members(by) {
                if !all.iter().any(|(it, _)| *it == key) {
                    all.push((key, value.unwrap()));
                }
            }
            Datum::Map(all)
        }
        (Datum::Map(mut all), Mutator::Delete) => {
            all.retain(|(key, _)| !by.atoms().contains(key));
            Datum::Map(all)
        }
        (set, Mutator::Insert) => {
            let mut all = set.atoms().to_vec();
            all.extend(by.atoms().iter().filter(|it| !set.atoms().contains(it)).cloned());
            Datum::set(all)
        }
        (set, Mutator::Delete) => Datum::set(set.atoms().iter().filter(|it| !by.atoms().contains(it)).cloned()),
        (_, other) => panic!("no such mutation: {other:?}"),
    }
}
