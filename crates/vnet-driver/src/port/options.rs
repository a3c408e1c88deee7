//! Who an interface is for, and how its passt is run.

use vnet_passt::{Connection, Lifetime, Process};
use vnet_types::Uuid;

/// Who an interface is for. What is absent is kept as it is where the port is attached already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttachOptions {
    /// The user who may open the tap without any capability; without `group` too: this process's.
    pub owner: Option<u32>,
    /// The group whose members may open the tap without any capability.
    pub group: Option<u32>,
    /// The guest's name.
    pub guest: Option<String>,
    /// The guest's UUID.
    pub guest_uuid: Option<Uuid>,
    /// The name of a guest behind passt that has none and is not attached yet. Such a guest has no
    /// device: it is known by its name.
    pub guest_by_default: Option<String>,
    /// The tap of an [`AttachedPort`](crate::AttachedPort) stays when its last file is closed.
    /// Without this it goes with them, so that a process that is killed leaves none.
    pub persistent: bool,
    /// The definition was judged beside the others of its domain: only what this host says about it
    /// is asked.
    pub is_judged: bool,
    /// How a guest's passt is run.
    pub passt: PasstOptions,
}

/// How a guest's passt is run. What is absent is as the interface says, or as libvirt does it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PasstOptions {
    /// How long it runs.
    pub lifetime: Option<Lifetime>,
    /// Who runs it. One in the foreground is made ready, and started by the caller.
    pub process: Option<Process>,
    /// How the guest is connected to it.
    pub connection: Option<Connection>,
}
