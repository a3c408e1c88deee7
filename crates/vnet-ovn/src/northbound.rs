//! The rows of one network in the northbound database, and how they are asked for.

use std::collections::BTreeMap;

use vnet_ovsdb::{Condition, DatabaseOperation, Datum, OperationResult, Row};
use vnet_types::Uuid;

use crate::NorthboundTable;
use crate::row::{GENERATION, NETWORK, NorthboundRow, RowError};

/// The rows of one network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Northbound {
    /// The network.
    pub network: Uuid,
    /// How many times its rows were changed. `None` where it has no switch.
    pub generation: Option<u64>,
    /// The rows.
    pub rows: BTreeMap<Uuid, NorthboundRow>,
}

impl Northbound {
    /// A network that has no rows.
    pub fn new(network: Uuid) -> Self {
        Self { network, generation: None, rows: BTreeMap::new() }
    }

    /// What reads the rows of a network; [`Northbound::read`] takes the results.
    pub fn selects(network: Uuid) -> Vec<DatabaseOperation> {
        let select = |table: &NorthboundTable| {
            let own = table.columns().iter().map(|(name, _)| *name);
            let columns: Vec<&str> = ["_uuid", "external_ids"].into_iter().chain(own).collect();
            DatabaseOperation::select(table.name(), [marked(network)], &columns)
        };
        NorthboundTable::ALL.iter().map(select).collect()
    }

    /// The rows of a network, from the results of [`Northbound::selects`].
    ///
    /// # Errors
    /// A row that has not the columns of its table.
    pub fn read(network: Uuid, results: Vec<OperationResult>) -> Result<Self, RowError> {
        let mut read = Self::new(network);
        for (table, result) in NorthboundTable::ALL.into_iter().zip(results) {
            for row in result.rows() {
                let uuid = row.uuid().ok_or(RowError { table: table.name(), column: "_uuid" })?;
                if table == NorthboundTable::Switch {
                    let generation = row.texts("external_ids").get(GENERATION).and_then(|it| it.parse().ok());
                    read.generation = read.generation.max(generation);
                }
                read.rows.insert(uuid, NorthboundRow::read(table, &row)?);
            }
        }
        Ok(read)
    }
}

/// The condition that a row is the network's.
pub fn marked(network: Uuid) -> Condition {
    Condition::includes("external_ids", Datum::map([(NETWORK, network.to_string())]))
}

/// The network of a row that was read with its `external_ids`. `None` for a row of others.
pub fn network_of(row: &Row) -> Option<Uuid> {
    row.texts("external_ids").get(NETWORK)?.parse().ok()
}
