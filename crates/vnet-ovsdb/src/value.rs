//! Values of columns (RFC 7047, section 5.1).

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value, json};
use vnet_types::Uuid;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Atom {
    /// A number without a fraction.
    Integer(i64),
    /// Another number.
    Real(f64),
    /// A truth value.
    Boolean(bool),
    /// A text.
    String(String),
    /// A row.
    Uuid(Uuid),
    /// A row that the same transaction inserts, by the name that it has there.
    NamedUuid(String),
}

/// What a column of a row has.
#[derive(Clone, Debug, PartialEq)]
pub enum Datum {
    /// One value.
    Atom(Atom),
    /// No value, or several. A set of one value is that value, for OVSDB writes both alike.
    Set(Vec<Atom>),
    /// Pairs of keys and values.
    Map(Vec<(Atom, Atom)>),
}

/// A row: its columns by their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row(pub BTreeMap<String, Datum>);

/// JSON that is no value of OVSDB.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no value of OVSDB")]
pub struct ValueError(String);

impl ValueError {
    pub(crate) fn of(value: &Value) -> Self {
        let mut text = value.to_string();
        if let Some((end, _)) = text.char_indices().nth(80) {
            text.truncate(end);
            text.push('…');
        }
        Self(text)
    }
}

impl Atom {
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Integer(it) => (*it).into(),
            Self::Real(it) => Number::from_f64(*it).map_or(Value::Null, Value::Number),
            Self::Boolean(it) => (*it).into(),
            Self::String(it) => it.as_str().into(),
            Self::Uuid(it) => json!(["uuid", it.to_string()]),
            Self::NamedUuid(it) => json!(["named-uuid", it]),
        }
    }

    pub(crate) fn from_json(value: &Value) -> Result<Self, ValueError> {
        let bad = || ValueError::of(value);
        Ok(match value {
            Value::String(it) => Self::String(it.clone()),
            Value::Bool(it) => Self::Boolean(*it),
            Value::Number(it) => match it.as_i64() {
                Some(it) => Self::Integer(it),
                None => Self::Real(it.as_f64().ok_or_else(bad)?),
            },
            Value::Array(pair) => match pair.as_slice() {
                [Value::String(tag), Value::String(it)] if tag == "uuid" => Self::Uuid(it.parse().map_err(|_| bad())?),
                [Value::String(tag), Value::String(it)] if tag == "named-uuid" => Self::NamedUuid(it.clone()),
                _ => return Err(bad()),
            },
            Value::Null | Value::Object(_) => return Err(bad()),
        })
    }
}

impl Datum {
    /// A set; one value alone is that value.
    pub fn set<T: Into<Atom>>(values: impl IntoIterator<Item = T>) -> Self {
        let mut values: Vec<Atom> = values.into_iter().map(Into::into).collect();
        match values.len() {
            1 => Self::Atom(values.remove(0)),
            _ => Self::Set(values),
        }
    }

    /// A map.
    pub fn map<K: Into<Atom>, V: Into<Atom>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::Map(pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }

    /// The values of a set, or the one value. Empty for a map.
    pub fn atoms(&self) -> &[Atom] {
        match self {
            Self::Atom(it) => std::slice::from_ref(it),
            Self::Set(all) => all,
            Self::Map(_) => &[],
        }
    }

    /// Its form in JSON.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Atom(it) => it.to_json(),
            Self::Set(all) => json!(["set", all.iter().map(Atom::to_json).collect::<Vec<_>>()]),
            Self::Map(all) => {
                json!(["map", all.iter().map(|(key, it)| json!([key.to_json(), it.to_json()])).collect::<Vec<_>>()])
            }
        }
    }

    /// Reads its form in JSON.
    ///
    /// # Errors
    /// What is no value of OVSDB.
    pub fn from_json(value: &Value) -> Result<Self, ValueError> {
        let Some([Value::String(tag), Value::Array(all)]) = value.as_array().map(Vec::as_slice) else {
            return Atom::from_json(value).map(Self::Atom);
        };
        match tag.as_str() {
            "set" => Ok(Self::set(all.iter().map(Atom::from_json).collect::<Result<Vec<_>, _>>()?)),
            "map" => {
                let pair = |pair: &Value| match pair.as_array().map(Vec::as_slice) {
                    Some([key, value]) => Ok((Atom::from_json(key)?, Atom::from_json(value)?)),
                    _ => Err(ValueError::of(pair)),
                };
                all.iter().map(pair).collect::<Result<_, _>>().map(Self::Map)
            }
            _ => Err(ValueError::of(value)),
        }
    }
}

impl Row {
    /// An empty row: each column has its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a column.
    #[must_use]
    pub fn with(mut self, column: impl Into<String>, value: impl Into<Datum>) -> Self {
        self.0.insert(column.into(), value.into());
        self
    }

    /// The value of a column.
    pub fn get(&self, column: &str) -> Option<&Datum> {
        self.0.get(column)
    }

    /// The one text of a column.
    pub fn text(&self, column: &str) -> Option<&str> {
        match self.get(column)?.atoms() {
            [Atom::String(it)] => Some(it),
            _ => None,
        }
    }

    /// The one number of a column.
    pub fn integer(&self, column: &str) -> Option<i64> {
        match self.get(column)?.atoms() {
            [Atom::Integer(it)] => Some(*it),
            _ => None,
        }
    }

    /// The one truth value of a column.
    pub fn boolean(&self, column: &str) -> Option<bool> {
        match self.get(column)?.atoms() {
            [Atom::Boolean(it)] => Some(*it),
            _ => None,
        }
    }

    /// The numbers of a column.
    pub fn integers(&self, column: &str) -> Vec<i64> {
        let number = |atom: &Atom| if let Atom::Integer(it) = atom { Some(*it) } else { None };
        self.get(column).map(Datum::atoms).unwrap_or_default().iter().filter_map(number).collect()
    }

    /// The rows that a column refers to.
    pub fn uuids(&self, column: &str) -> Vec<Uuid> {
        let uuid = |atom: &Atom| if let Atom::Uuid(it) = atom { Some(*it) } else { None };
        self.get(column).map(Datum::atoms).unwrap_or_default().iter().filter_map(uuid).collect()
    }

    /// The texts of a map of texts.
    pub fn texts(&self, column: &str) -> BTreeMap<&str, &str> {
        let mut texts = BTreeMap::new();
        if let Some(Datum::Map(all)) = self.get(column) {
            for (key, value) in all {
                if let (Atom::String(key), Atom::String(value)) = (key, value) {
                    texts.insert(key.as_str(), value.as_str());
                }
            }
        }
        texts
    }

    /// The row's own UUID, where the column `_uuid` was asked for.
    pub fn uuid(&self) -> Option<Uuid> {
        self.uuids("_uuid").first().copied()
    }

    pub(crate) fn to_json(&self) -> Value {
        Value::Object(self.0.iter().map(|(column, value)| (column.clone(), value.to_json())).collect())
    }

    pub(crate) fn from_json(value: &Value) -> Result<Self, ValueError> {
        let columns: &Map<String, Value> = value.as_object().ok_or_else(|| ValueError::of(value))?;
        let column = |(name, value): (&String, &Value)| Ok((name.clone(), Datum::from_json(value)?));
        columns.iter().map(column).collect::<Result<_, _>>().map(Self)
    }
}

macro_rules! from {
    ($($kind:ty => $it:ident, $atom:expr;)*) => {$(
        impl From<$kind> for Atom {
            fn from($it: $kind) -> Self {
                $atom
            }
        }

        impl From<$kind> for Datum {
            fn from(it: $kind) -> Self {
                Self::Atom(it.into())
            }
        }
    )*};
}

from! {
    i64 => it, Self::Integer(it);
    u32 => it, Self::Integer(it.into());
    u16 => it, Self::Integer(it.into());
    bool => it, Self::Boolean(it);
    &str => it, Self::String(it.to_owned());
    String => it, Self::String(it);
    Uuid => it, Self::Uuid(it);
}

impl From<Atom> for Datum {
    fn from(it: Atom) -> Self {
        Self::Atom(it)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn atom() -> impl Strategy<Value = Atom> {
        prop_oneof![
            any::<i64>().prop_map(Atom::Integer),
            any::<bool>().prop_map(Atom::Boolean),
            ".*".prop_map(Atom::String),
            any::<[u8; 16]>().prop_map(|it| Atom::Uuid(Uuid(it))),
            "[a-z_]{1,9}".prop_map(Atom::NamedUuid),
            (-1.0e9..1.0e9).prop_map(|it: f64| Atom::Real(it.trunc() + 0.5)),
        ]
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            prop_oneof![Just("set"), Just("map"), Just("uuid"), Just("x")].prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("[a-z]", inner), 0..3).prop_map(|it| Value::Object(it.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn values_survive_the_way_to_the_server_and_back(
            set in prop::collection::vec(atom(), 0..4),
            map in prop::collection::vec((atom(), atom()), 0..4),
        ) {
            for datum in [Datum::set(set), Datum::Map(map)] {
                let text = datum.to_json().to_string();
                prop_assert_eq!(Datum::from_json(&serde_json::from_str(&text).unwrap()).unwrap(), datum);
            }
        }

        #[test]
        fn no_json_makes_it_panic(value in json()) {
            let _ = (Datum::from_json(&value), Row::from_json(&value));
        }
    }

    #[test]
    fn one_value_is_a_set_of_one() {
        assert_eq!(Datum::from_json(&json!(["set", [7]])), Ok(Datum::from(7_i64)));
        assert_eq!(Datum::from_json(&json!(["set", []])), Ok(Datum::Set(vec![])));
        assert_eq!(Row::new().with("a", 7_i64).integers("a"), [7]);
    }

    #[test]
    fn an_error_shows_a_short_part() {
        let long = json!(["map", [["x".repeat(500)]]]);
        assert!(Datum::from_json(&long).unwrap_err().to_string().chars().count() < 120);
    }
}
