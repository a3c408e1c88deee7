//! Operations of a transaction, and what comes back of them (RFC 7047, sections 5.1 and 5.2).

use std::time::Duration;

use serde_json::{Value, json};
use vnet_types::Uuid;

use crate::value::{Datum, Row, ValueError};
use crate::{Error, Refusal};

/// How a column is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// It is this value.
    Equal,
    /// It is another value.
    NotEqual,
    /// It is less.
    Less,
    /// It is less or equal.
    LessOrEqual,
    /// It is greater.
    Greater,
    /// It is greater or equal.
    GreaterOrEqual,
    /// It has all of these.
    Includes,
    /// It has none of these.
    Excludes,
}

/// What a row must be like for an operation to be about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The column; `_uuid` is the row itself.
    pub column: String,
    /// How it is compared.
    pub comparison: Comparison,
    /// What with.
    pub value: Datum,
}

/// How a column is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutator {
    /// Adds a number.
    Add,
    /// Subtracts a number.
    Subtract,
    /// Adds members to a set, or pairs to a map. A key that is there keeps its value.
    Insert,
    /// Removes members from a set; of a map the pairs, or the keys where the value is a set.
    Delete,
}

/// The change of one column.
#[derive(Clone, Debug, PartialEq)]
pub struct Mutation {
    /// The column.
    pub column: String,
    /// How it is changed.
    pub mutator: Mutator,
    /// What by.
    pub value: Datum,
}

/// What a `wait` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// The rows that fit are these.
    Equal,
    /// The rows that fit are no longer these.
    NotEqual,
}

/// One operation of a transaction. Either all of them are done, or none is.
#[derive(Clone, Debug, PartialEq)]
pub enum DatabaseOperation {
    /// Adds a row.
    Insert {
        /// Its table.
        table: String,
        /// Its columns; the others have their defaults.
        row: Row,
        /// What other operations of the transaction call it.
        name: Option<String>,
        /// Its UUID, for an insertion that can be tried again. The server chooses one otherwise.
        uuid: Option<Uuid>,
    },
    /// Reads rows. Those that are equal in all of the columns come once.
    Select {
        /// Their table.
        table: String,
        /// Which of them.
        conditions: Vec<Condition>,
        /// The columns; all where empty.
        columns: Vec<String>,
    },
    /// Sets columns of rows.
    Update {
        /// Their table.
        table: String,
        /// Which of them.
        conditions: Vec<Condition>,
        /// The columns.
        row: Row,
    },
    /// Changes parts of columns of rows.
    Mutate {
        /// Their table.
        table: String,
        /// Which of them.
        conditions: Vec<Condition>,
        /// The changes.
        mutations: Vec<Mutation>,
    },
    /// Deletes rows.
    Delete {
        /// Their table.
        table: String,
        /// Which of them.
        conditions: Vec<Condition>,
    },
    /// Refuses the transaction where rows are not as expected. With a time it waits until they are.
    Wait {
        /// Their table.
        table: String,
        /// Which of them.
        conditions: Vec<Condition>,
        /// The columns that are compared.
        columns: Vec<String>,
        /// What is expected.
        until: Until,
        /// The rows.
        rows: Vec<Row>,
        /// How long it waits.
        time: Duration,
    },
    /// Refuses the transaction where this client does not have the lock.
    Assert(String),
    /// A note in the database's log.
    Comment(String),
}

/// What came of one operation.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum OperationResult {
    /// The UUID of the row that was added.
    Inserted(Uuid),
    /// How many rows the change was about.
    Changed(u64),
    /// The rows that were read.
    Rows(Vec<Row>),
    /// It has no result.
    Done,
}

impl OperationResult {
    /// The rows that were read; empty for other operations.
    pub fn rows(self) -> Vec<Row> {
        if let Self::Rows(rows) = self { rows } else { Vec::new() }
    }
}

impl Condition {
    /// A column has this value.
    pub fn equal(column: impl Into<String>, value: impl Into<Datum>) -> Self {
        Self { column: column.into(), comparison: Comparison::Equal, value: value.into() }
    }

    /// A column has all of these.
    pub fn includes(column: impl Into<String>, value: impl Into<Datum>) -> Self {
        Self { column: column.into(), comparison: Comparison::Includes, value: value.into() }
    }

    pub(crate) fn to_json(&self) -> Value {
        let word = match self.comparison {
            Comparison::Equal => "==",
            Comparison::NotEqual => "!=",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
            Comparison::Includes => "includes",
            Comparison::Excludes => "excludes",
        };
        json!([self.column, word, self.value.to_json()])
    }
}

impl Mutation {
    /// A change of a column.
    pub fn new(column: impl Into<String>, mutator: Mutator, value: impl Into<Datum>) -> Self {
        Self { column: column.into(), mutator, value: value.into() }
    }

    fn to_json(&self) -> Value {
        let word = match self.mutator {
            Mutator::Add => "+=",
            Mutator::Subtract => "-=",
            Mutator::Insert => "insert",
            Mutator::Delete => "delete",
        };
        json!([self.column, word, self.value.to_json()])
    }
}

impl DatabaseOperation {
    /// Adds a row that other operations of the transaction call `name`.
    pub fn insert(table: &str, name: &str, row: Row) -> Self {
        Self::Insert { table: table.to_owned(), row, name: Some(name.to_owned()), uuid: None }
    }

    /// Reads rows.
    pub fn select(table: &str, conditions: impl Into<Vec<Condition>>, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|column| (*column).to_owned()).collect();
        Self::Select { table: table.to_owned(), conditions: conditions.into(), columns }
    }

    /// Sets columns of rows.
    pub fn update(table: &str, conditions: impl Into<Vec<Condition>>, row: Row) -> Self {
        Self::Update { table: table.to_owned(), conditions: conditions.into(), row }
    }

    /// Changes parts of columns of rows.
    pub fn mutate(table: &str, conditions: impl Into<Vec<Condition>>, mutations: impl Into<Vec<Mutation>>) -> Self {
        Self::Mutate { table: table.to_owned(), conditions: conditions.into(), mutations: mutations.into() }
    }

    /// Deletes rows.
    pub fn delete(table: &str, conditions: impl Into<Vec<Condition>>) -> Self {
        Self::Delete { table: table.to_owned(), conditions: conditions.into() }
    }

    /// Refuses the transaction where the rows that fit, in these columns, are not those given.
    pub fn expect(
        table: &str,
        conditions: impl Into<Vec<Condition>>,
        columns: &[&str],
        rows: impl Into<Vec<Row>>,
    ) -> Self {
        let columns = columns.iter().map(|column| (*column).to_owned()).collect();
        let (conditions, rows) = (conditions.into(), rows.into());
        Self::Wait { table: table.to_owned(), conditions, columns, until: Until::Equal, rows, time: Duration::ZERO }
    }

    /// Whether it leaves the database as it is.
    pub(crate) fn only_reads(&self) -> bool {
        matches!(self, Self::Select { .. } | Self::Wait { .. } | Self::Assert(_))
    }

    /// How long the server may wait in it.
    pub(crate) fn time(&self) -> Duration {
        if let Self::Wait { time, .. } = self { *time } else { Duration::ZERO }
    }

    pub(crate) fn to_json(&self) -> Value {
        let conditions = |all: &[Condition]| Value::Array(all.iter().map(Condition::to_json).collect());
        match self {
            Self::Insert { table, row, name, uuid } => {
                let mut it = json!({ "op": "insert", "table": table, "row": row.to_json() });
                if let Some(name) = name {
                    it["uuid-name"] = name.as_str().into();
                }
                if let Some(uuid) = uuid {
                    it["uuid"] = uuid.to_string().into();
                }
                it
            }
            Self::Select { table, conditions: all, columns } => {
                let mut it = json!({ "op": "select", "table": table, "where": conditions(all) });
                if !columns.is_empty() {
                    it["columns"] = json!(columns);
                }
                it
            }
            Self::Update { table, conditions: all, row } => {
                json!({ "op": "update", "table": table, "where": conditions(all), "row": row.to_json() })
            }
            Self::Mutate { table, conditions: all, mutations } => {
                let mutations: Vec<Value> = mutations.iter().map(Mutation::to_json).collect();
                json!({ "op": "mutate", "table": table, "where": conditions(all), "mutations": mutations })
            }
            Self::Delete { table, conditions: all } => {
                json!({ "op": "delete", "table": table, "where": conditions(all) })
            }
            Self::Wait { table, conditions: all, columns, until, rows, time } => {
                let until = if *until == Until::Equal { "==" } else { "!=" };
                let rows: Vec<Value> = rows.iter().map(Row::to_json).collect();
                let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
                json!({ "op": "wait", "table": table, "where": conditions(all), "columns": columns, "until": until,
                        "rows": rows, "timeout": time })
            }
            Self::Assert(lock) => json!({ "op": "assert", "lock": lock }),
            Self::Comment(comment) => json!({ "op": "comment", "comment": comment }),
        }
    }

    fn result(&self, value: &Value) -> Result<OperationResult, ValueError> {
        let bad = || ValueError::of(value);
        Ok(match self {
            Self::Insert { .. } => match value.get("uuid").map(Datum::from_json).transpose()? {
                Some(Datum::Atom(crate::Atom::Uuid(uuid))) => OperationResult::Inserted(uuid),
                _ => return Err(bad()),
            },
            Self::Select { .. } => {
                let rows = value.get("rows").and_then(Value::as_array).ok_or_else(bad)?;
                OperationResult::Rows(rows.iter().map(Row::from_json).collect::<Result<_, _>>()?)
            }
            Self::Update { .. } | Self::Mutate { .. } | Self::Delete { .. } => {
                OperationResult::Changed(value.get("count").and_then(Value::as_u64).ok_or_else(bad)?)
            }
            Self::Wait { .. } | Self::Assert(_) | Self::Comment(_) => OperationResult::Done,
        })
    }
}

/// Why the reply to a transaction has no results.
pub(crate) enum NoResults {
    Refused(Error),
    Malformed(ValueError),
}

/// Reads the reply to a transaction. An error of one operation takes its place; one of all of them
/// together, found when they are committed, follows them as one more element.
pub(crate) fn results(operations: &[DatabaseOperation], reply: &Value) -> Result<Vec<OperationResult>, NoResults> {
    let malformed = |value: &Value| NoResults::Malformed(ValueError::of(value));
    let all = reply.as_array().ok_or_else(|| malformed(reply))?;
    if let Some((at, refused)) = all.iter().enumerate().find(|(_, it)| it.get("error").is_some_and(|it| !it.is_null()))
    {
        let text = |field: &str| refused.get(field).and_then(Value::as_str).unwrap_or_default();
        let operation = (at < operations.len()).then_some(at);
        let refusal = Refusal::from_word(text("error"));
        return Err(NoResults::Refused(Error::Refused { operation, refusal, details: text("details").to_owned() }));
    }
    if all.len() != operations.len() {
        return Err(malformed(reply));
    }
    operations.iter().zip(all).map(|(operation, it)| operation.result(it).map_err(NoResults::Malformed)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn two() -> [DatabaseOperation; 2] {
        [DatabaseOperation::insert("Port", "p", Row::new()), DatabaseOperation::delete("Port", [])]
    }

    #[rstest]
    #[case(json!([{"error": "timed out", "details": "d"}, null]), Some(0), Refusal::NotAsExpected)]
    #[case(json!([{"uuid": ["uuid", "3e3fce45-4f53-4fa7-bb32-11f34168b82b"]}, {"count": 0}, {"error": "referential integrity violation"}]),
           None, Refusal::ReferentialIntegrity)]
    #[case(json!([{}, {"error": "constraint violation"}]), Some(1), Refusal::ConstraintViolation)]
    #[case(json!([{"error": "of another kind"}]), Some(0), Refusal::Other("of another kind".into()))]
    fn an_error_is_found_wherever_it_stands(#[case] reply: Value, #[case] at: Option<usize>, #[case] reason: Refusal) {
        let Err(NoResults::Refused(Error::Refused { operation, refusal, .. })) = results(&two(), &reply) else {
            panic!("not refused");
        };
        assert_eq!((operation, refusal), (at, reason));
    }

    #[rstest]
    #[case(json!(null))]
    #[case(json!([]))]
    #[case(json!([{"count": 1}, {"count": 1}]))]
    #[case(json!([{"uuid": 1}, {"count": 1}]))]
    fn a_reply_that_does_not_fit_is_malformed(#[case] reply: Value) {
        assert!(matches!(results(&two(), &reply), Err(NoResults::Malformed(_))));
    }
}
