//! nf_tables messages to and from the kernel over netlink (`linux/netfilter/nf_tables.h`).

mod attribute;
mod batch;
mod element;
mod expression;
mod flowtable;
mod foreign;
#[cfg(feature = "netlink")]
mod intact;
#[cfg(feature = "netlink")]
mod ledger;
#[cfg(feature = "netlink")]
mod libvirt;
#[cfg(feature = "netlink")]
mod libvirt_forwards;
mod message;
mod near;
mod networks;
mod own;
#[cfg(feature = "netlink")]
mod pause;
mod recognise;
mod seen;
mod set;
mod statement;
mod table;
#[cfg(feature = "netlink")]
mod trace;
mod user_data;

pub use batch::{Batch, EncodeError};
#[cfg(feature = "netlink")]
pub(crate) use flowtable::trial;
pub use foreign::{Around, Carried, CtState, Deed, ExplainedEnd, ExplainedStep, Explanation, FrameRule};
pub use foreign::{Foreign, Hook, Judgement, Meddling, MeddlingAct, Packet, Site};
#[cfg(feature = "netlink")]
pub(crate) use intact::Intact;
#[cfg(feature = "netlink")]
pub use ledger::Ledger;
#[cfg(feature = "netlink")]
pub(crate) use libvirt::Installed;
#[cfg(feature = "netlink")]
pub(crate) use libvirt_forwards::Passages;
pub use networks::Networks;
#[cfg(feature = "netlink")]
pub(crate) use pause::pause;
pub use table::{Counts, Table};
#[cfg(feature = "netlink")]
pub(crate) use trace::arm;
#[cfg(feature = "netlink")]
pub use trace::{RuleTexts, TraceEvent, TraceFlow, TracedPacket};
