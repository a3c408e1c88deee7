//! Judging: a definition alone, as it was read, and on a host. What there is to judge is a document
//! of any kind.

use std::collections::HashSet;

use vnet_types::Inventory;
use vnet_xml::{Definition, Domain, Interface, Network, NetworkPort, NodePath, Parsed, Severity};

use crate::finding::{self, Finding, follows_from};
use crate::{dhcp, dns, forward, groups, host, interface, ip, mode, network, network_port, route, rules, support};

/// What is known of a host: an inventory, and the definitions of networks that run there.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct KnownHost<'h> {
    /// What it has.
    pub inventory: &'h Inventory,
    /// The networks as they run, as far as somebody has read their definitions. Guests are judged
    /// by those too.
    pub networks: &'h [Network],
}

impl<'h> KnownHost<'h> {
    /// A host with the definitions of networks that run there.
    pub fn new(inventory: &'h Inventory, networks: &'h [Network]) -> Self {
        Self { inventory, networks }
    }
}

impl<'h> From<&'h Inventory> for KnownHost<'h> {
    fn from(inventory: &'h Inventory) -> Self {
        Self::new(inventory, &[])
    }
}

/// A kind of document, to be judged.
pub trait Subject: sealed::Subject {}

impl<S: sealed::Subject + ?Sized> Subject for S {}

mod sealed {
    use super::{Finding, KnownHost};

    /// The rules of a kind of document.
    pub trait Subject {
        /// What is wrong with it by itself, in any order.
        fn alone(&self) -> Vec<Finding>;

        /// What a host lacks that it needs, or has in its way, in any order.
        fn on_host(&self, host: &KnownHost<'_>) -> Vec<Finding>;
    }
}

/// Finds everything that is wrong with a definition by itself, in the order of the document.
///
/// ```
/// use vnet_xml::Interface;
/// use vnet_xml::interface::{PortForward, Protocol, Source};
///
/// let mut interface = Interface::new(Source::user());
/// interface.port_forwards.push(PortForward::new(Protocol::Tcp));
/// let findings = vnet_validate::check(&interface);
/// assert_eq!(findings[0].message, "only passt leads ports of the host into a guest");
/// ```
pub fn check<S: Subject + ?Sized>(definition: &S) -> Vec<Finding> {
    finding::in_document_order(definition.alone())
}

/// Finds everything that is wrong with a definition that was read, beyond what its reader has
/// found, in the order of the document. [`Parsed::source`] knows the place of each.
///
/// A text with errors makes a definition that lacks what could not be understood. What is missing
/// because of that is no second mistake.
pub fn check_parsed<S: Subject>(parsed: &Parsed<S>) -> Vec<Finding> {
    let Some(definition) = &parsed.value else { return Vec::new() };
    let errors = parsed.problems.iter().filter(|problem| problem.severity == Severity::Error);
    let refused: HashSet<&NodePath> = errors.map(|problem| &problem.path).collect();
    let mut findings = check(definition);
    findings.retain(|finding| !follows_from(finding, refused.iter().copied()));
    findings
}

/// Finds everything that a host lacks or has in the way of a definition, in the order of the
/// document.
///
/// What belongs to a network itself, by its entry in [`Inventory::networks`], is not in its way; a
/// port that has the name of the `<target dev>` of an interface is taken for its own. An inventory
/// without any link is a host that nothing is known of.
///
/// What vnet cannot do, a warning of [`check`], is an error here: `start` and `attach` refuse it.
pub fn check_against<'h, S: Subject + ?Sized>(definition: &S, host: impl Into<KnownHost<'h>>) -> Vec<Finding> {
    finding::in_document_order(definition.on_host(&host.into()))
}

/// Finds what is wrong with a network after an update that was not wrong before. libvirt refuses an
/// update for some of it.
///
/// A second `<interface>` of a `<forward>` in the modes `nat` and `route` is a warning here: one is
/// added before the other is deleted.
pub fn check_update(before: &Network, after: &Network) -> Vec<Finding> {
    // Their paths can be others now.
    let old: HashSet<_> = check(before).into_iter().map(|finding| (finding.code, finding.message)).collect();
    let mut findings = check(after);
    findings.retain(|finding| !old.contains(&(finding.code, finding.message.clone())));
    for finding in &mut findings {
        if finding.code == rules::FORWARD_TOO_MANY_INTERFACES.code {
            finding.severity = Severity::Warning;
        }
    }
    findings
}

impl sealed::Subject for Network {
    fn alone(&self) -> Vec<Finding> {
        let root = NodePath::root("network");
        let subjects = [
            network::check,
            forward::check,
            mode::check,
            groups::check,
            dns::check,
            ip::check,
            dhcp::check,
            route::check,
        ];
        let findings = subjects.into_iter().flat_map(|check| check(self, &root)).collect();
        beside(findings, support::of_network(self, &root))
    }

    fn on_host(&self, host: &KnownHost<'_>) -> Vec<Finding> {
        let root = NodePath::root("network");
        let findings = host::check(self, &root, host.inventory);
        findings.into_iter().chain(support::of_network(self, &root).into_iter().map(Finding::into_error)).collect()
    }
}

impl sealed::Subject for NetworkPort {
    fn alone(&self) -> Vec<Finding> {
        network_port::check(self, &NodePath::root("networkport"))
    }

    fn on_host(&self, host: &KnownHost<'_>) -> Vec<Finding> {
        Vec::from_iter(network_port::check_against(self, &NodePath::root("networkport"), host.inventory))
    }
}

impl sealed::Subject for Interface {
    fn alone(&self) -> Vec<Finding> {
        let root = NodePath::root("interface");
        beside(interface::check(self, &root), support::of_interface(self, None, &root))
    }

    fn on_host(&self, host: &KnownHost<'_>) -> Vec<Finding> {
        let root = NodePath::root("interface");
        let nothing = support::without_end(self, &root).map(Finding::into_error);
        interface::check_against(self, &root, host).into_iter().chain(nothing).collect()
    }
}

/// The interfaces of a guest, each by itself and beside the others.
impl sealed::Subject for Domain {
    fn alone(&self) -> Vec<Finding> {
        let devices = NodePath::root("domain").element("devices");
        let interfaces = self.interfaces.iter().enumerate();
        let unsupported =
            interfaces.flat_map(|(index, it)| support::of_interface(it, None, &devices.nth("interface", index)));
        beside(interface::check_domain(self, &NodePath::root("domain")), unsupported)
    }

    fn on_host(&self, host: &KnownHost<'_>) -> Vec<Finding> {
        let devices = NodePath::root("domain").element("devices");
        let interfaces = self.interfaces.iter().enumerate();
        let on_host = |(index, it)| interface::check_against(it, &devices.nth("interface", index), host);
        interfaces.flat_map(on_host).collect()
    }
}

impl sealed::Subject for Definition {
    fn alone(&self) -> Vec<Finding> {
        subject(self).map_or_else(Vec::new, |subject| subject.alone())
    }

    fn on_host(&self, host: &KnownHost<'_>) -> Vec<Finding> {
        subject(self).map_or_else(Vec::new, |subject| subject.on_host(host))
    }
}

/// What is wrong, and beside it what vnet cannot do: one mistake is one finding.
fn beside(mut findings: Vec<Finding>, unsupported: impl IntoIterator<Item = Finding>) -> Vec<Finding> {
    for finding in unsupported {
        if !findings.iter().any(|it| it.severity == Severity::Error && it.path == finding.path) {
            findings.push(finding);
        }
    }
    findings
}

/// What is defined; `None` where that is of a kind without rules.
fn subject(definition: &Definition) -> Option<&dyn sealed::Subject> {
    match definition {
        Definition::Network(network) => Some(&**network),
        Definition::NetworkPort(port) => Some(&**port),
        Definition::Interface(interface) => Some(&**interface),
        Definition::Domain(domain) => Some(domain),
        _ => None,
    }
}
