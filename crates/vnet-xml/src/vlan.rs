//! `<vlan>`: the VLANs of a port, in networks, portgroups, network ports and guests' interfaces.

use std::fmt;

use crate::element::Element;
use crate::grammar::Grammar;
use crate::value::{number, word, yes_no_of_any_case};
use crate::write::Writer;

/// `<vlan>`: the VLANs that a port belongs to.
///
/// With one tag, the guest's packets carry no tag and belong to that VLAN. On a trunk, they carry
/// one of the listed tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct Vlan {
    /// `trunk='yes'`; always true with more than one tag.
    pub trunk: bool,
    /// `<tag>`, at least one.
    pub tags: Vec<VlanTag>,
}

/// `<tag>` of `<vlan>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct VlanTag {
    /// `id`, at most 4095; 0 and 4095 are reserved (IEEE 802.1Q).
    pub id: u16,
    /// `nativeMode`: this is the VLAN of packets without a tag.
    pub native_mode: Option<NativeMode>,
}

/// `<tag nativeMode>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum NativeMode {
    /// `tagged`: packets to the guest carry the tag.
    Tagged,
    /// `untagged`: packets to the guest do not carry the tag.
    Untagged,
}

/// The largest id that twelve bits hold.
const LARGEST_ID: u16 = 4095;

impl Vlan {
    /// One VLAN, whose tag the guest does not see.
    pub fn tag(id: u16) -> Self {
        Self { trunk: false, tags: vec![id.into()] }
    }

    /// Several VLANs, whose tags the guest sees.
    pub fn trunk(ids: impl IntoIterator<Item = u16>) -> Self {
        Self { trunk: true, tags: ids.into_iter().map(VlanTag::from).collect() }
    }
}

/// A tag without a native mode.
impl From<u16> for VlanTag {
    fn from(id: u16) -> Self {
        Self { id, native_mode: None }
    }
}

impl NativeMode {
    const WORDS: &[(&str, Self)] = &[("tagged", Self::Tagged), ("untagged", Self::Untagged)];

    /// The mode as libvirt writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tagged => "tagged",
            Self::Untagged => "untagged",
        }
    }
}

pub(crate) static GRAMMAR: Grammar = Grammar::new(&["trunk"], &[("tag", &TAG)]);
static TAG: Grammar = Grammar::new(&["id", "nativeMode"], &[]);

/// Reads `<vlan>`.
pub(crate) fn vlan(element: &Element<'_>) -> Option<Vlan> {
    element.expect(&GRAMMAR);
    let mut tags = element.children("tag", tag);
    if tags.is_empty() {
        element.required_child("tag");
        return None;
    }
    let mut native = tags.iter().filter(|tag| tag.native_mode.is_some());
    if let Some(VlanTag { id, native_mode }) = native.next().copied() {
        if native.next().is_some() {
            element.repeated("there can be only one `<tag>` with `nativeMode` in `<vlan>`".to_owned());
        }
        // The mode applies to every tag with this id.
        tags.iter_mut().filter(|tag| tag.id == id).for_each(|tag| tag.native_mode = native_mode);
    }
    let trunk = element.filled("trunk", yes_no_of_any_case);
    if trunk == Some(false) && tags.len() > 1 {
        element.invalid("trunk", "`yes`, which more than one tag needs");
    } else if trunk == Some(false) && tags[0].native_mode.is_some() {
        element.invalid("trunk", "`yes`, which a native VLAN needs");
    }
    Some(Vlan { trunk: trunk == Some(true) || tags.len() > 1, tags })
}

fn tag(element: &Element<'_>) -> Option<VlanTag> {
    element.expect(&TAG);
    let native_mode = element.value("nativeMode", |text| word(text, NativeMode::WORDS));
    let id = element.required("id", |text| {
        let id = number(text).ok().filter(|id| *id <= LARGEST_ID);
        id.ok_or_else(|| format!("the number of a VLAN, at most {LARGEST_ID}"))
    });
    Some(VlanTag { id: id?, native_mode })
}

impl Vlan {
    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let trunk = (self.trunk || self.tags.len() > 1).then_some("yes");
        writer.tag("vlan")?.optional("trunk", trunk)?.around(|writer| {
            self.tags.iter().try_for_each(|tag| {
                let native_mode = tag.native_mode.map(NativeMode::word);
                writer.tag("tag")?.attribute("id", tag.id)?.optional("nativeMode", native_mode)?.empty()
            })
        })
    }
}
