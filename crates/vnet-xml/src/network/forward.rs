//! `<forward>`: how guests reach beyond their network.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::{self, Display};
use std::net::IpAddr;

use vnet_types::{AddressRange, InterfaceName, PciAddress, PortRange};

use super::portgroup::YES;
use super::print::Form;
use crate::HostdevDriver;
use crate::element::Element;
use crate::grammar::Grammar;
use crate::hostdev::{DRIVER, PCI, driver, pci_address, pci_attributes, write_driver};
use crate::value::{ipv4, number, parsed, word, yes_no};
use crate::write::Writer;

/// `<forward>`: how guests reach beyond their network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct Forward {
    /// `mode`; `nat` if the attribute is absent.
    pub mode: ForwardMode,
    /// `managed='yes'`: detach the device from the host's driver, and give it back later; mode
    /// `hostdev` only.
    pub managed: bool,
    /// `<driver>`: the driver that assigns a device to the guest; mode `hostdev` only.
    pub driver: Option<HostdevDriver>,
    /// `<nat>`
    pub nat: Option<Nat>,
    /// `<pf dev>`: the SR-IOV physical function whose virtual functions are the pool.
    pub pf: Option<InterfaceName>,
    /// `<interface>`, and the `dev` attribute, which is the first of them. In the modes `nat` and
    /// `route` this is the only device that traffic may use; in the others it is the pool of
    /// devices for guests.
    pub interfaces: Vec<ForwardInterface>,
    /// `<address type='pci'>`: the pool of devices that are assigned to guests; mode `hostdev`
    /// only.
    pub addresses: Vec<PciAddress>,
}

/// `<interface>` of `<forward>`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ForwardInterface {
    /// `dev`
    pub dev: InterfaceName,
    /// `connections`: how many guests use the device; in the live form only.
    #[cfg_attr(feature = "serde", serde(default))]
    pub connections: u32,
}

/// `<forward mode>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum ForwardMode {
    /// `none`: as if there were no `<forward>`; libvirt's parser accepts it, its schema does not.
    None,
    /// `nat`: guests reach out through the host, under the host's address.
    #[default]
    Nat,
    /// `route`: the host routes traffic in both directions, and guests keep their own addresses.
    Route,
    /// `open`: no firewall rules at all.
    Open,
    /// `bridge`: guests are ports of an existing bridge, or share a device by macvtap.
    Bridge,
    /// `private`: macvtap; guests on one device cannot reach each other.
    Private,
    /// `vepa`: macvtap; traffic between guests passes through the switch (IEEE 802.1Qbg).
    Vepa,
    /// `passthrough`: macvtap; each guest has a device of its own.
    Passthrough,
    /// `hostdev`: each guest is assigned a device of its own.
    Hostdev,
}

/// `<nat>`: the source addresses and ports of outgoing connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct Nat {
    /// `ipv6`: translate IPv6 too.
    pub ipv6: Option<bool>,
    /// `<address start end>`, IPv4 only.
    pub addresses: Option<AddressRange>,
    /// `<port start end>`; [`Nat::DEFAULT_PORTS`] if absent.
    pub ports: Option<PortRange>,
}

impl Nat {
    /// The source ports if `<port>` is absent: 1024 to 65535.
    pub const DEFAULT_PORTS: PortRange = PortRange::UNPRIVILEGED;
}

impl Forward {
    /// Forwarding in a mode, through any device.
    pub fn new(mode: ForwardMode) -> Self {
        Self { mode, ..Self::default() }
    }

    /// The first device, which the attribute `dev` names.
    pub fn dev(&self) -> Option<&InterfaceName> {
        self.interfaces.first().map(|interface| &interface.dev)
    }
}

impl From<InterfaceName> for ForwardInterface {
    fn from(dev: InterfaceName) -> Self {
        Self { dev, connections: 0 }
    }
}

impl ForwardMode {
    const WORDS: &[(&str, Self)] = &[
        ("nat", Self::Nat),
        ("route", Self::Route),
        ("open", Self::Open),
        ("bridge", Self::Bridge),
        ("private", Self::Private),
        ("vepa", Self::Vepa),
        ("passthrough", Self::Passthrough),
        ("hostdev", Self::Hostdev),
        ("none", Self::None),
    ];

    /// The mode as libvirt writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Nat => "nat",
            Self::Route => "route",
            Self::Open => "open",
            Self::Bridge => "bridge",
            Self::Private => "private",
            Self::Vepa => "vepa",
            Self::Passthrough => "passthrough",
            Self::Hostdev => "hostdev",
        }
    }

    /// Whether a bridge is created for the network, with the host as its router. In the other modes
    /// guests are attached to existing devices of the host.
    pub fn has_own_bridge(self) -> bool {
        match self {
            Self::None | Self::Nat | Self::Route | Self::Open => true,
            Self::Bridge | Self::Private | Self::Vepa | Self::Passthrough | Self::Hostdev => false,
        }
    }
}

/// As libvirt writes it.
impl Display for ForwardMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

pub(super) static GRAMMAR: Grammar = Grammar::new(
    &["dev", "mode", "managed"],
    &[("driver", &DRIVER), ("nat", &NAT), ("pf", &PF), ("interface", &INTERFACE), ("address", &PCI)],
);
static NAT: Grammar = Grammar::new(&["ipv6"], &[("address", &ENDS), ("port", &ENDS)]);
static ENDS: Grammar = Grammar::new(&["start", "end"], &[]);
static PF: Grammar = Grammar::new(&["dev"], &[]);
static INTERFACE: Grammar = Grammar::new(&["dev", "connections"], &[]);

pub(super) fn forward(element: &Element<'_>) -> Forward {
    element.expect(&GRAMMAR);
    let dev: Option<InterfaceName> = element.filled("dev", parsed);
    let devices = RefCell::new(BTreeSet::new());
    let addresses = element.children("address", |element| address(element).inspect(|it| once(element, &devices, it)));
    let pf = element.only_child("pf").and_then(|element| pf(&element));
    for (given, other) in [(!addresses.is_empty(), "address"), (pf.is_some(), "pf")] {
        if given && element.has("dev") {
            element.exclusive(other, "dev", "a pool is named by its devices: leave `dev` out");
        }
    }
    let is_pool = !addresses.is_empty() || pf.is_some();
    Forward {
        mode: element.filled("mode", |text| word(text, ForwardMode::WORDS)).unwrap_or_default(),
        managed: element.is_word("managed", &YES).unwrap_or_default(),
        driver: element.child("driver").and_then(|element| driver(&element)),
        nat: element.only_child("nat").map(|nat| translation(&nat)),
        pf,
        interfaces: interfaces(element, dev.filter(|_| !is_pool)),
        addresses,
    }
}

/// The devices of the children; the device of the attribute comes first.
fn interfaces(element: &Element<'_>, dev: Option<InterfaceName>) -> Vec<ForwardInterface> {
    let devices = RefCell::new(BTreeSet::new());
    let mut interfaces =
        element.children("interface", |element| interface(element).inspect(|it| once(element, &devices, &it.dev)));
    if !element.has("dev") {
        element.stands_at("dev", "interface", "dev");
    }
    if let Some(dev) = dev {
        match interfaces.first() {
            None => interfaces.push(dev.into()),
            Some(first) if first.dev != dev => {
                let help = "`dev` is the name of the first `<interface>`: leave one of them out";
                element.exclusive("interface", "dev", help);
            }
            Some(_) => {}
        }
    }
    interfaces
}

pub(super) fn interface(element: &Element<'_>) -> Option<ForwardInterface> {
    element.expect(&INTERFACE);
    let connections = element.filled("connections", number).unwrap_or_default();
    Some(ForwardInterface { dev: element.required("dev", parsed)?, connections })
}

pub(super) fn pf(element: &Element<'_>) -> Option<InterfaceName> {
    element.expect(&PF);
    element.required("dev", parsed)
}

fn address(element: &Element<'_>) -> Option<PciAddress> {
    element.expect(&PCI);
    let pci = element.required("type", |text| word(text, &[("pci", ())]));
    pci_address(element).filter(|_| pci.is_some())
}

/// Reports a device that is listed twice.
fn once<T: Ord + Clone + Display>(element: &Element<'_>, devices: &RefCell<BTreeSet<T>>, device: &T) {
    if !devices.borrow_mut().insert(device.clone()) {
        element.said_again(format!("the device `{device}` is listed twice"));
    }
}

pub(super) fn translation(element: &Element<'_>) -> Nat {
    element.expect(&NAT);
    Nat {
        ipv6: element.value("ipv6", yes_no),
        addresses: element.only_child("address").and_then(|range| {
            range.expect(&ENDS);
            let (start, end) = (range.required("start", ipv4), range.required("end", ipv4));
            let ends = AddressRange::new(IpAddr::V4(start?), IpAddr::V4(end?));
            ends.map_err(|_| range.invalid("end", "at or after `start`")).ok()
        }),
        ports: element.only_child("port").and_then(|range| {
            range.expect(&ENDS);
            let (start, end) = (range.required("start", number), range.required("end", number));
            let (start, end) = (start?, end?);
            // libvirt ignores the range 0 to 0.
            if (start, end) == (0, 0) {
                return None;
            }
            PortRange::new(start, end).map_err(|_| range.invalid("end", "at or after `start`")).ok()
        }),
    }
}

impl Forward {
    pub(super) fn write(&self, writer: &mut Writer<'_>, form: Form) -> fmt::Result {
        let dev = self.dev().filter(|_| self.pf.is_none() && self.addresses.is_empty());
        let tag = writer.tag("forward")?.optional("dev", dev)?.attribute("mode", self.mode)?;
        let tag = tag.yes_no("managed", (self.mode == ForwardMode::Hostdev).then_some(self.managed))?;
        let nat = self.nat.as_ref().filter(|nat| **nat != Nat::default() && self.mode == ForwardMode::Nat);
        let driver = self.driver.as_ref().filter(|driver| **driver != HostdevDriver::default());
        let pool = !(self.interfaces.is_empty() && self.addresses.is_empty());
        if !pool && nat.is_none() && self.pf.is_none() && driver.is_none() {
            return tag.empty();
        }
        tag.around(|writer| {
            driver.map_or(Ok(()), |driver| write_driver(writer, driver))?;
            nat.map_or(Ok(()), |nat| nat.write(writer))?;
            if let Some(pf) = &self.pf {
                writer.tag("pf")?.attribute("dev", pf)?.empty()?;
                // With a `<pf>`, the pool lists the functions that were found when the network was
                // started.
                if form == Form::Inactive {
                    return Ok(());
                }
            }
            for ForwardInterface { dev, connections } in &self.interfaces {
                let connections = (form == Form::Live && *connections > 0).then_some(*connections);
                writer.tag("interface")?.attribute("dev", dev)?.optional("connections", connections)?.empty()?;
            }
            for pci in &self.addresses {
                pci_attributes(writer.tag("address")?.attribute("type", "pci")?, *pci)?.empty()?;
            }
            Ok(())
        })
    }
}

impl Nat {
    fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let tag = writer.tag("nat")?.yes_no("ipv6", self.ipv6)?;
        if self.addresses.is_none() && self.ports.is_none() {
            return tag.empty();
        }
        tag.around(|writer| {
            if let Some(range) = self.addresses {
                let tag = writer.tag("address")?.attribute("start", range.start())?;
                tag.attribute("end", range.end())?.empty()?;
            }
            if let Some(range) = self.ports {
                writer.tag("port")?.attribute("start", range.start())?.attribute("end", range.end())?.empty()?;
            }
            Ok(())
        })
    }
}
