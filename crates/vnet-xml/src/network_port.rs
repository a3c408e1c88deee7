//! `<networkport>`: how one guest's interface is attached to a
//! network, <https://libvirt.org/formatnetworkport.html>.

use std::fmt::{self, Display};
use std::str::FromStr;

use vnet_types::{InterfaceName, MacAddr, PciAddress, Uuid};

use crate::bandwidth::{self, BandwidthOf, bandwidth};
use crate::element::Element;
use crate::grammar::{Grammar, TEXT};
use crate::hostdev::{DRIVER, driver, pci_address, pci_attributes, write_driver};
use crate::interface::{DirectMode, direct_mode};
use crate::network::{MacTableManager, mac_table_attribute, mac_table_manager};
use crate::style::Print;
use crate::value::{parsed, word, yes_no};
use crate::virtual_port::{self, TypeIs, virtual_port};
use crate::vlan::{self, vlan};
use crate::write::Writer;
use crate::{Bandwidth, Comments, HostdevDriver, Parsed, Refused, Style, VirtualPort, Vlan};

/// How one guest's interface is attached to a network.
///
/// ```
/// use vnet_xml::network_port::{NetworkPort, Owner, Plug};
///
/// let owner = Owner { name: "vm1".to_owned(), uuid: "d54df46f-1ab5-4a22-8618-4560ef5fac2c".parse()? };
/// let uuid = "5d744f21-ba4a-4d6e-bdb2-30a35ff3207d".parse()?;
/// let mut port = NetworkPort::new(uuid, owner, "52:54:00:7b:35:93".parse()?);
/// port.plug = Some(Plug::Network { bridge: "virbr0".parse()?, mac_table_manager: None });
/// assert!(port.to_string().contains("  <plug type='network' bridge='virbr0'/>\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct NetworkPort {
    /// `<uuid>`
    pub uuid: Uuid,
    /// `<owner>`
    pub owner: Owner,
    /// `<group>`: the name of a port group of the network.
    pub group: Option<String>,
    /// `<mac address>`: the guest's MAC address.
    pub mac: MacAddr,
    /// `<virtualport>`
    pub virtual_port: Option<VirtualPort>,
    /// `<bandwidth>`
    pub bandwidth: Option<Bandwidth>,
    /// `<vlan>`
    pub vlan: Option<Vlan>,
    /// `<port isolated>`: the guest cannot reach other isolated ports; no if absent.
    pub isolated: Option<bool>,
    /// `<rxfilters trustGuest>`: the guest may change its MAC address and receive filters; no if
    /// absent.
    pub trust_guest_rx_filters: Option<bool>,
    /// `<plug>`: what the port is attached to; absent until that is decided.
    pub plug: Option<Plug>,
    /// The comments of the document.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Comments::is_empty"))]
    pub comments: Comments,
}

/// `<owner>`: the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Owner {
    /// `<name>`
    pub name: String,
    /// `<uuid>`
    pub uuid: Uuid,
}

/// `<plug>`: what a port is attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "type", rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Plug {
    /// `network`: the network's own bridge.
    Network {
        /// `bridge`
        bridge: InterfaceName,
        /// `macTableManager`
        mac_table_manager: Option<MacTableManager>,
    },
    /// `bridge`: a bridge of the host.
    Bridge {
        /// `bridge`
        bridge: InterfaceName,
        /// `macTableManager`
        mac_table_manager: Option<MacTableManager>,
    },
    /// `direct`: a device of the host, by macvtap.
    Direct {
        /// `dev`
        dev: InterfaceName,
        /// `mode`
        mode: DirectMode,
    },
    /// `hostdev-pci`: a device that is assigned to the guest.
    HostdevPci {
        /// `managed`: detach the device from the host's driver, and give it back later.
        managed: Option<bool>,
        /// `<driver>`
        driver: Option<HostdevDriver>,
        /// `<address>`
        address: PciAddress,
    },
}

impl NetworkPort {
    /// A port that is not attached yet.
    pub fn new(uuid: Uuid, owner: Owner, mac: MacAddr) -> Self {
        Self {
            uuid,
            owner,
            group: None,
            mac,
            virtual_port: None,
            bandwidth: None,
            vlan: None,
            isolated: None,
            trust_guest_rx_filters: None,
            plug: None,
            comments: Comments::default(),
        }
    }

    /// Reads a network port, and finds everything that is wrong with its text.
    pub fn parse(document: &[u8]) -> Parsed<Self> {
        crate::document::parse(document, "networkport", port)
    }
}

/// Reads a network port without errors; warnings are ignored.
impl FromStr for NetworkPort {
    type Err = Refused;

    fn from_str(document: &str) -> Result<Self, Refused> {
        Self::parse(document.as_bytes()).into_result()
    }
}

pub(crate) static GRAMMAR: Grammar = Grammar::new(
    &[],
    &[
        ("uuid", &TEXT),
        ("owner", &OWNER),
        ("group", &TEXT),
        ("mac", &MAC),
        ("virtualport", &virtual_port::GRAMMAR),
        ("bandwidth", &bandwidth::GRAMMAR),
        ("vlan", &vlan::GRAMMAR),
        ("port", &PORT),
        ("rxfilters", &RX_FILTERS),
        ("plug", &PLUG),
    ],
);
static OWNER: Grammar = Grammar::new(&[], &[("name", &TEXT), ("uuid", &TEXT)]);
static MAC: Grammar = Grammar::new(&["address"], &[]);
static PORT: Grammar = Grammar::new(&["isolated"], &[]);
static RX_FILTERS: Grammar = Grammar::new(&["trustGuest"], &[]);
/// `<plug>` of any type; the other grammars are for one type each.
static PLUG: Grammar = Grammar::new(
    &["type", "bridge", "macTableManager", "dev", "mode", "managed"],
    &[("driver", &DRIVER), ("address", &PCI)],
);
static PLUG_NONE: Grammar = Grammar::new(&["type"], &[]);
static PLUG_BRIDGE: Grammar = Grammar::new(&["type", "bridge", "macTableManager"], &[]);
static PLUG_DIRECT: Grammar = Grammar::new(&["type", "dev", "mode"], &[]);
static PLUG_HOSTDEV: Grammar = Grammar::new(&["type", "managed"], &[("driver", &DRIVER), ("address", &PCI)]);
static PCI: Grammar = Grammar::new(&["domain", "bus", "slot", "function"], &[]);

fn port(root: &Element<'_>) -> Option<NetworkPort> {
    root.expect(&GRAMMAR);
    let uuid = uuid(root);
    let owner = root.required_child("owner").and_then(|element| owner(&element));
    let group = root.child("group").map(|element| element.only_text().to_owned()).filter(|group| !group.is_empty());
    let mac = root.required_child("mac").and_then(|element| {
        element.expect(&MAC);
        element.required("address", parsed)
    });
    let virtual_port = root.child("virtualport").and_then(|element| virtual_port(&element, TypeIs::Optional));
    let bandwidth = root.child("bandwidth").and_then(|element| bandwidth(&element, BandwidthOf::NetworkPort));
    let vlan = root.child("vlan").and_then(|element| vlan(&element));
    let isolated = switch(root, "port", &PORT);
    let trust_guest_rx_filters = switch(root, "rxfilters", &RX_FILTERS);
    let plug = root.child("plug").and_then(|element| plug(&element));
    Some(NetworkPort {
        uuid: uuid?,
        owner: owner?,
        group,
        mac: mac?,
        virtual_port,
        bandwidth,
        vlan,
        isolated,
        trust_guest_rx_filters,
        plug,
        comments: root.comments(""),
    })
}

fn uuid(element: &Element<'_>) -> Option<Uuid> {
    let element = element.required_child("uuid")?;
    let invalid = |_| element.invalid_text("a UUID such as 3e3fce45-4f53-4fa7-bb32-11f34168b82b");
    element.only_text().parse().map_err(invalid).ok()
}

fn owner(element: &Element<'_>) -> Option<Owner> {
    element.expect(&OWNER);
    let name = element.required_child("name").and_then(|name| {
        let text = name.only_text();
        if text.is_empty() {
            name.invalid_text("a name: it is empty");
        }
        (!text.is_empty()).then(|| text.to_owned())
    });
    let uuid = uuid(element);
    Some(Owner { name: name?, uuid: uuid? })
}

/// The attribute, yes or no, of an element that has one attribute and nothing else.
fn switch(root: &Element<'_>, name: &str, grammar: &'static Grammar) -> Option<bool> {
    let element = root.child(name)?;
    element.expect(grammar);
    let attribute = grammar.attributes[0];
    element.depends_on(attribute);
    element.value(attribute, yes_no)
}

fn plug(element: &Element<'_>) -> Option<Plug> {
    type Read = fn(&Element<'_>) -> Option<Plug>;
    const TYPES: &[(&str, Read)] = &[
        ("none", |element| {
            element.expect(&PLUG_NONE);
            None
        }),
        ("network", |element| {
            let (bridge, mac_table_manager) = bridge(element);
            Some(Plug::Network { bridge: bridge?, mac_table_manager })
        }),
        ("bridge", |element| {
            let (bridge, mac_table_manager) = bridge(element);
            Some(Plug::Bridge { bridge: bridge?, mac_table_manager })
        }),
        ("direct", |element| {
            element.expect(&PLUG_DIRECT);
            let mode = element.filled("mode", direct_mode).unwrap_or_default();
            Some(Plug::Direct { dev: element.required("dev", parsed)?, mode })
        }),
        ("hostdev-pci", |element| {
            element.expect(&PLUG_HOSTDEV);
            let managed = element.value("managed", yes_no);
            let driver = element.child("driver").and_then(|element| driver(&element));
            let address = element.required_child("address")?;
            address.expect(&PCI);
            Some(Plug::HostdevPci { managed, driver, address: pci_address(&address)? })
        }),
    ];
    element.depends_on("type");
    let read = element.value("type", |text| word(text, TYPES))?;
    read(element)
}

fn bridge(element: &Element<'_>) -> (Option<InterfaceName>, Option<MacTableManager>) {
    element.expect(&PLUG_BRIDGE);
    let manager = element.filled("macTableManager", mac_table_manager);
    (element.required("bridge", parsed), manager)
}

impl Display for NetworkPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print(f, Style::default())
    }
}

impl Print for NetworkPort {
    fn comments(&self) -> &Comments {
        &self.comments
    }

    fn print_bare(&self, f: &mut fmt::Formatter<'_>, style: Style) -> fmt::Result {
        let mut writer = Writer::new(f, style.libvirt);
        writer.tag("networkport")?.around(|writer| self.write(writer))?;
        writer.finish()
    }
}

impl NetworkPort {
    fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        writer.text("uuid", &self.uuid.to_string())?;
        writer.tag("owner")?.around(|writer| {
            writer.text("name", &self.owner.name)?;
            writer.text("uuid", &self.owner.uuid.to_string())
        })?;
        if let Some(group) = &self.group {
            writer.text("group", group)?;
        }
        writer.tag("mac")?.attribute("address", self.mac)?.empty()?;
        self.virtual_port.iter().try_for_each(|port| port.write(writer))?;
        self.bandwidth.iter().try_for_each(|bandwidth| bandwidth.write(writer))?;
        self.vlan.iter().try_for_each(|vlan| vlan.write(writer))?;
        if self.isolated.is_some() {
            writer.tag("port")?.yes_no("isolated", self.isolated)?.empty()?;
        }
        if self.trust_guest_rx_filters.is_some() {
            writer.tag("rxfilters")?.yes_no("trustGuest", self.trust_guest_rx_filters)?.empty()?;
        }
        self.plug.iter().try_for_each(|plug| plug.write(writer))
    }
}

impl Plug {
    fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let tag = writer.tag("plug")?.attribute("type", self.word())?;
        match self {
            Self::Network { bridge, mac_table_manager } | Self::Bridge { bridge, mac_table_manager } => {
                mac_table_attribute(tag.attribute("bridge", bridge)?, *mac_table_manager)?.empty()
            }
            Self::Direct { dev, mode } => tag.attribute("dev", dev)?.attribute("mode", mode)?.empty(),
            Self::HostdevPci { managed, driver, address } => tag.yes_no("managed", *managed)?.around(|writer| {
                driver.iter().try_for_each(|driver| write_driver(writer, driver))?;
                pci_attributes(writer.tag("address")?, *address)?.empty()
            }),
        }
    }

    /// The type as libvirt writes it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Network { .. } => "network",
            Self::Bridge { .. } => "bridge",
            Self::Direct { .. } => "direct",
            Self::HostdevPci { .. } => "hostdev-pci",
        }
    }
}
