//! The guests that the rows of a network tell of.

use vnet_types::{MacAddr, Uuid};

use crate::identity::row_of;
use crate::row::{ColumnValue, ISOLATED, NorthboundRow};
use crate::{Northbound, NorthboundTable, OvnGuest};

impl Northbound {
    /// The guests whose ports there are, in the order of their ids. Ports of others and those that
    /// lead to routers and physical networks are no guests.
    pub fn guests(&self) -> Vec<OvnGuest> {
        let ports = self.rows.values().filter(|row| row.table == NorthboundTable::SwitchPort);
        let mut guests: Vec<_> = ports.filter_map(guest).collect();
        guests.sort_by_key(|guest| guest.id);
        guests
    }
}

/// The id of a guest's port where its definition gives none: it follows from the network and the
/// MAC address, so that a guest has the same port on every host.
pub fn port_id(network: Uuid, mac: MacAddr) -> Uuid {
    row_of(network, &format!("guest {mac}"))
}

fn guest(row: &NorthboundRow) -> Option<OvnGuest> {
    if text(row, "type") != Some("") {
        return None;
    }
    let id = text(row, "name")?.parse().ok()?;
    let Some(ColumnValue::Texts(addresses)) = row.columns.get("addresses") else { return None };
    let mut words = addresses.iter().next()?.split_whitespace();
    let mut guest = OvnGuest::new(id, words.next()?.parse().ok()?);
    guest.isolated = row.marks.contains_key(ISOLATED);
    guest.addresses = words.filter_map(|word| word.parse().ok()).collect();
    if let Some(ColumnValue::Map(options)) = row.columns.get("options") {
        guest.chassis = options.get("requested-chassis").cloned();
        guest.name = options.get("hostname").map(|name| name.trim_matches('"').to_owned());
    }
    Some(guest)
}

fn text<'r>(row: &'r NorthboundRow, column: &str) -> Option<&'r str> {
    match row.columns.get(column)? {
        ColumnValue::Text(text) => Some(text),
        _ => None,
    }
}
