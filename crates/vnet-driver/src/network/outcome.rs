//! The result of a call about a network.

use vnet_plan::Change;
use vnet_types::{InterfaceName, NetworkName};
use vnet_validate::Finding;

use crate::note::Note;
use crate::obstacle::Obstacle;
use crate::ovn::OvnOutcome;

/// The result of planning, starting or changing a network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NetworkOutcome {
    /// The network's name.
    pub name: NetworkName,
    /// Its bridge. `None` when its guests are attached to an existing device of the host.
    pub bridge: Option<InterfaceName>,
    /// The changes that were made, or would be.
    pub changes: Vec<Change>,
    /// Warnings about the definition, alone and on this host.
    pub findings: Vec<Finding>,
    /// What this host cannot do for it.
    pub notes: Vec<Note>,
    /// Rules of other programs that block it.
    pub obstacles: Vec<Obstacle>,
    /// What was done in OVN's northbound database. `None` for a network of this host.
    pub ovn: Option<OvnOutcome>,
}

impl NetworkOutcome {
    /// Whether nothing was to be done.
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.ovn.as_ref().is_none_or(|ovn| ovn.changes.is_empty())
    }
}
