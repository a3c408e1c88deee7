//! libvirt's networks on this host: their definitions, those that run, their leases, and what is
//! added to them.

mod beside;
mod definitions;
mod export;
mod hook_file;
mod import;
mod kept_there;
mod leases;
mod running;
mod sockets;
mod take_over;

pub use beside::LibvirtCall;
pub use definitions::LibvirtFolders;
pub use export::Exported;
pub use hook_file::{LibvirtHookError, LibvirtHookOutcome};
pub use import::Imported;
pub(crate) use kept_there::{keep_in_libvirt, kept_by_libvirt};
pub(crate) use running::{Running, running};
pub use sockets::ClientSocket;
pub use take_over::TakenOver;
