//! What a host has, as far as a new network has to respect it.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Address, Features, InterfaceName, Link, MacAddr, NetworkName, PciAddress, Route, Uuid, VfSettings};

/// The facts of one host at one time. An empty one is a host that nothing is known of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Inventory {
    /// Every network interface.
    pub links: Vec<Link>,
    /// Every address, with the link that has it.
    pub addresses: Vec<(InterfaceName, Address)>,
    /// The unicast routes of the main table, both families.
    pub routes: Vec<Route>,
    /// The virtual functions of every network card, by card and number.
    #[cfg_attr(feature = "serde", serde(default))]
    pub functions: Vec<VirtualFunction>,
    /// The networks that vnet runs on this host.
    pub networks: Vec<KnownNetwork>,
    /// The guests' interfaces that vnet has attached on this host.
    #[cfg_attr(feature = "serde", serde(default))]
    pub ports: Vec<KnownPort>,
    /// Whether the kernel has IPv6.
    pub ipv6: bool,
    /// The links that routes were learned on from router advertisements, which the kernel stops
    /// listening to when it forwards IPv6: those whose `accept_ra` is 1 (`ip-sysctl.rst` of the
    /// kernel).
    #[cfg_attr(feature = "serde", serde(default))]
    pub hears_routers: Vec<InterfaceName>,
    /// Is only one user mapped here, as in a user namespace made by `unshare -r`? dnsmasq cannot
    /// change to another user there.
    pub single_user: bool,
    /// Who asks: the effective user, by the number that the user has here.
    #[cfg_attr(feature = "serde", serde(default))]
    pub user: u32,
    /// Whether packets meet the rules of IP as they come into a bridge (br_netfilter, by the
    /// sysctls `net.bridge.bridge-nf-call-iptables` and `bridge-nf-call-ip6tables`).
    #[cfg_attr(feature = "serde", serde(default))]
    pub bridge_netfilter: bool,
    /// What the kernel can do; [`Features::default`], where it was not asked.
    #[cfg_attr(feature = "serde", serde(default))]
    pub features: Features,
    /// firewalld, as it is but for the zones that vnet has put bridges into. `None` where none runs
    /// for this network namespace.
    #[cfg_attr(feature = "serde", serde(default))]
    pub firewalld: Option<Firewalld>,
}

/// firewalld, as it runs: what it does with packets depends on the zone of the interface
/// (firewalld.zone(5)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Firewalld {
    /// Its zones, by name, with the interfaces that were put into each; all others are in its
    /// default zone.
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

    /// Puts an interface into a zone; with `None` it is in the default zone.
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
    /// The same host without a network of this name, its bridge and what is on it: what that
    /// network must get along with. Guests that are attached to it stay.
    #[must_use]
    pub fn beside(&self, network: &str) -> Self {
        let mut others = self.clone();
        let own = others.networks.iter().position(|known| known.name.as_str() == network);
        if let Some(bridge) = own.and_then(|at| others.networks.remove(at).bridge) {
            others.links.retain(|link| link.name != bridge);
            others.addresses.retain(|(link, _)| *link != bridge);
            others.routes.retain(|route| route.link != bridge);
        }
        others
    }
}

/// A virtual function of a network card (SR-IOV): a card of its own, which a guest may have for
/// itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct VirtualFunction {
    /// The card, a physical function.
    pub card: InterfaceName,
    /// Where the function is on the PCI buses.
    pub address: PciAddress,
    /// The device of the host that it is, where a driver has made one of it.
    pub dev: Option<InterfaceName>,
    /// Its number, and what the card gives it.
    pub settings: VfSettings,
}

/// A network that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KnownNetwork {
    /// Its name.
    pub name: NetworkName,
    /// What identifies it.
    pub uuid: Option<Uuid>,
    /// The bridge that vnet made for it. `None` where its guests are attached to what the host has
    /// already.
    pub bridge: Option<InterfaceName>,
}

/// A guest's interface that is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KnownPort {
    /// Its end on the host.
    pub dev: InterfaceName,
    /// Did vnet make that? `false`: it was there already, and is used as it is.
    pub managed: bool,
    /// The guest's name, where one is known.
    pub guest: Option<String>,
    /// The network that it is attached to. `None` where it is attached to what the host has.
    pub network: Option<NetworkName>,
    /// The bridge that it is a port of.
    pub bridge: Option<InterfaceName>,
    /// The device below, of a macvtap.
    pub lower: Option<InterfaceName>,
    /// The device that the guest has for itself. Then `dev` is only a name, that of no link.
    #[cfg_attr(feature = "serde", serde(default))]
    pub function: Option<PciAddress>,
    /// The guest's MAC address.
    pub mac: MacAddr,
    /// How many queues the guest's network card has, at least 1.
    pub queues: u16,
    /// Frames have the header of virtio-net in front.
    pub vnet_hdr: bool,
    /// The bandwidth that is kept for the guest, where some is.
    #[cfg_attr(feature = "serde", serde(default))]
    pub floor: Option<KnownFloor>,
}

/// The bandwidth that is kept for a guest, of what its network has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KnownFloor {
    /// The number of its class on the bridge.
    pub class: u16,
    /// How much, in kilobytes (1000 bytes) per second.
    pub rate: u64,
}
