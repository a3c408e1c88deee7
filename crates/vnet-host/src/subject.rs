//! What receipts are about: networks, and the ports that guests are attached by.

use std::fmt;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use vnet_types::{InterfaceName, KnownNetwork, KnownPort, NetworkName, Uuid};

use crate::Owner;

/// What a receipt is about. Both kinds live the same life.
pub trait Subject: Clone + fmt::Debug + PartialEq + Serialize + DeserializeOwned {
    /// What it is known by.
    type Name: Name<Header = Self>;

    /// What it is known by.
    fn name(&self) -> &Self::Name;

    /// The network namespace that it is in: device and inode of `/proc/self/ns/net`.
    fn namespace(&self) -> (u64, u64);

    /// The process that it is for.
    fn owner(&self) -> Option<Owner>;

    /// Its folder, below that of the store.
    fn folder(name: &Self::Name) -> PathBuf;

    /// The folder that the folders of this kind are in, below that of the store.
    fn parent() -> &'static str;

    /// For errors.
    fn named(name: &Self::Name) -> Named;
}

/// What a network or a port is known by.
pub trait Name: Clone {
    /// What its receipt begins with.
    type Header: Subject<Name = Self>;
}

impl Name for NetworkName {
    type Header = Header;
}

impl Name for InterfaceName {
    type Header = PortHeader;
}

/// A network or a port, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// A network.
    Network(NetworkName),
    /// A port, by its link on the host.
    Port(InterfaceName),
}

/// What the receipt of a network begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The network.
    pub network: NetworkName,
    /// What identifies it.
    pub uuid: Option<Uuid>,
    /// The bridge that is made for it. `None` where its guests are attached to what the host has already.
    pub bridge: Option<InterfaceName>,
    /// The network namespace that it is in: device and inode of `/proc/self/ns/net`.
    pub namespace: (u64, u64),
    /// The process that it is for. `None` where it stays until somebody takes it away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
}

/// What the receipt of a port begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortHeader {
    /// The port.
    pub port: KnownPort,
    /// The network namespace that it is in: device and inode of `/proc/self/ns/net`.
    pub namespace: (u64, u64),
    /// The process that it is for. `None` where it stays until somebody takes it away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
}

impl Header {
    /// The network, as others have to respect it.
    pub(crate) fn into_known(self) -> KnownNetwork {
        KnownNetwork { name: self.network, uuid: self.uuid, bridge: self.bridge }
    }
}

/// The folder of ports. No network's folder has this character in its name.
pub(crate) const PORTS: &str = "@ports";

impl Subject for Header {
    type Name = NetworkName;

    fn name(&self) -> &NetworkName {
        &self.network
    }

    fn namespace(&self) -> (u64, u64) {
        self.namespace
    }

    fn owner(&self) -> Option<Owner> {
        self.owner
    }

    fn folder(name: &NetworkName) -> PathBuf {
        name.file_name().into()
    }

    fn parent() -> &'static str {
        ""
    }

    fn named(name: &NetworkName) -> Named {
        Named::Network(name.clone())
    }
}

impl Subject for PortHeader {
    type Name = InterfaceName;

    fn name(&self) -> &InterfaceName {
        &self.port.dev
    }

    fn namespace(&self) -> (u64, u64) {
        self.namespace
    }

    fn owner(&self) -> Option<Owner> {
        self.owner
    }

    fn folder(name: &InterfaceName) -> PathBuf {
        PathBuf::from(PORTS).join(name.as_str())
    }

    fn parent() -> &'static str {
        PORTS
    }

    fn named(name: &InterfaceName) -> Named {
        Named::Port(name.clone())
    }
}

impl Named {
    /// What it does while it is there.
    pub(crate) fn is_there(&self) -> &'static str {
        match self {
            Self::Network(_) => "runs",
            Self::Port(_) => "is attached",
        }
    }

    /// What it does not while it is not there.
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
