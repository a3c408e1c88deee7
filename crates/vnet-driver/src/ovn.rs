//! Networks that OVN makes, for all hosts of a cluster.
//!
//! The northbound database is the memory: a network is the rows that carry its mark. This host
//! keeps nothing of it but the definition, and receipts of its own guests' ports.

mod attach;
mod change;
mod chassis;
mod container;
mod controller;
mod failure;
mod lifecycle;
mod name_server;
mod network;
mod ports;
mod record;
mod remains;
mod sight;
mod status;

pub(crate) use chassis::Chassis;
pub(crate) use controller::Controller;
pub(crate) use record::PortRecord;

pub use change::{OvnAct, OvnChange};
pub use failure::OvnFailure;
pub use lifecycle::OvnOutcome;
pub use network::{OvnNetwork, OvnPlan};
pub(crate) use sight::{Northern, Sight, Southern, gateway_port};
pub use status::{OvnPort, OvnStatus};
