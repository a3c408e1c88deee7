//! Conflicts of a network with a host: names and devices. `collision` checks addresses and routes.

use std::collections::HashSet;

use vnet_types::{Family, InterfaceName, Inventory, KnownNetwork, KnownSwitch};
use vnet_xml::network::{ForwardInterface, PortGroup};
use vnet_xml::{BridgeName, BridgeTemplate, Network, NodePath, did_you_mean};

use crate::finding::Finding;
use crate::forward::interface_path;
use crate::groups::is_open_vswitch;
use crate::interface::{fixed_bridge, without_policer};
use crate::{collision, driver, egress, ovn, port_forward, rules};

pub(crate) fn check(network: &Network, root: &NodePath, inventory: &Inventory) -> Vec<Finding> {
    if network.is_on_ovn() {
        // It is no network of this host, and needs nothing of it that others could have.
        return ovn::check_against(network, root, inventory).into_iter().collect();
    }
    let own = inventory.networks.iter().find(|known| known.name.as_str() == network.name);
    let others = inventory.beside(&network.name);
    let mut findings = collision::check(network, root, &others);
    findings.extend(identity(network, root, &others, own));
    findings.extend(bridge_name(network, root, &others));
    // Every host has a link: an inventory without one means an unknown host.
    if !inventory.links.is_empty() {
        findings.extend(zone(network, root, inventory));
        findings.extend(resolver(network, root, inventory));
        findings.extend(ipv6(network, root, inventory));
        findings.extend(hears_routers(network, root, inventory));
        findings.extend(policer(network, root, inventory));
        findings.extend(unlimited_groups(network, root, inventory));
        findings.extend(forward_interfaces(network, root, inventory));
        findings.extend(default_route(network, root, inventory));
        findings.extend(port_forward::check_against(network, root, inventory));
        findings.extend(egress::check_against(network, root, inventory));
        findings.extend(driver::check_against(network, root, inventory));
    }
    findings
}

/// A policer limits what guests send. Without it the packets take a way that skips connection
/// tracking while br_netfilter is on.
fn policer(network: &Network, root: &NodePath, inventory: &Inventory) -> Option<Finding> {
    let limited =
        network.bandwidth.as_ref().and_then(|bandwidth| bandwidth.outbound?.average).is_some_and(|it| it != 0);
    if !limited || !network.forward_mode().has_own_bridge() || inventory.features.police || !inventory.bridge_netfilter
    {
        return None;
    }
    let message = "this kernel has no policer (act_police), and without one guests would leave untranslated while \
                   br_netfilter is on";
    let path = root.element("bandwidth").element("outbound");
    let help = "load act_police, or set `net.bridge.bridge-nf-call-iptables` and `bridge-nf-call-ip6tables` to 0, or \
                leave `<outbound>` out";
    Some(Finding::new(rules::HOST_WITHOUT_POLICER, path, message).help(help))
}

/// Portgroups that limit what guests send to a bridge of Open vSwitch that cannot.
fn unlimited_groups(network: &Network, root: &NodePath, inventory: &Inventory) -> Vec<Finding> {
    let Some(bridge) = fixed_bridge(network) else { return Vec::new() };
    let groups = network.port_groups.iter().enumerate();
    let of_group = |(index, group): (usize, &PortGroup)| {
        let path = root.nth("portgroup", index).element("bandwidth");
        without_policer(group.bandwidth.as_ref()?, bridge.as_str(), &path, inventory)
    };
    groups.filter_map(of_group).collect()
}

fn identity(network: &Network, root: &NodePath, others: &Inventory, own: Option<&KnownNetwork>) -> Option<Finding> {
    let uuid = network.uuid?;
    let path = root.element("uuid");
    if let Some(known) = own.and_then(|known| known.uuid).filter(|known| *known != uuid) {
        let message = format!("the network `{}` runs already, with the UUID `{known}`", network.name);
        let finding = Finding::new(rules::HOST_NAME_TAKEN, path, message);
        return Some(
            finding.help(format!("write `<uuid>{known}</uuid>` or leave it out, or give this one another name")),
        );
    }
    let other = others.networks.iter().find(|known| known.uuid == Some(uuid))?;
    let message = format!("the network `{}`, which runs, has the UUID `{uuid}` already", other.name);
    let finding = Finding::new(rules::HOST_UUID_TAKEN, path, message);
    Some(finding.help("leave `<uuid>` out; to rename a network, stop it first"))
}

fn bridge_name(network: &Network, root: &NodePath, others: &Inventory) -> Option<Finding> {
    let path = root.element("bridge").attribute("name");
    if !network.forward_mode().has_own_bridge() {
        return bridge_of_the_host(network, path, others);
    }
    let bridges = others.networks.iter().filter_map(|known| known.bridge.as_ref());
    let taken = others.links.iter().map(|link| &link.name).chain(bridges);
    let free = |template: &BridgeTemplate| {
        let taken: HashSet<&InterfaceName> = taken.clone().collect();
        template.names().find(|name| !taken.contains(name))
    };
    let template = match network.bridge.as_ref().and_then(|bridge| bridge.name.as_ref()) {
        Some(BridgeName::Fixed(name)) => {
            if !taken.clone().any(|it| it == name) {
                return None;
            }
            let of_libvirt = running_in_libvirt(others, name);
            let user = others.networks.iter().find(|known| known.bridge.as_ref() == Some(name));
            let message = match user {
                Some(known) => format!("the network `{}` has the bridge `{name}` already", known.name),
                None => match of_libvirt {
                    Some(known) => format!("libvirt's network `{}` has the bridge `{name}`", known.name),
                    None => format!("this host has an interface `{name}` already, which is not this network's"),
                },
            };
            let help = match free(&BridgeTemplate::virbr()) {
                _ if of_libvirt.is_some() => of_libvirt.map(end_in_libvirt).unwrap_or_default(),
                Some(free) => format!("write `name='{free}'`, or `virbr%d` for the first that is free"),
                None => "write a name that is free".to_owned(),
            };
            return Some(Finding::new(rules::HOST_BRIDGE_NAME_TAKEN, path, message).help(help));
        }
        Some(BridgeName::Template(template)) => template.clone(),
        None => BridgeTemplate::virbr(),
    };
    if free(&template).is_some() {
        return None;
    }
    let message = format!("this host has an interface for every number of `{}`", BridgeName::Template(template));
    Some(Finding::new(rules::HOST_NO_FREE_BRIDGE_NAME, path, message).help("write another template, or a name"))
}

/// The network of libvirt that has this bridge.
pub(crate) fn running_in_libvirt<'h>(inventory: &'h Inventory, bridge: &InterfaceName) -> Option<&'h KnownNetwork> {
    inventory.libvirt.iter().find(|known| known.bridge.as_ref() == Some(bridge))
}

/// What ends a network of libvirt.
pub(crate) fn end_in_libvirt(KnownNetwork { name, .. }: &KnownNetwork) -> String {
    format!(
        "`virsh net-destroy {name}` ends it there, and `virsh net-autostart --disable {name}` keeps it from coming \
         back; or `vnet import --take-over {name}` takes it over with its guests connected"
    )
}

/// The bridge that guests become ports of. It may be created later, so this is a warning.
fn bridge_of_the_host(network: &Network, path: NodePath, inventory: &Inventory) -> Option<Finding> {
    let Some(BridgeName::Fixed(name)) = network.bridge.as_ref()?.name.as_ref() else { return None };
    let groups = network.port_groups.iter().map(|group| &group.virtual_port);
    let is_switched = groups.chain([&network.virtual_port]).flatten().any(is_open_vswitch);
    let message = match &inventory.switch {
        KnownSwitch::Unusable(why) if is_switched => format!("Open vSwitch cannot be used here: {why}"),
        known if is_switched && known.has(name.as_str()) => return None,
        KnownSwitch::Bridges(_) if is_switched => {
            format!("Open vSwitch has no bridge `{name}` yet")
        }
        _ if inventory.links.is_empty() || inventory.links.iter().any(|link| link.name == *name) => return None,
        _ => format!("this host has no bridge `{name}` yet"),
    };
    let finding = Finding::new(rules::HOST_BRIDGE_MISSING, path, message);
    Some(finding.help("the network starts without it; guests can be attached once it is there"))
}

/// The zone must exist before the network starts.
fn zone(network: &Network, root: &NodePath, inventory: &Inventory) -> Option<Finding> {
    let zone = network.bridge.as_ref()?.zone.as_ref().filter(|_| network.forward_mode().has_own_bridge())?;
    let path = root.element("bridge").attribute("zone");
    let Some(firewalld) = &inventory.firewalld else {
        let message = format!("firewalld, which would have the zone `{zone}`, does not run for this network namespace");
        let finding = Finding::new(rules::HOST_WITHOUT_FIREWALLD, path, message);
        return Some(finding.help("start it, or leave `zone` out"));
    };
    if firewalld.zones.contains_key(zone) {
        return None;
    }
    let names: Vec<&str> = firewalld.zones.keys().map(String::as_str).collect();
    let help = match did_you_mean(zone, names.iter().copied()) {
        Some(other) => format!("there is `{other}`"),
        None => format!("it has {}", names.join(", ")),
    };
    let message = format!("firewalld has no zone `{zone}`");
    Some(Finding::new(rules::HOST_ZONE_MISSING, path, message).help(help))
}

/// A domain can be registered with systemd-resolved only. What else does it is said.
fn resolver(network: &Network, root: &NodePath, inventory: &Inventory) -> Option<Finding> {
    let domain = network.registered_domain().filter(|_| !inventory.resolved)?;
    let server = network.ips.first().map_or_else(|| "ADDRESS".to_owned(), |ip| ip.address.to_string());
    let message = "systemd-resolved, which would register the domain, does not run for this network namespace";
    let path = root.element("domain").attribute("register");
    Some(Finding::new(rules::HOST_WITHOUT_RESOLVED, path, message).help(format!(
        "start it (`systemctl start systemd-resolved`), or leave `register` out and tell the resolver of this host to ask \
         {server} for names of `{domain}`: `server=/{domain}/{server}` in dnsmasq, also that of NetworkManager, or a \
         forward zone in unbound"
    )))
}

fn ipv6(network: &Network, root: &NodePath, inventory: &Inventory) -> Option<Finding> {
    let index = network.ips.iter().position(|ip| ip.address.is_ipv6()).filter(|_| !inventory.ipv6)?;
    let path = root.nth("ip", index).attribute("address");
    let message = format!("this host's kernel has no IPv6, so no bridge can have `{}`", network.ips[index].address);
    let finding = Finding::new(rules::HOST_WITHOUT_IPV6, path, message);
    Some(finding.help("leave the IPv6 `<ip>` out, or start the kernel without `ipv6.disable=1`"))
}

/// A host that forwards IPv6 ignores router advertisements.
fn hears_routers(network: &Network, root: &NodePath, inventory: &Inventory) -> Option<Finding> {
    network.way_out(Family::Ipv6)?;
    let index = network.ips.iter().position(|ip| ip.address.is_ipv6())?;
    let link = inventory.hears_routers.first()?;
    let message =
        format!("forwarding IPv6 would lose this host the routes that `{link}` learns from router advertisements");
    let finding = Finding::new(rules::HOST_HEARS_ROUTERS, root.nth("ip", index).attribute("address"), message);
    Some(finding.help(format!("`sysctl -w net.ipv6.conf.{link}.accept_ra=2` keeps them")))
}

fn forward_interfaces(network: &Network, root: &NodePath, inventory: &Inventory) -> Vec<Finding> {
    let Some(forward) = &network.forward else { return Vec::new() };
    let element = root.element("forward");
    let mut findings = Vec::new();
    if let Some(pf) = forward.pf.as_ref().filter(|pf| !inventory.links.iter().any(|link| link.name == **pf)) {
        let message = format!("this host has no interface `{pf}` yet");
        let path = element.element("pf").attribute("dev");
        let finding = Finding::new(rules::HOST_FORWARD_INTERFACE_MISSING, path, message);
        findings.push(finding.help("the network starts without it; guests can be attached once it is there"));
    }
    for (index, ForwardInterface { dev: interface, .. }) in forward.interfaces.iter().enumerate() {
        let path = interface_path(&element, index);
        let Some(link) = inventory.links.iter().find(|link| link.name == *interface) else {
            let message = format!("this host has no interface `{interface}` yet");
            let finding = Finding::new(rules::HOST_FORWARD_INTERFACE_MISSING, path, message);
            findings.push(finding.help("the network starts without it; traffic flows once it is there"));
            continue;
        };
        if let (Some(mtu), Some(outside)) = (network.mtu, link.mtu)
            && mtu > outside
        {
            let message =
                format!("an MTU of {mtu} bytes is more than the {outside} of `{interface}`, where traffic leaves");
            let mtu_path = root.element("mtu").attribute("size");
            let finding = Finding::new(rules::HOST_MTU_LARGER_THAN_FORWARD, mtu_path, message);
            let finding = finding.related(path, "the interface is named here");
            findings.push(finding.help(format!("write `size='{outside}'`, or raise the MTU of `{interface}`")));
        }
    }
    findings
}

/// Translated traffic follows the host's own routes.
fn default_route(network: &Network, root: &NodePath, inventory: &Inventory) -> Option<Finding> {
    let leads_out = |family: Family| {
        let mut routes = inventory.routes.iter().map(|route| route.destination);
        routes.any(|destination| destination.prefix_len() == 0 && Family::of(destination.addr()) == family)
    };
    let mut translated = network.families().filter(|family| network.translates(*family)).peekable();
    translated.peek()?;
    if translated.any(leads_out) {
        return None;
    }
    let message = "this host has no default route, so guests reach no further than the host's own networks";
    let finding = Finding::new(rules::HOST_WITHOUT_DEFAULT_ROUTE, root.element("forward").attribute("mode"), message);
    Some(finding.help("the network starts without it; traffic flows once there is one"))
}
