//! What is known of a network, whether it runs or is only defined.

use std::collections::BTreeSet;

use vnet_host::{Listed, Named, Unread, Unreadable};
use vnet_types::{InterfaceName, NetworkName, Uuid};
use vnet_xml::Network;

use super::fill::fixed_bridge;
use super::identity::uuid_of;
use super::kept::are_different;
use crate::driver::Driver;
use crate::error::Error;
use crate::libvirt::LibvirtFolders;
use crate::network::NetworkSummary;
use crate::state::State;

/// A network that runs, or is defined, or both.
#[derive(Debug)]
#[non_exhaustive]
pub struct NetworkInfo {
    /// Its name.
    pub name: NetworkName,
    /// Its UUID. `None` when its definition cannot be read.
    pub uuid: Option<Uuid>,
    /// One line for people, from `<title>`.
    pub title: Option<String>,
    /// Its state. `None` when it does not run: it is inactive.
    pub state: Option<State>,
    /// Whether its definition is kept. Otherwise it is transient.
    pub is_persistent: bool,
    /// Whether it starts at boot.
    pub autostart: bool,
    /// Its bridge. `None` when its guests are attached to an existing device of the host.
    pub bridge: Option<InterfaceName>,
    /// The number of attached guests.
    pub guests: usize,
    /// What of the network that runs could not be read.
    pub unread: BTreeSet<Unread>,
    /// Whether the kept definition is not the one that it runs with.
    pub differs: bool,
    /// Why the kept definition cannot be used.
    pub trouble: Option<Error>,
    /// Whether libvirt runs it, keeps its definition and starts it at boot.
    pub runs_in_libvirt: bool,
}

impl NetworkInfo {
    /// Whether it runs.
    pub fn is_active(&self) -> bool {
        self.state.is_some()
    }
}

impl Driver {
    /// Lists the networks that run or are defined, ordered by name. Leftovers of processes that
    /// have ended are removed first.
    ///
    /// # Errors
    /// [`Error::Host`] when a folder or the host cannot be read. A network whose receipt cannot be
    /// read is an entry, and so is one whose definition cannot be used.
    pub fn all(&self) -> Result<Vec<Listed<NetworkInfo>>, Error> {
        let running = self.networks()?;
        let mut inactive: BTreeSet<NetworkName> = self.definitions.names()?.into_iter().collect();
        let mut all = Vec::new();
        for listed in running {
            match listed {
                Ok(summary) => {
                    inactive.remove(&summary.name);
                    all.push(Ok(self.info_of(summary.name.clone(), Some(summary))?));
                }
                Err(unreadable) => {
                    if let Named::Network(name) = &unreadable.of {
                        inactive.remove(name);
                    }
                    all.push(Err(unreadable));
                }
            }
        }
        for name in inactive {
            all.push(Ok(self.info_of(name, None)?));
        }
        all.sort_by_key(name_of);
        Ok(all)
    }

    /// What is known of a network.
    ///
    /// # Errors
    /// [`Error::NoNetwork`] when it neither runs nor is defined; [`Error::Host`] when a folder or
    /// the host cannot be read.
    pub fn info(&self, network: &NetworkName) -> Result<NetworkInfo, Error> {
        let summary = self.summary(network)?;
        if summary.is_none() && !self.definitions.has(network)? {
            return Err(Error::NoNetwork(network.to_string()));
        }
        self.info_of(network.clone(), summary)
    }

    fn info_of(&self, name: NetworkName, running: Option<NetworkSummary>) -> Result<NetworkInfo, Error> {
        let (kept, trouble) = match self.kept(&name) {
            Ok(kept) => (kept, None),
            Err(error) => (None, Some(error)),
        };
        let runs_in_libvirt = running.as_ref().is_some_and(|running| running.runs_in_libvirt);
        let theirs = LibvirtFolders::system();
        let is_persistent = match runs_in_libvirt {
            true => theirs.file(name.as_str()).exists(),
            false => kept.is_some() || trouble.is_some(),
        };
        let runs = running.as_ref().and_then(|running| running.definition.as_ref()?.parse::<Network>().ok());
        let differs = matches!((&kept, &runs), (Some(kept), Some(runs)) if are_different(kept, runs));
        let of = |read: fn(&Network) -> Option<String>| runs.as_ref().or(kept.as_ref()).and_then(read);
        Ok(NetworkInfo {
            uuid: runs.as_ref().or(kept.as_ref()).map(uuid_of),
            title: of(|network| network.title.clone()),
            autostart: match runs_in_libvirt {
                true => theirs.starts_at_boot(name.as_str()),
                false => is_persistent && self.definitions.starts_at_boot(&name)?,
            },
            bridge: match &running {
                Some(running) => running.bridge.clone(),
                None => kept.as_ref().and_then(fixed_bridge).cloned(),
            },
            guests: running.as_ref().map_or(0, |running| running.guests),
            unread: running.as_ref().map(|running| running.unread.clone()).unwrap_or_default(),
            state: running.map(|running| running.state),
            is_persistent,
            differs,
            trouble,
            runs_in_libvirt,
            name,
        })
    }
}

fn name_of(listed: &Listed<NetworkInfo>) -> String {
    match listed {
        Ok(info) => info.name.to_string(),
        Err(Unreadable { of, .. }) => of.name().to_owned(),
    }
}
