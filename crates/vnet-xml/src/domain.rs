//! `<domain>`, a guest, for its interfaces: <https://libvirt.org/formatdomain.html>.

mod print;

use std::str::FromStr;

use vnet_types::Uuid;

use crate::element::Element;
use crate::grammar::{Grammar, TEXT};
use crate::{Interface, Parsed, Refused, interface, value};

/// A guest: the parts of its definition that matter to networks. The other parts are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct Domain {
    /// `type`: the hypervisor. See [`Domain::is_qemu`].
    pub hypervisor: Option<String>,
    /// `<name>`
    pub name: String,
    /// `<uuid>`
    pub uuid: Option<Uuid>,
    /// `<memoryBacking>`, or the cells of `<numa>`: other programs can map the guest's memory. A
    /// switch needs this for an interface of type vhostuser.
    pub shared_memory: bool,
    /// `<interface>` of `<devices>`.
    pub interfaces: Vec<Interface>,
}

impl Domain {
    /// Reads a definition, and finds everything that is wrong with its interfaces.
    ///
    /// ```
    /// use vnet_xml::Domain;
    ///
    /// let parsed = Domain::parse(
    ///     b"<domain type='kvm'><name>web</name><devices><disk/><interface type='user'/></devices></domain>",
    /// );
    /// assert_eq!(parsed.value.map(|domain| domain.interfaces.len()), Some(1));
    /// assert!(parsed.problems.is_empty());
    /// ```
    pub fn parse(document: &[u8]) -> Parsed<Self> {
        crate::document::parse(document, "domain", domain)
    }

    /// Whether QEMU runs the guest; true if no hypervisor is named. Other hypervisors, such as LXC
    /// and Xen, support other settings of interfaces.
    pub fn is_qemu(&self) -> bool {
        self.hypervisor.as_deref().is_none_or(|hypervisor| matches!(hypervisor, "qemu" | "kvm" | "hvf"))
    }
}

/// Reads a definition whose interfaces have no errors; warnings are ignored.
impl FromStr for Domain {
    type Err = Refused;

    fn from_str(document: &str) -> Result<Self, Refused> {
        Self::parse(document.as_bytes()).into_result()
    }
}

/// The parts of a domain that are read.
pub(crate) static GRAMMAR: Grammar = Grammar::new(
    &["type"],
    &[("name", &TEXT), ("uuid", &TEXT), ("memoryBacking", &TEXT), ("cpu", &TEXT), ("devices", &DEVICES)],
);
static DEVICES: Grammar = Grammar::new(&[], &[("interface", &interface::GRAMMAR)]);

fn domain(root: &Element<'_>) -> Option<Domain> {
    let text = |name| root.child(name).map(|element| element.text().trim().to_owned());
    Some(Domain {
        hypervisor: root.filled("type", value::text),
        name: text("name").unwrap_or_default(),
        uuid: text("uuid").and_then(|uuid| uuid.parse().ok()),
        shared_memory: shared_memory(root),
        interfaces: root
            .child("devices")
            .map(|devices| devices.children("interface", crate::interface::interface))
            .unwrap_or_default(),
    })
}

/// Decides as libvirt does: by the memory backing, or by every cell of NUMA.
fn shared_memory(root: &Element<'_>) -> bool {
    let is = |element: &Element<'_>, attribute, word| element.value(attribute, value::text).as_deref() == Some(word);
    let backing = root.child("memoryBacking");
    let of_backing = |name, attribute, word| {
        backing.as_ref().and_then(|backing| backing.child(name)).is_some_and(|it| is(&it, attribute, word))
    };
    let numa = root.child("cpu").and_then(|cpu| cpu.child("numa"));
    let cells =
        numa.map(|numa| numa.children("cell", |cell| Some(is(cell, "memAccess", "shared")))).unwrap_or_default();
    of_backing("access", "mode", "shared")
        || of_backing("source", "type", "memfd")
        || !cells.is_empty() && cells.into_iter().all(|shared| shared)
}
