//! libvirt's networks on this host: their definitions, those that run, and their leases.

mod definitions;
mod export;
mod import;
mod leases;
mod running;
mod sockets;
mod take_over;

pub use definitions::LibvirtFolders;
pub use export::Exported;
pub use import::Imported;
pub(crate) use running::{Running, running};
pub use sockets::ClientSocket;
pub use take_over::TakenOver;
