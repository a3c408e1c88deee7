//! Turns a definition into the state of a host that it requires.

mod acceleration;
mod attach;
pub mod bandwidth;
mod beside_libvirt;
mod checksum;
mod container;
mod dnsmasq;
mod firewall;
mod help;
mod name_server;
mod passt;
mod resolver;
mod zone;

use std::collections::HashSet;
use std::net::IpAddr;
use std::path::PathBuf;

use vnet_firewall::Ruleset;
use vnet_types::{
    BridgeOptions, Family, InterfaceName, Inventory, Link, LinkKind, MacAddr, NameError, NetworkName, RangeError,
    Route, RouteProtocol,
};
use vnet_xml::network::{self, Forward, ForwardGuest, ForwardMode, MacTableManager};
use vnet_xml::{BridgeName, BridgeTemplate, Network};

use crate::{HostState, Intent, LinkAddress, NetworkRules, Sysctl, SysctlSetting, VlanFiltering};

pub use acceleration::accelerated_devices;
pub use attach::{AttachError, LoweredPort, PortChoices, VirtualPortError, attach, fill_pool, record_port};
pub use beside_libvirt::beside_libvirt;
pub use checksum::mends_checksums;
pub use container::{AddressWish, ContainerAddressError, container_addresses};
pub(crate) use dnsmasq::config;
pub use dnsmasq::{Files, dnsmasq};
pub(crate) use firewall::policy;
pub use name_server::{NameServerChoices, name_server};
pub use passt::{NotPasst, passt};

/// What a definition leaves open, and the folder for its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choices {
    /// The absolute path of the folder for this network's files.
    pub directory: PathBuf,
    /// Random bytes for the bridge's MAC address, used if the definition has none.
    pub random: [u8; 3],
    /// The current bridge of a running network. It is kept if it has a name that the definition
    /// allows.
    pub bridge: Option<InterfaceName>,
    /// The file of dnsmasq's leases, when it outlasts the network: its folder is there. `None`: a
    /// file in the network's folder, which is removed with the network.
    pub leases: Option<PathBuf>,
}

/// A definition with all open choices made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lowered {
    /// The network's name.
    pub name: NetworkName,
    /// The bridge that is created for it. `None` in the modes whose guests are attached to existing
    /// devices of the host.
    pub bridge: Option<InterfaceName>,
    /// The state that it requires of the host.
    pub desired: HostState,
    /// What it does for its guests. `None` if it has no bridge of its own.
    pub intent: Option<Intent>,
}

/// Why a definition cannot become a state. `vnet-validate` finds all of these with their place
/// beforehand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LowerError {
    /// The name of the network is invalid.
    #[error("the network cannot have this name")]
    Name(#[source] NameError),
    /// No name is free for the bridge.
    #[error("no interface name is free for the bridge template `{0}`")]
    NoFreeBridge(BridgeName),
    /// An `<ip>` has no usable prefix.
    #[error("the address {0} has no usable netmask or prefix")]
    Prefix(IpAddr),
    /// A `<route>` is invalid.
    #[error("the route to {0} has no usable netmask or prefix, or is not a network address")]
    Route(IpAddr),
    /// Ports of the host cannot lead to this guest.
    #[error("no port of the host can lead to the guest `{0}`")]
    PortForward(ForwardGuest),
    /// The host is not the router of the guests, or has no rules for them.
    #[error("what guests of a network in mode `{0}` reach cannot be limited")]
    Egress(ForwardMode),
    /// The host is not the router of the guests, or has no rules that connections could skip.
    #[error("connections of a network in mode `{0}` cannot have a flowtable")]
    Flowtable(ForwardMode),
    /// Another engine than this host makes the network.
    #[error("this network is made by OVN, as `<vnet:ovn>` says, and not by a host")]
    OtherEngine,
    /// The delay of the bridge is above the kernel's limit of 30 seconds.
    #[error("the bridge's delay of {0} seconds is more than the kernel takes")]
    Delay(u64),
    /// The kernel cannot filter VLANs.
    #[error(
        "this kernel cannot filter VLANs in bridges (CONFIG_BRIDGE_VLAN_FILTERING), which \
         `<bridge macTableManager='libvirt'>` needs"
    )]
    NoVlanFiltering,
    /// The kernel has no policer, and the other way to limit what guests send would bypass
    /// connection tracking.
    #[error(
        "this kernel has no policer (act_police) for `<outbound>` of the network, and the other way to limit it is not \
         safe while `net.bridge.bridge-nf-call-iptables` or `bridge-nf-call-ip6tables` is on: guests would leave \
         untranslated; load act_police, set both to 0, or leave `<outbound>` out"
    )]
    NoPolicer,
    /// The definition names a zone, but firewalld does not run.
    #[error("`<bridge zone='{zone}'>` needs firewalld, which does not run for this network namespace")]
    NoFirewalld {
        /// The zone.
        zone: String,
    },
    /// firewalld does not have the zone of the definition.
    #[error("firewalld has no zone `{zone}`")]
    UnknownZone {
        /// The zone.
        zone: String,
    },
    /// The definition registers its domain, but systemd-resolved does not run.
    #[error(
        "`<domain name='{domain}' register='yes'/>` needs systemd-resolved, which does not run for this network namespace"
    )]
    NoResolved {
        /// The domain.
        domain: String,
    },
    /// The card has no virtual function for guests.
    #[error(
        "no virtual function of `{0}` can be used; `/sys/class/net/{0}/device/sriov_numvfs` says how many there are"
    )]
    NoFunctions(InterfaceName),
    /// A `<range>` of `<dhcp>` is invalid.
    #[error("the DHCP range is invalid")]
    Range(#[source] RangeError),
    /// dnsmasq cannot be configured as the definition says.
    #[error("dnsmasq cannot be configured")]
    Dnsmasq(#[from] vnet_dnsmasq::Error),
}

/// Decides what the host must have for the network to run.
///
/// # Errors
/// [`LowerError`] for a definition that has not passed `vnet_validate::check`.
pub fn lower(network: &Network, inventory: &Inventory, choices: &Choices) -> Result<Lowered, LowerError> {
    if network.forward_mode().has_own_bridge() {
        zone::check(network, inventory.firewalld.as_ref())?;
        resolver::check(network, inventory)?;
        bandwidth::check(network, inventory)?;
    }
    preview(network, inventory, choices)
}

/// Decides as [`lower`] does, but ignores that a zone or systemd-resolved is missing. Use the
/// result to show, not to start a network.
///
/// # Errors
/// [`LowerError`] for a definition that has not passed `vnet_validate::check`.
pub fn preview(network: &Network, inventory: &Inventory, choices: &Choices) -> Result<Lowered, LowerError> {
    let name: NetworkName = network.name.parse().map_err(LowerError::Name)?;
    if network.is_on_ovn() {
        return Err(LowerError::OtherEngine);
    }
    let inventory = &inventory.beside(&network.name);
    acceleration::check(network)?;
    if !network.forward_mode().has_own_bridge() {
        if let Some(forward) = network.extensions.port_forwards.first() {
            return Err(LowerError::PortForward(forward.guest.clone()));
        }
        firewall::egress(network)?;
        let desired = of_the_host(network, inventory)?;
        return Ok(Lowered { name, bridge: None, desired, intent: None });
    }
    let bridge = bridge_name(network, inventory, choices)?;
    let mut desired = HostState::new();
    if keeps_mac_table(network) && !inventory.features.vlan_filtering {
        return Err(LowerError::NoVlanFiltering);
    }
    desired.insert(link(network, bridge.clone(), choices)?);
    if inventory.ipv6 {
        let switches = [
            (Sysctl::DisableIpv6(bridge.clone()), u32::from(!network.has_family(Family::Ipv6))),
            (Sysctl::AcceptRa(bridge.clone()), 0),
            (Sysctl::Autoconf(bridge.clone()), 0),
        ];
        switches.into_iter().for_each(|(switch, value)| desired.insert(SysctlSetting { switch, value }));
    }
    desired.extend(zone::zone(network, &bridge, inventory.firewalld.as_ref()));
    let mut intent = Intent::of(network, &bridge)?;
    if let Some(policy) = &mut intent.policy {
        policy.redirected = container::addresses(network, &inventory.ports);
        policy.accelerated = accelerated_devices(network, inventory);
        let ruleset = Ruleset::compile(policy);
        desired.insert(NetworkRules { network: name.clone(), ruleset: ruleset.into() });
    }
    for ip in &network.ips {
        let net = ip.net().ok_or(LowerError::Prefix(ip.address))?;
        desired.insert(LinkAddress { link: bridge.clone(), address: net.into() });
    }
    for definition in &network.routes {
        desired.insert(route(definition, &bridge)?);
    }
    if let Some(limits) = &network.bandwidth {
        let resources = bandwidth::network(&bridge, limits, &inventory.features);
        resources.into_iter().for_each(|resource| desired.insert(resource));
    }
    if mends_checksums(network) && inventory.features.csum {
        desired.extend(checksum::mend(&bridge));
    }
    for family in network.families().filter(|family| network.way_out(*family).is_some()) {
        let switch = match family {
            Family::Ipv4 => Sysctl::Ipv4Forward,
            Family::Ipv6 => Sysctl::Ipv6Forward,
        };
        desired.insert(SysctlSetting { switch, value: 1 });
    }
    if let Some(config) = &intent.dnsmasq {
        let config = container::with_guests(config, network, &inventory.ports);
        dnsmasq::add_to(&mut desired, &config, inventory, choices)?;
        desired.extend(resolver::resolver(network, &config));
    }
    Ok(Lowered { name, bridge: Some(bridge), desired, intent: Some(intent) })
}

/// What a network requires of an existing bridge of the host.
fn of_the_host(network: &Network, inventory: &Inventory) -> Result<HostState, LowerError> {
    let mut desired = HostState::new();
    let mut filled = network.clone();
    fill_pool(&mut filled, inventory);
    if let Some(Forward { pf: Some(card), interfaces, addresses, .. }) = &filled.forward
        && interfaces.is_empty()
        && addresses.is_empty()
    {
        return Err(LowerError::NoFunctions(card.clone()));
    }
    let written = network.bridge.as_ref().and_then(|bridge| bridge.name.as_ref());
    if let (true, Some(BridgeName::Fixed(bridge))) = (keeps_mac_table(network), written) {
        if !inventory.features.vlan_filtering {
            return Err(LowerError::NoVlanFiltering);
        }
        desired.insert(VlanFiltering { bridge: bridge.clone(), on: true });
    }
    if let (Some(limits), Some(BridgeName::Fixed(bridge))) = (&network.bandwidth, written) {
        let resources = bandwidth::network(bridge, limits, &inventory.features);
        resources.into_iter().for_each(|resource| desired.insert(resource));
    }
    Ok(desired)
}

/// Whether the kernel runs spanning tree on the network's own bridge.
fn runs_spanning_tree(network: &Network) -> bool {
    network.forward_mode().has_own_bridge() && network.bridge.as_ref().and_then(|bridge| bridge.stp).unwrap_or(true)
}

/// Whether the guests' addresses are entered into the bridge, which then does not learn them.
fn keeps_mac_table(network: &Network) -> bool {
    let bridge = network.bridge.as_ref();
    bridge.is_some_and(|bridge| bridge.mac_table_manager == Some(MacTableManager::Libvirt))
}

/// Whether the result for a network depends on [`Features`](vnet_types::Features). If not, they
/// need not be probed.
pub fn asks_features(network: &Network) -> bool {
    network.bandwidth.is_some() || keeps_mac_table(network)
}

fn bridge_name(network: &Network, inventory: &Inventory, choices: &Choices) -> Result<InterfaceName, LowerError> {
    let written = network.bridge.as_ref().and_then(|bridge| bridge.name.clone());
    let template = match written {
        Some(BridgeName::Fixed(fixed)) => return Ok(fixed),
        Some(BridgeName::Template(template)) => template,
        None => BridgeTemplate::virbr(),
    };
    if let Some(kept) = choices.bridge.as_ref().filter(|kept| template.names().any(|name| name == **kept)) {
        return Ok(kept.clone());
    }
    let bridges = inventory.networks.iter().filter_map(|known| known.bridge.as_ref());
    let taken: HashSet<&InterfaceName> = inventory.links.iter().map(|link| &link.name).chain(bridges).collect();
    let free = template.names().find(|candidate| !taken.contains(candidate));
    free.ok_or(LowerError::NoFreeBridge(BridgeName::Template(template)))
}

fn link(network: &Network, name: InterfaceName, choices: &Choices) -> Result<Link, LowerError> {
    let stp = runs_spanning_tree(network);
    let delay = network.bridge.as_ref().and_then(|bridge| bridge.delay).unwrap_or(0);
    let hundredths = u32::try_from(delay).ok().filter(|delay| *delay <= 30).ok_or(LowerError::Delay(delay))? * 100;
    // With STP the kernel raises shorter delays to 2 seconds. Asking for 2 seconds avoids a
    // difference to the actual state.
    let forward_delay = if stp { hundredths.max(200) } else { hundredths };
    Ok(Link {
        name,
        kind: LinkKind::Bridge(BridgeOptions { stp, forward_delay, vlan_filtering: keeps_mac_table(network) }),
        mac: Some(network.mac.unwrap_or_else(|| MacAddr::from_random(choices.random))),
        mtu: network.mtu.filter(|mtu| *mtu != 0),
        up: true,
    })
}

fn route(definition: &network::Route, bridge: &InterfaceName) -> Result<Route, LowerError> {
    Ok(Route {
        destination: definition
            .destination()
            .ok_or(LowerError::Route(definition.address.unwrap_or(definition.gateway)))?,
        gateway: Some(definition.gateway),
        link: bridge.clone(),
        metric: definition.effective_metric(),
        protocol: RouteProtocol::Static,
    })
}
