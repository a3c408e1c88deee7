//! The interfaces of a guest that a document defines: one, or those of a domain.

use std::path::Path;

use anyhow::bail;
use vnet_driver::{AttachOptions, KnownPort};
use vnet_types::{MacAddr, Uuid};
use vnet_xml::{Definition, Interface, NodePath};

use crate::diagnostic::Checked;
use crate::document::Document;
use crate::failure;

/// A guest's interfaces and their places in the document.
pub(crate) struct Guest {
    interfaces: Vec<(NodePath, Interface)>,
    /// The name of a guest without an explicit name: that of its domain, else of its file.
    pub(crate) name: String,
    /// The name and the UUID of its domain.
    domain: Option<(String, Option<Uuid>)>,
    /// Whether these are all interfaces of the document.
    is_whole: bool,
}

/// The interface of a domain that is meant.
#[derive(Clone, Debug, Default, PartialEq, clap::Args)]
pub(crate) struct Which {
    /// Only the interface of the domain with this MAC address
    #[arg(long, value_name = "MAC", conflicts_with = "interface")]
    mac: Option<MacAddr>,
    /// Only this interface of the domain, counted from 1
    #[arg(long, value_name = "N")]
    interface: Option<usize>,
}

/// Whether a document defines a guest's interface, or a domain.
pub(crate) fn is_guest(document: &Document) -> bool {
    matches!(Definition::parse(&document.bytes).value, Some(Definition::Interface(_) | Definition::Domain(_)))
}

impl Which {
    fn is(&self, number: usize, interface: &Interface) -> bool {
        self.interface.is_none_or(|asked| asked == number)
            && self.mac.is_none_or(|asked| interface.mac.as_ref().is_some_and(|mac| mac.address == asked))
    }
}

impl Guest {
    /// The interface of a document without errors, or those of its domain that are meant.
    pub(crate) fn of(definition: &Definition, document: &Document, which: &Which) -> anyhow::Result<Self> {
        let file = &document.name;
        let (interfaces, domain): (Vec<_>, _) = match definition {
            Definition::Interface(interface) => {
                let all = [(NodePath::root("interface"), (**interface).clone())];
                (all.into_iter().filter(|(_, it)| which.is(1, it)).collect(), None)
            }
            Definition::Domain(domain) => {
                let devices = NodePath::root("domain").element("devices");
                let all = domain.interfaces.iter().enumerate().filter(|(at, it)| which.is(at + 1, it));
                let all = all.map(|(at, it)| (devices.nth("interface", at), it.clone()));
                (all.collect(), Some((domain.name.clone(), domain.uuid)))
            }
            _ => {
                let message = format!("`{file}` does not define a guest's interface");
                return Err(failure::advised(message, "give the file of an <interface> or a <domain>"));
            }
        };
        match which {
            _ if !interfaces.is_empty() => {}
            Which { mac: Some(mac), .. } => {
                let message = format!("`{file}` has no interface with the MAC address {mac}");
                return Err(failure::advised(message, "give one that is in the file, or leave --mac out"));
            }
            Which { interface: Some(number), .. } => {
                let message = format!("`{file}` has no interface {number}");
                return Err(failure::advised(message, "give the number of one that is in the file, from 1"));
            }
            _ => {
                let message = format!("`{file}` has no interface");
                return Err(failure::advised(message, "give its <devices> an <interface>"));
            }
        }
        let is_whole = *which == Which::default();
        let stem = Path::new(file).file_stem().filter(|_| file != "<stdin>");
        let stem = stem.map(|stem| stem.to_string_lossy().into_owned());
        let name = domain.as_ref().map(|(name, _)| name.clone()).filter(|name| !name.is_empty());
        Ok(Self { interfaces, name: name.or(stem).unwrap_or_else(|| "guest".to_owned()), domain, is_whole })
    }

    /// The interface of a document without errors, or the one on passt of its domain.
    pub(crate) fn behind_passt(definition: &Definition, document: &Document) -> anyhow::Result<Self> {
        let mut guest = Self::of(definition, document, &Which::default())?;
        if guest.domain.is_some() {
            guest.interfaces.retain(|(_, interface)| interface.is_passt());
            match guest.interfaces[..] {
                [_] => {}
                [] => {
                    let message = format!("`{}` has no interface with `<backend type='passt'/>`", document.name);
                    return Err(failure::advised(message, "`vnet attach` attaches other interfaces"));
                }
                _ => bail!("`{}` has several interfaces on passt: give the one in a file of its own", document.name),
            }
        }
        Ok(guest)
    }

    /// The interfaces.
    pub(crate) fn interfaces(&self) -> Vec<&Interface> {
        self.interfaces.iter().map(|(_, interface)| interface).collect()
    }

    /// The attached ports that are meant: those of the guest, or of single interfaces of it.
    pub(crate) fn attached(&self, ports: Vec<KnownPort>, file: &str) -> anyhow::Result<Vec<KnownPort>> {
        let of_guest = |port: &KnownPort| match &self.domain {
            Some((name, _)) => port.guest.as_ref() == Some(name),
            None => true,
        };
        let ports: Vec<_> = ports.into_iter().filter(of_guest).collect();
        if self.is_whole && self.domain.is_some() {
            return Ok(ports);
        }
        let mut meant = Vec::new();
        for (_, interface) in &self.interfaces {
            let dev = interface.target.as_ref().and_then(|target| target.dev.as_deref());
            let mac = interface.mac.as_ref().map(|mac| mac.address);
            if dev.is_none() && mac.is_none() {
                bail!(
                    "the interface of `{file}` has neither a MAC address nor a `<target dev>`: name the port instead"
                );
            }
            let is_it = |port: &&KnownPort| mac.is_none_or(|mac| port.mac == mac);
            let named = |port: &&KnownPort| dev.is_some_and(|dev| port.dev.as_str() == dev);
            let found = ports.iter().find(|port| is_it(port) && named(port));
            meant.extend(found.or_else(|| ports.iter().find(|port| mac.is_some() && is_it(port))).cloned());
        }
        Ok(meant)
    }

    /// The options for the driver. A guest that has a domain is named by it.
    pub(crate) fn options(&self, options: AttachOptions) -> AttachOptions {
        let (name, uuid) = self.domain.clone().unzip();
        AttachOptions {
            guest: options.guest.or(name.filter(|name| !name.is_empty())),
            guest_uuid: options.guest_uuid.or(uuid.flatten()),
            guest_by_default: Some(self.name.clone()),
            is_judged: self.domain.is_some(),
            ..options
        }
    }

    /// Adds the driver's findings about an interface to the diagnostics of the document.
    pub(crate) fn hear(&self, checked: &mut Checked, index: usize, findings: &[vnet_driver::Finding]) {
        let (root, path) = (NodePath::root("interface"), &self.interfaces[index].0);
        let moved = findings.iter().cloned().map(|mut finding| {
            finding.path = finding.path.moved(&root, path).unwrap_or(finding.path);
            for related in &mut finding.related {
                related.path = related.path.moved(&root, path).unwrap_or_else(|| related.path.clone());
            }
            finding
        });
        checked.hear(&moved.collect::<Vec<_>>());
    }
}
