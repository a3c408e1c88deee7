//! The networks of a host as a picture: what there is, and what is connected to what.

mod draw;
mod graph;
mod html;
mod layout;
mod svg;
mod tree;

use std::fs;

use serde::Serialize;
use vnet_host::Listed;
use vnet_types::{Inventory, NetworkName};
use vnet_xml::Network;

use crate::driver::Driver;
use crate::error::Error;
use crate::network::{AddressOfGuest, AddressSource, NetworkStatus};
use crate::port::PortStatus;

pub use html::PicturePromise;
pub use tree::TreeLine;

/// The networks of a host, with what they are connected to. It is printed as a tree, Mermaid, DOT,
/// SVG, or a page of HTML.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Picture {
    /// The host's name.
    pub host: String,
    /// The parts: uplinks, networks, guests.
    pub parts: Vec<PicturePart>,
    /// What is connected to what.
    pub connections: Vec<PictureConnection>,
}

/// A part of a picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PicturePart {
    /// Its kind.
    pub kind: PartKind,
    /// Its name. No text of a picture has control characters.
    pub name: String,
    /// What is shown below the name.
    pub facts: Vec<String>,
    /// What else is known.
    pub details: Vec<String>,
    /// What is wrong: it drifted, or is blocked.
    pub troubles: Vec<String>,
    /// Whether it runs; `false` for a network that is only defined, and for a guest that is only
    /// known by an address that is reserved for it.
    pub runs: bool,
}

/// The kind of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartKind {
    /// A device of the host that traffic leaves by, or that guests share.
    Uplink,
    /// A network.
    Network,
    /// A guest's interface.
    Guest,
}

/// A connection between two parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PictureConnection {
    /// The index of the part that is closer to the outside.
    pub from: usize,
    /// The index of the other part.
    pub to: usize,
    /// How: `NAT`, `routed`, the guest's device.
    pub label: String,
    /// Whether it is blocked or gone.
    pub troubled: bool,
}

/// What a picture is drawn from.
struct Seen {
    host: String,
    inventory: Inventory,
    running: Vec<Listed<SeenNetwork>>,
    inactive: Vec<(NetworkName, Option<Network>)>,
    ports: Vec<PortStatus>,
}

struct SeenNetwork {
    status: NetworkStatus,
    /// `None` when it cannot be read.
    definition: Option<Network>,
    addresses: Vec<AddressOfGuest>,
}

impl Driver {
    /// The networks of this host as a picture, with those that are only defined, or only those with
    /// these names.
    ///
    /// # Errors
    /// [`Error::NoNetwork`]; [`Error::Host`] when a folder or the host cannot be read. A network
    /// that cannot be read is a part with a trouble.
    pub fn picture(&self, only: &[NetworkName]) -> Result<Picture, Error> {
        let is_meant = |name: &NetworkName| only.is_empty() || only.contains(name);
        let (inventory, _) = self.survey(&self.host()?, None)?;
        let mut running = Vec::new();
        for listed in self.statuses()? {
            let seen = match listed {
                Err(unreadable) if only.is_empty() => Err(unreadable),
                Ok(status) if is_meant(&status.name) => Ok(self.seen(status)?),
                _ => continue,
            };
            running.push(seen);
        }
        let runs = |name: &NetworkName| running.iter().flatten().any(|seen| seen.status.name == *name);
        let inactive: Vec<_> =
            self.definitions.names()?.into_iter().filter(|name| is_meant(name) && !runs(name)).collect();
        if let Some(missing) = only.iter().find(|name| !runs(name) && !inactive.contains(name)) {
            return Err(Error::NoNetwork(missing.to_string()));
        }
        let inactive = inactive.into_iter().map(|name| (name.clone(), self.kept(&name).ok().flatten())).collect();
        let is_meant = |port: &PortStatus| port.port.network.as_ref().map_or(only.is_empty(), is_meant);
        let ports = self.ports()?.into_iter().flatten().filter(is_meant).collect();
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
        Ok(draw::drawn(&Seen { host, inventory, running, inactive, ports }))
    }

    fn seen(&self, status: NetworkStatus) -> Result<SeenNetwork, Error> {
        // The drift says where this file is damaged.
        let definition = self.as_it_runs(&status.name).ok().flatten();
        let addresses = match self.addresses(&status.name, &AddressSource::ALL) {
            Err(Error::NotRunning(_) | Error::Read { .. } | Error::Kept { .. }) => Vec::new(),
            addresses => addresses?,
        };
        Ok(SeenNetwork { status, definition, addresses })
    }
}

impl Picture {
    /// Definitions as a picture, as if they ran on a host where all traffic leaves by one device.
    pub fn of_definitions(networks: &[Network]) -> Self {
        draw::defined(networks)
    }

    /// Says what is wrong with a network.
    pub fn trouble(&mut self, network: &str, trouble: &str) {
        let is_it = |part: &&mut PicturePart| part.kind == PartKind::Network && part.name == network;
        if let Some(part) = self.parts.iter_mut().find(is_it) {
            part.troubles.push(draw::shown(trouble));
        }
    }

    /// The parts that a part is connected to, away from the outside.
    fn behind(&self, part: usize) -> impl Iterator<Item = &PictureConnection> {
        self.connections.iter().filter(move |connection| connection.from == part)
    }

    /// The parts of a kind, with their indices.
    fn of_kind(&self, kind: PartKind) -> impl Iterator<Item = (usize, &PicturePart)> {
        self.parts.iter().enumerate().filter(move |(_, part)| part.kind == kind)
    }
}

impl PicturePart {
    /// Whether something is wrong with it.
    pub fn is_troubled(&self) -> bool {
        !self.troubles.is_empty()
    }
}
