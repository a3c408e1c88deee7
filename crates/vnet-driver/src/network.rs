//! Networks: one file for each operation.

mod acceleration;
mod addresses;
mod apply;
mod boot;
mod check;
mod confirm;
mod definition;
mod diff;
mod forward;
mod impact;
mod instances;
mod interrupted;
mod leases;
mod metadata;
mod near;
mod outcome;
mod pair;
mod plan;
mod prepare;
mod refusal;
mod render;
mod run;
mod several;
mod start;
mod status;
mod stop;
mod update;

pub(crate) use acceleration::flowtable_of;
pub(crate) use near::is_told_near;
pub(crate) use prepare::{RUNNING, random};

pub use addresses::{AddressOfGuest, AddressSource};
pub use boot::Attempt;
pub use check::{Check, Checker};
pub use confirm::Unconfirmed;
pub use forward::{ForwardAct, ForwardUpdate};
pub use impact::Impact;
pub use leases::{LeaseOfNetwork, Leases};
pub use outcome::NetworkOutcome;
pub use render::Rendering;
pub use run::RunningNetwork;
pub use status::{Counted, NetworkStatus, NetworkSummary};
pub use update::{Edited, ElementReport, Update, UpdateOutcome};
