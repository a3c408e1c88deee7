//! Rows of the northbound database, with the columns that vnet sets.

use std::collections::{BTreeMap, BTreeSet};

use vnet_ovsdb::{Atom, Datum, Row};
use vnet_types::Uuid;

use crate::NorthboundTable;
use crate::table::Kind;

/// The beginning of the keys in `external_ids` that are vnet's.
const OWN: &str = "vnet-";
/// The key with the network's UUID.
pub(crate) const NETWORK: &str = "vnet-network";
/// The key with what a row is for in the network.
pub(crate) const ROLE: &str = "vnet-role";
/// The key that counts the changes of a network, in its switch.
pub(crate) const GENERATION: &str = "vnet-generation";

/// The value of a column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ColumnValue {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
    /// Texts.
    Texts(BTreeSet<String>),
    /// Numbers.
    Numbers(BTreeSet<i64>),
    /// Texts by texts.
    Map(BTreeMap<String, String>),
    /// Numbers by texts.
    Amounts(BTreeMap<String, i64>),
    /// Rows.
    Rows(BTreeSet<Uuid>),
}

/// A row: every column that vnet sets in its table, and vnet's own keys in `external_ids`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NorthboundRow {
    /// Its table.
    pub table: NorthboundTable,
    /// Its columns.
    pub columns: BTreeMap<&'static str, ColumnValue>,
    /// What `external_ids` has of vnet's, without the generation.
    pub marks: BTreeMap<String, String>,
}

/// A row that has not the columns of its table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a row of `{table}` has no usable `{column}`")]
#[non_exhaustive]
pub struct RowError {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
}

impl ColumnValue {
    fn empty(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text(String::new()),
            Kind::Number => Self::Number(0),
            Kind::Texts => Self::Texts(BTreeSet::new()),
            Kind::Numbers => Self::Numbers(BTreeSet::new()),
            Kind::Map => Self::Map(BTreeMap::new()),
            Kind::Amounts => Self::Amounts(BTreeMap::new()),
            Kind::Rows => Self::Rows(BTreeSet::new()),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Text(it) => it.is_empty(),
            Self::Number(it) => *it == 0,
            Self::Texts(it) => it.is_empty(),
            Self::Numbers(it) => it.is_empty(),
            Self::Map(it) => it.is_empty(),
            Self::Amounts(it) => it.is_empty(),
            Self::Rows(it) => it.is_empty(),
        }
    }

    fn read(kind: Kind, datum: &Datum) -> Option<Self> {
        let text = |atom: &Atom| if let Atom::String(it) = atom { Some(it.clone()) } else { None };
        let number = |atom: &Atom| if let Atom::Integer(it) = atom { Some(*it) } else { None };
        let uuid = |atom: &Atom| if let Atom::Uuid(it) = atom { Some(*it) } else { None };
        let atoms = match datum {
            Datum::Map(_) => None,
            Datum::Atom(_) | Datum::Set(_) => Some(datum.atoms()),
        };
        Some(match kind {
            Kind::Text => Self::Text(text(one(atoms?)?)?),
            Kind::Number => Self::Number(number(one(atoms?)?)?),
            Kind::Texts => Self::Texts(atoms?.iter().map(text).collect::<Option<_>>()?),
            Kind::Numbers => Self::Numbers(atoms?.iter().map(number).collect::<Option<_>>()?),
            Kind::Rows => Self::Rows(atoms?.iter().map(uuid).collect::<Option<_>>()?),
            Kind::Map => {
                let Datum::Map(pairs) = datum else { return None };
                Self::Map(pairs.iter().map(|(key, value)| text(key).zip(text(value))).collect::<Option<_>>()?)
            }
            Kind::Amounts => {
                let Datum::Map(pairs) = datum else { return None };
                Self::Amounts(pairs.iter().map(|(key, value)| text(key).zip(number(value))).collect::<Option<_>>()?)
            }
        })
    }

    /// The value as the database takes it.
    pub fn to_datum(&self) -> Datum {
        match self {
            Self::Text(it) => it.as_str().into(),
            Self::Number(it) => (*it).into(),
            Self::Texts(it) => Datum::set(it.iter().map(String::as_str)),
            Self::Numbers(it) => Datum::set(it.iter().copied()),
            Self::Map(it) => Datum::map(it.iter().map(|(key, value)| (key.as_str(), value.as_str()))),
            Self::Amounts(it) => Datum::map(it.iter().map(|(key, value)| (key.as_str(), *value))),
            Self::Rows(it) => Datum::set(it.iter().copied()),
        }
    }
}

fn one(atoms: &[Atom]) -> Option<&Atom> {
    if let [one] = atoms { Some(one) } else { None }
}

impl NorthboundRow {
    /// A row whose columns are empty.
    pub(crate) fn new(table: NorthboundTable, network: Uuid) -> Self {
        let columns = table.columns().iter().map(|(name, kind)| (*name, ColumnValue::empty(*kind))).collect();
        Self { table, columns, marks: BTreeMap::from([(NETWORK.to_owned(), network.to_string())]) }
    }

    /// Sets a column that the table has.
    pub(crate) fn with(mut self, column: &'static str, value: ColumnValue) -> Self {
        debug_assert!(self.columns.contains_key(column), "`{column}` is no column of {:?}", self.table);
        self.columns.insert(column, value);
        self
    }

    pub(crate) fn text(self, column: &'static str, text: impl ToString) -> Self {
        self.with(column, ColumnValue::Text(text.to_string()))
    }

    pub(crate) fn number(self, column: &'static str, number: impl Into<i64>) -> Self {
        self.with(column, ColumnValue::Number(number.into()))
    }

    pub(crate) fn texts<T: ToString>(self, column: &'static str, texts: impl IntoIterator<Item = T>) -> Self {
        self.with(column, ColumnValue::Texts(texts.into_iter().map(|it| it.to_string()).collect()))
    }

    pub(crate) fn map<V: ToString>(self, column: &'static str, map: impl IntoIterator<Item = (String, V)>) -> Self {
        self.with(column, ColumnValue::Map(map.into_iter().map(|(key, it)| (key, it.to_string())).collect()))
    }

    pub(crate) fn amounts(self, column: &'static str, amounts: impl IntoIterator<Item = (&'static str, i64)>) -> Self {
        self.with(column, ColumnValue::Amounts(amounts.into_iter().map(|(key, it)| (key.to_owned(), it)).collect()))
    }

    /// Adds a mark of vnet's.
    pub(crate) fn mark(mut self, key: impl Into<String>, value: impl ToString) -> Self {
        self.marks.insert(key.into(), value.to_string());
        self
    }

    pub(crate) fn rows(self, column: &'static str, rows: impl IntoIterator<Item = Uuid>) -> Self {
        self.with(column, ColumnValue::Rows(rows.into_iter().collect()))
    }

    /// Adds a reference to another row.
    pub(crate) fn refer(&mut self, column: &'static str, row: Uuid) {
        match self.columns.get_mut(column) {
            Some(ColumnValue::Rows(rows)) => _ = rows.insert(row),
            _ => debug_assert!(false, "`{column}` of {:?} has no rows", self.table),
        }
    }

    /// Reads a row. Keys of others in `external_ids` are left out.
    pub(crate) fn read(table: NorthboundTable, row: &Row) -> Result<Self, RowError> {
        let column = |(name, kind): &(&'static str, Kind)| {
            let value = row.get(name).and_then(|datum| ColumnValue::read(*kind, datum));
            Ok((*name, value.ok_or(RowError { table: table.name(), column: name })?))
        };
        let columns = table.columns().iter().map(column).collect::<Result<_, _>>()?;
        let own = |(key, _): &(&str, &str)| key.starts_with(OWN) && *key != GENERATION;
        let marks = row.texts("external_ids").into_iter().filter(own);
        Ok(Self { table, columns, marks: marks.map(|(key, value)| (key.to_owned(), value.to_owned())).collect() })
    }

    /// The row as it is inserted: without what is empty, which is the default.
    pub(crate) fn to_row(&self) -> Row {
        let marks = ColumnValue::Map(self.marks.clone());
        let full = self.columns.iter().filter(|(_, value)| !value.is_empty());
        full.fold(Row::new(), |row, (name, value)| row.with(*name, value.to_datum()))
            .with("external_ids", marks.to_datum())
    }
}
