//! Networks by their UUID, as libvirt's clients know them.

use std::collections::BTreeMap;

use vnet_host::LinuxHost;
use vnet_types::{NetworkName, Uuid, fnv1a};
use vnet_xml::Network;

use crate::driver::Driver;
use crate::error::Error;

/// A network that runs or is defined, as far as its files tell without a look at the host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NetworkIdentity {
    /// Its name.
    pub name: NetworkName,
    /// Its UUID. Where its files have none, it is made of its name.
    pub uuid: Uuid,
    /// Whether it runs.
    pub is_active: bool,
    /// Whether its definition is kept. Otherwise it is transient.
    pub is_persistent: bool,
    /// Whether it starts at boot.
    pub autostart: bool,
}

impl Driver {
    /// Lists the networks that run or are defined, ordered by name.
    ///
    /// # Errors
    /// [`Error::Host`] when a folder cannot be read.
    pub fn identities(&self) -> Result<Vec<NetworkIdentity>, Error> {
        let running = self.store.networks()?.into_iter().map(|known| (known.name, known.uuid));
        let mut networks: BTreeMap<NetworkName, (Option<Uuid>, bool)> =
            running.map(|(name, uuid)| (name, (uuid, true))).collect();
        for name in self.definitions.names()? {
            networks.entry(name).or_default();
        }
        let linked = self.definitions.linked()?;
        let identified = |(name, (uuid, runs))| {
            let is_linked = linked.contains(&name);
            self.identified(name, uuid, runs, is_linked)
        };
        networks.into_iter().map(identified).collect()
    }

    /// The network with this name. `None` when it neither runs nor is defined.
    ///
    /// # Errors
    /// [`Error::Host`] when a folder cannot be read.
    pub fn identity_of_name(&self, network: &NetworkName) -> Result<Option<NetworkIdentity>, Error> {
        let header = self.store.header(network)?;
        if header.is_none() && !self.definitions.has(network)? {
            return Ok(None);
        }
        let uuid = header.as_ref().and_then(|header| header.uuid);
        let is_linked = self.definitions.starts_at_boot(network)?;
        self.identified(network.clone(), uuid, header.is_some(), is_linked).map(Some)
    }

    /// The network with this UUID. `None` when no such network runs or is defined.
    ///
    /// # Errors
    /// [`Error::Host`] when a folder cannot be read.
    pub fn identity_of_uuid(&self, uuid: Uuid) -> Result<Option<NetworkIdentity>, Error> {
        Ok(self.identities()?.into_iter().find(|network| network.uuid == uuid))
    }

    fn identified(
        &self,
        name: NetworkName,
        uuid: Option<Uuid>,
        runs: bool,
        is_linked: bool,
    ) -> Result<NetworkIdentity, Error> {
        let kept = self.kept_facts(&name)?;
        let is_persistent = kept.is_some();
        let uuid = uuid.or_else(|| kept.flatten()?.uuid).unwrap_or_else(|| of_name(name.as_str()));
        Ok(NetworkIdentity { name, uuid, is_active: runs, is_persistent, autostart: is_persistent && is_linked })
    }

    /// A UUID for a network that has none. A trial draws the same each time, and a network that OVN
    /// makes must have the same on every host.
    pub(super) fn drawn_uuid(&self, network: &Network) -> Result<Uuid, Error> {
        match self.imagined.as_ref().and_then(|imagined| imagined.seed) {
            None if !network.is_on_ovn() => Ok(Uuid::from_random(LinuxHost::random()?)),
            _ => Ok(of_name(&network.name)),
        }
    }
}

/// The UUID of a network by its kept definition. One that somebody wrote there may have none: then
/// it is made of the name, so that the network has the same before, during and after it runs.
pub(crate) fn uuid_of(kept: &Network) -> Uuid {
    kept.uuid.unwrap_or_else(|| of_name(&kept.name))
}

/// A UUID that is always the same for a name.
pub(super) fn of_name(name: &str) -> Uuid {
    let half = |salt: u8| fnv1a(name.bytes().chain([salt])).to_be_bytes();
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&half(0));
    bytes[8..].copy_from_slice(&half(1));
    Uuid::from_random(bytes)
}
