//! Reading kept definitions, and networks by name or UUID.

use std::fs;
use std::path::PathBuf;

use vnet_host::Receipt;
use vnet_types::{KnownNetwork, NetworkName, Uuid};
use vnet_xml::Network;

use super::fill::{as_running, fixed_bridge};
use super::identity::{of_name, uuid_of};
use crate::driver::Driver;
use crate::error::Error;
use crate::network::RUNNING;

/// What there is to know of the kept definition of a network that runs.
#[derive(Debug)]
#[non_exhaustive]
pub enum DefinitionNews {
    /// It is not the one that the network runs with.
    Differs,
    /// It cannot be used.
    Unusable(Error),
}

impl Driver {
    /// The kept definition of a network. `None` when none is kept.
    ///
    /// # Errors
    /// [`Error::Kept`] when its file is not a network; [`Error::OtherName`] when the file defines a
    /// network of another name; [`Error::Host`] when it cannot be read, or others could have
    /// written it.
    pub fn kept(&self, network: &NetworkName) -> Result<Option<Network>, Error> {
        let Some(text) = self.definitions.read(network)? else { return Ok(None) };
        let path = || self.definitions.file(network);
        let parsed = Network::parse(&text).into_result();
        let kept = parsed.map_err(|error| Error::Kept { path: path(), what: "a network", source: error.into() })?;
        if kept.name != network.as_str() {
            return Err(Error::OtherName { path: path(), name: network.clone(), inside: kept.name });
        }
        Ok(Some(kept))
    }

    /// The text of the kept definition of a network, as it is in its file. `None` when none is
    /// kept.
    ///
    /// # Errors
    /// [`Error::Host`] when it cannot be read, or others could have written it.
    pub fn kept_text(&self, network: &NetworkName) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.definitions.read(network)?)
    }

    /// Whether the definition of a network is kept, even one that cannot be used.
    ///
    /// # Errors
    /// [`Error::Host`] when the folder cannot be read.
    pub fn is_persistent(&self, network: &NetworkName) -> Result<bool, Error> {
        Ok(self.definitions.has(network)?)
    }

    /// The files among the kept definitions that are not named as one: nothing reads them.
    ///
    /// # Errors
    /// [`Error::Host`] when the folder cannot be read.
    pub fn unused_files(&self) -> Result<Vec<PathBuf>, Error> {
        Ok(self.definitions.strays()?)
    }

    /// Whether a network runs.
    ///
    /// # Errors
    /// [`Error::Host`] when its receipt cannot be read.
    pub fn runs(&self, network: &NetworkName) -> Result<bool, Error> {
        Ok(self.store.has(network)?)
    }

    /// The definition of a network as libvirt prints it: as it runs, or as it is kept when it does
    /// not run.
    ///
    /// # Errors
    /// [`Error::NoNetwork`]; those of [`definition`](Self::definition) and [`kept`](Self::kept).
    pub fn xml(&self, network: &NetworkName) -> Result<String, Error> {
        match self.definition(network) {
            Err(Error::NotRunning(_)) => self.inactive_xml(network),
            running => running.map(|running| running.to_string()),
        }
    }

    /// The definition of a network that the next start uses, as libvirt prints it: the one that is
    /// kept. A transient network has only the one that it runs with.
    ///
    /// # Errors
    /// [`Error::NoNetwork`]; those of [`kept`](Self::kept).
    pub fn inactive_xml(&self, network: &NetworkName) -> Result<String, Error> {
        let known = match self.kept(network)? {
            None => self.as_it_runs(network)?,
            kept => kept,
        };
        let known = known.ok_or_else(|| Error::NoNetwork(network.to_string()))?;
        Ok(known.inactive().to_string())
    }

    /// The error about a network whose definition is not kept.
    pub(super) fn not_defined(&self, network: &NetworkName) -> Error {
        match self.runs(network) {
            Ok(false) => Error::NoNetwork(network.to_string()),
            _ => Error::NotDefined(network.clone()),
        }
    }

    /// The definition that a network is brought to by its name, as a file and its text: the one
    /// that is kept; when none is kept, the one that it runs with.
    ///
    /// # Errors
    /// [`Error::NoNetwork`]; [`Error::OtherName`]; [`Error::Read`], [`Error::Host`] when the file
    /// cannot be read.
    pub fn definition_text(&self, network: &NetworkName) -> Result<(PathBuf, Vec<u8>), Error> {
        if let Some(text) = self.definitions.read(network)? {
            match self.kept(network) {
                Err(error @ Error::OtherName { .. }) => return Err(error),
                // Whoever reads the text finds everything that is wrong with it.
                _ => return Ok((self.definitions.file(network), text)),
            }
        }
        match self.running_text(network) {
            Err(Error::NotRunning(_)) => Err(Error::NoNetwork(network.to_string())),
            text => text,
        }
    }

    /// The definition that a network runs with, as a file and its text.
    ///
    /// # Errors
    /// [`Error::NotRunning`]; [`Error::Read`], [`Error::Host`] when the file cannot be read.
    pub fn running_text(&self, network: &NetworkName) -> Result<(PathBuf, Vec<u8>), Error> {
        if !self.runs(network)? {
            return Err(Error::NotRunning(network.clone()));
        }
        let path = self.store.directory(network).join(RUNNING);
        let text = fs::read(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        Ok((path, text))
    }

    /// What there is to know of the kept definition of a network that runs.
    pub fn definition_news(&self, network: &NetworkName) -> Option<DefinitionNews> {
        match self.kept(network) {
            Err(error) => Some(DefinitionNews::Unusable(error)),
            Ok(kept) => {
                let (kept, runs) = (kept?, self.as_it_runs(network).ok().flatten()?);
                are_different(&kept, &runs).then_some(DefinitionNews::Differs)
            }
        }
    }

    /// The network with a name or a UUID, whether it runs or is defined.
    ///
    /// # Errors
    /// [`Error::NoNetwork`]; [`Error::Host`] when the folders cannot be read.
    pub fn lookup(&self, name_or_uuid: &str) -> Result<NetworkName, Error> {
        if let Ok(name) = name_or_uuid.parse::<NetworkName>()
            && self.is_known(&name)?
        {
            return Ok(name);
        }
        let none = || Error::NoNetwork(name_or_uuid.to_owned());
        let uuid = name_or_uuid.parse().map_err(|_| none())?;
        self.with_uuid(uuid)?.ok_or_else(none)
    }

    /// The network with a UUID.
    pub(crate) fn with_uuid(&self, uuid: Uuid) -> Result<Option<NetworkName>, Error> {
        let mut running = self.store.networks()?.into_iter();
        if let Some(running) = running.find(|known| known.uuid == Some(uuid)) {
            return Ok(Some(running.name));
        }
        let has_it = |known: &KnownNetwork| known.uuid.unwrap_or_else(|| of_name(known.name.as_str())) == uuid;
        Ok(self.known_others(None)?.into_iter().find(has_it).map(|known| known.name))
    }

    /// The UUID that a network runs with: that of the definition, else that which it has already,
    /// else one that is drawn. Refuses one that libvirt refuses because of what is kept.
    pub(crate) fn identity(
        &self,
        network: &Network,
        name: &NetworkName,
        receipt: Option<&Receipt>,
    ) -> Result<Uuid, Error> {
        // A kept definition that cannot be read is reported where it is used.
        let kept = self.kept(name).ok().flatten().map(|kept| uuid_of(&kept));
        let Some(uuid) = network.uuid else {
            let known = receipt.and_then(|receipt| receipt.header.uuid).or(kept);
            return known.map_or_else(|| self.drawn_uuid(network), Ok);
        };
        match kept {
            Some(kept) if kept == uuid => {}
            Some(kept) => return Err(Error::NameTaken { name: name.clone(), uuid: kept }),
            None => {
                let others = self.known_others(Some(name)).unwrap_or_default();
                if let Some(other) = others.into_iter().find(|other| other.uuid == Some(uuid)) {
                    return Err(Error::UuidTaken { name: other.name, uuid });
                }
            }
        }
        Ok(uuid)
    }

    /// The other networks that are defined, with the names of their bridges, which are taken even
    /// when they do not run.
    pub(crate) fn reserved(&self, but: &NetworkName) -> impl Iterator<Item = KnownNetwork> {
        let others = self.known_others(Some(but)).unwrap_or_default().into_iter();
        others.map(|known| KnownNetwork { uuid: None, ..known })
    }

    /// What a kept definition says of its network. `None` when none is kept; `Some(None)` when it
    /// cannot be read, which is reported where it is used.
    pub(super) fn kept_facts(&self, network: &NetworkName) -> Result<Option<Option<KnownNetwork>>, Error> {
        let read = || {
            let kept = self.kept(network).ok().flatten()?;
            Some(KnownNetwork { name: network.clone(), uuid: kept.uuid, bridge: fixed_bridge(&kept).cloned() })
        };
        Ok(self.definitions.understood(network, &self.understood, read)?)
    }

    /// What the kept definitions of all networks but one say, as far as they can be read.
    pub(super) fn known_others(&self, but: Option<&NetworkName>) -> Result<Vec<KnownNetwork>, Error> {
        let names = self.definitions.names()?.into_iter().filter(|name| Some(name) != but);
        let known = names.map(|name| self.kept_facts(&name)).collect::<Result<Vec<_>, _>>()?;
        Ok(known.into_iter().flatten().flatten().collect())
    }

    /// The kept definitions of all networks, as far as they can be read.
    pub(crate) fn all_kept(&self) -> Result<Vec<(NetworkName, Network)>, Error> {
        let names = self.definitions.names()?.into_iter();
        Ok(names.filter_map(|name| Some((name.clone(), self.kept(&name).ok()??))).collect())
    }
}

/// Whether the kept definition is not the one that a network runs with. Comments do not count, nor
/// what libvirt fills in when it prints.
pub(crate) fn are_different(kept: &Network, running: &Network) -> bool {
    let printed = |network: &Network| network.inactive().to_string().parse::<Network>().ok();
    printed(&as_running(kept, running)) != printed(running)
}
