//! Definitions that are kept, and what a host has of their networks.
//!
//! A network is persistent exactly when its definition is kept, and transient otherwise.

mod autostart;
mod data;
mod define;
mod fill;
mod identity;
mod info;
mod kept;
mod undefine;

pub(crate) use fill::fixed_bridge;
pub(crate) use identity::uuid_of;
pub(crate) use kept::are_different;

pub use define::Defined;
pub use identity::NetworkIdentity;
pub use info::NetworkInfo;
pub use kept::DefinitionNews;
