#![doc = include_str!("../README.md")]

mod acl;
mod allocate;
mod carry;
mod dhcp;
mod dhcp_value;
mod difference;
mod dns;
mod egress;
mod forward;
mod guest;
mod identity;
mod lower;
mod matching;
mod name_server;
mod northbound;
mod priority;
mod qos;
mod router;
mod row;
mod table;

pub use allocate::{AllTaken, guest_addresses};
pub use carry::{NorthboundGuests, with_guests};
pub use dhcp_value::{DhcpText, DhcpTextError, DhcpValue};
pub use difference::transaction;
pub use dns::name_servers;
pub use guest::{OvnGuest, port_id};
pub use identity::port_name;
pub use lower::{OvnError, northbound_rows};
pub use matching::{OvnMatch, ParseMatchError};
pub use name_server::OvnNameServer;
pub use northbound::{Northbound, marked, network_of};
pub use row::{ColumnValue, NorthboundRow, RowError};
pub use table::NorthboundTable;
