//! The driver: its folders, and what every call begins with.

use std::path::{Path, PathBuf};
use std::time::Duration;

use vnet_host::{Data, Definitions, LinuxHost, Lock, Named, Near, SharedLists, Store, Survey, Understood};
use vnet_types::{Firewalld, InterfaceName, Inventory, KnownNetwork, NetworkName};
use vnet_xml::Network;

use crate::error::Error;
use crate::folders::{UserFolders, absolute};
use crate::hooks::{self, Hooks};
use crate::imagined::Imagined;
use crate::libvirt::{Running, running};

/// libvirt's network driver without the daemon: brings definitions up on this host.
///
/// A driver holds folders. Each call opens the host in the network namespace of its thread, and
/// takes the lock of the state folder when it changes something. A driver can be cloned and used
/// from many threads. Calls block for milliseconds.
///
/// From its first start on, a driver has one socket open, by which the kernel tells what changes,
/// so that the next start does not list all addresses and routes again.
#[derive(Clone, Debug)]
pub struct Driver {
    pub(crate) store: Store,
    pub(crate) definitions: Definitions,
    pub(crate) data: Data,
    state: PathBuf,
    pub(crate) imagined: Option<Imagined>,
    /// What kept definitions say of their networks.
    pub(crate) understood: Understood<Option<KnownNetwork>>,
    /// The definitions that networks run with.
    pub(crate) running: Understood<Network>,
    lists: SharedLists,
    /// Whether a definition is compared with the host when it is kept.
    pub(crate) warns: bool,
    waiting: fn(Option<u32>),
    pub(crate) hooks: Hooks,
    lock_limit: Option<Duration>,
    firewalld_limit: Option<Duration>,
    deputy: Option<PathBuf>,
}

/// The system's folders: of state, of definitions, and of what outlasts a stop.
const SYSTEM: [&str; 3] = [UserFolders::STATE_OF_ROOT, "/etc/vnet", "/var/lib/vnet"];
/// How long firewalld may take for an answer to those who only look.
const GLANCE: Duration = Duration::from_secs(3);
/// The folder of networks in the folder of definitions.
const NETWORKS: &str = "networks";

impl Driver {
    /// A driver that keeps its state in a folder, which is created when it is needed.
    ///
    /// Definitions and leases that belong to `/run/vnet` are in `/etc/vnet` and `/var/lib/vnet`.
    /// Those of another folder are in that folder, so that nothing of the system is touched, unless
    /// [`with_definitions`](Self::with_definitions) and [`with_data`](Self::with_data) say
    /// otherwise.
    ///
    /// # Errors
    /// [`Error::Folder`] for a relative path when the current folder is gone.
    pub fn open(state: impl AsRef<Path>) -> Result<Self, Error> {
        let state = absolute(state.as_ref())?;
        let [system, definitions, data] = SYSTEM.map(Path::new);
        let is_system = state == system;
        // No folder of a network begins with this character.
        let within = |name: &str| state.join(name);
        let definitions = if is_system { definitions.to_owned() } else { within("@definitions") };
        let data = if is_system { data.to_owned() } else { within("@data") };
        Ok(Self {
            store: Store::new(&state),
            definitions: Definitions::new(definitions.join(NETWORKS)),
            data: Data::new(data),
            hooks: Hooks::of(definitions),
            state,
            imagined: None,
            understood: Understood::default(),
            running: Understood::default(),
            lists: SharedLists::default(),
            warns: true,
            waiting: |_| {},
            lock_limit: None,
            firewalld_limit: None,
            deputy: None,
        })
    }

    /// Changes the folder of kept definitions, as `networks/NAME.xml`, and of hooks.
    #[must_use]
    pub fn with_definitions(self, folder: impl AsRef<Path>) -> Self {
        let folder = folder.as_ref();
        let definitions = Definitions::new(folder.join(NETWORKS));
        Self { hooks: self.hooks.in_folder(folder), definitions, ..self }
    }

    /// Changes the folder of what outlasts a stop: leases, as `NAME/leases`.
    #[must_use]
    pub fn with_data(self, folder: impl Into<PathBuf>) -> Self {
        Self { data: Data::new(folder), ..self }
    }

    /// Calls `waiting` after one second of waiting for the lock, with the process number of the
    /// holder, if known. The driver goes on waiting.
    #[must_use]
    pub fn with_waiting(self, waiting: fn(Option<u32>)) -> Self {
        Self { waiting, ..self }
    }

    /// Waits for the lock for so long at most, and not for ever. A call fails then with
    /// [`vnet_host::Error::Locked`].
    #[must_use]
    pub fn with_lock_limit(self, limit: Duration) -> Self {
        Self { lock_limit: Some(limit), ..self }
    }

    /// Changes how long firewalld and systemd-resolved may take for an answer, which is 30 seconds
    /// by default.
    #[must_use]
    pub fn with_firewalld_limit(self, limit: Duration) -> Self {
        Self { firewalld_limit: Some(limit), ..self }
    }

    /// Lets another process of `program` wait for the kernel while it deletes links, as
    /// [`vnet_host::LinuxHost::with_deputy`] does: for a program that ends with its call.
    #[must_use]
    pub fn with_deputy(self, program: impl Into<PathBuf>) -> Self {
        Self { deputy: Some(program.into()), ..self }
    }

    /// Keeps definitions without a comparison with the host, which takes longer than all the rest
    /// and only gives warnings.
    #[must_use]
    pub fn without_warnings(self) -> Self {
        Self { warns: false, ..self }
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

    /// The file of the kept definition of a network.
    pub fn definition_file(&self, network: &NetworkName) -> PathBuf {
        self.definitions.file(network)
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
        let mut host = LinuxHost::open()?.remembering(&self.store)?;
        if let Some(limit) = self.firewalld_limit {
            host = host.with_firewalld_limit(limit);
        }
        match &self.deputy {
            Some(deputy) => Ok(host.with_deputy(deputy)),
            None => Ok(host.with_lists(&self.lists)),
        }
    }

    /// The host, for those who only look: what cannot be read is told, and does not hold them up.
    pub(crate) fn onlooker(&self) -> Result<LinuxHost, Error> {
        let limit = self.firewalld_limit.map_or(GLANCE, |limit| limit.min(GLANCE));
        let mut host = self.host()?.with_firewalld_limit(limit);
        host.look_as_allowed();
        Ok(host)
    }

    /// Waits for the lock on networks and ports, and ends a pair of changes that was interrupted.
    pub(crate) fn lock(&self) -> Result<Lock, Error> {
        let tell = |holder| {
            hooks::is_not_ours(holder)?;
            (self.waiting)(holder);
            Ok(())
        };
        let lock = self.store.lock_or_tell(self.lock_limit, tell)?;
        self.end_pair(&lock)?;
        Ok(lock)
    }

    /// The networks and ports whose owners have ended.
    pub(crate) fn dead(&self) -> Result<Vec<Named>, Error> {
        let dead = self.store.owners()?.into_iter().filter(|(_, owner)| owner.is_gone());
        Ok(dead.map(|(named, _)| named).collect())
    }

    /// The state of the host, and which of it belongs to owners that have ended.
    pub(crate) fn survey(&self, host: &LinuxHost, network: Option<&Network>) -> Result<(Inventory, Vec<Named>), Error> {
        Ok(self.surveyed(vnet_host::survey(host, &self.store)?, network))
    }

    /// The same, but of the host only what is near to a definition.
    pub(crate) fn survey_near(
        &self,
        host: &LinuxHost,
        network: &Network,
        near: Near,
    ) -> Result<(Inventory, Vec<Named>), Error> {
        let survey = vnet_host::survey_near(host, &self.store, &network_name(&network.name)?, near)?;
        Ok(self.surveyed(survey, Some(network)))
    }

    fn surveyed(&self, survey: Survey, network: Option<&Network>) -> (Inventory, Vec<Named>) {
        let Survey { mut inventory, owners } = survey;
        self.imagine(&mut inventory, network);
        if self.imagined.is_none() {
            let known = |there: Running| {
                let name = there.network.name.parse().ok()?;
                Some(KnownNetwork { name, uuid: there.network.uuid, bridge: there.bridge })
            };
            inventory.libvirt = running().into_iter().filter_map(known).collect();
        }
        let dead = owners.into_iter().filter(|(_, owner)| owner.is_gone()).map(|(named, _)| named);
        (inventory, dead.collect())
    }

    /// Adds what a host has that was created for a trial of this network.
    pub(crate) fn imagine(&self, inventory: &mut Inventory, network: Option<&Network>) {
        if self.imagined.as_ref().is_some_and(|imagined| imagined.zones) {
            inventory.firewalld =
                zone(network).map(|zone| Firewalld { zones: [(zone, [].into())].into(), ..Firewalld::default() });
            inventory.resolved = true;
        }
    }
}

/// The zone of a definition.
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
