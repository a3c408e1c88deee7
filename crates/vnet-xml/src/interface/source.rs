//! `type` and `<source>`: what a guest is connected to.

use std::fmt;

use vnet_types::{InterfaceName, PciAddress, Uuid};

use super::InterfaceIp;
use super::ip::interface_ip;
use crate::HostdevDriver;
use crate::element::{Element, Grammar, Value};
use crate::hostdev::{pci_address, pci_attributes};
use crate::network::{MacTableManager, Route, mac_table_attribute, mac_table_manager, route};
use crate::value::{number, number_of_any_base, parsed, text, word, yes_no};
use crate::write::Writer;

/// `type` and `<source>`: what a guest is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "type", rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Source {
    /// `user`: to whatever the host reaches, through a program without privileges.
    User {
        /// `dev`: the host's device that passt takes addresses and routes from.
        dev: Option<InterfaceName>,
    },
    /// `ethernet`: to a device on the host, and no further.
    Ethernet(EthernetSource),
    /// `vhostuser`: to a program that reads the guest's memory.
    Vhostuser(VhostuserSource),
    /// `server`: to whoever connects by TCP.
    Server(Socket),
    /// `client`: to a `server`.
    Client(Socket),
    /// `mcast`: to all of a multicast group.
    Mcast(Socket),
    /// `udp`: to one other, by UDP.
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
    /// `hostdev`: by a device of the host that is the guest's alone.
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

/// What an interface of type `ethernet` is connected to: the addresses and routes of the host's end.
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

/// What an interface of type `vhostuser` is connected to. With the backend `passt`, only `dev` counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct VhostuserSource {
    /// `path`: of the socket.
    pub path: Option<String>,
    /// `mode`
    pub mode: VhostuserMode,
    /// `<reconnect>`; where `enabled='yes'`.
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

/// `<reconnect enabled='yes'>`: connect again when the other side has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Reconnect {
    /// `timeout`, in seconds.
    pub timeout: u32,
}

/// An address and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Socket {
    /// `address`; any, for a server, where absent.
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
    /// `<local>`: where they come from.
    pub local: Socket,
}

/// What an interface of type `network` is connected to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct NetworkSource {
    /// `network`: its name.
    pub network: String,
    /// `portgroup`: of the network; its default where absent.
    pub port_group: Option<String>,
    /// `portid`: the network port. Only a running guest has it.
    pub port_id: Option<Uuid>,
    /// `bridge`: of the network. Only a running guest has it.
    pub bridge: Option<String>,
    /// `macTableManager`: of the bridge. Only a running guest has it.
    pub mac_table_manager: Option<MacTableManager>,
}

/// What an interface of type `bridge` is connected to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct BridgeSource {
    /// `bridge`: its name.
    pub bridge: String,
    /// `macTableManager`: of a bridge that belongs to a network. Only a running guest has it.
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

/// `<source mode>` of type `direct`: who passes packets between guests of one device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum DirectMode {
    /// `vepa`: the switch that the device is plugged into.
    #[default]
    Vepa,
    /// `private`: nobody.
    Private,
    /// `bridge`: the device itself.
    Bridge,
    /// `passthrough`: there is one guest only.
    Passthrough,
}

/// What an interface of type `hostdev` is connected by.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct HostdevSource {
    /// `<address>`: the device on the host.
    pub address: HostdevAddress,
    /// `managed='yes'` of the interface: take the device from the host's driver, and give it back.
    #[cfg_attr(feature = "serde", serde(default))]
    pub managed: bool,
    /// `<driver>`: who hands the device over.
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
    /// To whatever the host reaches, without privileges.
    pub fn user() -> Self {
        Self::User { dev: None }
    }

    /// To a device on the host, and no further.
    pub fn ethernet() -> Self {
        Self::Ethernet(EthernetSource::default())
    }

    /// The word of `type`.
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
    /// A network.
    pub fn new(network: impl Into<String>) -> Self {
        Self { network: network.into(), ..Self::default() }
    }
}

impl BridgeSource {
    /// A bridge.
    pub fn new(bridge: impl Into<String>) -> Self {
        Self { bridge: bridge.into(), ..Self::default() }
    }
}

impl DirectSource {
    /// A device of the host.
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

/// Reads `mode` of a macvtap device.
pub(crate) fn direct_mode(text: &str) -> Result<DirectMode, String> {
    word(text, DirectMode::WORDS)
}

impl From<PciAddress> for HostdevSource {
    fn from(address: PciAddress) -> Self {
        Self { address: HostdevAddress::Pci(address), managed: false, driver: None }
    }
}

/// What says something of the host's end, which only the type `ethernet` has.
const OF_HOST: &[&str] = &["ip", "route"];

/// The reader of a type's `<source>`: of the interface, and of that element where it is there.
type Read = fn(&Element<'_>, Option<&Element<'_>>) -> Option<Source>;

const TYPES: &[(&str, Read)] = &[
    ("network", network),
    ("user", user),
    ("bridge", bridge),
    ("ethernet", ethernet),
    ("direct", direct),
    ("hostdev", hostdev),
    ("vhostuser", vhostuser),
    ("server", |it, source| socket(needed(it, source)?, true, OF_HOST).map(Source::Server)),
    ("client", |it, source| socket(needed(it, source)?, false, OF_HOST).map(Source::Client)),
    ("mcast", |it, source| socket(needed(it, source)?, false, OF_HOST).map(Source::Mcast)),
    ("udp", udp),
    ("internal", internal),
    ("vdpa", vdpa),
    ("null", null),
    ("vds", vds),
];

/// Reads `type` and `<source>` of an `<interface>`.
pub(super) fn source(interface: &Element<'_>) -> Option<Source> {
    let source = interface.child("source");
    let read = match interface.has("type") {
        true => interface.value("type", |text| word(text, TYPES))?,
        false => user,
    };
    if let Some(source) = source.as_ref().filter(|_| !std::ptr::fn_addr_eq(read, ethernet as Read)) {
        for element in OF_HOST.iter().filter_map(|name| source.child(name)) {
            element.misplaced_here("only interfaces of type ethernet can say it of the host's end");
        }
    }
    read(interface, source.as_ref())
}

/// The `<source>` of a type that cannot do without.
fn needed<'e, 't>(interface: &Element<'t>, source: Option<&'e Element<'t>>) -> Option<&'e Element<'t>> {
    if source.is_none() {
        interface.missing_child("source");
    }
    source
}

/// What libvirt adds to the source of a running guest that is in a network, whatever kind it turned out to be.
const OF_NETWORK: [&str; 3] = ["network", "portgroup", "portid"];

fn user(_: &Element<'_>, source: Option<&Element<'_>>) -> Option<Source> {
    let dev = source.and_then(|source| {
        source.expect(&Grammar { attributes: &["dev"], children: OF_HOST });
        source.filled("dev", parsed)
    });
    Some(Source::User { dev })
}

fn ethernet(_: &Element<'_>, source: Option<&Element<'_>>) -> Option<Source> {
    let Some(source) = source else { return Some(Source::ethernet()) };
    source.expect(&Grammar { attributes: &[], children: &["ip", "route"] });
    let (ips, routes) = (source.children("ip", interface_ip), source.children("route", route));
    Some(Source::Ethernet(EthernetSource { ips, routes }))
}

fn vhostuser(_: &Element<'_>, source: Option<&Element<'_>>) -> Option<Source> {
    let Some(source) = source else { return Some(Source::Vhostuser(VhostuserSource::default())) };
    source.expect(&Grammar { attributes: &["type", "path", "mode", "dev"], children: &["reconnect", "ip", "route"] });
    source.value("type", |text| word(text, &[("unix", ())]));
    let mode = |text: &str| word(text, &[("client", VhostuserMode::Client), ("server", VhostuserMode::Server)]);
    let reconnect = source.child("reconnect").and_then(|reconnect| {
        reconnect.expect(&Grammar { attributes: &["enabled", "timeout"], children: &[] });
        let enabled = reconnect.required("enabled", yes_no)?;
        let timeout = enabled.then(|| reconnect.required("timeout", number)).flatten()?;
        Some(Reconnect { timeout })
    });
    Some(Source::Vhostuser(VhostuserSource {
        path: source.filled("path", text),
        mode: source.filled("mode", mode).unwrap_or_default(),
        reconnect,
        dev: source.filled("dev", parsed),
    }))
}

fn socket(element: &Element<'_>, may_lack_address: bool, children: &'static [&'static str]) -> Option<Socket> {
    element.expect(&Grammar { attributes: &["address", "port"], children });
    let address = element.value("address", text);
    if address.is_none() && !may_lack_address {
        element.missing("address");
        return None;
    }
    Some(Socket { address, port: element.required("port", number)? })
}

fn udp(interface: &Element<'_>, source: Option<&Element<'_>>) -> Option<Source> {
    let source = needed(interface, source)?;
    let local = source.required_child("local").and_then(|local| socket(&local, false, &[]));
    Some(Source::Udp(UdpSource { remote: socket(source, false, &["local", "ip", "route"])?, local: local? }))
}

fn network(interface: &Element<'_>, source: Option<&Element<'_>>) -> Option<Source> {
    let source = needed(interface, source)?;
    source.expect(&Grammar {
        attributes: &["network", "portgroup", "portid", "bridge", "macTableManager"],
        children: OF_HOST,
    });
    Some(Source::Network(NetworkSource {
        port_group: source.filled("portgroup", text),
        port_id: source.filled("portid", parsed),
        bridge: source.filled("bridge", text),
        mac_table_manager: source.filled("macTableManager", mac_table_manager),
        network: source.required("network", name)?,
    }))
}

/// A name that is not empty.
fn name(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("a name".to_owned()) } else { Ok(text.to_owned()) }
}

fn bridge(interface: &Element<'_>, source: Option<&Element<'_>>) -> Option<Source> {
    let source = needed(interface, source)?;
    source.expect(&Grammar {
        attributes: &["bridge", "macTableManager", OF_NETWORK[0], OF_NETWORK[1], OF_NETWORK[2]],
        children: OF_HOST,
    });
    let mac_table_manager = source.filled("macTableManager", mac_table_manager);
    Some(Source::Bridge(BridgeSource { bridge: source.required("bridge", name)?, mac_table_manager }))
}

fn internal(interface: &Element<'_>, source: Option<&Element<'_>>) -> Option<Source> {
    let source = needed(interface, source)?;
    source.expect(&Grammar { attributes: &["name"], children: OF_HOST });
    Some(Source::Internal { name: source.required("name", name)? })
}

fn direct(interface: &Element<'_>, source: Option<&Element<'_>>) -> Option<Source> {
    let source = needed(interface, source)?;
    source
        .expect(&Grammar { attributes: &["dev", "mode", OF_NETWORK[0], OF_NETWORK[1], OF_NETWORK[2]], children: &[] });
    let mode = source.filled("mode", direct_mode).unwrap_or_default();
    Some(Source::Direct(DirectSource { dev: source.required("dev", parsed)?, mode }))
}

fn hostdev(interface: &Element<'_>, source: Option<&Element<'_>>) -> Option<Source> {
    let source = needed(interface, source)?;
    source.expect(&Grammar { attributes: &OF_NETWORK, children: &["address", "ip", "route"] });
    let managed = interface.filled("managed", yes_no).unwrap_or_default();
    let driver = interface.child("driver").and_then(|element| crate::hostdev::driver(&element));
    let address = source.required_child("address")?;
    let is_usb = address.required("type", |text| word(text, &[("pci", false), ("usb", true)]))?;
    let address = if is_usb {
        address.expect(&Grammar { attributes: &["type", "bus", "device"], children: &[] });
        let (bus, device) =
            (address.required("bus", number_of_any_base), address.required("device", number_of_any_base));
        HostdevAddress::Usb { bus: bus?, device: device? }
    } else {
        address.expect(&Grammar { attributes: &["type", "domain", "bus", "slot", "function"], children: &[] });
        HostdevAddress::Pci(pci_address(&address)?)
    };
    Some(Source::Hostdev(HostdevSource { address, managed, driver }))
}

fn vdpa(interface: &Element<'_>, source: Option<&Element<'_>>) -> Option<Source> {
    let source = needed(interface, source)?;
    source.expect(&Grammar { attributes: &["dev"], children: OF_HOST });
    Some(Source::Vdpa { dev: source.required("dev", name)? })
}

fn null(_: &Element<'_>, source: Option<&Element<'_>>) -> Option<Source> {
    if let Some(source) = source {
        source.expect(&Grammar { attributes: &[], children: OF_HOST });
    }
    Some(Source::Null)
}

fn vds(interface: &Element<'_>, source: Option<&Element<'_>>) -> Option<Source> {
    let source = needed(interface, source)?;
    source.expect(&Grammar { attributes: &["switchid", "portid", "portgroupid", "connectionid"], children: OF_HOST });
    let integer: Value<i64> = |text| text.parse().map_err(|_| "a whole number".to_owned());
    Some(Source::Vds(VdsSource {
        switch_id: source.required("switchid", parsed)?,
        port_id: source.filled("portid", integer),
        port_group_id: source.filled("portgroupid", text),
        connection_id: source.filled("connectionid", integer),
    }))
}

impl Source {
    /// `passt`: whether it is the backend.
    pub(super) fn write(&self, writer: &mut Writer<'_>, live: bool, passt: bool) -> fmt::Result {
        match self {
            Self::User { dev: None } | Self::Null => Ok(()),
            Self::User { dev: Some(dev) } => writer.tag("source")?.attribute("dev", dev)?.empty(),
            Self::Ethernet(EthernetSource { ips, routes }) if ips.is_empty() && routes.is_empty() => Ok(()),
            Self::Ethernet(EthernetSource { ips, routes }) => writer.tag("source")?.around(|writer| {
                ips.iter().try_for_each(|ip| ip.write(writer))?;
                routes.iter().try_for_each(|route| route.write(writer))
            }),
            Self::Vhostuser(source) => source.write(writer, passt),
            Self::Server(socket) | Self::Client(socket) | Self::Mcast(socket) => {
                let tag = writer.tag("source")?.optional("address", socket.address.as_ref())?;
                tag.attribute("port", socket.port)?.empty()
            }
            Self::Udp(UdpSource { remote, local }) => {
                let tag = writer.tag("source")?.optional("address", remote.address.as_ref())?;
                tag.attribute("port", remote.port)?.around(|writer| {
                    let tag = writer.tag("local")?.optional("address", local.address.as_ref())?;
                    tag.attribute("port", local.port)?.empty()
                })
            }
            Self::Network(source) => {
                let tag = writer.tag("source")?.attribute("network", &source.network)?;
                let tag = tag.optional("portgroup", source.port_group.as_ref())?;
                if !live {
                    return tag.empty();
                }
                let tag = tag.optional("portid", source.port_id)?.optional("bridge", source.bridge.as_ref())?;
                mac_table_attribute(tag, source.mac_table_manager)?.empty()
            }
            Self::Bridge(source) => {
                let tag = writer.tag("source")?.attribute("bridge", &source.bridge)?;
                mac_table_attribute(tag, source.mac_table_manager.filter(|_| live))?.empty()
            }
            Self::Internal { name } => writer.tag("source")?.attribute("name", name)?.empty(),
            Self::Direct(source) => {
                writer.tag("source")?.attribute("dev", &source.dev)?.attribute("mode", source.mode.word())?.empty()
            }
            Self::Hostdev(source) => writer.tag("source")?.around(|writer| match source.address {
                HostdevAddress::Pci(address) => {
                    pci_attributes(writer.tag("address")?.attribute("type", "pci")?, address)?.empty()
                }
                HostdevAddress::Usb { bus, device } => {
                    let tag = writer.tag("address")?.attribute("type", "usb")?;
                    tag.attribute("bus", bus)?.attribute("device", device)?.empty()
                }
            }),
            Self::Vdpa { dev } => writer.tag("source")?.attribute("dev", dev)?.empty(),
            Self::Vds(source) => {
                let tag = writer.tag("source")?.attribute("switchid", source.switch_id)?;
                let tag = tag.optional("portid", source.port_id)?;
                let tag = tag.optional("portgroupid", source.port_group_id.as_ref())?;
                tag.optional("connectionid", source.connection_id)?.empty()
            }
        }
    }
}

impl VhostuserSource {
    fn write(&self, writer: &mut Writer<'_>, passt: bool) -> fmt::Result {
        if passt {
            return match &self.dev {
                Some(dev) => writer.tag("source")?.attribute("dev", dev)?.empty(),
                None => Ok(()),
            };
        }
        let Some(path) = &self.path else { return Ok(()) };
        let mode = if self.mode == VhostuserMode::Client { "client" } else { "server" };
        let tag = writer.tag("source")?.attribute("type", "unix")?.attribute("path", path)?.attribute("mode", mode)?;
        match self.reconnect {
            None => tag.empty(),
            Some(Reconnect { timeout }) => tag.around(|writer| {
                writer.tag("reconnect")?.attribute("enabled", "yes")?.attribute("timeout", timeout)?.empty()
            }),
        }
    }
}
