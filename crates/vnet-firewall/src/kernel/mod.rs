//! What the kernel says and is told: nf_tables messages over netlink (`linux/netfilter/nf_tables.h`).

mod attribute;
mod batch;
mod element;
mod expression;
mod foreign;
mod message;
mod near;
mod set;
mod statement;
mod table;
mod user_data;

pub use batch::{Batch, EncodeError};
pub use foreign::{Connection, Foreign, Hook, Judgement, Packet, Site};
#[cfg(feature = "netlink")]
pub(crate) use table::Intact;
pub use table::{Counts, Table};
