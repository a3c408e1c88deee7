//! libvirt's networks on this host.

mod running;

pub(crate) use running::{Running, running};
