//! What a host has that a new network has to respect.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::{Address, Features, InterfaceName, Link, MacAddr, NetworkName, PciAddress, Route, Uuid, VfSettings};

/// The facts about one host at one time. An empty inventory says nothing about the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Inventory {
    /// Every network interface.
    pub links: Vec<Link>,
    /// Every address, with its link.
    pub addresses: Vec<(InterfaceName, Address)>,
    /// The unicast routes of the main table, both families.
    pub routes: Vec<Route>,
    /// The virtual functions of every network card, by card and number.
    #[cfg_attr(feature = "serde", serde(default))]
    pub functions: Vec<VirtualFunction>,
    /// The networks that vnet runs on this host.
    pub networks: Vec<KnownNetwork>,
    /// The networks that libvirt runs on this host.
    #[cfg_attr(feature = "serde", serde(default))]
    pub libvirt: Vec<KnownNetwork>,
    /// The guests' interfaces that vnet has attached on this host.
    #[cfg_attr(feature = "serde", serde(default))]
    pub ports: Vec<KnownPort>,
    /// Whether the kernel has IPv6.
    pub ipv6: bool,
    /// The links with `accept_ra` 1 that have learned routes from router advertisements. The kernel
    /// ignores these advertisements once it forwards IPv6 (`ip-sysctl.rst` of the kernel).
    #[cfg_attr(feature = "serde", serde(default))]
    pub hears_routers: Vec<InterfaceName>,
    /// Whether only one user is mapped here, as in a user namespace made by `unshare -r`. dnsmasq
    /// cannot change to another user there.
    pub single_user: bool,
    /// The id of the effective user in this user namespace.
    #[cfg_attr(feature = "serde", serde(default))]
    pub user: u32,
    /// Whether bridged packets pass the firewall's IP rules (br_netfilter, by the sysctls
    /// `net.bridge.bridge-nf-call-iptables` and `bridge-nf-call-ip6tables`).
    #[cfg_attr(feature = "serde", serde(default))]
    pub bridge_netfilter: bool,
    /// What the kernel can do; [`Features::default`] if it was not asked.
    #[cfg_attr(feature = "serde", serde(default))]
    pub features: Features,
    /// firewalld, without the zones that vnet has put bridges into. `None` if firewalld does not
    /// run for this network namespace.
    #[cfg_attr(feature = "serde", serde(default))]
    pub firewalld: Option<Firewalld>,
    /// Whether systemd-resolved runs for this network namespace; `false` if it was not asked.
    #[cfg_attr(feature = "serde", serde(default))]
    pub resolved: bool,
    /// The subnets that a new network has to avoid although the host has no address or route in
    /// them now. Empty if nobody looked for them.
    #[cfg_attr(feature = "serde", serde(default))]
    pub reserved: Vec<ReservedSubnet>,
    /// A number that distinguishes this host from others; 0 if unknown.
    #[cfg_attr(feature = "serde", serde(default))]
    pub machine: u64,
    /// The sockets of the host that wait for connections or datagrams; empty if it was not asked.
    #[cfg_attr(feature = "serde", serde(default))]
    pub listeners: Vec<KnownListener>,
    /// Open vSwitch, as far as it was asked.
    #[cfg_attr(feature = "serde", serde(default))]
    pub switch: KnownSwitch,
}

/// Open vSwitch on a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum KnownSwitch {
    /// It was not asked.
    #[default]
    Unasked,
    /// It cannot be used, for this reason.
    Unusable(String),
    /// It has these bridges, each with its `datapath_type`.
    Bridges(BTreeMap<String, String>),
}

impl KnownSwitch {
    /// Whether it has a bridge.
    pub fn has(&self, bridge: &str) -> bool {
        matches!(self, Self::Bridges(bridges) if bridges.contains_key(bridge))
    }

    /// Whether the frames of a bridge are carried by the process of Open vSwitch and not by the
    /// kernel.
    pub fn is_in_userspace(&self, bridge: &str) -> bool {
        matches!(self, Self::Bridges(bridges) if bridges.get(bridge).is_some_and(|kind| kind == "netdev"))
    }
}

/// A subnet that is meant for something that may not be there now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ReservedSubnet {
    /// The subnet.
    pub net: IpNet,
    /// What it is meant for.
    pub by: SubnetHolder,
}

/// What a subnet is meant for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum SubnetHolder {
    /// A network of vnet that is defined.
    Network(NetworkName),
    /// A network that libvirt has defined.
    Libvirt(String),
    /// A network of containers that podman or another engine keeps in a file.
    Containers(String),
    /// The pool that this program chooses subnets from.
    Pool(String),
    /// A route of another table than the main one, which rules may ask first (ip-rule(8)).
    Route {
        /// The number of the table.
        table: u32,
        /// The link that the route leads to; `None` if it leads to none, or to one without a name.
        link: Option<InterfaceName>,
    },
}

impl SubnetHolder {
    /// Whether only parts of the subnet are ever used, and another program makes sure beforehand
    /// that nobody else has them.
    pub fn is_pool(&self) -> bool {
        matches!(self, Self::Pool(_))
    }
}

/// A socket that waits for connections or datagrams from anyone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KnownListener {
    /// Whether it is of UDP, and not of TCP.
    pub udp: bool,
    /// Its address; unspecified for every address. `::` hears IPv4, too.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
}

/// A running firewalld. It treats packets by the zone of their interface (firewalld.zone(5)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Firewalld {
    /// Its zones, by name, with the interfaces that were put into each; all other interfaces are in
    /// the default zone.
    pub zones: BTreeMap<String, BTreeSet<String>>,
    /// Its policies, by name.
    pub policies: BTreeSet<String>,
}

impl Firewalld {
    /// The zone that an interface was put into.
    pub fn zone_of(&self, link: &InterfaceName) -> Option<&str> {
        let zone = self.zones.iter().find(|(_, interfaces)| interfaces.contains(link.as_str()));
        zone.map(|(name, _)| name.as_str())
    }

    /// Puts an interface into a zone; `None` means the default zone.
    pub fn put(&mut self, link: &InterfaceName, zone: Option<&str>) {
        for (name, interfaces) in &mut self.zones {
            match Some(name.as_str()) == zone {
                true => interfaces.insert(link.to_string()),
                false => interfaces.remove(link.as_str()),
            };
        }
    }
}

impl Inventory {
    /// The same host without the network of this name, its bridge and what is on the bridge. The
    /// network must not conflict with what is left. The guests that are attached to it stay.
    #[must_use]
    pub fn beside(&self, network: &str) -> Self {
        let mut others = self.clone();
        others.reserved.retain(|it| !matches!(&it.by, SubnetHolder::Network(name) if name.as_str() == network));
        let own = others.networks.iter().position(|known| known.name.as_str() == network);
        if let Some(bridge) = own.and_then(|at| others.networks.remove(at).bridge) {
            others.libvirt.retain(|known| known.bridge.as_ref() != Some(&bridge));
            others.links.retain(|link| link.name != bridge);
            others.addresses.retain(|(link, _)| *link != bridge);
            others.routes.retain(|route| route.link != bridge);
            let is_own =
                |by: &SubnetHolder| matches!(by, SubnetHolder::Route { link: Some(link), .. } if *link == bridge);
            others.reserved.retain(|it| !is_own(&it.by));
        }
        others
    }
}

/// A virtual function of a network card (SR-IOV), which can be assigned to a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct VirtualFunction {
    /// The card, a physical function.
    pub card: InterfaceName,
    /// The function's PCI address.
    pub address: PciAddress,
    /// The network device that the host's driver has made of it, if any.
    pub dev: Option<InterfaceName>,
    /// Its number, and the settings that the card gives it.
    pub settings: VfSettings,
}

/// A running network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KnownNetwork {
    /// Its name.
    pub name: NetworkName,
    /// Its UUID.
    pub uuid: Option<Uuid>,
    /// The bridge that was made for it. `None` if its guests are attached to existing devices of
    /// the host.
    pub bridge: Option<InterfaceName>,
}

/// An attached interface of a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KnownPort {
    /// Its end on the host.
    pub dev: InterfaceName,
    /// Whether vnet made `dev`; `false`: it existed already and is used as it is.
    pub managed: bool,
    /// The guest's name, if known.
    pub guest: Option<String>,
    /// The network that it is attached to. `None` if it is attached to a device of the host.
    pub network: Option<NetworkName>,
    /// The bridge that it is a port of.
    pub bridge: Option<InterfaceName>,
    /// The lower device, for a macvtap.
    pub lower: Option<InterfaceName>,
    /// The device that is assigned to the guest. Then `dev` is only a name, and no link has it.
    #[cfg_attr(feature = "serde", serde(default))]
    pub function: Option<PciAddress>,
    /// The guest's MAC address.
    pub mac: MacAddr,
    /// The number of queues of the guest's network card, at least 1.
    pub queues: u16,
    /// Frames begin with a virtio-net header.
    pub vnet_hdr: bool,
    /// The bandwidth that is reserved for the guest, if any.
    #[cfg_attr(feature = "serde", serde(default))]
    pub floor: Option<KnownFloor>,
    /// What identifies it among the ports of its network.
    #[cfg_attr(feature = "serde", serde(default))]
    pub uuid: Option<Uuid>,
    /// Whether another program, such as virtqemud, makes the device, and the port is only recorded.
    /// Then `dev` is only a name, and no link has it.
    #[cfg_attr(feature = "serde", serde(default))]
    pub recorded: bool,
    /// The container whose interface it is. `None` for a virtual machine.
    #[cfg_attr(feature = "serde", serde(default))]
    pub container: Option<KnownContainer>,
}

/// The container of a port, as its runtime names it, and what it has on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KnownContainer {
    /// The network's name in the runtime's configuration.
    pub network: String,
    /// The container.
    pub id: String,
    /// The interface in the container.
    pub interface: InterfaceName,
    /// The pod, as `NAMESPACE/NAME` or `NAME`.
    pub pod: Option<String>,
    /// The addresses that are its own, one for each family at most.
    pub addresses: Vec<IpNet>,
    /// The names that DNS has for the addresses.
    pub names: Vec<String>,
}

/// The part of a network's bandwidth that is reserved for a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KnownFloor {
    /// The number of its traffic class on the bridge.
    pub class: u16,
    /// The reserved rate in kilobytes (1000 bytes) per second.
    pub rate: u64,
}
