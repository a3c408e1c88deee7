//! The change of guests alone: what else differs from the definition stays as it is.

use std::collections::{BTreeMap, BTreeSet};

use vnet_ovsdb::{Condition, DatabaseOperation, OperationResult};
use vnet_types::Uuid;
use vnet_xml::Network;

use crate::acl::is_isolated;
use crate::identity::row_of;
use crate::lower::{OvnError, addresses_agree, northbound_rows};
use crate::northbound::marked;
use crate::row::{ColumnValue, GENERATION, NorthboundRow};
use crate::{Northbound, NorthboundTable, OvnGuest};

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

/// The guests of a network, without its other rows: for a change of guests, which reads no more
/// than this.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NorthboundGuests {
    /// The guests, in the order of their ids.
    pub guests: Vec<OvnGuest>,
    network: Uuid,
    generation: Option<u64>,
}

impl NorthboundGuests {
    /// What reads them: the count of changes in the network's switch, and the marks of its ports.
    pub fn selects(network: Uuid) -> Vec<DatabaseOperation> {
        let switch = Condition::equal("_uuid", row_of(network, "switch"));
        let select = |table: NorthboundTable, conditions: Vec<Condition>| {
            DatabaseOperation::select(table.name(), conditions, &["external_ids"])
        };
        vec![
            select(NorthboundTable::Switch, vec![switch, marked(network)]),
            select(NorthboundTable::SwitchPort, vec![marked(network)]),
        ]
    }

    /// The guests, from the results of [`NorthboundGuests::selects`]. `None` where the network has
    /// no switch.
    pub fn read(network: Uuid, results: Vec<OperationResult>) -> Option<Self> {
        let mut results = results.into_iter().map(OperationResult::rows);
        let switch = results.next()?.into_iter().next()?;
        let generation = switch.texts("external_ids").get(GENERATION).and_then(|it| it.parse().ok());
        let ports = results.next()?;
        let guest = |row: &vnet_ovsdb::Row| {
            let marks = row.texts("external_ids").into_iter();
            OvnGuest::of_marks(&marks.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
        };
        let mut guests: Vec<OvnGuest> = ports.iter().filter_map(guest).collect();
        guests.sort_by_key(|guest| guest.id);
        Some(Self { guests, network, generation })
    }

    /// What leads to other guests, by a definition: the rows that differ, as they are unless
    /// somebody has changed them, and as they are wanted. A transaction between them is refused
    /// where they are not so; [`with_guests`] leads on by what is there. `groups` are those of
    /// [`northbound_rows`].
    ///
    /// # Errors
    /// [`OvnError`].
    pub fn change(
        &self,
        network: &Network,
        after: &[OvnGuest],
        groups: &BTreeMap<String, Uuid>,
    ) -> Result<(Northbound, Rows), OvnError> {
        addresses_agree(network, after)?;
        let [before, after] = deciding(network, &self.guests, after);
        let rows = |guests: &[OvnGuest]| northbound_rows(network, self.network, guests, groups);
        let (before, after) = (rows(&before)?, rows(&after)?);
        let switch = row_of(self.network, "switch");
        let of = |rows: &Rows, other: &Rows| -> Rows {
            let differs = |(uuid, row): &(&Uuid, &NorthboundRow)| **uuid == switch || other.get(*uuid) != Some(*row);
            rows.iter().filter(differs).map(|(uuid, row)| (*uuid, row.clone())).collect()
        };
        let mut observed = Northbound::new(self.network);
        (observed.generation, observed.rows) = (self.generation, of(&before, &after));
        Ok((observed, of(&after, &before)))
    }
}

/// The guests by which the rows of two lists differ: those that are not the same in both, and one
/// of the isolated guests that stay, as the rules of these are there once.
fn deciding(network: &Network, before: &[OvnGuest], after: &[OvnGuest]) -> [Vec<OvnGuest>; 2] {
    let there: BTreeMap<Uuid, &OvnGuest> = before.iter().map(|it| (it.id, it)).collect();
    let then: BTreeMap<Uuid, &OvnGuest> = after.iter().map(|it| (it.id, it)).collect();
    let stays = |guest: &OvnGuest| there.get(&guest.id) == then.get(&guest.id);
    let isolated = after.iter().find(|it| is_isolated(network, it) && stays(it));
    [before, after].map(|all| all.iter().filter(|it| !stays(it)).chain(isolated).cloned().collect())
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
        (ColumnValue::Texts(now), ColumnValue::Texts(old), ColumnValue::Texts(new)) => {
            ColumnValue::Texts(set(now, old, new))
        }
        (ColumnValue::Map(now), ColumnValue::Map(old), ColumnValue::Map(new)) => {
            let stays = now.iter().filter(|(key, _)| new.contains_key(*key) || !old.contains_key(*key));
            let comes = new.iter().filter(|(key, value)| old.get(*key) != Some(value));
            ColumnValue::Map(stays.chain(comes).map(|(key, value)| (key.clone(), value.clone())).collect())
        }
        _ => new.clone(),
    }
}
