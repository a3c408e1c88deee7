//! What a host lacks that an interface needs, or has in its way.

use vnet_types::{Inventory, KnownPort};
use vnet_xml::interface::Source;
use vnet_xml::{Interface, Path};

use crate::finding::Finding;
use crate::rules;

pub(crate) fn check(interface: &Interface, root: &Path, inventory: &Inventory) -> Vec<Finding> {
    let mut findings = Vec::from_iter(twin(interface, root, inventory));
    // Every host has a link; without one nothing is known of it.
    if !inventory.links.is_empty() {
        findings.extend(missing(interface, root, inventory));
    }
    findings
}

/// Another guest with the same MAC address in the same place.
fn twin(interface: &Interface, root: &Path, inventory: &Inventory) -> Option<Finding> {
    let mac = interface.mac_address()?;
    let beside = |port: &&KnownPort| match &interface.source {
        Source::Network(source) => port.network.as_ref().is_some_and(|network| network.as_str() == source.network),
        Source::Bridge(source) => port.bridge.as_ref().is_some_and(|bridge| bridge.as_str() == source.bridge),
        Source::Direct(source) => port.lower.as_ref() == Some(&source.dev),
        _ => false,
    };
    let own = interface.target.as_ref().and_then(|target| target.dev.as_deref());
    let other = |port: &&KnownPort| port.mac == mac && Some(port.dev.as_str()) != own;
    let port = inventory.ports.iter().filter(beside).find(other)?;
    let message = format!("a guest with the MAC address {mac} is attached here already, by `{}`", port.dev);
    let finding = Finding::new(rules::HOST_MAC_ATTACHED, root.element("mac").attribute("address"), message);
    Some(finding.help(format!("`vnet detach {}` ends that one; two guests need two addresses", port.dev)))
}

fn missing(interface: &Interface, root: &Path, inventory: &Inventory) -> Option<Finding> {
    let source = root.element("source");
    let (rule, place, message) = match &interface.source {
        Source::Network(wanted) if !inventory.networks.iter().any(|known| known.name.as_str() == wanted.network) => {
            let message = format!("the network `{}` does not run here", wanted.network);
            (rules::HOST_NETWORK_NOT_RUNNING, "network", message)
        }
        Source::Bridge(wanted) if !inventory.links.iter().any(|link| link.name.as_str() == wanted.bridge) => {
            (rules::HOST_SOURCE_MISSING, "bridge", format!("this host has no bridge `{}`", wanted.bridge))
        }
        Source::Direct(wanted) if !inventory.links.iter().any(|link| link.name == wanted.dev) => {
            (rules::HOST_SOURCE_MISSING, "dev", format!("this host has no interface `{}`", wanted.dev))
        }
        _ => return None,
    };
    Some(Finding::new(rule, source.attribute(place), message).help("the guest can be attached once it is there"))
}
