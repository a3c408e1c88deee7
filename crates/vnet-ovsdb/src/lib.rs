#![doc = include_str!("../README.md")]

mod database;
mod error;
mod frame;
mod monitor;
mod operation;
mod remote;
mod session;
mod value;

pub use database::Database;
pub use error::{Error, Refusal, Unusable};
pub use monitor::{RowChange, RowUpdate, TableMonitor};
pub use operation::{Comparison, Condition, DatabaseOperation, Mutation, Mutator, OperationResult, Until};
pub use remote::{ParseRemoteError, Remote};
pub use value::{Atom, Datum, Row, ValueError};
pub use vnet_types::Uuid;
