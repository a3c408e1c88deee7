//! What each mode of `<forward>` allows: bridges, pools of devices, and what needs a router.

use std::fmt::Display;

use vnet_xml::network::{Forward, ForwardMode};
use vnet_xml::{Network, NodePath};

use crate::finding::Finding;
use crate::rules;

pub(crate) fn check(network: &Network, root: &NodePath) -> Vec<Finding> {
    let mode = network.forward_mode();
    let mut findings = Vec::new();
    if !mode.has_own_bridge() {
        findings.extend(bridge(network, mode, root));
        findings.extend(router(network, mode, root));
        findings.extend(unrouted(network, mode, root));
    }
    if network.ipv6 && network.ips.iter().any(|ip| ip.address.is_ipv6()) {
        findings.push(useless(
            root.attribute("ipv6"),
            "ipv6",
            "in a network with an IPv6 address, whose guests talk IPv6",
        ));
    }
    findings.extend(isolated(network, mode, root));
    findings.extend(options(network, root));
    if let Some(forward) = &network.forward {
        findings.extend(pool(network, forward, root));
        findings.extend(for_hostdev(forward, &root.element("forward")));
    }
    findings
}

/// A network cannot configure a bridge of the host, and the other modes have no bridge.
fn bridge(network: &Network, mode: ForwardMode, root: &NodePath) -> Vec<Finding> {
    let path = root.element("bridge");
    let mut places = Vec::new();
    if let Some(bridge) = &network.bridge {
        let is_bridge = mode == ForwardMode::Bridge;
        let set = [
            ("name", bridge.name.is_some() && !is_bridge),
            ("zone", bridge.zone.is_some()),
            ("stp", bridge.stp.is_some()),
            ("delay", bridge.delay.is_some_and(|delay| delay != 0)),
            ("macTableManager", bridge.mac_table_manager.is_some() && !is_bridge),
        ];
        places.extend(set.into_iter().filter(|(_, set)| *set).map(|(name, _)| (path.attribute(name), name)));
    }
    if network.mtu.is_some() {
        places.push((root.element("mtu").attribute("size"), "MTU"));
    }
    let finding = |(path, what): (NodePath, &str)| {
        let message = match mode {
            ForwardMode::Bridge => {
                format!("the {what} of a bridge that the host has already is not for the network to say")
            }
            _ => format!("in mode `{mode}` there is no bridge that could have this {what}"),
        };
        let finding = Finding::new(rules::BRIDGE_NOT_OWN, path, message).related(mode_path(root), "the mode is here");
        finding.help("leave it out, or use a mode with a bridge of its own: `nat`, `route` or `open`")
    };
    places.into_iter().map(finding).collect()
}

/// What the host cannot provide in modes where another network serves the guests.
fn router(network: &Network, mode: ForwardMode, root: &NodePath) -> Vec<Finding> {
    let dns = network.dns.as_ref();
    let places = [
        ("mac", network.mac.map(|_| root.element("mac"))),
        ("domain", network.domain.as_ref().map(|_| root.element("domain"))),
        ("ip", network.ips.first().map(|_| root.nth("ip", 0))),
        ("txt", dns.and_then(|dns| dns.txts.first()).map(|_| root.element("dns").nth("txt", 0))),
        ("srv", dns.and_then(|dns| dns.srvs.first()).map(|_| root.element("dns").nth("srv", 0))),
        ("host", dns.and_then(|dns| dns.hosts.first()).map(|_| root.element("dns").nth("host", 0))),
    ];
    let finding = |(name, path): (&str, NodePath)| {
        let message = format!("mode `{mode}` has no `<{name}>`: the guests are part of a network outside of this host");
        let finding = Finding::new(rules::NOT_IN_MODE, path, message).related(mode_path(root), "the mode is here");
        finding.help("leave it out: what is outside gives guests their addresses and names")
    };
    places.into_iter().filter_map(|(name, path)| Some(finding((name, path?)))).collect()
}

/// What libvirt accepts and ignores.
fn unrouted(network: &Network, mode: ForwardMode, root: &NodePath) -> Vec<Finding> {
    let path = root.element("dns");
    let dns = network.dns.as_ref();
    let places = [
        ("forwarder", dns.and_then(|dns| dns.forwarders.first()).map(|_| path.nth("forwarder", 0))),
        ("enable", dns.and_then(|dns| dns.enable).map(|_| path.attribute("enable"))),
        ("forwardPlainNames", dns.and_then(|dns| dns.forward_plain_names).map(|_| path.attribute("forwardPlainNames"))),
        ("ipv6", network.ipv6.then(|| root.attribute("ipv6"))),
    ];
    let places = places.into_iter().filter_map(|(name, path)| Some((name, path?)));
    places.map(|(name, path)| useless(path, name, &format!("in mode `{mode}`, where the host is no router"))).collect()
}

/// Only ports of a Linux bridge can be isolated.
fn isolated(network: &Network, mode: ForwardMode, root: &NodePath) -> Option<Finding> {
    let named = network.bridge.as_ref().is_some_and(|bridge| bridge.name.is_some());
    let bridged = mode.has_own_bridge() || mode == ForwardMode::Bridge && named;
    let set = network.port_isolated == Some(true) && !bridged;
    let path = root.element("port").attribute("isolated");
    set.then(|| useless(path, "isolated", "where guests are no ports of a Linux bridge"))
}

fn options(network: &Network, root: &NodePath) -> Option<Finding> {
    let path = root.nth("dnsmasq:options", 0).nth("dnsmasq:option", 0).attribute("value");
    let set = !network.dnsmasq_options.is_empty() && !network.has_dnsmasq();
    set.then(|| useless(path, "dnsmasq:options", "in a network for which no dnsmasq is started"))
}

fn useless(path: NodePath, name: impl Display, why: &str) -> Finding {
    let message = format!("`{name}` has no effect {why}");
    Finding::new(rules::WITHOUT_EFFECT_IN_MODE, path, message).help("leave it out")
}

/// The devices that guests get.
fn pool(network: &Network, forward: &Forward, root: &NodePath) -> Vec<Finding> {
    let path = root.element("forward");
    let mode = forward.mode;
    let mut findings = Vec::new();
    let address = path.nth("address", 0);
    let interface = crate::forward::interface_path(&path, 0);
    let named = network.bridge.as_ref().is_some_and(|bridge| bridge.name.is_some());
    if !forward.addresses.is_empty() && !forward.interfaces.is_empty() {
        let message = "a pool is of interfaces or of PCI addresses, not of both: libvirt forgets the addresses";
        let finding = Finding::new(rules::POOL_MIXED, address, message).related(interface, "an interface is here");
        findings.push(finding.help("keep the `<interface>` elements, or the `<address>` elements"));
    } else if mode == ForwardMode::Hostdev && !forward.interfaces.is_empty() {
        let message = "devices that are handed to guests are listed by PCI address, not by the name they have here";
        let finding = Finding::new(rules::POOL_BY_NAME, interface, message);
        findings.push(finding.help(
            "write `<address type='pci' domain='0x0000' bus='0x03' slot='0x10' function='0x0'/>` (see lspci), or `<pf dev='…'/>`",
        ));
    } else if mode != ForwardMode::Hostdev && !forward.addresses.is_empty() {
        let message = format!("PCI addresses are for mode `hostdev`, not for `{mode}`");
        let finding = Finding::new(rules::POOL_BY_ADDRESS, address, message);
        findings.push(finding.help("write `<interface dev='…'/>`, or `mode='hostdev'`"));
    } else if mode == ForwardMode::Bridge && named && (forward.pf.is_some() || !forward.interfaces.is_empty()) {
        let message = "guests are ports of the bridge that is named, or share a device: not both";
        let place = if forward.pf.is_some() { path.element("pf").attribute("dev") } else { interface };
        let finding = Finding::new(rules::BRIDGE_WITH_POOL, place, message);
        let finding = finding.related(root.element("bridge").attribute("name"), "the bridge is named here");
        findings.push(finding.help("leave out the one or the other"));
    }
    let empty = forward.addresses.is_empty() && forward.interfaces.is_empty() && forward.pf.is_none();
    let open_vswitch = network.virtual_port.as_ref().is_some_and(crate::groups::is_open_vswitch);
    if !mode.has_own_bridge() && empty && !(mode == ForwardMode::Bridge && (named || open_vswitch)) {
        let message = format!("in mode `{mode}` guests need a device, and none is listed: none can be attached");
        let finding = Finding::new(rules::POOL_EMPTY, path.attribute("mode"), message);
        findings.push(finding.help(match mode {
            ForwardMode::Hostdev => "add `<pf dev='…'/>` or `<address type='pci' …/>`",
            ForwardMode::Bridge => "add `<bridge name='br0'/>`, or `<interface dev='eth0'/>` to share by macvtap",
            _ => "add `<interface dev='eth0'/>` or `<pf dev='…'/>`",
        }));
    }
    findings
}

fn for_hostdev(forward: &Forward, path: &NodePath) -> Vec<Finding> {
    let mode = forward.mode;
    let given = [
        ("managed", forward.managed && mode != ForwardMode::Hostdev, path.attribute("managed")),
        ("driver", forward.driver.is_some() && mode != ForwardMode::Hostdev, path.element("driver")),
        ("pf", forward.pf.is_some() && mode.has_own_bridge(), path.element("pf")),
    ];
    let useless = |(name, _, path): (&str, bool, NodePath)| useless(path, name, &format!("in mode `{mode}`"));
    given.into_iter().filter(|(_, given, _)| *given).map(useless).collect()
}

pub(crate) fn mode_path(root: &NodePath) -> NodePath {
    root.element("forward").attribute("mode")
}
