//! What comes of a call about a port.

use vnet_passt::Passt;
use vnet_plan::Change;
use vnet_types::KnownPort;
use vnet_validate::Finding;

use super::device::Device;

/// What comes of a plan, an attach or a change of a port.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PortOutcome {
    /// The port.
    pub port: KnownPort,
    /// What the kernel says of its device.
    pub device: Device,
    /// What its passt is told. `None` where the guest is not behind passt.
    pub passt: Option<Passt>,
    /// It was attached already.
    pub was_attached: bool,
    /// What was done to the host, or would be.
    pub changes: Vec<Change>,
    /// What is to be said about the definition, alone and on this host: warnings.
    pub findings: Vec<Finding>,
}
