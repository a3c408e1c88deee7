//! Checks documents of any kind: alone, as they were read, and on a host.

use std::collections::HashSet;

use vnet_types::Inventory;
use vnet_xml::{Definition, Domain, Interface, Network, NetworkPort, NodePath, Parsed, Severity};

use crate::finding::{self, Finding, follows_from};
use crate::{
    dhcp, dns, driver, egress, forward, groups, host, interface, ip, mode, network, network_port, ovn, port_forward,
    route, rules, support,
};

/// What is known about a host: its inventory, and the definitions of networks that run there.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct KnownHost<'h> {
    /// Its addresses, routes, links and networks.
    pub inventory: &'h Inventory,
    /// The definitions of running networks, as far as they are known. Guests are checked against
    /// them.
    pub networks: &'h [Network],
}

impl<'h> KnownHost<'h> {
    /// A host with the definitions of its running networks.
    pub fn new(inventory: &'h Inventory, networks: &'h [Network]) -> Self {
        Self { inventory, networks }
    }
}

impl<'h> From<&'h Inventory> for KnownHost<'h> {
    fn from(inventory: &'h Inventory) -> Self {
        Self::new(inventory, &[])
    }
}

/// A kind of document that can be checked.
pub trait Subject: sealed::Subject {}

impl<S: sealed::Subject + ?Sized> Subject for S {}

mod sealed {
    use super::{Finding, KnownHost};

    /// The checks of a kind of document.
    pub trait Subject {
        /// The findings of the document alone, in any order.
        fn alone(&self) -> Vec<Finding>;

        /// The findings of the document on a host, in any order.
        fn on_host(&self, host: &KnownHost<'_>) -> Vec<Finding>;
    }
}

/// Finds every mistake in a definition alone, in the order of the document.
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

/// Finds every mistake in a definition that was read, except those that the reader has reported, in
/// the order of the document. [`Parsed::source`] knows the place of each.
///
/// A text with errors gives a definition without the values that could not be read. Findings that
/// only follow from such a missing value are left out.
pub fn check_parsed<S: Subject>(parsed: &Parsed<S>) -> Vec<Finding> {
    let Some(definition) = &parsed.value else { return Vec::new() };
    let errors = parsed.problems.iter().filter(|problem| problem.severity == Severity::Error);
    let refused: HashSet<&NodePath> = errors.map(|problem| &problem.path).collect();
    let mut findings = check(definition);
    findings.retain(|finding| !follows_from(finding, refused.iter().copied()));
    findings
}

/// Finds what the host lacks for a definition and what conflicts with it there, in the order of the
/// document.
///
/// A network does not conflict with what belongs to itself by its entry in [`Inventory::networks`],
/// and an interface not with a port that has the name of its `<target dev>`. An inventory without
/// any link means an unknown host.
///
/// What vnet does not support is a warning of [`check`] and an error here: `start` and `attach`
/// refuse it.
pub fn check_against<'h, S: Subject + ?Sized>(definition: &S, host: impl Into<KnownHost<'h>>) -> Vec<Finding> {
    finding::in_document_order(definition.on_host(&host.into()))
}

/// Finds the mistakes that an update adds to a network. libvirt refuses an update for some of them.
///
/// A second `<interface>` of a `<forward>` in the modes `nat` and `route` is a warning here,
/// because a user adds the new one before deleting the old one.
pub fn check_update(before: &Network, after: &Network) -> Vec<Finding> {
    // An update can change their paths.
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
            port_forward::check,
            egress::check,
            ovn::check,
            driver::check,
        ];
        subjects.into_iter().flat_map(|check| check(self, &root)).collect()
    }

    fn on_host(&self, host: &KnownHost<'_>) -> Vec<Finding> {
        host::check(self, &NodePath::root("network"), host.inventory)
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

/// Checks the interfaces of a guest, each alone and together with the others.
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

/// Adds what vnet does not support, except at places that have an error already.
fn beside(mut findings: Vec<Finding>, unsupported: impl IntoIterator<Item = Finding>) -> Vec<Finding> {
    for finding in unsupported {
        if !findings.iter().any(|it| it.severity == Severity::Error && it.path == finding.path) {
            findings.push(finding);
        }
    }
    findings
}

/// The document to check; `None` for a kind without rules.
fn subject(definition: &Definition) -> Option<&dyn sealed::Subject> {
    match definition {
        Definition::Network(network) => Some(&**network),
        Definition::NetworkPort(port) => Some(&**port),
        Definition::Interface(interface) => Some(&**interface),
        Definition::Domain(domain) => Some(domain),
        _ => None,
    }
}
