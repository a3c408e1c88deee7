//! `<interface>` of a guest: <https://libvirt.org/formatdomain.html#network-interfaces>.
//!
//! The model is plain data without places, as [`network`](crate::network) is. What is absent in the
//! document is `None` here. Settings that QEMU does not support are read and printed too.
//!
#![doc = include_str!("elements.md")]

mod address;
mod backend;
mod device;
mod driver;
mod ip;
pub(crate) mod port_forward;
mod print;
mod read;
mod source;

use std::str::FromStr;

use vnet_types::MacAddr;

use crate::network::Route;
use crate::{Bandwidth, Comments, Parsed, Printed, Refused, Style, VirtualPort, Vlan};

pub use address::{DeviceAddress, Zpci};
pub use backend::{Backend, BackendType};
pub use device::{Boot, Filter, GuestDevice, LinkState, Mac, MacType, Rom, Target, Teaming};
pub use driver::{Driver, DriverName, GuestOffloads, HostOffloads, TxMode};
pub use ip::InterfaceIp;
pub use port_forward::{PortForward, PortForwardRange, Protocol};
pub(crate) use read::{GRAMMAR, interface};
pub(crate) use source::direct_mode;
pub use source::{
    BridgeSource, DirectMode, DirectSource, EthernetSource, HostdevAddress, HostdevSource, NetworkSource, Reconnect,
    Socket, Source, UdpSource, VdsSource, VhostuserMode, VhostuserSource,
};

/// A guest's network interface.
///
/// `Display` prints the live form, as libvirt prints a running guest; [`Interface::inactive`] is
/// the form that libvirt keeps on disk.
///
/// ```
/// use vnet_xml::Interface;
/// use vnet_xml::interface::{Backend, PortForward, PortForwardRange, Protocol, Source};
///
/// let mut interface = Interface::new(Source::user());
/// interface.backend = Some(Backend::passt());
/// let mut ssh = PortForward::new(Protocol::Tcp);
/// ssh.ranges.push(PortForwardRange { to: Some(22), ..PortForwardRange::new(2222) });
/// interface.port_forwards.push(ssh);
///
/// let text = interface.to_string();
/// assert!(text.contains("    <range start='2222' to='22'/>\n"));
/// assert_eq!(text.parse::<Interface>()?, interface);
/// # Ok::<(), vnet_xml::Refused>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Interface {
    /// `type`, with `<source>`: what the guest is connected to.
    pub source: Source,
    /// `trustGuestRxFilters`: the guest may change its MAC address and receive filters; no if
    /// absent.
    pub trust_guest_rx_filters: Option<bool>,
    /// `<mac>`; generated if absent.
    pub mac: Option<Mac>,
    /// `<vlan>`
    pub vlan: Option<Vlan>,
    /// `<virtualport>`
    pub virtual_port: Option<VirtualPort>,
    /// `<bandwidth>`
    pub bandwidth: Option<Bandwidth>,
    /// `<port isolated>`: the guest cannot reach other isolated ports of its bridge; no if absent.
    pub port_isolated: Option<bool>,
    /// `<ip>`: addresses of the guest.
    #[cfg_attr(feature = "serde", serde(default))]
    pub ips: Vec<InterfaceIp>,
    /// `<route>`: routes of the guest.
    #[cfg_attr(feature = "serde", serde(default))]
    pub routes: Vec<Route>,
    /// `<portForward>`: ports of the host that are forwarded to the guest; with the backend
    /// `passt`.
    #[cfg_attr(feature = "serde", serde(default))]
    pub port_forwards: Vec<PortForward>,
    /// `<script path>`: a program that runs when the device is created.
    pub script: Option<String>,
    /// `<downscript path>`: a program that runs when the device is removed.
    pub downscript: Option<String>,
    /// `<backenddomain name>`: Xen's driver domain.
    pub backend_domain: Option<String>,
    /// `<target>`: the device on the host.
    pub target: Option<Target>,
    /// `<guest>`: the device in a container.
    pub guest: Option<GuestDevice>,
    /// `<model type>`: the network card that the guest sees. See [`Interface::is_virtio`].
    pub model: Option<String>,
    /// `<driver>`: how the hypervisor moves packets; for virtio models.
    pub driver: Option<Driver>,
    /// `<backend>`: the program that moves packets.
    pub backend: Option<Backend>,
    /// `<filterref>`: rules of libvirt's nwfilter.
    pub filter: Option<Filter>,
    /// `<tune><sndbuf>`: send buffer of the device on the host, in bytes.
    pub sndbuf: Option<u64>,
    /// `<teaming>`: one of a pair of devices that replace each other.
    pub teaming: Option<Teaming>,
    /// `<link state>`; up if absent.
    pub link: Option<LinkState>,
    /// `<mtu size>`, in bytes.
    pub mtu: Option<u32>,
    /// `<coalesce><rx><frames max>`: received frames before the host is interrupted.
    pub coalesce_rx_frames: Option<u32>,
    /// `<boot>`
    pub boot: Option<Boot>,
    /// `<alias name>`: the device's name in the hypervisor; a user's own begins with `ua-`.
    pub alias: Option<String>,
    /// `<rom>`: the network card's boot ROM.
    pub rom: Option<Rom>,
    /// `<acpi index>`: the number that the guest's firmware gives the device.
    pub acpi_index: Option<u32>,
    /// `<address>`: where the guest sees the device.
    pub address: Option<DeviceAddress>,
    /// The comments of the document.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Comments::is_empty"))]
    pub comments: Comments,
}

impl Interface {
    /// An interface with this connection and nothing else set.
    pub fn new(source: Source) -> Self {
        Self {
            source,
            trust_guest_rx_filters: None,
            mac: None,
            vlan: None,
            virtual_port: None,
            bandwidth: None,
            port_isolated: None,
            ips: Vec::new(),
            routes: Vec::new(),
            port_forwards: Vec::new(),
            script: None,
            downscript: None,
            backend_domain: None,
            target: None,
            guest: None,
            model: None,
            driver: None,
            backend: None,
            filter: None,
            sndbuf: None,
            teaming: None,
            link: None,
            mtu: None,
            coalesce_rx_frames: None,
            boot: None,
            alias: None,
            rom: None,
            acpi_index: None,
            address: None,
            comments: Comments::default(),
        }
    }

    /// An interface in a network.
    pub fn network(name: impl Into<String>) -> Self {
        Self::new(Source::Network(NetworkSource::new(name)))
    }

    /// An interface on a bridge of the host.
    pub fn bridge(name: impl Into<String>) -> Self {
        Self::new(Source::Bridge(BridgeSource::new(name)))
    }

    /// Reads a definition, and finds everything that is wrong with its text.
    ///
    /// The value is `None` also if the text does not say what the interface is connected to.
    ///
    /// ```
    /// use vnet_xml::Interface;
    ///
    /// let parsed = Interface::parse(b"<interface type='network'><source netwrok='default'/></interface>");
    /// assert_eq!(parsed.value, None);
    /// assert!(parsed.problems.iter().any(|it| it.help.as_deref() == Some("did you mean `network`?")));
    /// ```
    pub fn parse(document: &[u8]) -> Parsed<Self> {
        crate::document::parse(document, "interface", read::interface)
    }

    /// The MAC address, if one is given.
    pub fn mac_address(&self) -> Option<MacAddr> {
        self.mac.as_ref().map(|mac| mac.address)
    }

    /// Whether the model is a virtio model. Only these have a [`Driver`].
    pub fn is_virtio(&self) -> bool {
        let models = ["virtio", "virtio-transitional", "virtio-non-transitional"];
        self.model.as_deref().is_some_and(|model| models.contains(&model))
    }

    /// Whether passt connects the guest.
    pub fn is_passt(&self) -> bool {
        self.backend.as_ref().is_some_and(|backend| backend.kind == Some(BackendType::Passt))
    }

    /// Prints the form that libvirt keeps on disk: without what only a running guest has, such as a
    /// generated name of its device on the host.
    pub fn inactive(&self) -> Printed<'_, Self> {
        self.display(Style { inactive: true, ..Style::default() })
    }

    /// Prints the definition in a style.
    pub fn display(&self, style: Style) -> Printed<'_, Self> {
        Printed::new(self, style)
    }
}

/// Reads a definition without errors; warnings are ignored.
impl FromStr for Interface {
    type Err = Refused;

    fn from_str(document: &str) -> Result<Self, Refused> {
        Self::parse(document.as_bytes()).into_result()
    }
}
