#![doc = include_str!("../README.md")]

mod database;
mod error;
mod frame;
mod help;
mod monitor;
mod operation;
mod remote;
mod session;
mod stream;
#[cfg_attr(not(all(feature = "tls", any(target_arch = "x86_64", target_arch = "aarch64"))), path = "no_tls.rs")]
mod tls;
mod tls_files;
mod value;

pub use database::Database;
pub use error::{Error, Refusal, Unusable};
pub use monitor::{RowChange, RowUpdate, TableMonitor};
pub use operation::{Comparison, Condition, DatabaseOperation, Mutation, Mutator, OperationResult, Until};
pub use remote::{ParseRemoteError, Remote};
pub use tls_files::{TlsFailure, TlsFiles};
pub use value::{Atom, Datum, Row, ValueError};
pub use vnet_types::Uuid;
