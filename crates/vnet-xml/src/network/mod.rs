//! `<network>`: <https://libvirt.org/formatnetwork.html>.
//!
//! The model is plain data without places; a place is looked up by path in a
//! [`SourceMap`](crate::SourceMap). What is absent in the document is `None` here. Numbers and
//! masks are kept as written; `vnet-validate` checks whether they make sense.
//!
#![doc = include_str!("elements.md")]

mod bridge;
mod dns;
mod extensions;
mod forward;
mod ip;
mod metadata;
mod name_server;
mod portgroup;
mod print;
mod reach;
mod read;
pub(crate) mod route;
mod update;

use std::str::FromStr;

use vnet_types::{MacAddr, Uuid};

use crate::{Bandwidth, Comments, Parsed, Printed, Refused, Style, VirtualPort, Vlan};

pub use bridge::{Bridge, MacTableManager};
pub(crate) use bridge::{mac_table_attribute, mac_table_manager};
pub use dns::{Dns, DnsHost, Forwarder, Srv, Txt};
pub use extensions::{
    Extensions, ForwardGuest, GuestForward, OvnAddress, OvnEngine, OvnGateway, OvnOutside, OvnTls, VNET_NAMESPACE,
};
pub use forward::{Forward, ForwardInterface, ForwardMode, Nat};
pub(crate) use ip::net;
pub use ip::{Bootp, Dhcp, DhcpHost, DhcpRange, Ip, Lease, LeaseUnit, Mask};
pub use metadata::{Metadata, MetadataError, MetadataPart};
pub use portgroup::PortGroup;
pub use reach::WayOut;
pub(crate) use read::GRAMMAR;
pub use route::Route;
pub use update::{Command, ParseUpdateError, Section, UpdateError, UpdateRefusal, Updated};

/// The namespace of [`Network::dnsmasq_options`].
pub const DNSMASQ_NAMESPACE: &str = "http://libvirt.org/schemas/network/dnsmasq/1.0";

/// A virtual network.
///
/// `Display` prints the live form, as libvirt prints a running network; [`Network::inactive`] is
/// the form that libvirt keeps on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct Network {
    /// `connections`: how many guests are attached; in the live form only.
    pub connections: u32,
    /// `ipv6='yes'`: guests may use IPv6 between each other although the network has no IPv6
    /// address.
    pub ipv6: bool,
    /// `trustGuestRxFilters`: a guest may change its MAC address and receive filters; no if absent.
    pub trust_guest_rx_filters: Option<bool>,
    /// `<name>`
    pub name: String,
    /// `<uuid>`
    pub uuid: Option<Uuid>,
    /// `<title>`: one line for people.
    pub title: Option<String>,
    /// `<description>`: any text for people.
    pub description: Option<String>,
    /// `<metadata>`: data of other programs.
    pub metadata: Option<Metadata>,
    /// `<vnet:network>` in `<metadata>`: what vnet has beyond libvirt.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Extensions::is_empty"))]
    pub extensions: Extensions,
    /// `<forward>`; `None`: an isolated network.
    pub forward: Option<Forward>,
    /// `<bridge>`
    pub bridge: Option<Bridge>,
    /// `<mtu size>`, in bytes.
    pub mtu: Option<u32>,
    /// `<mac address>`: the bridge's MAC address.
    pub mac: Option<MacAddr>,
    /// `<domain>`
    pub domain: Option<Domain>,
    /// `<dns>`
    pub dns: Option<Dns>,
    /// `<vlan>`: for guests that set none.
    pub vlan: Option<Vlan>,
    /// `<bandwidth>`: for all guests together.
    pub bandwidth: Option<Bandwidth>,
    /// `<port isolated>`: guests cannot reach each other; no if absent.
    pub port_isolated: Option<bool>,
    /// `<ip>`, any number.
    pub ips: Vec<Ip>,
    /// `<route>`, any number.
    pub routes: Vec<Route>,
    /// `<virtualport>`: for guests that set none.
    pub virtual_port: Option<VirtualPort>,
    /// `<portgroup>`, any number.
    pub port_groups: Vec<PortGroup>,
    /// `<dnsmasq:option value>` of `<dnsmasq:options>`: unchanged lines for dnsmasq's
    /// configuration.
    pub dnsmasq_options: Vec<String>,
    /// The comments of the document.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Comments::is_empty"))]
    pub comments: Comments,
}

/// `<domain>`: the DNS domain of the guests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct Domain {
    /// `name`
    pub name: String,
    /// `localOnly`: never forward queries for names of this domain.
    pub local_only: Option<bool>,
    /// `register`: register the domain with systemd-resolved.
    pub register: Option<bool>,
}

impl Network {
    /// An isolated network without addresses.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Reads a definition, and finds everything that is wrong with its text.
    ///
    /// ```
    /// use vnet_xml::Network;
    ///
    /// let parsed = Network::parse(b"<network><name>lab</name><brige name='lab0'/></network>");
    /// assert_eq!(parsed.value.map(|network| network.name).as_deref(), Some("lab"));
    /// assert_eq!(parsed.problems[0].help.as_deref(), Some("did you mean `bridge`?"));
    /// ```
    pub fn parse(document: &[u8]) -> Parsed<Self> {
        crate::document::parse(document, "network", |root| Some(read::network(root)))
    }

    /// The effective mode: `none` if there is no `<forward>`.
    pub fn forward_mode(&self) -> ForwardMode {
        self.forward.as_ref().map_or(ForwardMode::None, |forward| forward.mode)
    }

    /// Prints the form that libvirt keeps on disk: without what only a running network has, such as
    /// the number of its connections and the devices that were found for a `<pf>`.
    pub fn inactive(&self) -> Printed<'_, Self> {
        self.display(Style { inactive: true, ..Style::default() })
    }

    /// Prints the definition in a style.
    ///
    /// ```
    /// use vnet_xml::{Libvirt, Network, Style};
    ///
    /// let network: Network = "<network><name>lab</name><ip address='10.0.0.1' prefix='24'/></network>".parse()?;
    /// assert!(network.to_string().contains("  <ip address='10.0.0.1' prefix='24'>\n  </ip>\n"));
    /// let newer = network.display(Style { libvirt: Libvirt::V12, ..Style::default() }).to_string();
    /// assert!(newer.contains("  <ip address='10.0.0.1' prefix='24'/>\n"));
    /// # Ok::<(), vnet_xml::Refused>(())
    /// ```
    pub fn display(&self, style: Style) -> Printed<'_, Self> {
        Printed::new(self, style)
    }
}

/// Reads a definition without errors; warnings are ignored.
impl FromStr for Network {
    type Err = Refused;

    fn from_str(document: &str) -> Result<Self, Refused> {
        Self::parse(document.as_bytes()).into_result()
    }
}
