//! `<networkport>`: how one guest's interface is attached to a network.

use vnet_types::{Inventory, Uuid};
use vnet_xml::network_port::{NetworkPort, Plug};
use vnet_xml::{NodePath, VirtualPortType};

use crate::finding::Finding;
use crate::interface::{too_fast, vlan_ids};
use crate::rules;

pub(crate) fn check(port: &NetworkPort, root: &NodePath) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(identity(port.uuid, root.element("uuid")));
    findings.extend(identity(port.owner.uuid, root.element("owner").element("uuid")));
    if port.mac.is_multicast() || port.mac.0 == [0; 6] {
        let message = format!("no guest can have the MAC address `{}`: it is not one station's", port.mac);
        let finding = Finding::new(rules::PORT_MAC, root.element("mac").attribute("address"), message);
        findings.push(finding.help("write the address of the guest's interface, such as `52:54:00:12:34:56`"));
    }
    if let Some(vlan) = &port.vlan {
        findings.extend(vlan_ids(vlan, &root.element("vlan")));
    }
    if let Some(bandwidth) = &port.bandwidth {
        let path = root.element("bandwidth");
        let rates = [("inbound", bandwidth.inbound), ("outbound", bandwidth.outbound)];
        findings.extend(rates.into_iter().filter_map(|(name, rate)| too_fast(rate?, &path.element(name))));
    }
    findings.extend(plugged(port, root));
    findings
}

/// What a port is attached to must exist.
pub(crate) fn check_against(port: &NetworkPort, root: &NodePath, inventory: &Inventory) -> Option<Finding> {
    let (what, name, attribute) = match port.plug.as_ref()? {
        Plug::Network { bridge, .. } | Plug::Bridge { bridge, .. } => ("bridge", bridge, "bridge"),
        Plug::Direct { dev, .. } => ("interface", dev, "dev"),
        _ => return None,
    };
    // Every host has a link: an inventory without one means an unknown host.
    if inventory.links.is_empty() || inventory.links.iter().any(|link| link.name == *name) {
        return None;
    }
    let message = format!("this host has no {what} `{name}`");
    let finding = Finding::new(rules::HOST_SOURCE_MISSING, root.element("plug").attribute(attribute), message);
    Some(finding.help("the guest can be attached once it is there"))
}

fn identity(uuid: Uuid, path: NodePath) -> Option<Finding> {
    let message = format!("the UUID `{uuid}` identifies nothing: all its bytes are alike");
    let finding = Finding::new(rules::PORT_UUID, path, message);
    (!uuid.is_valid_identity()).then(|| finding.help("write one made by uuidgen(1)"))
}

/// What a port is attached to must support what the port asks for.
fn plugged(port: &NetworkPort, root: &NodePath) -> Vec<Finding> {
    let Some(plug) = &port.plug else { return Vec::new() };
    let is_bridge = matches!(plug, Plug::Network { .. } | Plug::Bridge { .. });
    let kind = port.virtual_port.as_ref().and_then(|port| port.kind);
    let fits = |kind| match plug {
        Plug::Network { .. } => false,
        Plug::Bridge { .. } => kind == VirtualPortType::OpenVSwitch,
        _ => matches!(kind, VirtualPortType::Qbg | VirtualPortType::Qbh),
    };
    let asked = [
        ("virtualport", kind.is_some_and(|kind| !fits(kind)), root.element("virtualport").attribute("type")),
        ("isolated", port.isolated == Some(true) && !is_bridge, root.element("port").attribute("isolated")),
    ];
    let finding = |(what, _, path): (&str, bool, NodePath)| {
        let message = format!("a port of type `{}` has nothing that could have this `{what}`", plug.word());
        let finding = Finding::new(rules::PORT_PLUG, path, message);
        finding.related(root.element("plug").attribute("type"), "the type is here").help("leave it out")
    };
    asked.into_iter().filter(|(_, wrong, _)| *wrong).map(finding).collect()
}
