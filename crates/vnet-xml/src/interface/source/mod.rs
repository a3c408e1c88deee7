//! `type` and `<source>`: what a guest is connected to.

mod print;
mod read;

use std::fmt;

use vnet_types::{InterfaceName, PciAddress, Uuid};

use super::InterfaceIp;
use crate::HostdevDriver;
use crate::network::{MacTableManager, Route};

pub(crate) use read::direct_mode;
pub(super) use read::{GRAMMAR, source, upstream};

/// `type` and `<source>`: what a guest is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "type", rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Source {
    /// `user`: to all that the host can reach, through a program without privileges.
    User {
        /// `dev`: the host's device that passt takes addresses and routes from.
        dev: Option<InterfaceName>,
    },
    /// `ethernet`: to a device on the host only.
    Ethernet(EthernetSource),
    /// `vhostuser`: to a program that reads the guest's memory.
    Vhostuser(VhostuserSource),
    /// `server`: to whoever connects by TCP.
    Server(Socket),
    /// `client`: to an interface of type `server`, by TCP.
    Client(Socket),
    /// `mcast`: to all members of a multicast group.
    Mcast(Socket),
    /// `udp`: to one other interface, by UDP.
    Udp(UdpSource),
    /// `network`: to a virtual network.
    Network(NetworkSource),
    /// `bridge`: to a bridge of the host.
    Bridge(BridgeSource),
    /// `internal`: to a switch within the hypervisor.
    Internal {
        /// `name`
        name: String,
    },
    /// `direct`: to a device of the host, by macvtap.
    Direct(DirectSource),
    /// `hostdev`: by a device of the host that is assigned to the guest.
    Hostdev(HostdevSource),
    /// `vdpa`: by a vDPA device.
    Vdpa {
        /// `dev`: the device file.
        dev: String,
    },
    /// `null`: to nothing.
    Null,
    /// `vds`: to a distributed switch of VMware.
    Vds(VdsSource),
}

/// What an interface of type `ethernet` is connected to: the addresses and routes of the host's
/// end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct EthernetSource {
    /// `<ip>`
    pub ips: Vec<InterfaceIp>,
    /// `<route>`
    pub routes: Vec<Route>,
}

/// What an interface of type `vhostuser` is connected to. With the backend `passt`, only `dev` is
/// used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct VhostuserSource {
    /// `path`: the path of the socket.
    pub path: Option<String>,
    /// `mode`
    pub mode: VhostuserMode,
    /// `<reconnect>`
    pub reconnect: Option<Reconnect>,
    /// `dev`: the host's device that passt takes addresses and routes from.
    pub dev: Option<InterfaceName>,
}

/// `<source mode>` of type `vhostuser`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum VhostuserMode {
    /// `client`: the hypervisor connects.
    #[default]
    Client,
    /// `server`: the hypervisor waits.
    Server,
}

/// `<reconnect>`: whether to connect again when the other side closes the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Reconnect {
    /// `enabled='no'`
    No,
    /// `enabled='yes'`
    After {
        /// `timeout`, in seconds.
        timeout: u32,
    },
}

/// An address and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Socket {
    /// `address`; for a server, any if absent.
    pub address: Option<String>,
    /// `port`
    pub port: u16,
}

/// What an interface of type `udp` is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct UdpSource {
    /// `address` and `port`: where packets go.
    pub remote: Socket,
    /// `<local>`: where packets come from.
    pub local: Socket,
}

/// What an interface of type `network` is connected to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct NetworkSource {
    /// `network`: the network's name.
    pub network: String,
    /// `portgroup`: a port group of the network; the default one if absent.
    pub port_group: Option<String>,
    /// `portid`: the network port; in the live form only.
    pub port_id: Option<Uuid>,
    /// `bridge`: the network's bridge; in the live form only.
    pub bridge: Option<String>,
    /// `macTableManager`: that of the bridge; in the live form only.
    pub mac_table_manager: Option<MacTableManager>,
}

/// What an interface of type `bridge` is connected to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct BridgeSource {
    /// `bridge`: the bridge's name.
    pub bridge: String,
    /// `macTableManager`: that of the network's bridge; in the live form only.
    pub mac_table_manager: Option<MacTableManager>,
}

/// What an interface of type `direct` is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct DirectSource {
    /// `dev`: the device on the host.
    pub dev: InterfaceName,
    /// `mode`
    pub mode: DirectMode,
}

/// `<source mode>` of type `direct`: what passes packets between guests on one device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum DirectMode {
    /// `vepa`: the switch that the device is connected to.
    #[default]
    Vepa,
    /// `private`: nothing; these guests cannot reach each other.
    Private,
    /// `bridge`: the device itself.
    Bridge,
    /// `passthrough`: the device has one guest only.
    Passthrough,
}

/// The device of the host that an interface of type `hostdev` is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct HostdevSource {
    /// `<address>`: the device on the host.
    pub address: HostdevAddress,
    /// `managed='yes'` of the interface: detach the device from the host's driver, and give it back
    /// later.
    #[cfg_attr(feature = "serde", serde(default))]
    pub managed: bool,
    /// `<driver>`: the driver that assigns the device.
    pub driver: Option<HostdevDriver>,
}

/// A device on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum HostdevAddress {
    /// `type='pci'`
    Pci(PciAddress),
    /// `type='usb'`
    Usb {
        /// `bus`
        bus: u32,
        /// `device`
        device: u32,
    },
}

/// What an interface of type `vds` is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct VdsSource {
    /// `switchid`
    pub switch_id: Uuid,
    /// `portid`
    pub port_id: Option<i64>,
    /// `portgroupid`
    pub port_group_id: Option<String>,
    /// `connectionid`
    pub connection_id: Option<i64>,
}

impl Source {
    /// A connection to all that the host can reach, without privileges.
    pub fn user() -> Self {
        Self::User { dev: None }
    }

    /// A connection to a device on the host only.
    pub fn ethernet() -> Self {
        Self::Ethernet(EthernetSource::default())
    }

    /// The value of `type`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::User { .. } => "user",
            Self::Ethernet(_) => "ethernet",
            Self::Vhostuser(_) => "vhostuser",
            Self::Server(_) => "server",
            Self::Client(_) => "client",
            Self::Mcast(_) => "mcast",
            Self::Udp(_) => "udp",
            Self::Network(_) => "network",
            Self::Bridge(_) => "bridge",
            Self::Internal { .. } => "internal",
            Self::Direct(_) => "direct",
            Self::Hostdev(_) => "hostdev",
            Self::Vdpa { .. } => "vdpa",
            Self::Null => "null",
            Self::Vds(_) => "vds",
        }
    }
}

impl NetworkSource {
    /// A connection to this network.
    pub fn new(network: impl Into<String>) -> Self {
        Self { network: network.into(), ..Self::default() }
    }
}

impl BridgeSource {
    /// A connection to this bridge.
    pub fn new(bridge: impl Into<String>) -> Self {
        Self { bridge: bridge.into(), ..Self::default() }
    }
}

impl DirectSource {
    /// A connection to this device of the host.
    pub fn new(dev: InterfaceName, mode: DirectMode) -> Self {
        Self { dev, mode }
    }
}

impl DirectMode {
    const WORDS: &[(&str, Self)] = &[
        ("vepa", Self::Vepa),
        ("private", Self::Private),
        ("bridge", Self::Bridge),
        ("passthrough", Self::Passthrough),
    ];

    /// The mode as libvirt writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Vepa => "vepa",
            Self::Private => "private",
            Self::Bridge => "bridge",
            Self::Passthrough => "passthrough",
        }
    }
}

impl fmt::Display for DirectMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl From<PciAddress> for HostdevSource {
    fn from(address: PciAddress) -> Self {
        Self { address: HostdevAddress::Pci(address), managed: false, driver: None }
    }
}
