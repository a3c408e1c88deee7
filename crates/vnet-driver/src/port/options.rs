//! The guest and owner of an interface, and how its passt runs.

use vnet_passt::{Connection, Lifetime, Process};
use vnet_types::Uuid;

/// The guest and owner of an interface. A field that is `None` keeps the value of an attached port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttachOptions {
    /// The user who may open the tap without any capability. The default is the user of this
    /// process if `group` is not set either.
    pub owner: Option<u32>,
    /// The group whose members may open the tap without any capability.
    pub group: Option<u32>,
    /// The guest's name.
    pub guest: Option<String>,
    /// The guest's UUID.
    pub guest_uuid: Option<Uuid>,
    /// The name of a guest behind passt that has no other name and is not attached yet. Such a
    /// guest has no device, so its name identifies it.
    pub guest_by_default: Option<String>,
    /// Keeps the tap of an [`AttachedPort`](crate::AttachedPort) when its last file is closed.
    /// Without this, the tap is removed with its files, so a killed process leaves none.
    pub persistent: bool,
    /// The definition was already checked with the rest of its domain: only its findings on this
    /// host are added.
    pub is_judged: bool,
    /// How a guest's passt runs.
    pub passt: PasstOptions,
}

/// How a guest's passt runs. A field that is `None` follows the interface, or libvirt's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PasstOptions {
    /// When it ends.
    pub lifetime: Option<Lifetime>,
    /// Who starts it. For the foreground, everything is prepared and the caller starts it.
    pub process: Option<Process>,
    /// How the guest connects to it.
    pub connection: Option<Connection>,
}
