#![doc = include_str!("../README.md")]

mod acl;
mod allocate;
mod carry;
mod dhcp;
mod dhcp_value;
mod difference;
mod dns;
mod finding;
mod forward;
mod guest;
mod identity;
mod lower;
mod northbound;
mod observed;
mod router;
mod row;
mod table;

pub use allocate::{AllTaken, guest_addresses};
pub use carry::with_guests;
pub use dhcp_value::{DhcpText, DhcpTextError, DhcpValue};
pub use difference::transaction;
pub use finding::{OvnFinding, not_carried};
pub use guest::OvnGuest;
pub use lower::{OvnError, northbound_rows};
pub use northbound::Northbound;
pub use observed::port_id;
pub use row::{ColumnValue, NorthboundRow, RowError};
pub use table::NorthboundTable;
