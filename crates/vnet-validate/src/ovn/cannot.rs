//! What OVN cannot do of a definition. A network can be made without what is a warning.

use std::collections::BTreeSet;
use std::net::IpAddr;

use vnet_dnsmasq::is_wildcard;
use vnet_types::{EgressPreset, IpNet};
use vnet_xml::network::{Dhcp, Ip, MacTableManager};
use vnet_xml::{Bandwidth, Network, NodePath};

use super::OVN_MTU;
use crate::finding::Finding;
use crate::subnets::reserved;
use crate::{Rule, rules};

/// The most bytes that DHCP carries in one option.
const MOST_TEXT: usize = 255;

struct Cannot(Vec<Finding>);

impl Cannot {
    fn add(&mut self, rule: Rule, path: NodePath, message: impl Into<String>, help: &str) {
        self.0.push(Finding::new(rule, path, message).help(help));
    }

    /// The network cannot be made.
    fn refuse(&mut self, path: NodePath, message: impl Into<String>, help: &str) {
        self.add(rules::OVN_CANNOT, path, message, help);
    }

    /// The network is made without it.
    fn without(&mut self, path: NodePath, message: impl Into<String>) {
        self.add(rules::OVN_WITHOUT_EFFECT, path, message, "leave it out; the network is made without it");
    }

    /// It needs a name server on each host, and there is none.
    fn unserved(&mut self, network: &Network, path: NodePath, what: &str) {
        let preset = network.extensions.egress.as_ref().map(|it| it.preset);
        let (why, help) = match preset {
            Some(EgressPreset::None) => ("guests of preset `none` reach no name server", "write preset `host-only`"),
            _ => ("no subnet has an address left for it", "leave an address of a subnet free"),
        };
        let message = format!("{what} needs a name server on each host, and {why}");
        self.refuse(path, message, &format!("{help}, or leave it out"));
    }

    /// The same, and the network is made without it.
    fn unanswered(&mut self, path: NodePath) {
        self.without(path, "OVN passes questions on whose answer it does not know");
    }

    fn text(&mut self, path: NodePath, text: &str) {
        let message = format!("OVN cannot send `{text}` by DHCP");
        let help = "write 1 to 255 printable ASCII characters without quotes and backslashes";
        self.add(rules::OVN_TEXT, path, message, help);
    }
}

pub(super) fn check(network: &Network, root: &NodePath) -> Vec<Finding> {
    let mut found = Cannot(Vec::new());
    forward(network, &root.element("forward"), &mut found);
    bridge(network, &root.element("bridge"), &mut found);
    let servers = network.ovn_name_servers();
    let has_server = !servers.is_empty();
    dns(network, has_server, &root.element("dns"), &mut found);
    for (at, ip) in network.ips.iter().enumerate() {
        addresses(ip, &servers, &root.nth("ip", at), &mut found);
        if ip.local_ptr == Some(true) && !has_server {
            found.unanswered(root.nth("ip", at).attribute("localPtr"));
        }
    }
    rates(network, root, &mut found);
    if network.extensions.flowtable == Some(true) {
        let path = root.element("metadata").element("vnet:network").element("vnet:driver").attribute("flowtable");
        found.without(path, "packets of OVN go through Open vSwitch, which needs no flowtable");
    }
    if network.vlan.is_some() {
        let message = "guests of a network of OVN are in one VLAN, which has no number";
        found.refuse(root.element("vlan"), message, "leave `<vlan>` out; the outside has `vlan` of `<vnet:outside>`");
    }
    if let Some(mtu) = network.mtu.filter(|mtu| *mtu > OVN_MTU) {
        let message = format!("packets of {mtu} bytes do not fit into the tunnels, which carry {OVN_MTU}");
        found.refuse(root.element("mtu").attribute("size"), message, "write at most 1442, or leave `<mtu>` out");
    }
    for (at, line) in network.dnsmasq_options.iter().enumerate() {
        let path = root.nth("dnsmasq:options", 0).nth("dnsmasq:option", at).attribute("value");
        if !is_wildcard(line) {
            let message = "OVN answers DHCP itself, and its name servers take no option but `address=/DOMAIN/ADDRESS`";
            found.refuse(path, message, "leave the option out");
        } else if network.answers_names() && !has_server {
            found.unserved(network, path, "an address for all names of a domain");
        }
    }
    if let Some(domain) = &network.domain {
        let path = root.element("domain");
        if !is_text(&domain.name) {
            found.text(path.attribute("name"), &domain.name);
        }
        if domain.local_only == Some(true) && !has_server {
            found.unanswered(path.attribute("localOnly"));
        }
        if domain.register == Some(true) {
            found.without(path.attribute("register"), "the resolvers of the hosts are not told of the domain");
        }
    }
    for (at, route) in network.routes.iter().enumerate() {
        if route.metric.is_some() {
            found.without(root.nth("route", at).attribute("metric"), "routes of OVN have no metric");
        }
    }
    found.0
}

fn forward(network: &Network, path: &NodePath, found: &mut Cannot) {
    let Some(forward) = &network.forward else { return };
    if forward.dev().is_some() {
        let message = "guests leave by the outside of `<vnet:ovn>`, not by a device of the host";
        found.without(path.attribute("dev"), message);
    }
    let Some(nat) = &forward.nat else { return };
    if nat.addresses.is_some_and(|it| it.start() != it.end()) {
        let path = path.element("nat").element("address");
        found.refuse(path, "OVN translates to one address, not to several", "write one address as `start` and `end`");
    }
    if nat.ports.is_some_and(|it| it.start() == it.end()) {
        let path = path.element("nat").element("port");
        found.refuse(path, "OVN does not translate to a single port", "write a range of ports");
    }
}

fn bridge(network: &Network, path: &NodePath, found: &mut Cannot) {
    let Some(bridge) = &network.bridge else { return };
    // `stp='on'` is what libvirt writes into every definition.
    if bridge.zone.is_some() {
        found.without(path.attribute("zone"), "a switch of OVN is in no zone of firewalld");
    }
    if bridge.mac_table_manager == Some(MacTableManager::Libvirt) {
        found.without(path.attribute("macTableManager"), "OVN itself knows where each MAC address is");
    }
}

/// A network without a name server on its hosts has OVN's own records, and no more.
fn dns(network: &Network, has_server: bool, path: &NodePath, found: &mut Cannot) {
    let Some(dns) = &network.dns else { return };
    let is_unserved = network.answers_names() && !has_server;
    for at in (0..dns.txts.len()).filter(|_| is_unserved) {
        found.unserved(network, path.nth("txt", at), "`<txt>`");
    }
    for at in (0..dns.srvs.len()).filter(|_| is_unserved) {
        found.unserved(network, path.nth("srv", at), "`<srv>`");
    }
    for (at, forwarder) in dns.forwarders.iter().enumerate().filter(|_| is_unserved) {
        if forwarder.domain.is_some() || forwarder.port.is_some() {
            found.unserved(network, path.nth("forwarder", at), "a forwarder of one domain, or to another port,");
        }
    }
    for (at, host) in dns.hosts.iter().enumerate() {
        for (index, name) in host.hostnames.iter().enumerate().filter(|(_, it)| !is_host_name(it)) {
            let help = "write a name of letters, digits, hyphens, dots and underscores";
            let path = path.nth("host", at).nth("hostname", index);
            found.add(rules::OVN_TEXT, path, format!("OVN cannot answer for the name `{name}`"), help);
        }
    }
    if dns.forward_plain_names == Some(false) && is_unserved {
        found.unanswered(path.attribute("forwardPlainNames"));
    }
}

/// Whether the ranges have an address for a guest without a reservation.
fn has_room(ip: &Ip, dhcp: &Dhcp, server: Option<IpAddr>) -> bool {
    let Some(net) = ip.net() else { return true };
    let taken: BTreeSet<IpAddr> = dhcp.hosts.iter().map(|it| it.ip).chain([ip.address]).chain(server).collect();
    let is_free = |address: &IpAddr| reserved(net, *address).is_none() && !taken.contains(address);
    dhcp.ranges.iter().any(|it| between(it.start, it.end).any(|address| is_free(&address)))
}

/// The addresses of a range, in whichever order its ends are written.
fn between(one: IpAddr, other: IpAddr) -> Box<dyn Iterator<Item = IpAddr>> {
    match (one.min(other), one.max(other)) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            Box::new((one.to_bits()..=other.to_bits()).map(|it| IpAddr::V4(it.into())))
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => {
            Box::new((one.to_bits()..=other.to_bits()).map(|it| IpAddr::V6(it.into())))
        }
        _ => Box::new(std::iter::empty()),
    }
}

fn addresses(ip: &Ip, servers: &[IpNet], path: &NodePath, found: &mut Cannot) {
    if ip.tftp_root.is_some() {
        found.refuse(path.element("tftp"), "OVN serves no files", "leave `<tftp>` out, and serve files from a guest");
    }
    let Some(dhcp) = &ip.dhcp else { return };
    let path = path.element("dhcp");
    let server = servers.iter().find(|it| Some(it.trunc()) == ip.net().map(|net| net.trunc()));
    let has_room = |server| has_room(ip, dhcp, server);
    if let Some(server) = server.map(IpNet::addr).filter(|it| has_room(None) && !has_room(Some(*it))) {
        let message = format!("the name server of each host takes `{server}`, and leaves guests no address");
        found.refuse(path.nth("range", 0), message, "make the range or the subnet larger");
    }
    // Over IPv6 no network can have it.
    if let Some(bootp) = dhcp.bootp.as_ref().filter(|_| ip.address.is_ipv4()) {
        let path = path.element("bootp");
        if bootp.server.is_none() {
            found.refuse(path.clone(), "the gateway of OVN serves no files", "add `server` with who serves the file");
        }
        if !is_text(&bootp.file) {
            found.text(path.attribute("file"), &bootp.file);
        }
    }
    let leases_end = |found: &mut Cannot, path: NodePath| {
        found.without(path.element("lease"), "leases of IPv6 never end with OVN");
    };
    for (at, host) in dhcp.hosts.iter().enumerate() {
        let path = path.nth("host", at);
        if host.mac.is_none() && host.name.is_none() {
            let help = "add `name`, and give the guest that name";
            found.refuse(path.clone(), "OVN does not look at the ids of clients", help);
        }
        if let Some(name) = host.name.as_deref().filter(|it| !is_host_name(it)) {
            let help = "write a name of letters, digits, hyphens, dots and underscores";
            let message = format!("OVN cannot answer for the name `{name}`");
            found.add(rules::OVN_TEXT, path.attribute("name"), message, help);
        }
        if ip.address.is_ipv6() && host.lease.is_some() {
            leases_end(found, path);
        }
    }
    for (at, range) in dhcp.ranges.iter().enumerate() {
        if ip.address.is_ipv6() && range.lease.is_some() {
            leases_end(found, path.nth("range", at));
        }
    }
}

/// A guest is limited where it is; a network is on many hosts.
fn rates(network: &Network, root: &NodePath, found: &mut Cannot) {
    if network.bandwidth.is_some() {
        let message = "OVN cannot limit what all guests of a network send and get together, on many hosts";
        let help = "limit each guest: `<bandwidth>` in a `<portgroup>` or in its interface";
        found.refuse(root.element("bandwidth"), message, help);
    }
    for (at, group) in network.port_groups.iter().enumerate() {
        let Some(bandwidth) = &group.bandwidth else { continue };
        peaks(bandwidth, &root.nth("portgroup", at).element("bandwidth"), found);
    }
}

fn peaks(bandwidth: &Bandwidth, path: &NodePath, found: &mut Cannot) {
    for (name, rate) in [("inbound", bandwidth.inbound), ("outbound", bandwidth.outbound)] {
        if rate.is_some_and(|rate| rate.peak.is_some()) {
            let path = path.element(name).attribute("peak");
            found.without(path, "OVN drops what is above `average` and `burst`, and has no `peak`");
        }
    }
}

/// Whether OVN reads a text as it is, within quotes.
fn is_text(text: &str) -> bool {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    !text.is_empty() && text.len() <= MOST_TEXT && text.bytes().all(is_plain)
}

/// Whether a name can be that of a record: letters, digits, hyphens, dots and underscores.
fn is_host_name(name: &str) -> bool {
    !name.is_empty() && name.len() < 254 && name.bytes().all(|it| it.is_ascii_alphanumeric() || b"-._".contains(&it))
}
