//! What receipts are about: networks, and the ports of guests.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use vnet_types::{InterfaceName, KnownNetwork, KnownPort, NetworkName, Uuid};

use crate::headers::Headers;
use crate::{Namespace, Owner, Store, hint};

/// A network or a port. Both are started, changed and stopped in the same way.
pub trait Subject: Clone + fmt::Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync {
    /// The type of its name.
    type Name: Name<Header = Self>;

    /// Its name.
    fn name(&self) -> &Self::Name;

    /// Its network namespace.
    fn namespace(&self) -> Namespace;

    /// The process that owns it.
    fn owner(&self) -> Option<Owner>;

    /// The bridge that is made for it.
    fn bridge(&self) -> Option<&InterfaceName>;

    /// The network that it is attached to.
    fn network(&self) -> Option<&NetworkName>;

    /// Applies the new name of a link that it refers to.
    fn rename_link(&mut self, from: &InterfaceName, to: &InterfaceName);

    /// The folder of all subjects of this kind, below the store's folder.
    const FOLDER: &'static str;

    /// The file with the headers of all subjects of this kind, in the store's folder.
    const HEADERS: &'static str;

    /// What a store knows of the headers of this kind.
    #[doc(hidden)]
    fn headers(store: &Store) -> &Headers<Self>;

    /// Its own folder, below the folder of its kind.
    fn folder(name: &Self::Name) -> String;

    /// The subject with this folder name. `None` when it is not the folder of a subject.
    fn parse_folder(folder: &str) -> Option<Self::Name>;

    /// The subject, for errors.
    fn named(name: &Self::Name) -> Named;
}

/// Identifies a network or a port.
pub trait Name: Clone + Send + Sync {
    /// The header of its receipt.
    type Header: Subject<Name = Self>;
}

impl Name for NetworkName {
    type Header = Header;
}

impl Name for InterfaceName {
    type Header = PortHeader;
}

/// The name of a network or a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// A network.
    Network(NetworkName),
    /// A port, by its link on the host.
    Port(InterfaceName),
}

/// The header of a network's receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The network.
    pub network: NetworkName,
    /// What identifies it.
    pub uuid: Option<Uuid>,
    /// The bridge that is made for it. `None` when its guests are attached to an existing device of
    /// the host.
    pub bridge: Option<InterfaceName>,
    /// Its network namespace.
    pub namespace: Namespace,
    /// The process that owns it. `None` when it stays until somebody stops it.
    #[serde(default)]
    pub owner: Option<Owner>,
    /// Whether the hooks have yet to agree that it runs.
    #[serde(default)]
    pub awaits_hooks: bool,
    /// Whether libvirt runs the network. What is made for it is then in addition to what libvirt
    /// has made.
    #[serde(default)]
    pub of_libvirt: bool,
}

/// The header of a port's receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortHeader {
    /// The port.
    pub port: KnownPort,
    /// Its network namespace.
    pub namespace: Namespace,
    /// The process that owns it. `None` when it stays until somebody detaches it.
    #[serde(default)]
    pub owner: Option<Owner>,
}

impl Header {
    /// The network as the inventory lists it.
    pub(crate) fn into_known(self) -> KnownNetwork {
        KnownNetwork { name: self.network, uuid: self.uuid, bridge: self.bridge }
    }
}

/// The folder of ports. No network folder has this character in its name.
pub(crate) const PORTS: &str = "@ports";

impl Subject for Header {
    type Name = NetworkName;

    const FOLDER: &'static str = "";
    const HEADERS: &'static str = hint::NETWORKS;

    fn name(&self) -> &NetworkName {
        &self.network
    }

    fn namespace(&self) -> Namespace {
        self.namespace
    }

    fn owner(&self) -> Option<Owner> {
        self.owner
    }

    fn bridge(&self) -> Option<&InterfaceName> {
        self.bridge.as_ref()
    }

    fn network(&self) -> Option<&NetworkName> {
        None
    }

    fn rename_link(&mut self, from: &InterfaceName, to: &InterfaceName) {
        if self.bridge.as_ref() == Some(from) {
            self.bridge = Some(to.clone());
        }
    }

    /// Names that begin with a dot or an `@` are reserved for the store's own folders and files.
    fn headers(store: &Store) -> &Headers<Self> {
        &store.networks
    }

    fn folder(name: &NetworkName) -> String {
        let folder = name.file_name();
        folder.strip_prefix('.').map_or(folder.clone(), |rest| format!("%2e{rest}"))
    }

    fn parse_folder(folder: &str) -> Option<NetworkName> {
        let mut bytes = Vec::new();
        let mut rest = folder.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(match byte {
                b'%' => u8::from_str_radix(std::str::from_utf8(&[rest.next()?, rest.next()?]).ok()?, 16).ok()?,
                plain => plain,
            });
        }
        let name: NetworkName = String::from_utf8(bytes).ok()?.parse().ok()?;
        (Self::folder(&name) == folder).then_some(name)
    }

    fn named(name: &NetworkName) -> Named {
        Named::Network(name.clone())
    }
}

impl Subject for PortHeader {
    type Name = InterfaceName;

    const FOLDER: &'static str = PORTS;
    const HEADERS: &'static str = hint::PORTS;

    fn name(&self) -> &InterfaceName {
        &self.port.dev
    }

    fn namespace(&self) -> Namespace {
        self.namespace
    }

    fn owner(&self) -> Option<Owner> {
        self.owner
    }

    fn bridge(&self) -> Option<&InterfaceName> {
        None
    }

    fn network(&self) -> Option<&NetworkName> {
        self.port.network.as_ref()
    }

    /// A port keeps the name that it was attached with.
    fn rename_link(&mut self, _: &InterfaceName, _: &InterfaceName) {}

    fn headers(store: &Store) -> &Headers<Self> {
        &store.ports
    }

    fn folder(name: &InterfaceName) -> String {
        name.to_string()
    }

    fn parse_folder(folder: &str) -> Option<InterfaceName> {
        folder.parse().ok()
    }

    fn named(name: &InterfaceName) -> Named {
        Named::Port(name.clone())
    }
}

impl Named {
    /// The name alone.
    pub fn name(&self) -> &str {
        match self {
            Self::Network(name) => name.as_str(),
            Self::Port(name) => name.as_str(),
        }
    }

    /// The verb for one that exists.
    pub(crate) fn is_there(&self) -> &'static str {
        match self {
            Self::Network(_) => "runs",
            Self::Port(_) => "is attached",
        }
    }

    /// The verb for one that does not exist.
    pub(crate) fn is_not_there(&self) -> &'static str {
        match self {
            Self::Network(_) => "does not run",
            Self::Port(_) => "is not attached",
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(name) => write!(f, "network `{name}`"),
            Self::Port(dev) => write!(f, "port `{dev}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[test]
    fn a_folder_tells_whose_it_is() {
        for name in ["default", "a b\u{fc}%", "passt", "@ports", ".made-by-vnet", "..."] {
            let name: NetworkName = name.parse().unwrap();
            let folder = Header::folder(&name);
            assert!(!folder.starts_with(['.', '@']), "{folder}");
            assert_eq!(Header::parse_folder(&folder), Some(name));
        }
        for folder in [PORTS, "@passt", ".made-by-vnet", "a%2", "%41", "%00"] {
            assert_eq!(Header::parse_folder(folder), None);
        }
    }
}
