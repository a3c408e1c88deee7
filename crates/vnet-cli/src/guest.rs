//! The guest's interface that a document defines, alone or in a domain.

use std::path::Path;

use anyhow::bail;
use vnet_driver::AttachOptions;
use vnet_xml::{Definition, Interface, NodePath};

use crate::diagnostic::Checked;
use crate::document::Document;

/// A guest's interface and its place in the document.
pub(crate) struct Guest {
    pub(crate) interface: Interface,
    /// The path of the interface in the document.
    pub(crate) path: NodePath,
    /// The name of a guest without an explicit name: that of its domain, else of its file.
    pub(crate) name: String,
    is_of_domain: bool,
}

/// Whether a document defines a guest's interface, or a domain with an interface on passt.
pub(crate) fn is_guest(document: &Document) -> bool {
    match Definition::parse(&document.bytes).value {
        Some(Definition::Interface(_)) => true,
        Some(Definition::Domain(domain)) => domain.interfaces.iter().any(Interface::is_passt),
        _ => false,
    }
}

impl Guest {
    /// The interface of a document without errors, or the one on passt of its domain.
    pub(crate) fn of(definition: &Definition, document: &Document) -> anyhow::Result<Self> {
        let file = &document.name;
        let (interface, domain, path) = match definition {
            Definition::Interface(interface) => (&**interface, None, NodePath::root("interface")),
            Definition::Domain(domain) => {
                let mut found = domain.interfaces.iter().enumerate().filter(|(_, interface)| interface.is_passt());
                match (found.next(), found.next()) {
                    (Some((at, one)), None) => {
                        let path = NodePath::root("domain").element("devices").nth("interface", at);
                        (one, Some(&domain.name), path)
                    }
                    (None, _) => bail!("`{file}` has no interface with `<backend type='passt'/>`"),
                    _ => bail!("`{file}` has several interfaces on passt: give the one in a file of its own"),
                }
            }
            _ => bail!("`{file}` does not define a guest's interface"),
        };
        let stem = Path::new(file).file_stem().filter(|_| file != "<stdin>");
        let stem = stem.map(|stem| stem.to_string_lossy().into_owned());
        let name = domain.cloned().or(stem).unwrap_or_else(|| "guest".to_owned());
        Ok(Self { interface: interface.clone(), path, name, is_of_domain: domain.is_some() })
    }

    /// The options for the driver.
    pub(crate) fn options(&self, options: AttachOptions) -> AttachOptions {
        let is_judged = self.is_of_domain;
        AttachOptions { guest_by_default: Some(self.name.clone()), is_judged, ..options }
    }

    /// Adds the driver's findings to the diagnostics of the document.
    pub(crate) fn hear(&self, checked: &mut Checked, findings: &[vnet_driver::Finding]) {
        let root = NodePath::root("interface");
        let moved = findings.iter().cloned().map(|mut finding| {
            finding.path = finding.path.moved(&root, &self.path).unwrap_or(finding.path);
            for related in &mut finding.related {
                related.path = related.path.moved(&root, &self.path).unwrap_or_else(|| related.path.clone());
            }
            finding
        });
        checked.hear(&moved.collect::<Vec<_>>());
    }
}
