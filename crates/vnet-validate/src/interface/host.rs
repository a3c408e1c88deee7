//! What an interface needs and a host lacks, and what conflicts with it there.

use vnet_types::{InterfaceName, Inventory, KnownPort, KnownSwitch, Link, LinkKind};
use vnet_xml::interface::{DirectMode, HostdevAddress, Source};
use vnet_xml::network::MacTableManager;
use vnet_xml::{Bandwidth, BridgeName, Interface, Network, NodePath, did_you_mean};

use crate::finding::Finding;
use crate::groups::is_open_vswitch;
use crate::judge::KnownHost;
use crate::{rules, support};

/// The prefixes of device names that vnet and libvirt choose.
const CHOSEN: [&str; 5] = ["vnet", "macvtap", "macvlan", "hostdev", "passt"];

pub(crate) fn check(interface: &Interface, root: &NodePath, host: &KnownHost<'_>) -> Vec<Finding> {
    let KnownHost { inventory, networks } = *host;
    let network = match &interface.source {
        Source::Network(source) => networks.iter().find(|network| network.name == source.network),
        _ => None,
    };
    let mut findings = Vec::from_iter(twin(interface, root, inventory));
    let unsupported = support::of_interface(interface, network, root);
    findings.extend(unsupported.into_iter().map(Finding::into_error));
    findings.extend(network.and_then(|network| port_group(interface, network, root)));
    // Every host has a link: an inventory without one means an unknown host.
    if !inventory.links.is_empty() {
        findings.extend(missing(interface, network, root, inventory).or_else(|| unfit(interface, root, inventory)));
        findings.extend(target(interface, root, inventory));
        findings.extend(in_userspace(interface, network, root, inventory));
        findings.extend(function(interface, root, inventory));
    }
    findings
}

/// The name of the interface's device on the host, if the definition gives one.
fn own(interface: &Interface) -> Option<&str> {
    interface.target.as_ref().and_then(|target| target.dev.as_deref())
}

/// Another guest with the same MAC address on the same network or bridge.
fn twin(interface: &Interface, root: &NodePath, inventory: &Inventory) -> Option<Finding> {
    let mac = interface.mac_address()?;
    let beside = |port: &&KnownPort| match &interface.source {
        Source::Network(source) => port.network.as_ref().is_some_and(|network| network.as_str() == source.network),
        Source::Bridge(source) => port.bridge.as_ref().is_some_and(|bridge| bridge.as_str() == source.bridge),
        Source::Direct(source) => port.lower.as_ref() == Some(&source.dev),
        _ => false,
    };
    let other = |port: &&KnownPort| port.mac == mac && Some(port.dev.as_str()) != own(interface);
    let port = inventory.ports.iter().filter(beside).find(other)?;
    let message = format!("a guest with the MAC address {mac} is attached here already, by `{}`", port.dev);
    let finding = Finding::new(rules::HOST_MAC_ATTACHED, root.element("mac").attribute("address"), message);
    Some(finding.help(match port.recorded {
        true => "two guests need two addresses; the program that made its device ends that one".to_owned(),
        false => format!("`vnet detach {}` ends that one; two guests need two addresses", port.dev),
    }))
}

fn port_group(interface: &Interface, network: &Network, root: &NodePath) -> Option<Finding> {
    let Source::Network(source) = &interface.source else { return None };
    let wanted = source.port_group.as_deref()?;
    let names = || network.port_groups.iter().map(|group| group.name.as_str());
    if names().any(|name| name == wanted) {
        return None;
    }
    let message =
        format!("the network `{}` has no portgroup `{wanted}`: the guest gets no group's settings", network.name);
    let path = root.element("source").attribute("portgroup");
    let help = match did_you_mean(wanted, names()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if names().next().is_none() => "leave `portgroup` out, or add the group to the network".to_owned(),
        None => format!("it has {}", names().collect::<Vec<_>>().join(", ")),
    };
    Some(Finding::new(rules::HOST_PORT_GROUP_MISSING, path, message).help(help))
}

fn link<'i>(inventory: &'i Inventory, name: &str) -> Option<&'i Link> {
    inventory.links.iter().find(|link| link.name.as_str() == name)
}

fn missing(
    interface: &Interface,
    network: Option<&Network>,
    root: &NodePath,
    inventory: &Inventory,
) -> Option<Finding> {
    let source = root.element("source");
    let (rule, place, message) = match &interface.source {
        Source::Network(wanted) if !inventory.networks.iter().any(|known| known.name.as_str() == wanted.network) => {
            let message = format!("the network `{}` does not run here", wanted.network);
            (rules::HOST_NETWORK_NOT_RUNNING, "network", message)
        }
        Source::Network(wanted) => {
            let port_group = network?.port_group(wanted.port_group.as_deref());
            let ports = [&interface.virtual_port, &network?.virtual_port];
            let of_group = port_group.and_then(|group| group.virtual_port.as_ref());
            let is_switched = ports.into_iter().flatten().chain(of_group).any(is_open_vswitch);
            let bridge = fixed_bridge(network?).filter(|_| is_switched)?;
            (rules::HOST_SOURCE_MISSING, "network", missing_in_switch(bridge.as_str(), inventory)?)
        }
        Source::Bridge(wanted) if is_switched(interface) => {
            (rules::HOST_SOURCE_MISSING, "bridge", missing_in_switch(&wanted.bridge, inventory)?)
        }
        Source::Bridge(wanted) if link(inventory, &wanted.bridge).is_none() => {
            (rules::HOST_SOURCE_MISSING, "bridge", format!("this host has no bridge `{}`", wanted.bridge))
        }
        Source::Direct(wanted) if link(inventory, wanted.dev.as_str()).is_none() => {
            (rules::HOST_SOURCE_MISSING, "dev", format!("this host has no interface `{}`", wanted.dev))
        }
        _ => return None,
    };
    Some(Finding::new(rule, source.attribute(place), message).help("the guest can be attached once it is there"))
}

fn missing_in_switch(bridge: &str, inventory: &Inventory) -> Option<String> {
    match &inventory.switch {
        KnownSwitch::Unasked => None,
        KnownSwitch::Unusable(why) => Some(format!("Open vSwitch cannot be used here: {why}")),
        known if known.has(bridge) => None,
        KnownSwitch::Bridges(_) => Some(format!("Open vSwitch has no bridge `{bridge}`")),
    }
}

/// What a bridge of Open vSwitch in userspace does not do for a guest.
fn in_userspace(
    interface: &Interface,
    network: Option<&Network>,
    root: &NodePath,
    inventory: &Inventory,
) -> Vec<Finding> {
    let bridge = match (&interface.source, network) {
        (Source::Bridge(wanted), _) => Some(wanted.bridge.as_str()),
        (Source::Network(_), Some(network)) => fixed_bridge(network).map(InterfaceName::as_str),
        _ => None,
    };
    let Some(bridge) = bridge else { return Vec::new() };
    let limits = interface.bandwidth.as_ref();
    let policer = limits.and_then(|limits| without_policer(limits, bridge, &root.element("bandwidth"), inventory));
    policer.into_iter().chain(without_checksums(interface, bridge, root, inventory)).collect()
}

/// A virtio guest may leave the checksums of what it sends to the host. Open vSwitch takes frames
/// from the kernel before the kernel fills them in.
fn without_checksums(interface: &Interface, bridge: &str, root: &NodePath, inventory: &Inventory) -> Option<Finding> {
    let fills_in = interface.driver.as_ref().is_some_and(|driver| driver.host.csum == Some(false));
    if !interface.is_virtio() || fills_in || !inventory.switch.is_in_userspace(bridge) {
        return None;
    }
    let message = format!(
        "the bridge `{bridge}` of Open vSwitch is in userspace (`netdev`), and does not fill in the checksums that a \
         virtio guest leaves to the host: its TCP and UDP are lost"
    );
    let place = root.element("model").attribute("type");
    let finding = Finding::new(rules::HOST_SWITCH_WITHOUT_CHECKSUMS, place, message);
    Some(
        finding.help(
            "add `<driver><host csum='off'/></driver>`, or use a bridge with the datapath of the kernel (`system`)",
        ),
    )
}

/// The bridge of the host or of Open vSwitch that guests become ports of.
pub(crate) fn fixed_bridge(network: &Network) -> Option<&InterfaceName> {
    let bridge = network.bridge.as_ref().filter(|_| !network.forward_mode().has_own_bridge())?;
    if let Some(BridgeName::Fixed(name)) = &bridge.name { Some(name) } else { None }
}

/// Open vSwitch has the kernel drop what exceeds `<outbound>`. In userspace it takes frames from
/// the kernel before that.
pub(crate) fn without_policer(
    bandwidth: &Bandwidth,
    bridge: &str,
    path: &NodePath,
    inventory: &Inventory,
) -> Option<Finding> {
    bandwidth.outbound?.average.filter(|average| *average != 0)?;
    if !inventory.switch.is_in_userspace(bridge) {
        return None;
    }
    let message = format!(
        "the bridge `{bridge}` of Open vSwitch is in userspace (`netdev`), and limits nothing that guests send"
    );
    let finding = Finding::new(rules::HOST_SWITCH_WITHOUT_POLICER, path.element("outbound"), message);
    Some(finding.help("leave `<outbound>` out, or use a bridge with the datapath of the kernel (`system`)"))
}

fn is_switched(interface: &Interface) -> bool {
    interface.virtual_port.as_ref().is_some_and(is_open_vswitch)
}

/// Checks that the device to connect to exists and can do what the interface asks for.
fn unfit(interface: &Interface, root: &NodePath, inventory: &Inventory) -> Option<Finding> {
    let source = root.element("source");
    let vlan = root.element("vlan");
    match &interface.source {
        Source::Bridge(wanted) => match &link(inventory, &wanted.bridge)?.kind {
            LinkKind::Bridge(_) if is_switched(interface) => {
                let message = format!("`{}` is a bridge of Linux, not of Open vSwitch", wanted.bridge);
                let finding = Finding::new(rules::HOST_SOURCE_NOT_A_BRIDGE, source.attribute("bridge"), message);
                Some(finding.help("leave `<virtualport>` out, or name a bridge of Open vSwitch"))
            }
            _ if is_switched(interface) => None,
            LinkKind::Bridge(options) => {
                let by_libvirt = wanted.mac_table_manager == Some(MacTableManager::Libvirt);
                if !inventory.features.vlan_filtering && (interface.vlan.is_some() || by_libvirt) {
                    let path = if by_libvirt { source.attribute("macTableManager") } else { vlan };
                    let message = "this kernel cannot filter VLANs in bridges (CONFIG_BRIDGE_VLAN_FILTERING)";
                    let finding = Finding::new(rules::HOST_WITHOUT_VLAN_FILTERING, path, message);
                    return Some(finding.help("leave it out, or use a kernel that can"));
                }
                if interface.vlan.is_none() || options.vlan_filtering || by_libvirt {
                    return None;
                }
                let message = format!("the bridge `{}` does not filter VLANs", wanted.bridge);
                let finding = Finding::new(rules::HOST_WITHOUT_VLAN_FILTERING, vlan, message);
                Some(finding.help(format!("run `ip link set {} type bridge vlan_filtering 1`", wanted.bridge)))
            }
            _ => {
                let message = format!("`{}` is no bridge", wanted.bridge);
                let finding = Finding::new(rules::HOST_SOURCE_NOT_A_BRIDGE, source.attribute("bridge"), message);
                Some(finding.help(format!(
                    "make a bridge and put `{0}` into it, or write `type='direct'` and `<source dev='{0}' mode='bridge'/>`",
                    wanted.bridge
                )))
            }
        },
        Source::Direct(wanted) if wanted.mode == DirectMode::Passthrough => {
            let is_function = inventory.functions.iter().any(|function| function.dev.as_ref() == Some(&wanted.dev));
            interface.vlan.as_ref().filter(|_| !is_function)?;
            let message = format!(
                "`{}` is not a virtual function: only a card can put a guest on a macvtap into a VLAN",
                wanted.dev
            );
            let finding = Finding::new(rules::HOST_DEVICE_UNFIT, vlan, message);
            Some(finding.help("leave `<vlan>` out, or use a device of that VLAN, such as `eth0.42`"))
        }
        _ => None,
    }
}

/// Checks the guest's device on the host: it must not exist, except with `managed='no'`.
fn target(interface: &Interface, root: &NodePath, inventory: &Inventory) -> Option<Finding> {
    let dev = own(interface).filter(|dev| !dev.contains('%'))?;
    let path = root.element("target").attribute("dev");
    let found = link(inventory, dev);
    if interface.target.as_ref().and_then(|target| target.managed) != Some(false) {
        // A generated name from an earlier run of the guest is replaced by a new one.
        if CHOSEN.iter().any(|prefix| dev.starts_with(prefix)) {
            return None;
        }
        found.filter(|_| !inventory.ports.iter().any(|port| port.dev.as_str() == dev))?;
        let finding = Finding::new(rules::HOST_DEVICE_UNFIT, path, format!("this host has a device `{dev}` already"));
        return Some(finding.help("leave `dev` out for a name that is free; `managed='no'` uses a tap that is there"));
    }
    let queues = interface.driver.as_ref().and_then(|driver| driver.queues).unwrap_or(1);
    let (message, help) = match found.map(|link| &link.kind) {
        None => {
            let finding = Finding::new(rules::HOST_DEVICE_UNFIT, path, format!("this host has no device `{dev}`"));
            return Some(finding.help(format!("make it, `ip tuntap add {dev} mode tap`, or leave `managed` out")));
        }
        Some(LinkKind::Tap(tap)) if queues > 1 && !tap.multi_queue => {
            (format!("the tap `{dev}` has one queue"), "make it with `multi_queue`, or leave `queues` out")
        }
        Some(LinkKind::Tap(_) | LinkKind::Macvtap(_)) => return None,
        Some(LinkKind::Other(word)) if word == "macvtap" => return None,
        Some(_) => (format!("the device `{dev}` is neither a tap nor a macvtap"), "write the name of a tap"),
    };
    Some(Finding::new(rules::HOST_DEVICE_UNFIT, path, message).help(help))
}

/// Checks a device that the guest uses alone.
fn function(interface: &Interface, root: &NodePath, inventory: &Inventory) -> Option<Finding> {
    let Source::Hostdev(source) = &interface.source else { return None };
    let HostdevAddress::Pci(address) = source.address else { return None };
    let taken = |port: &&KnownPort| port.function == Some(address) && Some(port.dev.as_str()) != own(interface);
    let (message, help) = match inventory.ports.iter().find(taken) {
        Some(port) => {
            (format!("the guest of `{}` has the device {address} for itself", port.dev), "write another device")
        }
        None if !inventory.functions.iter().any(|function| function.address == address) => (
            format!("the device {address} is not a virtual function of a network card of this host"),
            "write one of those that `ls -d /sys/class/net/*/device/virtfn*` leads to",
        ),
        None => return None,
    };
    let path = root.element("source").element("address");
    Some(Finding::new(rules::HOST_DEVICE_UNFIT, path, message).help(help))
}
