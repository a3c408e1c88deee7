//! What a host has: resources by key, in the order in which they come to be.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use vnet_firewall::Ruleset;
use vnet_passt::Passt;
use vnet_types::{
    Address, BridgePort, BridgeVlan, Class, Fdb, Filter, InterfaceName, IpNet, Link, MacAddr, NetworkName, Qdisc,
    Route, TrafficHandle, VfSettings,
};

/// Some resources of a host, each at most once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostState {
    resources: BTreeMap<Key, Resource>,
}

/// What makes a resource the same one. The order is the order of creation; the reverse is that of removal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// What a card gives one of its virtual functions, by number.
    Vf(InterfaceName, u32),
    /// The MAC address of a device of the host that a guest has for itself.
    Borrowed(InterfaceName),
    /// A link, by name.
    Link(InterfaceName),
    /// That a bridge of the host filters VLANs: set, and never set back but by rollback.
    VlanFiltering(InterfaceName),
    /// That a link is the port of a bridge.
    Port(InterfaceName),
    /// The VLANs of a port.
    Vlans(InterfaceName),
    /// The way to a MAC address: by which port, in which VLAN, or in all that the port has.
    Fdb(InterfaceName, MacAddr, Option<u16>),
    /// How a link gathers packets.
    Coalesce(InterfaceName),
    /// A kernel switch that lives and dies with a link.
    LinkSysctl(Sysctl),
    /// The zone of firewalld that a link is in. firewalld keeps it when the link is gone.
    Zone(InterfaceName),
    /// A network's nf_tables rules.
    Ruleset(NetworkName),
    /// An address of a link.
    Address(InterfaceName, IpNet),
    /// A route. The kernel has one for each destination and metric; the link that it leads to says whose it is.
    Route(IpNet, u32, InterfaceName),
    /// What schedules all that leaves or enters a link, by its place there.
    Qdisc(InterfaceName, TrafficHandle),
    /// A class of such a scheduler, by its number.
    Class(InterfaceName, TrafficHandle),
    /// What schedules the packets of a class, by the class.
    ClassQdisc(InterfaceName, TrafficHandle),
    /// A filter of a link, by its qdisc, priority and number.
    Filter(InterfaceName, TrafficHandle, u16, u32),
    /// A kernel switch that everyone on the host shares: set, and never set back but by rollback.
    SharedSysctl(Sysctl),
    /// A file.
    File(PathBuf),
    /// A running program, by its pid file.
    Process(PathBuf),
}

/// A kernel switch under `/proc/sys/net`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sysctl {
    /// `ipv6/conf/LINK/disable_ipv6`
    DisableIpv6(InterfaceName),
    /// `ipv6/conf/LINK/accept_ra`
    AcceptRa(InterfaceName),
    /// `ipv6/conf/LINK/autoconf`
    Autoconf(InterfaceName),
    /// `ipv4/ip_forward`
    Ipv4Forward,
    /// `ipv6/conf/all/forwarding`
    Ipv6Forward,
}

/// One thing on a host, with every property that vnet decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "resource", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Resource {
    /// What a card gives one of its virtual functions while a guest has that for itself.
    Vf {
        /// The card.
        card: InterfaceName,
        /// What the guest needs.
        settings: VfSettings,
        /// What it was before and is again.
        was: VfSettings,
    },
    /// The MAC address that a device of the host has while a guest has it for itself.
    Borrowed {
        /// The device.
        link: InterfaceName,
        /// The guest's address.
        mac: MacAddr,
        /// What it had before and gets back.
        was: MacAddr,
    },
    /// A link.
    Link(Link),
    /// Whether a bridge of the host filters VLANs.
    VlanFiltering {
        /// The bridge.
        bridge: InterfaceName,
        /// Does it?
        on: bool,
    },
    /// A link as the port of a bridge.
    Port {
        /// The link.
        link: InterfaceName,
        /// Of which bridge, and how that treats it.
        port: BridgePort,
    },
    /// The VLANs of a port, all of them.
    Vlans {
        /// The port.
        link: InterfaceName,
        /// In order.
        vlans: Vec<BridgeVlan>,
    },
    /// The way to a MAC address.
    Fdb(Fdb),
    /// How a link gathers packets.
    Coalesce {
        /// The link.
        link: InterfaceName,
        /// The most frames that are received before anyone is interrupted.
        rx_frames: u32,
    },
    /// A kernel switch and what it is set to.
    Sysctl {
        /// Which.
        switch: Sysctl,
        /// To what.
        value: u32,
    },
    /// The zone of firewalld that a link is put into.
    Zone {
        /// The link.
        link: InterfaceName,
        /// The zone.
        zone: String,
        /// The zone that somebody had put it into before, which it gets back.
        was: Option<String>,
    },
    /// A network's nf_tables rules.
    Ruleset {
        /// Whose.
        network: NetworkName,
        /// The rules, chains and map elements.
        ruleset: Ruleset,
    },
    /// An address of a link.
    Address {
        /// Which link.
        link: InterfaceName,
        /// The address.
        address: Address,
    },
    /// A route.
    Route(Route),
    /// A queueing discipline.
    Qdisc(Qdisc),
    /// A class of one.
    Class(Class),
    /// A filter.
    Filter(Filter),
    /// A file.
    File(File),
    /// A running program.
    Process(Process),
    /// A guest's passt, with the folder of its socket, which is its user's alone.
    Passt(Box<Passt>),
}

/// A file that vnet or a program of its own writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Where; absolute.
    pub path: PathBuf,
    /// What it holds. `None`: a program writes it, it is only ours to remove.
    pub contents: Option<String>,
    /// Permission bits.
    pub mode: u32,
}

/// A program that runs as long as its network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The program, looked up in `PATH`.
    pub program: String,
    /// Its arguments. One of them names a file of ours, by which the process is recognised.
    pub args: Vec<String>,
    /// Where the program writes its process number once it is ready.
    pub pid_file: PathBuf,
    /// Digest of what it reads once: another one means a restart.
    pub restart_on: String,
    /// Digest of what it reads again at SIGHUP: another one means that signal.
    pub reload_on: String,
}

impl HostState {
    /// A host with nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a resource, or replaces the one of the same key.
    pub fn insert(&mut self, resource: Resource) {
        self.resources.insert(resource.key(), resource);
    }

    /// Takes a resource away.
    pub fn remove(&mut self, key: &Key) -> Option<Resource> {
        self.resources.remove(key)
    }

    /// The resource of a key.
    pub fn get(&self, key: &Key) -> Option<&Resource> {
        self.resources.get(key)
    }

    /// All resources, in order of creation.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Resource> + ExactSizeIterator {
        self.resources.values()
    }

    /// Is there nothing?
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }
}

impl Extend<Resource> for HostState {
    fn extend<I: IntoIterator<Item = Resource>>(&mut self, resources: I) {
        resources.into_iter().for_each(|resource| self.insert(resource));
    }
}

impl FromIterator<Resource> for HostState {
    fn from_iter<I: IntoIterator<Item = Resource>>(resources: I) -> Self {
        Self { resources: resources.into_iter().map(|resource| (resource.key(), resource)).collect() }
    }
}

/// A state travels as the list of its resources.
impl Serialize for HostState {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for HostState {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Resource>::deserialize(deserializer)?.into_iter().collect())
    }
}

impl Resource {
    /// What makes this resource the same one.
    pub fn key(&self) -> Key {
        match self {
            Self::Vf { card, settings, .. } => Key::Vf(card.clone(), settings.number),
            Self::Borrowed { link, .. } => Key::Borrowed(link.clone()),
            Self::Link(link) => Key::Link(link.name.clone()),
            Self::VlanFiltering { bridge, .. } => Key::VlanFiltering(bridge.clone()),
            Self::Port { link, .. } => Key::Port(link.clone()),
            Self::Vlans { link, .. } => Key::Vlans(link.clone()),
            Self::Fdb(entry) => Key::Fdb(entry.port.clone(), entry.mac, entry.vlan),
            Self::Coalesce { link, .. } => Key::Coalesce(link.clone()),
            Self::Sysctl { switch, .. } if switch.is_shared() => Key::SharedSysctl(switch.clone()),
            Self::Sysctl { switch, .. } => Key::LinkSysctl(switch.clone()),
            Self::Zone { link, .. } => Key::Zone(link.clone()),
            Self::Ruleset { network, .. } => Key::Ruleset(network.clone()),
            Self::Address { link, address } => Key::Address(link.clone(), address.net),
            Self::Route(route) => Key::Route(route.destination, route.metric, route.link.clone()),
            Self::Qdisc(qdisc) => match qdisc.parent {
                TrafficHandle::ROOT | TrafficHandle::INGRESS => Key::Qdisc(qdisc.link.clone(), qdisc.parent),
                class => Key::ClassQdisc(qdisc.link.clone(), class),
            },
            Self::Class(class) => Key::Class(class.link.clone(), class.handle),
            Self::Filter(filter) => Key::Filter(filter.link.clone(), filter.parent, filter.priority, filter.handle),
            Self::File(file) => Key::File(file.path.clone()),
            Self::Process(process) => Key::Process(process.pid_file.clone()),
            Self::Passt(passt) => Key::Process(passt.pid_file.as_ref().unwrap_or(&passt.socket).clone()),
        }
    }
}

impl Key {
    /// Does it belong to everyone on the host? Then it is set, and never set back but by rollback.
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::SharedSysctl(_) | Self::VlanFiltering(_))
    }

    /// The link that it lives on, and dies with.
    pub fn link(&self) -> Option<&InterfaceName> {
        match self {
            Self::Address(link, _) | Self::Route(_, _, link) => Some(link),
            Self::Qdisc(link, _) | Self::Class(link, _) | Self::ClassQdisc(link, _) | Self::Filter(link, ..) => {
                Some(link)
            }
            Self::Port(link) | Self::Vlans(link) | Self::Fdb(link, ..) | Self::Coalesce(link) => Some(link),
            Self::LinkSysctl(Sysctl::DisableIpv6(link) | Sysctl::AcceptRa(link) | Sysctl::Autoconf(link)) => Some(link),
            Self::Vf(..) | Self::Borrowed(_) | Self::Link(_) | Self::VlanFiltering(_) | Self::LinkSysctl(_) => None,
            Self::Zone(_) | Self::Ruleset(_) | Self::SharedSysctl(_) | Self::File(_) | Self::Process(_) => None,
        }
    }
}

impl Sysctl {
    /// Does it belong to everyone on the host?
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Ipv4Forward | Self::Ipv6Forward)
    }

    /// The file below `/proc/sys`, also sysctl(8)'s name for it.
    pub fn path(&self) -> String {
        match self {
            Self::DisableIpv6(link) => format!("net/ipv6/conf/{link}/disable_ipv6"),
            Self::AcceptRa(link) => format!("net/ipv6/conf/{link}/accept_ra"),
            Self::Autoconf(link) => format!("net/ipv6/conf/{link}/autoconf"),
            Self::Ipv4Forward => "net/ipv4/ip_forward".to_owned(),
            Self::Ipv6Forward => "net/ipv6/conf/all/forwarding".to_owned(),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vf(card, number) => write!(f, "virtual function {number} of {card}"),
            Self::Borrowed(link) => write!(f, "MAC address of {link}"),
            Self::Link(name) => write!(f, "link {name}"),
            Self::VlanFiltering(bridge) => write!(f, "VLAN filtering of {bridge}"),
            Self::Port(link) => write!(f, "port {link}"),
            Self::Vlans(link) => write!(f, "VLANs of {link}"),
            Self::Fdb(link, mac, None) => write!(f, "fdb entry {mac} dev {link}"),
            Self::Fdb(link, mac, Some(vlan)) => write!(f, "fdb entry {mac} dev {link} vlan {vlan}"),
            Self::Coalesce(link) => write!(f, "coalescing of {link}"),
            Self::LinkSysctl(switch) | Self::SharedSysctl(switch) => write!(f, "sysctl {}", switch.path()),
            Self::Zone(link) => write!(f, "firewalld zone of {link}"),
            Self::Ruleset(network) => write!(f, "rules of network {network}"),
            Self::Address(link, net) => write!(f, "address {net} dev {link}"),
            Self::Route(destination, _, link) if destination.prefix_len() == 0 => {
                write!(f, "route default dev {link}")
            }
            Self::Route(destination, _, link) => write!(f, "route {destination} dev {link}"),
            Self::Qdisc(link, place) => write!(f, "qdisc {place} dev {link}"),
            Self::Class(link, class) => write!(f, "class {class} dev {link}"),
            Self::ClassQdisc(link, class) => write!(f, "qdisc of class {class} dev {link}"),
            Self::Filter(link, parent, priority, _) => write!(f, "filter {parent} prio {priority} dev {link}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Process(pid_file) => write!(f, "process of {}", pid_file.display()),
        }
    }
}
