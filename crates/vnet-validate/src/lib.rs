//! Every finding on a libvirt network definition at once, with a code, a path and help.
//!
//! [`check`] judges a definition alone: what libvirt refuses when a network is defined and when it is started, and
//! what it should refuse. [`check_against`] judges it on a host. Both take the model of [`vnet_xml`], whether it was
//! read or built in code, and never see text: a finding has the [`Path`] of the value that is wrong.
//!
//! ```
//! use vnet_xml::Network;
//! use vnet_xml::network::{Forward, ForwardMode, Ip, Route};
//!
//! let mut network = Network::new("lab");
//! network.forward = Some(Forward::new(ForwardMode::Route));
//! network.ips.push(Ip::new("10.20.0.1/24".parse()?));
//! network.routes.push(Route::new("10.30.0.0/16".parse()?, "10.21.0.2".parse()?));
//!
//! let findings = vnet_validate::check(&network);
//! let [finding] = &findings[..] else { panic!("one mistake, one finding") };
//! assert_eq!(finding.code.to_string(), "VN0407");
//! assert_eq!(finding.path.as_str(), "/network/route[1]/@gateway");
//! assert_eq!(finding.message, "the gateway `10.21.0.2` is in none of the network's own subnets");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A finding is one mistake: what follows from it is not reported again. Rules are grouped by the hundred of their
//! code: 1 the network and its bridge, 2 subnets and DHCP, 3 DNS, 4 static routes, 5 forwarding, pools, portgroups and
//! network ports, 6 the host, 7 guests' interfaces.
//!
//! # Differences from libvirt
//!
//! - Everything is said at once, and where; libvirt stops at the first thing, and finds some only at the start.
//! - Routes and subnets are compared with the host's by what they have in common, in both families; libvirt compares
//!   equal IPv4 networks.
//! - A DHCP host belongs to its subnet, and no two hosts share a MAC address or an address; ranges do not overlap. libvirt
//!   looks at that in `net-update` alone, and not at all of it.
//! - A `<nat>` port range of one port is a warning; libvirt reads it and then does not start.
//! - In a network of Open vSwitch a portgroup with a VLAN and a `<virtualport>` of no type is right: the network's type is
//!   its own. libvirt prints such a definition as an example, and refuses to define it.
//! - Values that would be options of their own in dnsmasq's configuration are refused; libvirt writes them as they come.
//! - A `<virtualport>` that no guest could use, and a pool without any device, are warnings; libvirt is silent until a
//!   guest is attached.
//! - What a guest's interfaces cannot share, MAC addresses, PCI addresses, devices and ports of the host, is looked at
//!   together; libvirt finds some of it at the start, and leaves the rest to passt and QEMU.
//! - Forwarded ports are 1 to 65535, a range ends after it begins, and a port leads to one place; libvirt hands passt
//!   whatever there is.
//! - What QEMU alone refuses, such as a guest's routes, is let be in a domain of another hypervisor; an `<interface>` by
//!   itself is taken for QEMU's.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod collision;
mod dhcp;
mod dns;
mod finding;
mod forward;
mod groups;
mod host;
mod interface;
mod ip;
mod lease;
mod mode;
mod network;
mod network_port;
mod reservation;
mod route;
mod rules;
mod subnets;
mod words;

use std::collections::HashSet;

use vnet_types::Inventory;
use vnet_xml::{Definition, Domain, Interface, Network, NetworkPort, Parsed, Path, Severity};

pub use finding::{Finding, Related, follows_from};
pub use rules::{RULES, refused_by_libvirts_parser};

/// Finds everything that is wrong with a definition by itself, in the order of the document.
pub fn check(network: &Network) -> Vec<Finding> {
    let root = Path::root("network");
    let subjects =
        [network::check, forward::check, mode::check, groups::check, dns::check, ip::check, dhcp::check, route::check];
    finding::in_document_order(subjects.into_iter().flat_map(|check| check(network, &root)).collect())
}

/// Finds everything that is wrong with a network port by itself, in the order of the document.
pub fn check_network_port(port: &NetworkPort) -> Vec<Finding> {
    finding::in_document_order(network_port::check(port, &Path::root("networkport")))
}

/// Finds everything that is wrong with a guest's interface by itself, in the order of the document.
///
/// ```
/// use vnet_xml::Interface;
/// use vnet_xml::interface::{PortForward, PortForwardRange, Protocol, Source};
///
/// let mut interface = Interface::new(Source::user());
/// interface.port_forwards.push(PortForward::new(Protocol::Tcp));
/// let findings = vnet_validate::check_interface(&interface);
/// assert_eq!(findings[0].message, "only passt leads ports of the host into a guest");
/// ```
pub fn check_interface(interface: &Interface) -> Vec<Finding> {
    finding::in_document_order(interface::check(interface, &Path::root("interface")))
}

/// Finds everything that is wrong with the interfaces of a guest, each by itself and beside the others.
pub fn check_domain(domain: &Domain) -> Vec<Finding> {
    finding::in_document_order(interface::check_domain(domain, &Path::root("domain")))
}

/// Finds everything that is wrong with a definition of any kind by itself, in the order of the document.
pub fn check_definition(definition: &Definition) -> Vec<Finding> {
    match definition {
        Definition::Network(network) => check(network),
        Definition::NetworkPort(port) => check_network_port(port),
        Definition::Interface(interface) => check_interface(interface),
        Definition::Domain(domain) => check_domain(domain),
        _ => Vec::new(),
    }
}

/// Finds everything that is wrong with a definition that was read, beyond what its reader has found.
///
/// A text with errors makes a network that lacks what could not be understood. What is missing because of that is no
/// second mistake.
pub fn check_parsed(parsed: &Parsed<Network>) -> Vec<Finding> {
    let Some(network) = &parsed.value else { return Vec::new() };
    let refused: Vec<&Path> = parsed
        .problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .map(|problem| &problem.path)
        .collect();
    let mut findings = check(network);
    findings.retain(|finding| !follows_from(finding, refused.iter().copied()));
    findings
}

/// Finds what is wrong with a network after an update that was not wrong before. libvirt refuses an update for some of it.
///
/// Two interfaces of a `<forward>` in the modes `nat` and `route` are let be, a warning: one is added before the other is
/// deleted.
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

/// Finds everything on a host that is in the definition's way, in the order of the document.
///
/// What belongs to the network itself, by its entry in [`Inventory::networks`], is not in the way. An inventory
/// without any link is a host that nothing is known of.
pub fn check_against(network: &Network, inventory: &Inventory) -> Vec<Finding> {
    finding::in_document_order(host::check(network, &Path::root("network"), inventory))
}

/// Finds what a guest's interface lacks on a host, or has in its way there, in the order of the document. A port that
/// has the name of its `<target dev>` is taken for its own.
pub fn check_interface_against(interface: &Interface, inventory: &Inventory) -> Vec<Finding> {
    finding::in_document_order(interface::check_against(interface, &Path::root("interface"), inventory))
}
