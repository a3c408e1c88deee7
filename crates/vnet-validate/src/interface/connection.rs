//! What an interface is connected to, and its port there.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use vnet_xml::interface::{DirectMode, HostdevAddress, Reconnect, Socket, Source, VhostuserMode};
use vnet_xml::{Bandwidth, Interface, NodePath, Rate, VirtualPort, VirtualPortType, Vlan};

use super::Types;
use crate::finding::Finding;
use crate::{route, rules};

/// The types that can have a VLAN, their own or that of their network.
const VLAN: Types = Types(&["network", "bridge", "direct", "hostdev"]);
const ISOLATED: Types = Types(&["network", "bridge"]);
/// The types that have a device on the host where traffic can be shaped.
const BANDWIDTH: Types = Types(&["network", "bridge", "direct", "ethernet"]);

/// The highest VLAN of a Linux bridge.
const LARGEST_VLAN: u16 = 4094;

pub(super) fn check(interface: &Interface, root: &NodePath) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(source(interface, &root.element("source")));
    if let Some(vlan) = &interface.vlan {
        findings.extend(vlan_ids(vlan, &root.element("vlan")));
        findings.extend(vlan_here(interface, &root.element("vlan")));
    }
    if interface.port_isolated == Some(true) {
        findings.extend(isolated(interface, &root.element("port").attribute("isolated")));
    }
    if let Some(port) = &interface.virtual_port {
        findings.extend(complete(interface, port, &root.element("virtualport")));
    }
    findings.extend(filtered(interface, &root.element("filterref")));
    if let Some(bandwidth) = &interface.bandwidth {
        findings.extend(shaped(interface, bandwidth, &root.element("bandwidth")));
    }
    findings
}

fn source(interface: &Interface, path: &NodePath) -> Vec<Finding> {
    let mut findings = Vec::new();
    match &interface.source {
        Source::Vhostuser(source) if !interface.is_passt() => {
            if source.path.is_none() {
                let message = "an interface of type vhostuser needs the path of a socket";
                let finding = Finding::new(rules::VHOSTUSER_WITHOUT_PATH, path.attribute("path"), message);
                findings.push(finding.help(
                    "write `<source type='unix' path='/run/switch.sock' mode='client'/>`, or `<backend type='passt'/>`",
                ));
            }
            if source.mode == VhostuserMode::Server && matches!(source.reconnect, Some(Reconnect::After { .. })) {
                let message = "a server waits and cannot connect again";
                let finding = Finding::new(rules::VHOSTUSER_SERVER_RECONNECTS, path.element("reconnect"), message);
                findings.push(finding.help("write `mode='client'`, or leave `<reconnect>` out"));
            }
        }
        // passt creates the socket itself.
        Source::Vhostuser(source) => {
            if let Some(socket) = &source.path {
                let message = format!("passt listens at a socket that is chosen for it: `{socket}` has no effect");
                let finding = Finding::new(rules::SOCKET_OF_PASST, path.attribute("path"), message);
                findings.push(finding.help("leave `path`, `type` and `mode` out"));
            }
        }
        Source::Mcast(Socket { address: Some(address), .. })
            if address.parse::<Ipv4Addr>().is_ok_and(|address| !address.is_multicast()) =>
        {
            let message = format!("`{address}` is not the address of a group");
            let finding = Finding::new(rules::MCAST_ADDRESS, path.attribute("address"), message);
            findings.push(finding.help("write an address from 224.0.0.0 to 239.255.255.255, such as `230.0.0.1`"));
        }
        Source::Direct(source) if source.mode != DirectMode::Passthrough => {
            let message = format!("the host itself cannot reach the guest by `{}`, nor the guest the host", source.dev);
            let finding = Finding::new(rules::MACVTAP_HIDES_HOST, path.attribute("dev"), message);
            findings.push(finding.help(
                "macvtap keeps guests and their host apart; for a connection between them add a second interface of type network",
            ));
        }
        Source::Ethernet(source) => {
            let routes = source.routes.iter().enumerate();
            findings.extend(routes.flat_map(|(index, route)| route::alone(route, &path.nth("route", index))));
        }
        Source::Hostdev(source) => {
            if let HostdevAddress::Usb { .. } = source.address {
                let message = "a USB device cannot be handed over as a network interface";
                let finding = Finding::new(rules::HOSTDEV_USB, path.element("address").attribute("type"), message);
                findings.push(finding.help("write it as a `<hostdev>` of the guest"));
            }
        }
        _ => {}
    }
    let dev = match &interface.source {
        Source::User { dev } => dev.as_ref(),
        Source::Vhostuser(source) => source.dev.as_ref(),
        _ => None,
    };
    if let Some(dev) = dev.filter(|_| !interface.is_passt()) {
        let message = format!("only passt takes addresses and routes from a device of the host such as `{dev}`");
        let finding = Finding::new(rules::SOURCE_DEV_WITHOUT_PASST, path.attribute("dev"), message);
        findings.push(finding.help("add `<backend type='passt'/>`, or leave `dev` out"));
    }
    findings
}

/// The program at the other side reads the guest's memory, so the guest must share it.
pub(super) fn unseen(interface: &Interface, root: &NodePath) -> Option<Finding> {
    let Source::Vhostuser(_) = interface.source else { return None };
    let message = "an interface of type vhostuser needs memory that the program at its other end can see";
    let finding = Finding::new(rules::VHOSTUSER_MEMORY, root.attribute("type"), message);
    Some(finding.help("add `<memoryBacking><access mode='shared'/></memoryBacking>` to the domain"))
}

/// Linux bridges have VLANs 1 to 4094; other switches may have 0 and 4095.
pub(crate) fn vlan_ids(vlan: &Vlan, path: &NodePath) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen = HashMap::new();
    for (index, tag) in vlan.tags.iter().enumerate() {
        let first = *seen.entry(tag.id).or_insert(index);
        let place = path.nth("tag", index).attribute("id");
        if !(1..=LARGEST_VLAN).contains(&tag.id) {
            let message = format!("there is no VLAN {}: it is reserved (IEEE 802.1Q)", tag.id);
            findings.push(Finding::new(rules::VLAN_RESERVED, place, message).help("write a number from 1 to 4094"));
        } else if first != index {
            let message = format!("the VLAN {} is listed twice", tag.id);
            let finding = Finding::new(rules::VLAN_TWICE, place, message);
            let finding = finding.related(path.nth("tag", first).attribute("id"), "the first one is here");
            let finding = finding.help("leave one of them out");
            findings.push(finding.remove_if(*tag == vlan.tags[first], path.nth("tag", index)));
        }
    }
    findings
}

fn vlan_here(interface: &Interface, path: &NodePath) -> Option<Finding> {
    let why = match &interface.source {
        source if !VLAN.has(source) => {
            format!("an interface of type {} has no switch that could put it into a VLAN", source.word())
        }
        Source::Direct(source) if source.mode != DirectMode::Passthrough => {
            format!("in mode `{}` the guest shares the VLANs of `{}`", source.mode.word(), source.dev)
        }
        _ => return None,
    };
    let finding = Finding::new(rules::VLAN_UNSUPPORTED, path.clone(), why);
    Some(finding.help("leave `<vlan>` out, or use an interface of type bridge, or of type direct in mode passthrough"))
}

fn isolated(interface: &Interface, path: &NodePath) -> Option<Finding> {
    let why = if !ISOLATED.has(&interface.source) {
        format!("only interfaces of type {} have ports that can be kept apart", ISOLATED.list())
    } else {
        let kind = interface.virtual_port.as_ref()?.kind?;
        format!("only ports of Linux bridges can be kept apart, not those of `{}`", kind.word())
    };
    Some(Finding::new(rules::PORT_ISOLATED_UNSUPPORTED, path.clone(), why).help("leave `<port isolated='yes'/>` out"))
}

/// libvirt's filters work on Linux bridges and taps only.
fn filtered(interface: &Interface, path: &NodePath) -> Option<Finding> {
    interface.filter.as_ref()?;
    let kind = interface.virtual_port.as_ref()?.kind?;
    let message = format!("what passes a port of `{}` cannot be filtered by the host", kind.word());
    let finding = Finding::new(rules::FILTER_ON_VIRTUALPORT, path.clone(), message);
    Some(finding.help("leave `<filterref>` out, and filter at the switch"))
}

/// An interface outside of a network must give all parameters. libvirt generates the identity of
/// the port itself.
fn complete(interface: &Interface, port: &VirtualPort, path: &NodePath) -> Vec<Finding> {
    let Some(kind) = port.kind.filter(|_| !matches!(interface.source, Source::Network(_))) else { return Vec::new() };
    let needed: &[(&str, bool)] = match kind {
        VirtualPortType::Qbg => &[
            ("managerid", port.manager_id.is_some()),
            ("typeid", port.type_id.is_some()),
            ("typeidversion", port.type_id_version.is_some()),
        ],
        VirtualPortType::Qbh => &[("profileid", port.profile_id.is_some())],
        VirtualPortType::Midonet => &[("interfaceid", port.interface_id.is_some())],
        VirtualPortType::OpenVSwitch => &[],
    };
    let missing = needed.iter().filter(|(_, given)| !given);
    let finding = |(name, _): &(&str, bool)| {
        let message = format!("a port of type `{}` needs `{name}`", kind.word());
        let finding = Finding::new(rules::VIRTUALPORT_INCOMPLETE, path.element("parameters").attribute(name), message);
        finding.help(format!("write `<parameters {name}='…'/>`"))
    };
    missing.map(finding).collect()
}

fn shaped(interface: &Interface, bandwidth: &Bandwidth, path: &NodePath) -> Vec<Finding> {
    let word = interface.source.word();
    if let Source::Hostdev(_) = interface.source {
        let message = "the bandwidth of a device that is the guest's alone cannot be limited by the host";
        let finding = Finding::new(rules::BANDWIDTH_ON_HOSTDEV, path.clone(), message);
        return vec![finding.help("leave `<bandwidth>` out")];
    }
    if !BANDWIDTH.has(&interface.source) {
        let message = format!("on an interface of type {word} the bandwidth is not limited: it has no effect");
        let finding = Finding::new(rules::BANDWIDTH_WITHOUT_EFFECT, path.clone(), message);
        return vec![finding.help(format!("leave it out, or use an interface of type {}", BANDWIDTH.list()))];
    }
    let mut findings = Vec::new();
    for (name, rate) in [("inbound", bandwidth.inbound), ("outbound", bandwidth.outbound)] {
        findings.extend(rate.and_then(|rate| too_fast(rate, &path.element(name))));
    }
    findings
}

/// libvirt's limits, which are those of tc(8).
pub(crate) fn too_fast(rate: Rate, path: &NodePath) -> Option<Finding> {
    const RATE: u64 = 1 << 54;
    const BURST: u64 = (u32::MAX >> 10) as u64;
    let values = [
        ("average", rate.average, RATE),
        ("peak", rate.peak, RATE),
        ("floor", rate.floor, RATE),
        ("burst", rate.burst, BURST),
    ];
    let (name, value, most) = values.into_iter().find(|(_, value, most)| value.is_some_and(|value| value > *most))?;
    let message = format!("`{name}` of {} is too large, the limit is {most}", value.unwrap_or_default());
    let finding = Finding::new(rules::INTERFACE_BANDWIDTH_TOO_LARGE, path.attribute(name), message);
    Some(finding.help("rates are in kilobytes a second, the burst in kibibytes"))
}
