//! What can happen.

use std::fmt;
use std::net::IpAddr;
use std::time::SystemTime;

use vnet_plan::Change;
use vnet_types::{InterfaceName, MacAddr, NetworkName};
use vnet_xml::network::MetadataPart;

/// Something that has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// When it was seen.
    pub time: SystemTime,
    /// The network. `None` for a port that is on no network.
    pub network: Option<NetworkName>,
    /// What has happened.
    pub kind: EventKind,
}

/// What has happened to a network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// Its definition is kept, for the first time or anew.
    Defined,
    /// Its definition is no longer kept.
    Undefined,
    /// It has started.
    Started,
    /// It is stopped.
    Stopped,
    /// It was changed while it ran.
    Changed,
    /// Its title, its description or an element of its metadata was set or removed, and nothing
    /// else.
    MetadataChanged(MetadataPart),
    /// A guest is attached.
    PortAttached {
        /// The port.
        dev: InterfaceName,
        /// The guest's MAC address.
        mac: MacAddr,
        /// The guest's name, if known.
        guest: Option<String>,
    },
    /// A guest is detached.
    PortDetached {
        /// The port.
        dev: InterfaceName,
        /// The guest's MAC address.
        mac: MacAddr,
        /// The guest's name, if known.
        guest: Option<String>,
    },
    /// DHCP gave an address to a guest that did not have it.
    LeaseGranted {
        /// The address.
        ip: IpAddr,
        /// The client: its MAC address, or the IAID of a DHCPv6 client.
        client: String,
        /// The guest's name, if it told one.
        hostname: Option<String>,
        /// When it expires, in seconds since 1970; `None`: never.
        expiry: Option<u64>,
    },
    /// A guest no longer has its address: the lease has expired, or the guest gave it back.
    LeaseExpired {
        /// The address.
        ip: IpAddr,
        /// The client.
        client: String,
        /// The guest's name, if it told one.
        hostname: Option<String>,
    },
    /// Something is not as it was made.
    DriftSeen {
        /// The changes that would repair it.
        changes: Vec<Change>,
    },
    /// Everything is as it was made again.
    InSync,
}

impl EventKind {
    /// Its name: `port-attached`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Defined => "defined",
            Self::Undefined => "undefined",
            Self::Started => "started",
            Self::Stopped => "stopped",
            Self::Changed => "changed",
            Self::MetadataChanged(_) => "metadata-changed",
            Self::PortAttached { .. } => "port-attached",
            Self::PortDetached { .. } => "port-detached",
            Self::LeaseGranted { .. } => "lease-granted",
            Self::LeaseExpired { .. } => "lease-expired",
            Self::DriftSeen { .. } => "drift-seen",
            Self::InSync => "in-sync",
        }
    }
}

/// For people: `port attached: vnet0 (52:54:00:00:00:01, guest)`.
impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name().replace('-', " "))?;
        match self {
            Self::PortAttached { dev, mac, guest } | Self::PortDetached { dev, mac, guest } => {
                let guest = guest.as_ref().map(|guest| format!(", {guest}")).unwrap_or_default();
                write!(f, ": {dev} ({mac}{guest})")
            }
            Self::LeaseGranted { ip, client, hostname, .. } | Self::LeaseExpired { ip, client, hostname } => {
                let hostname = hostname.as_ref().map(|name| format!(", {name}")).unwrap_or_default();
                write!(f, ": {ip} ({client}{hostname})")
            }
            Self::MetadataChanged(part) => write!(f, ": {part}"),
            Self::DriftSeen { changes } => {
                let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
                write!(f, ": {}", changes.join("; "))
            }
            _ => Ok(()),
        }
    }
}
