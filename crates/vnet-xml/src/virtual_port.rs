//! `<virtualport>`: the settings of a port on a switch, in networks, portgroups, network ports and
//! guests' interfaces.

use std::fmt::{self, Display};

use vnet_types::Uuid;

use crate::element::{Element, Value};
use crate::grammar::Grammar;
use crate::value::{number_of_any_base, parsed, word};
use crate::write::Writer;

/// `<virtualport>`: the settings of a port on a switch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct VirtualPort {
    /// `type`; absent if another definition sets it.
    pub kind: Option<VirtualPortType>,
    /// `managerid`: IEEE 802.1Qbg.
    pub manager_id: Option<u8>,
    /// `typeid`, 24 bits: IEEE 802.1Qbg.
    pub type_id: Option<u32>,
    /// `typeidversion`: IEEE 802.1Qbg.
    pub type_id_version: Option<u8>,
    /// `instanceid`: IEEE 802.1Qbg.
    pub instance_id: Option<Uuid>,
    /// `interfaceid`: Open vSwitch and MidoNet.
    pub interface_id: Option<Uuid>,
    /// `profileid`, up to 39 bytes: IEEE 802.1Qbh and Open vSwitch.
    pub profile_id: Option<String>,
}

/// `<virtualport type>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum VirtualPortType {
    /// `802.1Qbg`: an edge virtual bridge with VEPA.
    #[cfg_attr(feature = "serde", serde(rename = "802.1Qbg"))]
    Qbg,
    /// `802.1Qbh`: a port extender.
    #[cfg_attr(feature = "serde", serde(rename = "802.1Qbh"))]
    Qbh,
    /// `openvswitch`
    #[cfg_attr(feature = "serde", serde(rename = "openvswitch"))]
    OpenVSwitch,
    /// `midonet`
    #[cfg_attr(feature = "serde", serde(rename = "midonet"))]
    Midonet,
}

/// Whether a `<virtualport>` must say its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TypeIs {
    Required,
    Optional,
}

/// The longest `profileid`, in bytes.
const LONGEST_PROFILE: usize = 39;

impl VirtualPort {
    /// A port of a type, without parameters.
    pub fn new(kind: VirtualPortType) -> Self {
        Self { kind: Some(kind), ..Self::default() }
    }
}

impl VirtualPortType {
    const WORDS: &[(&str, Self)] = &[
        ("802.1Qbg", Self::Qbg),
        ("802.1Qbh", Self::Qbh),
        ("openvswitch", Self::OpenVSwitch),
        ("midonet", Self::Midonet),
    ];

    /// The type as libvirt writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Qbg => "802.1Qbg",
            Self::Qbh => "802.1Qbh",
            Self::OpenVSwitch => "openvswitch",
            Self::Midonet => "midonet",
        }
    }

    /// The parameters that libvirt refuses for this type. It ignores other parameters without a
    /// meaning.
    fn refused(self) -> &'static [&'static str] {
        match self {
            Self::Qbg => &["profileid", "interfaceid"],
            Self::Qbh => &["managerid", "typeid", "typeidversion", "instanceid", "interfaceid"],
            Self::OpenVSwitch => &["managerid", "typeid", "typeidversion", "instanceid"],
            Self::Midonet => &[],
        }
    }

    /// Whether the parameter has a meaning for this type.
    fn knows(self, parameter: &str) -> bool {
        match self {
            Self::Qbg => matches!(parameter, "managerid" | "typeid" | "typeidversion" | "instanceid"),
            Self::Qbh => parameter == "profileid",
            Self::OpenVSwitch => matches!(parameter, "interfaceid" | "profileid"),
            Self::Midonet => parameter == "interfaceid",
        }
    }
}

/// As libvirt writes it.
impl Display for VirtualPortType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

pub(crate) static GRAMMAR: Grammar = Grammar::new(&["type"], &[("parameters", &PARAMETERS)]);
static PARAMETERS: Grammar =
    Grammar::new(&["managerid", "typeid", "typeidversion", "instanceid", "interfaceid", "profileid"], &[]);

/// Reads `<virtualport>`; `None` if it sets nothing.
pub(crate) fn virtual_port(element: &Element<'_>, type_is: TypeIs) -> Option<VirtualPort> {
    element.expect(&GRAMMAR);
    let read: Value<VirtualPortType> = |text| word(text, VirtualPortType::WORDS);
    let kind = match type_is {
        TypeIs::Required => Some(element.required("type", read)?),
        TypeIs::Optional => element.value("type", read),
    };
    let mut port = VirtualPort { kind, ..VirtualPort::default() };
    if let Some(parameters) = element.child("parameters") {
        parameters.expect(&PARAMETERS);
        for name in kind.map_or(&[][..], VirtualPortType::refused) {
            let kind = kind.map_or("", VirtualPortType::word);
            parameters.misplaced(name, format!("a `<virtualport type='{kind}'>` has no `{name}`"));
        }
        let about = |name| parameters.has(name) && kind.is_none_or(|kind| kind.knows(name));
        let small: Value<u8> = number_of_any_base;
        port.manager_id = parameters.value("managerid", small).filter(|_| about("managerid"));
        port.type_id = parameters.value("typeid", type_id).filter(|_| about("typeid"));
        port.type_id_version = parameters.value("typeidversion", small).filter(|_| about("typeidversion"));
        port.instance_id = parameters.value("instanceid", parsed).filter(|_| about("instanceid"));
        port.interface_id = parameters.value("interfaceid", parsed).filter(|_| about("interfaceid"));
        let read = [
            ("managerid", port.manager_id.is_some()),
            ("typeid", port.type_id.is_some()),
            ("typeidversion", port.type_id_version.is_some()),
        ];
        read.into_iter().filter(|(_, read)| *read).for_each(|(name, _)| parameters.is_decimal(name));
        let profile_id = parameters.filled("profileid", profile);
        port.profile_id = profile_id.filter(|_| about("profileid"));
    }
    (port != VirtualPort::default()).then_some(port)
}

fn type_id(text: &str) -> Result<u32, String> {
    let id = number_of_any_base(text).ok().filter(|id| *id <= 0xff_ffff);
    id.ok_or_else(|| "a whole number of at most 24 bits, such as `1193047`".to_owned())
}

fn profile(text: &str) -> Result<String, String> {
    let short = text.len() <= LONGEST_PROFILE;
    short.then(|| text.to_owned()).ok_or_else(|| format!("a profile of at most {LONGEST_PROFILE} bytes"))
}

impl VirtualPort {
    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        fn text<T: Display>(value: Option<&T>) -> Option<String> {
            value.map(ToString::to_string)
        }
        let parameters = [
            ("managerid", text(self.manager_id.as_ref())),
            ("typeid", text(self.type_id.as_ref())),
            ("typeidversion", text(self.type_id_version.as_ref())),
            ("instanceid", text(self.instance_id.as_ref())),
            ("interfaceid", text(self.interface_id.as_ref())),
            ("profileid", text(self.profile_id.as_ref())),
        ];
        let about =
            |(name, value): &(&str, Option<String>)| value.is_some() && self.kind.is_none_or(|kind| kind.knows(name));
        if self.kind.is_none() && !parameters.iter().any(about) {
            return Ok(());
        }
        let tag = writer.tag("virtualport")?.optional("type", self.kind)?;
        if !parameters.iter().any(about) {
            return tag.empty();
        }
        tag.around(|writer| {
            let known = parameters.iter().filter(|parameter| about(parameter));
            let tag = writer.tag("parameters")?;
            known.cloned().try_fold(tag, |tag, (name, value)| tag.optional(name, value))?.empty()
        })
    }
}
