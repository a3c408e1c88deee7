//! What a network sets for its guests: VLANs, bandwidth, virtual ports, and the portgroups that
//! bundle them.

use std::collections::HashMap;

use vnet_xml::network::{ForwardMode, PortGroup};
use vnet_xml::{Bandwidth, Network, NodePath, VirtualPort, VirtualPortType};

use crate::finding::Finding;
use crate::interface::{too_fast, vlan_ids};
use crate::mode::mode_path;
use crate::rules;

pub(crate) fn check(network: &Network, root: &NodePath) -> Vec<Finding> {
    let mut findings = names(network, root);
    if let Some(vlan) = &network.vlan {
        findings.extend(vlan_ids(vlan, &root.element("vlan")));
    }
    findings.extend(vlan_here(network, root));
    findings.extend(network.bandwidth.iter().flat_map(|it| shaped(network, it, &root.element("bandwidth"), root)));
    findings
        .extend(network.virtual_port.iter().filter_map(|it| switched(network, it, &root.element("virtualport"), root)));
    for (index, group) in network.port_groups.iter().enumerate() {
        let path = root.nth("portgroup", index);
        if let Some(vlan) = &group.vlan {
            findings.extend(vlan_ids(vlan, &path.element("vlan")));
        }
        findings.extend(group.bandwidth.iter().flat_map(|it| shaped(network, it, &path.element("bandwidth"), root)));
        findings.extend(
            group.virtual_port.iter().filter_map(|it| switched(network, it, &path.element("virtualport"), root)),
        );
    }
    findings
}

/// A guest selects a portgroup by its name, or gets the default one.
fn names(network: &Network, root: &NodePath) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut first = HashMap::new();
    for (index, PortGroup { name, .. }) in network.port_groups.iter().enumerate() {
        let other = *first.entry(name).or_insert(index);
        if other != index {
            let message = format!("two portgroups are called `{name}`");
            let finding =
                Finding::new(rules::PORT_GROUP_TWICE, root.nth("portgroup", index).attribute("name"), message);
            let finding = finding.related(root.nth("portgroup", other).attribute("name"), "the first one is here");
            findings.push(finding.help("give one of them another name"));
        }
    }
    let mut defaults = network.port_groups.iter().enumerate().filter(|(_, group)| group.default);
    if let Some((one, _)) = defaults.next() {
        findings.extend(defaults.map(|(index, group)| {
            let message = format!("the portgroup `{}` is the default one too, and there can be only one", group.name);
            let path = root.nth("portgroup", index).attribute("default");
            let finding = Finding::new(rules::PORT_GROUP_TWO_DEFAULTS, path, message);
            let finding = finding.related(root.nth("portgroup", one).attribute("default"), "the first one is here");
            finding.help("leave `default='yes'` out of one of them")
        }));
    }
    findings
}

/// Whether this mode can put guests into VLANs. With a default portgroup every guest has a
/// portgroup, so the network's own VLAN applies only to portgroups without a VLAN.
fn vlan_here(network: &Network, root: &NodePath) -> Vec<Finding> {
    let network_allows = allows_vlan(network, network.virtual_port.as_ref());
    let has_default = network.port_groups.iter().any(|group| group.default);
    let mut findings = Vec::new();
    let mut of_network = network.vlan.is_some() && !has_default && !network_allows;
    for (index, group) in network.port_groups.iter().enumerate() {
        let allows = match &group.virtual_port {
            Some(port) => network.forward_mode() == ForwardMode::Bridge && is_open_vswitch_or(port, network),
            None => network_allows,
        };
        if allows {
            continue;
        }
        if group.vlan.is_some() {
            findings.push(no_vlan(network, root.nth("portgroup", index).element("vlan"), root));
        } else if network.vlan.is_some() {
            of_network = true;
        }
    }
    if of_network {
        findings.push(no_vlan(network, root.element("vlan"), root));
    }
    findings
}

/// A portgroup's virtual port without a type takes the type from the network.
fn is_open_vswitch_or(port: &VirtualPort, network: &Network) -> bool {
    let kind = port.kind.or_else(|| network.virtual_port.as_ref()?.kind);
    kind == Some(VirtualPortType::OpenVSwitch)
}

pub(crate) fn is_open_vswitch(port: &VirtualPort) -> bool {
    port.kind == Some(VirtualPortType::OpenVSwitch)
}

fn allows_vlan(network: &Network, port: Option<&VirtualPort>) -> bool {
    match network.forward_mode() {
        ForwardMode::Hostdev | ForwardMode::Passthrough => true,
        ForwardMode::Bridge => port.is_none_or(is_open_vswitch),
        _ => false,
    }
}

fn no_vlan(network: &Network, path: NodePath, root: &NodePath) -> Finding {
    let mode = network.forward_mode();
    let message = match mode {
        ForwardMode::Bridge => "of virtual ports, only those of Open vSwitch can be put into a VLAN".to_owned(),
        ForwardMode::None => "guests of an isolated network cannot be put into a VLAN".to_owned(),
        mode => format!("guests of a network in mode `{mode}` cannot be put into a VLAN"),
    };
    let finding = Finding::new(rules::VLAN_NOT_IN_MODE, path, message).related(mode_path(root), "the mode is here");
    finding.help("leave `<vlan>` out, or use mode `bridge` with a bridge, `passthrough` or `hostdev`")
}

/// Bandwidth can be limited only at a bridge.
fn shaped(network: &Network, bandwidth: &Bandwidth, path: &NodePath, root: &NodePath) -> Vec<Finding> {
    let mode = network.forward_mode();
    let named = network.bridge.as_ref().is_some_and(|bridge| bridge.name.is_some());
    if !(mode.has_own_bridge() || mode == ForwardMode::Bridge && named) {
        let message = match mode {
            ForwardMode::Bridge => "without a bridge that is named, no bandwidth can be limited".to_owned(),
            mode => format!("in mode `{mode}` no bandwidth can be limited: there is no bridge to do it at"),
        };
        let finding = Finding::new(rules::BANDWIDTH_NOT_IN_MODE, path.clone(), message);
        let finding = finding.related(mode_path(root), "the mode is here");
        return vec![finding.help("leave `<bandwidth>` out, or write it in each guest's `<interface>`")];
    }
    let rates = [("inbound", bandwidth.inbound), ("outbound", bandwidth.outbound)];
    let mut findings: Vec<_> =
        rates.into_iter().filter_map(|(name, rate)| too_fast(rate?, &path.element(name))).collect();
    if bandwidth.outbound.is_some_and(|rate| rate.peak.is_some()) {
        let message = "the `peak` of outbound traffic has no effect: more than the average is dropped";
        let finding = Finding::new(rules::BANDWIDTH_PEAK_OUTBOUND, path.element("outbound").attribute("peak"), message);
        findings.push(finding.help("leave it out, or raise the average"));
    }
    findings
}

/// Virtual ports that the mode has no switch for: the network can be started, but no guest can be
/// attached.
fn switched(network: &Network, port: &VirtualPort, path: &NodePath, root: &NodePath) -> Option<Finding> {
    let kind = port.kind.or_else(|| network.virtual_port.as_ref()?.kind);
    let mode = network.forward_mode();
    let named = network.bridge.as_ref().is_some_and(|bridge| bridge.name.is_some());
    let switch = match mode {
        mode if mode.has_own_bridge() => "no switch that could be told of guests",
        ForwardMode::Bridge if named || kind.is_none_or(|kind| kind == VirtualPortType::OpenVSwitch) => match kind? {
            VirtualPortType::OpenVSwitch => return None,
            _ => "a bridge, whose ports can be of type `openvswitch` only",
        },
        _ => match kind? {
            VirtualPortType::Qbg | VirtualPortType::Qbh => return None,
            VirtualPortType::OpenVSwitch | VirtualPortType::Midonet => {
                "a switch outside, whose ports can be of type `802.1Qbg` or `802.1Qbh` only"
            }
        },
    };
    let which = if mode == ForwardMode::None { "an isolated network".to_owned() } else { format!("mode `{mode}`") };
    let message = format!("{which} has {switch}: no guest can be attached");
    let finding = Finding::new(rules::VIRTUALPORT_NOT_IN_MODE, path.clone(), message);
    Some(finding.related(mode_path(root), "the mode is here").help("leave `<virtualport>` out, or choose another mode"))
}
