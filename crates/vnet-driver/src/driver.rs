//! The driver: its folders, and what every call begins with.

use std::io;
use std::path::{Path, PathBuf};

use vnet_host::{LinuxHost, Lock, Named, Store, Survey};
use vnet_types::{Firewalld, InterfaceName, Inventory, KnownNetwork, NetworkName};
use vnet_xml::Network;

use crate::error::Error;
use crate::hooks::Hooks;
use crate::imagined::Imagined;
use crate::libvirt::{Running, running};

/// libvirt's network driver without the daemon: brings definitions up on this host.
///
/// A driver holds folders and no connections. Each call opens the host in the network namespace of
/// its thread, and takes the lock of the state folder when it changes something. A driver can be
/// cloned and used from many threads. Calls block for milliseconds.
#[derive(Clone, Debug)]
pub struct Driver {
    pub(crate) store: Store,
    state: PathBuf,
    definitions: PathBuf,
    pub(crate) imagined: Option<Imagined>,
    waiting: fn(Option<u32>),
    pub(crate) hooks: Hooks,
}

/// The default folder of kept definitions.
const DEFINITIONS: &str = "/etc/vnet";

impl Driver {
    /// A driver that keeps its state in a folder, which is created when it is needed.
    ///
    /// # Errors
    /// [`Error::Folder`] for a relative path when the current folder is gone.
    pub fn open(state: impl AsRef<Path>) -> Result<Self, Error> {
        let state = state.as_ref();
        let failed = |source: io::Error| Error::Folder { path: state.to_owned(), source };
        let state = std::path::absolute(state).map_err(failed)?;
        let store = Store::new(&state);
        let hooks = Hooks::of(DEFINITIONS);
        Ok(Self { store, state, definitions: DEFINITIONS.into(), imagined: None, waiting: |_| {}, hooks })
    }

    /// Changes the folder of kept definitions and of hooks, which is `/etc/vnet` by default.
    #[must_use]
    pub fn with_definitions(self, folder: impl Into<PathBuf>) -> Self {
        let definitions = folder.into();
        Self { hooks: self.hooks.in_folder(&definitions), definitions, ..self }
    }

    /// Calls `waiting` after one second of waiting for the lock, with the process number of the
    /// holder, if known. The driver goes on waiting.
    #[must_use]
    pub fn with_waiting(self, waiting: fn(Option<u32>)) -> Self {
        Self { waiting, ..self }
    }

    /// Makes it the driver of a host that was created for a trial.
    #[must_use]
    pub fn imagined(self, imagined: Imagined) -> Self {
        Self { imagined: Some(imagined), ..self }
    }

    /// The folder of state.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// The folder of kept definitions.
    pub(crate) fn definitions_folder(&self) -> PathBuf {
        self.definitions.join("networks")
    }

    /// The file that defines a network of this name.
    pub fn definition_file(&self, network: &NetworkName) -> PathBuf {
        self.definitions.join("networks").join(format!("{}.xml", network.file_name()))
    }

    /// The folder of the files of a network that runs.
    pub fn directory(&self, network: &NetworkName) -> PathBuf {
        self.store.directory(network)
    }

    /// The folder of a guest's passt and its socket.
    ///
    /// # Errors
    /// [`Error::GuestName`].
    pub fn passt_directory(&self, guest: &str) -> Result<PathBuf, Error> {
        let name: NetworkName = guest.parse().map_err(|source| Error::GuestName { text: guest.to_owned(), source })?;
        // No network folder begins with this character.
        Ok(self.state.join("@passt").join(name.file_name()))
    }

    /// The host, in the network namespace of this thread.
    pub(crate) fn host(&self) -> Result<LinuxHost, Error> {
        Ok(LinuxHost::open()?)
    }

    /// Waits for the lock on networks and ports.
    pub(crate) fn lock(&self) -> Result<Lock, Error> {
        Ok(self.store.lock_or_tell(self.waiting)?)
    }

    /// The networks and ports whose owners have ended.
    pub(crate) fn dead(&self) -> Result<Vec<Named>, Error> {
        let dead = self.store.owners()?.into_iter().filter(|(_, owner)| owner.is_gone());
        Ok(dead.map(|(named, _)| named).collect())
    }

    /// The state of the host, and which of it belongs to owners that have ended.
    pub(crate) fn survey(&self, host: &LinuxHost, network: Option<&Network>) -> Result<(Inventory, Vec<Named>), Error> {
        let Survey { mut inventory, owners } = vnet_host::survey(host, &self.store)?;
        if let Some(imagined) = &self.imagined
            && imagined.zones
        {
            inventory.firewalld =
                zone(network).map(|zone| Firewalld { zones: [(zone, [].into())].into(), ..Firewalld::default() });
        }
        if self.imagined.is_none() {
            let known = |there: Running| {
                let name = there.network.name.parse().ok()?;
                Some(KnownNetwork { name, uuid: there.network.uuid, bridge: there.bridge })
            };
            inventory.libvirt = running().into_iter().filter_map(known).collect();
        }
        let dead = owners.into_iter().filter(|(_, owner)| owner.is_gone()).map(|(named, _)| named);
        Ok((inventory, dead.collect()))
    }
}

fn zone(network: Option<&Network>) -> Option<String> {
    network?.bridge.as_ref()?.zone.clone()
}

/// Parses the name of a network.
pub(crate) fn network_name(text: &str) -> Result<NetworkName, Error> {
    text.parse().map_err(|source| Error::NetworkName { text: text.to_owned(), source })
}

/// Parses the name of a device.
pub(crate) fn device_name(text: &str) -> Option<InterfaceName> {
    text.parse().ok()
}
