//! What comes of a call about a network.

use vnet_plan::Change;
use vnet_types::{InterfaceName, NetworkName};
use vnet_validate::Finding;

use crate::note::Note;
use crate::obstacle::Obstacle;

/// What comes of a plan, a start or a change of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NetworkOutcome {
    /// The network's name.
    pub name: NetworkName,
    /// Its bridge. `None` where its guests are attached to what the host has already.
    pub bridge: Option<InterfaceName>,
    /// What was done to the host, or would be.
    pub changes: Vec<Change>,
    /// What is to be said about the definition, alone and on this host: warnings.
    pub findings: Vec<Finding>,
    /// What this host cannot do for it.
    pub notes: Vec<Note>,
    /// Rules of other programs that are in its way.
    pub obstacles: Vec<Obstacle>,
}
