//! The small children of `<interface>`: the names of the device, booting, teaming.

use std::collections::BTreeMap;
use std::fmt;

use vnet_types::MacAddr;

use crate::element::Element;
use crate::grammar::Grammar;
use crate::value::{number, on_off, parsed, text, word, yes_no};
use crate::write::Writer;

/// `<mac>`: the address of the guest's network card.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Mac {
    /// `address`
    pub address: MacAddr,
    /// `type`: whether VMware generated the address or someone chose it.
    pub kind: Option<MacType>,
    /// `check`: whether VMware checks the address.
    pub check: Option<bool>,
    /// `currentAddress`: the address that the guest has changed it to; in the live form only.
    pub current: Option<MacAddr>,
}

/// `<mac type>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum MacType {
    /// `generated`
    Generated,
    /// `static`
    Static,
}

/// `<target>`: the device on the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct Target {
    /// `dev`: its name, in which a free number replaces `%d`.
    pub dev: Option<String>,
    /// `managed`: `no` means that the device exists already and is used as it is; yes if absent.
    /// Since libvirt 5.7.
    pub managed: Option<bool>,
}

/// `<guest>`: the device in a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct GuestDevice {
    /// `dev`: its name.
    pub dev: Option<String>,
    /// `actual`: the name that it got; in the live form only.
    pub actual: Option<String>,
}

/// `<filterref>`: rules of libvirt's nwfilter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct Filter {
    /// `filter`: the name of the filter.
    pub name: String,
    /// `<parameter>`: values by name; a parameter that is repeated is a list.
    pub parameters: BTreeMap<String, Vec<String>>,
}

/// `<teaming>`: one of a pair of devices that replace each other (virtio failover).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "type", rename_all = "lowercase"))]
pub enum Teaming {
    /// `type='persistent'`: the virtio device that stays.
    Persistent,
    /// `type='transient'`: the device that is unplugged while the guest migrates.
    Transient {
        /// `persistent`: the alias of the device that stays.
        persistent: Option<String>,
    },
}

/// `<link state>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum LinkState {
    /// `up`
    Up,
    /// `down`: as if the cable were pulled.
    Down,
}

/// `<boot>`
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Boot {
    /// `order`: the position among all devices, from 1.
    pub order: u32,
    /// `loadparm`: the parameter for the boot loader of a guest on IBM Z, at most 8 characters.
    pub loadparm: Option<String>,
}

/// `<rom>`: the network card's boot ROM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct Rom {
    /// `enabled`: yes if absent.
    pub enabled: Option<bool>,
    /// `bar`: whether the ROM is visible in the guest's memory map.
    pub bar: Option<bool>,
    /// `file`: the file with its content; an empty path means no ROM.
    pub file: Option<String>,
}

impl From<MacAddr> for Mac {
    fn from(address: MacAddr) -> Self {
        Self { address, kind: None, check: None, current: None }
    }
}

impl Target {
    /// A device of this name.
    pub fn new(dev: impl Into<String>) -> Self {
        Self { dev: Some(dev.into()), managed: None }
    }
}

impl Boot {
    /// A position in the boot order.
    pub fn new(order: u32) -> Self {
        Self { order, loadparm: None }
    }
}

pub(super) static MAC: Grammar = Grammar::new(&["address", "type", "check", "currentAddress"], &[]);
pub(super) static TARGET: Grammar = Grammar::new(&["dev", "managed"], &[]);
pub(super) static GUEST: Grammar = Grammar::new(&["dev", "actual"], &[]);
pub(super) static FILTER: Grammar = Grammar::new(&["filter"], &[("parameter", &PARAMETER)]);
static PARAMETER: Grammar = Grammar::new(&["name", "value"], &[]);
pub(super) static TEAMING: Grammar = Grammar::new(&["type", "persistent"], &[]);
pub(super) static LINK: Grammar = Grammar::new(&["state"], &[]);
pub(super) static BOOT: Grammar = Grammar::new(&["order", "loadparm"], &[]);
pub(super) static ROM: Grammar = Grammar::new(&["enabled", "bar", "file"], &[]);

/// Reads `<mac>`; an address of zeros means that one is generated.
pub(super) fn mac(element: &Element<'_>) -> Option<Mac> {
    element.expect(&MAC);
    element.depends_on("address");
    let kind =
        element.filled("type", |text| word(text, &[("generated", MacType::Generated), ("static", MacType::Static)]));
    let (check, current) = (element.filled("check", yes_no), element.filled("currentAddress", parsed));
    let address: MacAddr = element.filled("address", parsed)?;
    if address.is_multicast() {
        element.invalid("address", "the address of one device: its first number has to be even");
        return None;
    }
    (address.0 != [0; 6]).then_some(Mac { address, kind, check, current })
}

pub(super) fn target(element: &Element<'_>) -> Option<Target> {
    element.expect(&TARGET);
    let target = Target { dev: element.filled("dev", text), managed: element.filled("managed", yes_no) };
    (target != Target::default()).then_some(target)
}

pub(super) fn guest(element: &Element<'_>) -> Option<GuestDevice> {
    element.expect(&GUEST);
    let guest = GuestDevice { dev: element.filled("dev", text), actual: element.filled("actual", text) };
    (guest != GuestDevice::default()).then_some(guest)
}

pub(super) fn filter(element: &Element<'_>) -> Option<Filter> {
    element.expect(&FILTER);
    let pairs = element.children("parameter", |parameter| {
        parameter.expect(&PARAMETER);
        let name = parameter.required("name", |text| allowed(text, "_"));
        let value = parameter.required("value", |text| allowed(text, "_.-:/,[]@+* "));
        Some((name?, value?))
    });
    let mut parameters = BTreeMap::<String, Vec<String>>::new();
    for (name, value) in pairs {
        parameters.entry(name).or_default().push(value);
    }
    Some(Filter { name: element.required("filter", text)?, parameters })
}

fn allowed(text: &str, marks: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || marks.contains(c);
    if !text.is_empty() && text.chars().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err(format!("made of letters, digits and `{marks}`"))
    }
}

pub(super) fn teaming(element: &Element<'_>) -> Option<Teaming> {
    element.expect(&TEAMING);
    let transient = element.required("type", |text| word(text, &[("persistent", false), ("transient", true)]));
    let persistent = element.filled("persistent", text);
    match transient? {
        true => {
            if persistent.is_none() {
                element.missing("persistent");
            }
            Some(Teaming::Transient { persistent })
        }
        false => {
            if persistent.is_some() {
                element.invalid("persistent", "allowed: a device of the type `persistent` stands in for no other");
            }
            Some(Teaming::Persistent)
        }
    }
}

pub(super) fn link(element: &Element<'_>) -> Option<LinkState> {
    element.expect(&LINK);
    element.depends_on("state");
    element.filled("state", |text| word(text, &[("up", LinkState::Up), ("down", LinkState::Down)]))
}

pub(super) fn boot(element: &Element<'_>) -> Option<Boot> {
    element.expect(&BOOT);
    let order = element.required("order", |text| match number(text) {
        Ok(order @ 1..) => Ok(order),
        _ => Err("a number from 1 on".to_owned()),
    });
    let loadparm = element.filled("loadparm", |text| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ' ');
        match text.len() <= 8 && text.chars().all(allowed) {
            true => Ok(text.to_ascii_uppercase()),
            false => Err("at most 8 letters, digits, `.` and blanks".to_owned()),
        }
    });
    Some(Boot { order: order?, loadparm })
}

pub(super) fn rom(element: &Element<'_>) -> Option<Rom> {
    element.expect(&ROM);
    let rom = Rom {
        enabled: element.filled("enabled", yes_no),
        bar: element.filled("bar", on_off),
        // An empty path is kept: it tells the hypervisor to load no ROM.
        file: element.value("file", text),
    };
    if rom.enabled == Some(false) {
        for name in ["bar", "file"] {
            element.misplaced(name, format!("a ROM that is disabled has no `{name}`"));
        }
    }
    (rom != Rom::default()).then_some(rom)
}

impl Mac {
    /// An address, and nothing else about it.
    pub fn new(address: MacAddr) -> Self {
        Self { address, kind: None, check: None, current: None }
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>, live: bool) -> fmt::Result {
        let kind = self.kind.map(|kind| if kind == MacType::Generated { "generated" } else { "static" });
        let tag = writer.tag("mac")?.attribute("address", self.address)?.optional("type", kind)?;
        let tag = tag.yes_no("check", self.check)?;
        tag.optional("currentAddress", self.current.filter(|_| live))?.empty()
    }
}

impl Target {
    /// The inactive form omits a name that was generated for a running guest, except for an
    /// unmanaged device.
    pub(super) fn write(&self, writer: &mut Writer<'_>, live: bool) -> fmt::Result {
        let chosen = |dev: &&String| ["vnet", "macvtap", "macvlan"].iter().any(|prefix| dev.starts_with(prefix));
        let dev = self.dev.as_ref().filter(|dev| live || self.managed == Some(false) || !chosen(dev));
        if dev.is_none() && self.managed.is_none() {
            return Ok(());
        }
        writer.tag("target")?.optional("dev", dev)?.yes_no("managed", self.managed)?.empty()
    }
}

impl GuestDevice {
    pub(super) fn write(&self, writer: &mut Writer<'_>, live: bool) -> fmt::Result {
        let actual = self.actual.as_ref().filter(|_| live);
        if self.dev.is_none() && actual.is_none() {
            return Ok(());
        }
        writer.tag("guest")?.optional("dev", self.dev.as_ref())?.optional("actual", actual)?.empty()
    }
}

impl Filter {
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let tag = writer.tag("filterref")?.attribute("filter", &self.name)?;
        if self.parameters.is_empty() {
            return tag.empty();
        }
        tag.around(|writer| {
            let pairs = self.parameters.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
            pairs.into_iter().try_for_each(|(name, value)| {
                writer.tag("parameter")?.attribute("name", name)?.attribute("value", value)?.empty()
            })
        })
    }
}

impl Teaming {
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        match self {
            Self::Persistent => writer.tag("teaming")?.attribute("type", "persistent")?.empty(),
            Self::Transient { persistent } => {
                let tag = writer.tag("teaming")?.attribute("type", "transient")?;
                tag.optional("persistent", persistent.as_ref())?.empty()
            }
        }
    }
}

impl Boot {
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let tag = writer.tag("boot")?.attribute("order", self.order)?;
        tag.optional("loadparm", self.loadparm.as_ref())?.empty()
    }
}

impl Rom {
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        if *self == Self::default() {
            return Ok(());
        }
        let tag = writer.tag("rom")?.yes_no("enabled", self.enabled)?.on_off("bar", self.bar)?;
        tag.optional("file", self.file.as_ref())?.empty()
    }
}
