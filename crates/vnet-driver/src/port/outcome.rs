//! The result of a call about a port.

use vnet_passt::Passt;
use vnet_plan::Change;
use vnet_types::KnownPort;
use vnet_validate::Finding;

use super::device::Device;
use crate::note::Note;

/// The result of planning, attaching or changing a port.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PortOutcome {
    /// The port.
    pub port: KnownPort,
    /// Its device, as the kernel reports it.
    pub device: Device,
    /// The arguments of its passt. `None` when the guest is not behind passt.
    pub passt: Option<Passt>,
    /// Whether it was attached already.
    pub was_attached: bool,
    /// The changes that were made, or would be.
    pub changes: Vec<Change>,
    /// Warnings about the definition, alone and on this host.
    pub findings: Vec<Finding>,
    /// What this host cannot do for it.
    pub notes: Vec<Note>,
}
