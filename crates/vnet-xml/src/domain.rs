//! `<domain>`, a guest, for its interfaces: <https://libvirt.org/formatdomain.html>.

use std::str::FromStr;

use vnet_types::Uuid;

use crate::element::Element;
use crate::{Interface, Parsed, Refused};

/// A guest, as far as networks are concerned. Everything else in its definition is passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct Domain {
    /// `<name>`
    pub name: String,
    /// `<uuid>`
    pub uuid: Option<Uuid>,
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
}

/// Reads a definition whose interfaces have no errors; warnings are passed over.
impl FromStr for Domain {
    type Err = Refused;

    fn from_str(document: &str) -> Result<Self, Refused> {
        Self::parse(document.as_bytes()).into_result()
    }
}

fn domain(root: &Element<'_>) -> Option<Domain> {
    let text = |name| root.child(name).map(|element| element.text().trim().to_owned());
    Some(Domain {
        name: text("name").unwrap_or_default(),
        uuid: text("uuid").and_then(|uuid| uuid.parse().ok()),
        interfaces: root
            .child("devices")
            .map(|devices| devices.children("interface", crate::interface::interface))
            .unwrap_or_default(),
    })
}
