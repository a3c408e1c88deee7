//! The kernel's network objects, by name (rtnetlink(7), `linux/if_link.h`, `linux/rtnetlink.h`).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use ipnet::IpNet;

use crate::{InterfaceName, MacAddr, MacvtapOptions, TapOptions};

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Link {
    /// Its name.
    pub name: InterfaceName,
    /// Its kind.
    pub kind: LinkKind,
    /// Its hardware address; `None`: the kernel chooses.
    pub mac: Option<MacAddr>,
    /// The largest packet in bytes; `None`: the kernel chooses.
    pub mtu: Option<u32>,
    /// Administratively up (`IFF_UP`).
    pub up: bool,
}

/// The kind of a link (`IFLA_INFO_KIND`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum LinkKind {
    /// A Linux bridge.
    Bridge(BridgeOptions),
    /// A tap.
    Tap(TapOptions),
    /// A macvtap.
    Macvtap(MacvtapOptions),
    /// A pair of links whose other end is in a container. A veth that was read is `Other`: the
    /// kernel does not tell the namespace of its peer by a path.
    Veth(VethOptions),
    /// Another kind, by the kernel's name (`veth`, `tun`); empty for hardware.
    Other(String),
}

/// The settings of a Linux bridge that vnet makes (`IFLA_BR_*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BridgeOptions {
    /// Spanning tree protocol.
    pub stp: bool,
    /// The time that a new port listens and learns before it forwards, in hundredths of a second.
    /// With `stp` the kernel raises values below 200 to 200.
    pub forward_delay: u32,
    /// Frames pass between ports of the same VLAN only. Not every kernel supports this, see
    /// [`Features`](crate::Features).
    #[cfg_attr(feature = "serde", serde(default))]
    pub vlan_filtering: bool,
}

/// The other end of a veth pair, in a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct VethOptions {
    /// The file of the container's network namespace.
    pub namespace: PathBuf,
    /// Its name there.
    pub peer: InterfaceName,
    /// Its MAC address.
    pub peer_mac: MacAddr,
}

/// An address on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Address {
    /// The address with the prefix of its subnet; host bits are kept.
    pub net: IpNet,
    /// The broadcast address, if one is set.
    pub broadcast: Option<Ipv4Addr>,
}

/// With the broadcast address of its subnet.
impl From<IpNet> for Address {
    fn from(net: IpNet) -> Self {
        let broadcast = match net {
            IpNet::V4(v4) if v4.prefix_len() < 31 => Some(v4.broadcast()),
            // A subnet of one or two addresses has no broadcast address: it would be the address of
            // the other end.
            IpNet::V4(_) | IpNet::V6(_) => None,
        };
        Self { net, broadcast }
    }
}

/// A unicast route of the main table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Route {
    /// The destination network; `/0` for the default route.
    pub destination: IpNet,
    /// The gateway; `None`: the destination is on the link.
    pub gateway: Option<IpAddr>,
    /// The outgoing link.
    pub link: InterfaceName,
    /// The kernel prefers the route with the smaller one. 0 is the kernel's default for IPv4; for
    /// IPv6 it replaces 0 by 1024.
    pub metric: u32,
    /// Who made it.
    pub protocol: RouteProtocol,
}

/// Who made a route (`RTPROT_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum RouteProtocol {
    /// The kernel, for an address.
    Kernel,
    /// Someone at boot.
    Boot,
    /// An administrator; what vnet makes.
    Static,
    /// A router advertisement.
    Ra,
    /// A DHCP client.
    Dhcp,
    /// Any other, by number.
    Other(u8),
}

impl fmt::Display for RouteProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kernel => f.write_str("kernel"),
            Self::Boot => f.write_str("boot"),
            Self::Static => f.write_str("static"),
            Self::Ra => f.write_str("ra"),
            Self::Dhcp => f.write_str("dhcp"),
            Self::Other(number) => write!(f, "{number}"),
        }
    }
}

/// In the words of `ip route`.
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.destination.prefix_len() {
            0 => f.write_str("default")?,
            _ => write!(f, "{}", self.destination)?,
        }
        if let Some(gateway) = self.gateway {
            write!(f, " via {gateway}")?;
        }
        write!(f, " dev {} proto {}", self.link, self.protocol)?;
        match self.metric {
            0 => Ok(()),
            metric => write!(f, " metric {metric}"),
        }
    }
}

/// In the words of `ip address`.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.net)?;
        match self.broadcast {
            Some(broadcast) => write!(f, " brd {broadcast}"),
            None => Ok(()),
        }
    }
}
