//! What the kernel says and is told: nf_tables messages over netlink (`linux/netfilter/nf_tables.h`).

mod attribute;
mod batch;
mod element;
mod expression;
mod message;
mod near;
mod statement;
mod table;

pub use batch::{Batch, EncodeError};
pub use table::{Counts, Table};
