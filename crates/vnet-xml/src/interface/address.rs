//! `<address>`: where the guest sees a device.

use std::fmt;

use vnet_types::PciAddress;

use crate::element::Element;
use crate::grammar::Grammar;
use crate::hostdev::{pci_address, pci_attributes};
use crate::value::{number, number_of_any_base, on_off, text, word};
use crate::write::Writer;

/// `<address>`: where the guest sees the device.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "type", rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum DeviceAddress {
    /// `type='pci'`
    Pci {
        /// `domain`, `bus`, `slot` and `function`; chosen if absent.
        address: Option<PciAddress>,
        /// `multifunction`: the slot has more functions.
        multifunction: Option<bool>,
        /// `<zpci>`: the additional numbers for a guest on IBM Z.
        zpci: Option<Zpci>,
    },
    /// `type='ccw'`: a channel device of IBM Z.
    Ccw {
        /// `cssid`
        cssid: u8,
        /// `ssid`
        ssid: u8,
        /// `devno`
        devno: u16,
    },
    /// `type='usb'`
    Usb {
        /// `bus`
        bus: u32,
        /// `port`: a path such as `1.2`.
        port: Option<String>,
    },
    /// `type='spapr-vio'`: a device of IBM Power.
    SpaprVio {
        /// `reg`
        reg: Option<u64>,
    },
    /// `type='virtio-mmio'`
    VirtioMmio,
    /// `type='unassigned'`: the guest does not see the device.
    Unassigned,
}

/// `<zpci>` of a PCI address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct Zpci {
    /// `uid`
    pub uid: Option<u16>,
    /// `fid`
    pub fid: Option<u32>,
}

#[derive(Clone, Copy)]
enum Kind {
    Pci,
    Ccw,
    Usb,
    SpaprVio,
    VirtioMmio,
    Unassigned,
}

const KINDS: &[(&str, Kind)] = &[
    ("pci", Kind::Pci),
    ("ccw", Kind::Ccw),
    ("usb", Kind::Usb),
    ("spapr-vio", Kind::SpaprVio),
    ("virtio-mmio", Kind::VirtioMmio),
    ("unassigned", Kind::Unassigned),
];

impl From<PciAddress> for DeviceAddress {
    fn from(address: PciAddress) -> Self {
        Self::Pci { address: Some(address), multifunction: None, zpci: None }
    }
}

/// `<address>` of any type; the other grammars are for one type each.
pub(super) static GRAMMAR: Grammar = Grammar::new(
    &["type", "domain", "bus", "slot", "function", "multifunction", "cssid", "ssid", "devno", "port", "reg"],
    &[("zpci", &ZPCI)],
);
static PCI: Grammar = Grammar::new(&["type", "domain", "bus", "slot", "function", "multifunction"], &[("zpci", &ZPCI)]);
static ZPCI: Grammar = Grammar::new(&["uid", "fid"], &[]);
static CCW: Grammar = Grammar::new(&["type", "cssid", "ssid", "devno"], &[]);
static USB: Grammar = Grammar::new(&["type", "bus", "port"], &[]);
static SPAPR_VIO: Grammar = Grammar::new(&["type", "reg"], &[]);
static BARE: Grammar = Grammar::new(&["type"], &[]);

pub(super) fn address(element: &Element<'_>) -> Option<DeviceAddress> {
    let kind = element.required("type", |text| word(text, KINDS));
    element.expect(match kind? {
        Kind::Pci => &PCI,
        Kind::Ccw => &CCW,
        Kind::Usb => &USB,
        Kind::SpaprVio => &SPAPR_VIO,
        Kind::VirtioMmio | Kind::Unassigned => &BARE,
    });
    Some(match kind? {
        Kind::Pci => DeviceAddress::Pci {
            address: pci_address(element).filter(|address| *address != PciAddress::default()),
            multifunction: element.filled("multifunction", on_off),
            zpci: element.child("zpci").map(|element| zpci(&element)),
        },
        Kind::Ccw => DeviceAddress::Ccw {
            cssid: element.required("cssid", number_of_any_base)?,
            ssid: element.required("ssid", number_of_any_base)?,
            devno: element.required("devno", number_of_any_base)?,
        },
        Kind::Usb => DeviceAddress::Usb {
            bus: element.filled("bus", number).unwrap_or_default(),
            port: element.filled("port", text),
        },
        Kind::SpaprVio => DeviceAddress::SpaprVio { reg: element.filled("reg", hexadecimal) },
        Kind::VirtioMmio => DeviceAddress::VirtioMmio,
        Kind::Unassigned => DeviceAddress::Unassigned,
    })
}

fn hexadecimal(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    u64::from_str_radix(digits, 16).map_err(|_| "a hexadecimal number".to_owned())
}

fn zpci(element: &Element<'_>) -> Zpci {
    element.expect(&ZPCI);
    Zpci { uid: element.filled("uid", number_of_any_base), fid: element.filled("fid", number_of_any_base) }
}

impl DeviceAddress {
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let tag = writer.tag("address")?;
        match self {
            Self::Pci { address, multifunction, zpci } => {
                let mut tag = tag.attribute("type", "pci")?;
                if let Some(address) = address {
                    tag = pci_attributes(tag, *address)?.on_off("multifunction", *multifunction)?;
                }
                match zpci.filter(|zpci| *zpci != Zpci::default()) {
                    None => tag.empty(),
                    Some(Zpci { uid, fid }) => tag.around(|writer| {
                        let tag = writer.tag("zpci")?.optional("uid", uid.map(|uid| format!("{uid:#06x}")))?;
                        tag.optional("fid", fid.map(|fid| format!("{fid:#010x}")))?.empty()
                    }),
                }
            }
            Self::Ccw { cssid, ssid, devno } => {
                let tag = tag.attribute("type", "ccw")?.attribute("cssid", format_args!("{cssid:#x}"))?;
                let tag = tag.attribute("ssid", format_args!("{ssid:#x}"))?;
                tag.attribute("devno", format_args!("{devno:#06x}"))?.empty()
            }
            Self::Usb { bus, port } => {
                tag.attribute("type", "usb")?.attribute("bus", bus)?.optional("port", port.as_ref())?.empty()
            }
            Self::SpaprVio { reg } => {
                let reg = reg.map(|reg| format!("{reg:#010x}"));
                tag.attribute("type", "spapr-vio")?.optional("reg", reg)?.empty()
            }
            Self::VirtioMmio => tag.attribute("type", "virtio-mmio")?.empty(),
            Self::Unassigned => tag.attribute("type", "unassigned")?.empty(),
        }
    }
}
