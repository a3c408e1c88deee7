//! What libvirt supports and vnet does not: the one list of what `attach` refuses in a valid
//! definition. It is a warning when a definition is checked alone, and an error on a host.

use vnet_xml::interface::{DirectMode, Source};
use vnet_xml::network::{ForwardMode, PortGroup};
use vnet_xml::{Interface, Network, NodePath, VirtualPortType};

use crate::finding::Finding;
use crate::rules;

/// Finds what vnet refuses to attach an interface with. If `network` is known, its settings apply
/// too.
pub fn unsupported_interface(interface: &Interface, network: Option<&Network>) -> Vec<Finding> {
    of_interface(interface, network, &NodePath::root("interface"))
}

/// How the guest is connected.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Bridge,
    Macvtap {
        alone: bool,
    },
    Function,
    Tap,
    Passt,
    /// By something that vnet cannot create on the host.
    Nothing,
    /// By a network whose definition is not known.
    Unknown,
}

fn end(interface: &Interface, network: Option<&Network>) -> End {
    match (&interface.source, network) {
        (Source::Network(_), None) => End::Unknown,
        (Source::Network(_), Some(network)) => end_in(network),
        (Source::Bridge(_), _) => End::Bridge,
        (Source::Direct(source), _) => End::Macvtap { alone: source.mode == DirectMode::Passthrough },
        (Source::Ethernet(_), _) => End::Tap,
        (Source::Hostdev(_), _) => End::Function,
        (Source::User { .. } | Source::Vhostuser(_), _) if interface.is_passt() => End::Passt,
        _ => End::Nothing,
    }
}

fn end_in(network: &Network) -> End {
    let bridge = network.bridge.as_ref().and_then(|bridge| bridge.name.as_ref());
    match network.forward_mode() {
        mode if mode.has_own_bridge() || bridge.is_some() => End::Bridge,
        ForwardMode::Hostdev => End::Function,
        mode => End::Macvtap { alone: mode == ForwardMode::Passthrough },
    }
}

/// The portgroup of an interface.
fn group<'n>(interface: &Interface, network: &'n Network) -> Option<&'n PortGroup> {
    let Source::Network(source) = &interface.source else { return None };
    network.port_group(source.port_group.as_deref())
}

/// vnet does not attach what QEMU connects alone, or what is not connected to this host.
pub(crate) fn without_end(interface: &Interface, root: &NodePath) -> Option<Finding> {
    (end(interface, None) == End::Nothing).then(|| {
        let word = interface.source.word();
        let message = format!("there is nothing to attach for an interface of type `{word}`");
        let finding = Finding::new(rules::INTERFACE_UNSUPPORTED, root.attribute("type"), message);
        finding.help(match interface.source {
            Source::User { .. } => {
                "QEMU connects it by itself; with `<backend type='passt'/>` vnet runs a passt for it"
            }
            _ => "QEMU connects it by itself",
        })
    })
}

/// Something that vnet does not support: its place, and what to do.
struct Part {
    path: NodePath,
    message: String,
    help: &'static str,
}

pub(crate) fn of_interface(interface: &Interface, network: Option<&Network>, root: &NodePath) -> Vec<Finding> {
    let parts = of_itself(interface, root).into_iter().flatten().chain(of_its_end(interface, network, root));
    let finding = |part: Part| Finding::new(rules::INTERFACE_UNSUPPORTED, part.path, part.message).help(part.help);
    parts.map(finding).collect()
}

/// What depends on the interface alone.
fn of_itself(interface: &Interface, root: &NodePath) -> Vec<Option<Part>> {
    let is_unmanaged = interface.target.as_ref().and_then(|target| target.managed) == Some(false);
    let tun = interface.backend.as_ref().and_then(|backend| backend.tap.as_deref());
    let mut parts = vec![
        interface.filter.is_some().then(|| Part {
            path: root.element("filterref"),
            message: "vnet has no network filters: nothing would hold back what the guest must not send".to_owned(),
            help: "leave `<filterref>` out, and filter at the guest's device with nftables",
        }),
        tun.filter(|tun| *tun != "/dev/net/tun").map(|tun| Part {
            path: root.element("backend").attribute("tap"),
            message: format!("vnet makes taps by `/dev/net/tun`, not by `{tun}`"),
            help: "leave `tap` out",
        }),
        (is_unmanaged && interface.bandwidth.is_some()).then(|| Part {
            path: root.element("bandwidth"),
            message: "vnet limits the bandwidth of devices that it makes, not of one that is there already".to_owned(),
            help: "leave `<bandwidth>` or `managed='no'` out",
        }),
    ];
    let Source::Ethernet(source) = &interface.source else { return parts };
    let script = if interface.script.is_some() { "script" } else { "downscript" };
    let first = if source.ips.is_empty() { "route" } else { "ip" };
    let peer = source.ips.iter().position(|ip| ip.peer.is_some());
    parts.extend([
        (interface.script.is_some() || interface.downscript.is_some()).then(|| Part {
            path: root.element(script),
            message: format!("vnet runs no `<{script}>` for the guest's device"),
            help: "leave it out; `<ip>` and `<route>` in `<source>` configure the device, or run it beside `vnet attach`",
        }),
        (is_unmanaged && (!source.ips.is_empty() || !source.routes.is_empty())).then(|| Part {
            path: root.element("source").nth(first, 0),
            message: "vnet configures devices that it makes, not one that is there already".to_owned(),
            help: "leave `<ip>`, `<route>` or `managed='no'` out",
        }),
        peer.map(|peer| Part {
            path: root.element("source").nth("ip", peer).attribute("peer"),
            message: "vnet does not set the other end of a point-to-point link".to_owned(),
            help: "leave `peer` out, and add a `<route>` to the guest's address",
        }),
    ]);
    parts
}

/// What depends on how the guest is connected, and on what its network says for it.
fn of_its_end(interface: &Interface, network: Option<&Network>, root: &NodePath) -> impl Iterator<Item = Part> {
    let end = end(interface, network);
    let group = network.and_then(|network| group(interface, network));
    // A setting of the network is reported at the place where the interface names the network.
    let at = |own: bool, path: NodePath, grouped: bool| match (own, grouped) {
        (true, _) => path,
        (false, true) => root.element("source").attribute("portgroup"),
        (false, false) => root.element("source").attribute("network"),
    };
    let own = interface.virtual_port.as_ref();
    let of_group = group.and_then(|group| group.virtual_port.as_ref());
    let port = own.or(of_group).or(network.and_then(|network| network.virtual_port.as_ref()));
    let kind = [own, of_group, network.and_then(|network| network.virtual_port.as_ref())];
    let kind = kind.into_iter().flatten().find_map(|port| port.kind);
    let vlan = interface.vlan.as_ref();
    let vlan_of_group = group.and_then(|group| group.vlan.as_ref());
    let vlan = vlan.or(vlan_of_group).or(network.and_then(|network| network.vlan.as_ref()));
    let vlan_path = || at(interface.vlan.is_some(), root.element("vlan"), vlan_of_group.is_some());
    let bandwidth_of_group = group.and_then(|group| group.bandwidth.as_ref());
    let isolated = interface.port_isolated.or(network.and_then(|network| network.port_isolated)) == Some(true);
    let has_port = matches!(end, End::Bridge | End::Unknown);
    let own_bridge = network.is_some_and(|network| network.forward_mode().has_own_bridge());
    let is_of_switch = kind == Some(VirtualPortType::OpenVSwitch) || kind.is_none() && end == End::Unknown;
    let is_switched = port.is_some() && is_of_switch && has_port && !own_bridge;
    let parts = [
        (port.is_some() && end != End::Nothing && !is_switched).then(|| Part {
            path: at(own.is_some(), root.element("virtualport"), of_group.is_some()),
            message: match kind {
                Some(VirtualPortType::OpenVSwitch) => {
                    "what the guest is connected to is no bridge of Open vSwitch".to_owned()
                }
                Some(kind) => format!("vnet does not tell a switch of type `{}` of its ports", kind.word()),
                None => "vnet does not tell a switch of its ports".to_owned(),
            },
            help: match kind {
                Some(VirtualPortType::OpenVSwitch) => {
                    "leave `<virtualport>` out, or use a network in mode `bridge` with a bridge of Open vSwitch"
                }
                _ => "leave `<virtualport>` out, and use a bridge of Linux or of Open vSwitch",
            },
        }),
        (isolated && is_switched && end == End::Bridge).then(|| Part {
            path: at(interface.port_isolated == Some(true), root.element("port").attribute("isolated"), false),
            message: "ports of Open vSwitch cannot be isolated".to_owned(),
            help: "leave `<port isolated='yes'/>` out, and put guests into VLANs of their own",
        }),
        (vlan.is_some() && matches!(end, End::Macvtap { alone: false } | End::Tap | End::Passt)).then(|| Part {
            path: vlan_path(),
            message: "what the guest is connected to cannot put it into a VLAN".to_owned(),
            help: "leave `<vlan>` out; for a macvtap use a device of that VLAN, such as `eth0.42`",
        }),
        (vlan.is_some() && own_bridge).then(|| Part {
            path: vlan_path(),
            message: "guests of this network cannot be in a VLAN: it has a bridge of its own".to_owned(),
            help: "leave `<vlan>` out, and make a network for each group of guests",
        }),
        (vlan.is_some_and(|vlan| vlan.trunk) && matches!(end, End::Macvtap { alone: true } | End::Function)).then(
            || Part {
                path: vlan_path(),
                message: "a virtual function can be in one VLAN, not in several".to_owned(),
                help: "write one `<tag>`, without `trunk`",
            },
        ),
        (isolated && !has_port).then(|| Part {
            path: at(interface.port_isolated == Some(true), root.element("port").attribute("isolated"), false),
            message: "only ports of a bridge can be isolated, and the guest has none".to_owned(),
            help: "leave `<port isolated='yes'/>` out",
        }),
        (interface.coalesce_rx_frames.is_some() && !has_port && end != End::Tap).then(|| Part {
            path: root.element("coalesce"),
            message: "only a tap can hold back interrupts, and the guest has none".to_owned(),
            help: "leave `<coalesce>` out",
        }),
        ((interface.bandwidth.is_some() || bandwidth_of_group.is_some()) && end == End::Function).then(|| Part {
            path: at(interface.bandwidth.is_some(), root.element("bandwidth"), true),
            message: "the bandwidth of a device that the guest has for itself cannot be limited by the host".to_owned(),
            help: "leave `<bandwidth>` out",
        }),
        (interface.mtu.is_some_and(|mtu| mtu > 0) && end == End::Function).then(|| Part {
            path: root.element("mtu").attribute("size"),
            message: "the MTU of a device that the guest has for itself cannot be set by the host".to_owned(),
            help: "leave `<mtu>` out, and set it in the guest",
        }),
    ];
    parts.into_iter().flatten()
}
