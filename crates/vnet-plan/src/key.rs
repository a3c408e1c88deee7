//! The identity of a resource.

use std::fmt;
use std::path::PathBuf;

use vnet_types::{InterfaceName, IpNet, MacAddr, NetworkName, TrafficHandle};

use crate::Sysctl;

/// The identity of a resource. Keys sort in the order of creation; resources are removed in reverse
/// order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The settings of a virtual function, by card and number.
    Vf(InterfaceName, u32),
    /// The MAC address of a device of the host that is assigned to a guest.
    Borrowed(InterfaceName),
    /// A program in a network namespace of its own, by its pid file. Its links are there with it.
    Relay(PathBuf),
    /// A link, by name.
    Link(InterfaceName),
    /// The VLAN filtering of a bridge of the host: only a rollback resets it.
    VlanFiltering(InterfaceName),
    /// The membership of a link in a bridge.
    Port(InterfaceName),
    /// The membership of a link in a bridge of Open vSwitch, which stays when the link is gone.
    SwitchPort(InterfaceName),
    /// The VLANs of a port.
    Vlans(InterfaceName),
    /// A forwarding entry: the port, the MAC address, and the VLAN or `None` for all VLANs of the
    /// port.
    Fdb(InterfaceName, MacAddr, Option<u16>),
    /// The interrupt coalescing of a link.
    Coalesce(InterfaceName),
    /// A sysctl of one link, which disappears with the link.
    LinkSysctl(Sysctl),
    /// The firewalld zone of a link. firewalld keeps it when the link is gone.
    Zone(InterfaceName),
    /// A network's nf_tables rules.
    Ruleset(NetworkName),
    /// libvirt's rules for a network that vnet takes over, by its bridge.
    LibvirtRules(InterfaceName),
    /// Forwarded ports that rules of ours let through those of libvirt, by the network's bridge.
    LibvirtForwards(InterfaceName),
    /// An address of a link.
    Address(InterfaceName, IpNet),
    /// A route. The kernel has one for each destination and metric; the link distinguishes the
    /// routes of several networks.
    Route(IpNet, u32, InterfaceName),
    /// The qdisc for all outgoing or incoming packets of a link, by its place.
    Qdisc(InterfaceName, TrafficHandle),
    /// A class of a qdisc, by its handle.
    Class(InterfaceName, TrafficHandle),
    /// The qdisc of a class, by the class.
    ClassQdisc(InterfaceName, TrafficHandle),
    /// A filter of a link, by its qdisc, priority and number.
    Filter(InterfaceName, TrafficHandle, u16, u32),
    /// What a veth pair is in its container, by its end on the host.
    Container(InterfaceName),
    /// A sysctl that is shared by the whole host: only a rollback resets it.
    SharedSysctl(Sysctl),
    /// A file.
    File(PathBuf),
    /// A running program, by its pid file.
    Process(PathBuf),
    /// The name servers of a link in systemd-resolved, which forgets them with the link.
    Resolver(InterfaceName),
}

impl Key {
    /// Whether the whole host shares it. Such a resource is set, and only a rollback resets it.
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::SharedSysctl(_) | Self::VlanFiltering(_))
    }

    /// The link that it belongs to and disappears with.
    pub fn link(&self) -> Option<&InterfaceName> {
        match self {
            Self::Address(link, _) | Self::Route(_, _, link) => Some(link),
            Self::Qdisc(link, _) | Self::Class(link, _) | Self::ClassQdisc(link, _) | Self::Filter(link, ..) => {
                Some(link)
            }
            Self::Port(link)
            | Self::Vlans(link)
            | Self::Fdb(link, ..)
            | Self::Coalesce(link)
            | Self::Resolver(link)
            | Self::Container(link) => Some(link),
            Self::LinkSysctl(Sysctl::DisableIpv6(link) | Sysctl::AcceptRa(link) | Sysctl::Autoconf(link)) => Some(link),
            Self::Vf(..)
            | Self::Borrowed(_)
            | Self::Relay(_)
            | Self::Link(_)
            | Self::VlanFiltering(_)
            | Self::LinkSysctl(_) => None,
            Self::Zone(_)
            | Self::SwitchPort(_)
            | Self::Ruleset(_)
            | Self::LibvirtRules(_)
            | Self::LibvirtForwards(_)
            | Self::SharedSysctl(_)
            | Self::File(_)
            | Self::Process(_) => None,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vf(card, number) => write!(f, "virtual function {number} of {card}"),
            Self::Borrowed(link) => write!(f, "MAC address of {link}"),
            Self::Relay(pid_file) => write!(f, "relay of {}", pid_file.display()),
            Self::Link(name) => write!(f, "link {name}"),
            Self::VlanFiltering(bridge) => write!(f, "VLAN filtering of {bridge}"),
            Self::Port(link) => write!(f, "port {link}"),
            Self::SwitchPort(link) => write!(f, "port {link} of Open vSwitch"),
            Self::Vlans(link) => write!(f, "VLANs of {link}"),
            Self::Fdb(link, mac, None) => write!(f, "fdb entry {mac} dev {link}"),
            Self::Fdb(link, mac, Some(vlan)) => write!(f, "fdb entry {mac} dev {link} vlan {vlan}"),
            Self::Coalesce(link) => write!(f, "coalescing of {link}"),
            Self::Container(link) => write!(f, "container's end of {link}"),
            Self::LinkSysctl(switch) | Self::SharedSysctl(switch) => write!(f, "sysctl {}", switch.path()),
            Self::Zone(link) => write!(f, "firewalld zone of {link}"),
            Self::Ruleset(network) => write!(f, "rules of network {network}"),
            Self::LibvirtRules(bridge) => write!(f, "libvirt's rules for {bridge}"),
            Self::LibvirtForwards(bridge) => write!(f, "forwards through libvirt's rules for {bridge}"),
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
            Self::Resolver(link) => write!(f, "name servers of {link} in systemd-resolved"),
        }
    }
}
