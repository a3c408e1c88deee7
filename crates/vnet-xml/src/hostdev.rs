//! `<driver>` and `<address>` of a device that is assigned to a guest.

use std::fmt;

use vnet_types::PciAddress;

use crate::element::{Element, Value};
use crate::grammar::Grammar;
use crate::value::{number_of_any_base, text, word};
use crate::write::{Tag, Writer};

/// `<driver>` of a device that is assigned to a guest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct HostdevDriver {
    /// `name`; the hypervisor's choice if absent.
    pub name: Option<HostdevDriverName>,
    /// `model`: the kernel module, a variant of VFIO.
    pub model: Option<String>,
}

/// `<driver name>` of a device that is assigned to a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum HostdevDriverName {
    /// `kvm`: pci-stub, which Linux no longer supports for this since 4.12.
    Kvm,
    /// `vfio`
    Vfio,
    /// `xen`
    Xen,
}

impl HostdevDriverName {
    const WORDS: &[(&str, Self)] = &[("vfio", Self::Vfio), ("kvm", Self::Kvm), ("xen", Self::Xen)];

    /// The name as libvirt writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Vfio => "vfio",
            Self::Xen => "xen",
        }
    }
}

pub(crate) static DRIVER: Grammar = Grammar::new(&["name", "model"], &[]);
/// `<address type='pci'>` of a device of the host.
pub(crate) static PCI: Grammar = Grammar::new(&["type", "domain", "bus", "slot", "function"], &[]);

/// Reads `<driver>`; `None` if it sets nothing.
pub(crate) fn driver(element: &Element<'_>) -> Option<HostdevDriver> {
    element.expect(&DRIVER);
    let name = element.value("name", |text| word(text, HostdevDriverName::WORDS));
    let driver = HostdevDriver { name, model: element.filled("model", text) };
    (driver != HostdevDriver::default()).then_some(driver)
}

pub(crate) fn write_driver(writer: &mut Writer<'_>, driver: &HostdevDriver) -> fmt::Result {
    let tag = writer.tag("driver")?.optional("name", driver.name.map(HostdevDriverName::word))?;
    tag.optional("model", driver.model.as_ref())?.empty()
}

/// Reads the `domain`, `bus`, `slot` and `function` of an `<address>` of PCI; absent ones are 0.
pub(crate) fn pci_address(element: &Element<'_>) -> Option<PciAddress> {
    fn part<T: From<u8>>(element: &Element<'_>, name: &str, read: Value<T>) -> Option<T> {
        if element.has(name) { element.value(name, read) } else { Some(0.into()) }
    }
    let domain = part(element, "domain", number_of_any_base);
    let bus = part(element, "bus", number_of_any_base);
    let slot = part(element, "slot", |text| at_most(text, 0x1f).ok_or_else(|| "a number from 0 to 0x1f".to_owned()));
    let function = part(element, "function", |text| at_most(text, 7).ok_or_else(|| "a number from 0 to 7".to_owned()));
    PciAddress::new(domain?, bus?, slot?, function?).ok()
}

fn at_most(text: &str, most: u8) -> Option<u8> {
    number_of_any_base(text).ok().filter(|number| *number <= most)
}

/// Writes the numbers of an `<address>` of PCI.
pub(crate) fn pci_attributes<'a, 'w>(tag: Tag<'a, 'w>, pci: PciAddress) -> Result<Tag<'a, 'w>, fmt::Error> {
    let tag = tag.attribute("domain", format_args!("{:#06x}", pci.domain()))?;
    let tag = tag.attribute("bus", format_args!("{:#04x}", pci.bus()))?;
    let tag = tag.attribute("slot", format_args!("{:#04x}", pci.slot()))?;
    tag.attribute("function", format_args!("{:#x}", pci.function()))
}
