//! What OVN cannot do of a definition, with its place.

use vnet_types::Family;
use vnet_xml::network::{ForwardMode, MacTableManager};
use vnet_xml::{Network, NodePath, Severity};

use crate::dhcp_value::DhcpText;
use crate::lower::MTU;

/// What OVN cannot do of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OvnFinding {
    /// Whether the network can be made without it.
    pub severity: Severity,
    /// What is not done, in a sentence without a full stop.
    pub message: String,
    /// The place.
    pub path: NodePath,
}

impl OvnFinding {
    /// Whether the network cannot be made.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

struct Findings(Vec<OvnFinding>);

impl Findings {
    fn error(&mut self, path: NodePath, message: impl Into<String>) {
        self.0.push(OvnFinding { severity: Severity::Error, message: message.into(), path });
    }

    fn warning(&mut self, path: NodePath, message: impl Into<String>) {
        self.0.push(OvnFinding { severity: Severity::Warning, message: message.into(), path });
    }
}

/// Everything of a definition that OVN cannot do.
pub fn not_carried(network: &Network) -> Vec<OvnFinding> {
    let mut found = Findings(Vec::new());
    let root = NodePath::root("network");
    engine(network, &root, &mut found);
    forward(network, &root, &mut found);
    bridge(network, &root.element("bridge"), &mut found);
    dns(network, &root.element("dns"), &mut found);
    for (at, ip) in network.ips.iter().enumerate() {
        addresses(ip, &root.nth("ip", at), &mut found);
    }
    if network.bandwidth.is_some() {
        found.error(root.element("bandwidth"), "OVN cannot limit what all guests of a network send and get together");
    }
    for (at, group) in network.port_groups.iter().enumerate() {
        if group.bandwidth.is_some() {
            let path = root.nth("portgroup", at).element("bandwidth");
            found.error(path, "vnet does not limit what a guest on OVN sends and gets");
        }
    }
    if network.vlan.is_some() {
        found.error(root.element("vlan"), "guests of one network of OVN are in one VLAN, which has no number");
    }
    if let Some(mtu) = network.mtu.filter(|mtu| *mtu > MTU) {
        let path = root.element("mtu").attribute("size");
        found.error(path, format!("packets of {mtu} bytes do not fit into the tunnels, which carry {MTU}"));
    }
    for at in 0..network.dnsmasq_options.len() {
        let path = root.element("dnsmasq:options").nth("dnsmasq:option", at);
        found.error(path, "OVN answers DHCP and DNS itself, without dnsmasq");
    }
    if let Some(domain) = &network.domain {
        let path = root.element("domain");
        if DhcpText::new(&domain.name).is_err() {
            found.error(path.attribute("name"), "OVN cannot send this name by DHCP");
        }
        if domain.local_only == Some(true) {
            found.warning(path.attribute("localOnly"), "OVN passes questions on whose answer it does not know");
        }
        if domain.register == Some(true) {
            found.warning(path.attribute("register"), "the resolvers of the hosts are not told of the domain");
        }
    }
    for (at, route) in network.routes.iter().enumerate() {
        if route.metric.is_some() {
            found.warning(root.nth("route", at).attribute("metric"), "routes of OVN have no metric");
        }
    }
    found.0
}

fn engine(network: &Network, root: &NodePath, found: &mut Findings) {
    let own = root.element("metadata").element("vnet:network");
    if network.extensions.egress.is_some() {
        found.error(own.element("vnet:egress"), "vnet does not limit what guests on OVN reach");
    }
    for (at, it) in network.extensions.port_forwards.iter().enumerate() {
        let path = own.nth("vnet:portForward", at);
        if it.forward.dev.is_some() {
            found.error(path.attribute("dev"), "the gateway has no devices of a host");
        }
        let inside = |ip: &std::net::IpAddr| network.ips.iter().filter_map(|it| it.net()).any(|net| net.contains(ip));
        let guests = network.addresses_of(&it.guest);
        let has_way = matches!(network.forward_mode(), ForwardMode::Nat | ForwardMode::Route);
        if !has_way || guests.is_empty() || !guests.iter().all(inside) || it.forward.leads().is_empty() {
            found.error(path, format!("no port of the gateway can lead to the guest `{}`", it.guest));
        }
    }
    let path = own.element("vnet:ovn");
    let Some(ovn) = &network.extensions.ovn else {
        return found.error(root.clone(), "the definition has no `<vnet:ovn>`");
    };
    if let Err(error) = vnet_ovsdb::Remote::list(&ovn.northbound) {
        found.error(path.attribute("northbound"), error.to_string());
    }
    if network.forward_mode() == ForwardMode::None {
        return;
    }
    let Some(outside) = &ovn.outside else {
        return found.error(path, "a network with `<forward>` needs `<vnet:outside>`");
    };
    let path = path.element("vnet:outside");
    if outside.vlan.is_some_and(|vlan| !(1..=4094).contains(&vlan)) {
        found.error(path.attribute("vlan"), "a VLAN has a number from 1 to 4094");
    }
    if outside.gateways.is_empty() {
        found.error(path.clone(), "no host can be the gateway: add `<vnet:gateway chassis='...'/>`");
    }
    for (at, gateway) in outside.gateways.iter().enumerate() {
        if gateway.priority.is_some_and(|it| it > 32767) {
            let path = path.nth("vnet:gateway", at).attribute("priority");
            found.error(path, "the priority of a gateway is at most 32767");
        }
    }
    for (at, address) in outside.addresses.iter().enumerate() {
        let path = path.nth("vnet:address", at);
        match address.net() {
            None => found.error(path.attribute("prefix"), "the prefix is longer than the address"),
            Some(net) if address.gateway.is_some_and(|it| !net.contains(&it)) => {
                found.error(path.attribute("gateway"), "the next router is not in the subnet of the address");
            }
            Some(_) => {}
        }
    }
    for family in network.families() {
        if !outside.addresses.iter().any(|it| Family::of(it.address) == family) {
            found.error(path.clone(), format!("the gateway has no {family} address: add a `<vnet:address>`"));
        }
    }
}

fn forward(network: &Network, root: &NodePath, found: &mut Findings) {
    let path = root.element("forward");
    let mode = network.forward_mode();
    if !matches!(mode, ForwardMode::None | ForwardMode::Nat | ForwardMode::Route | ForwardMode::Open) {
        return found.error(path.attribute("mode"), format!("vnet makes no network of mode `{}` by OVN", mode.word()));
    }
    let Some(forward) = &network.forward else { return };
    if forward.dev().is_some() {
        found
            .warning(path.attribute("dev"), "guests leave by the outside of `<vnet:ovn>`, not by a device of the host");
    }
    let Some(nat) = &forward.nat else { return };
    if nat.addresses.is_some_and(|it| it.start() != it.end()) {
        found.error(path.element("nat").element("address"), "OVN translates to one address, not to several");
    }
    if nat.ports.is_some_and(|it| it.start() == it.end()) {
        found.error(path.element("nat").element("port"), "OVN does not translate to a single port");
    }
}

fn bridge(network: &Network, path: &NodePath, found: &mut Findings) {
    let Some(bridge) = &network.bridge else { return };
    if bridge.stp == Some(true) {
        found.warning(path.attribute("stp"), "a switch of OVN has no spanning tree, and needs none");
    }
    if bridge.zone.is_some() {
        found.warning(path.attribute("zone"), "a switch of OVN is in no zone of firewalld");
    }
    if bridge.mac_table_manager == Some(MacTableManager::Libvirt) {
        found.warning(path.attribute("macTableManager"), "OVN itself knows where each MAC address is");
    }
}

fn dns(network: &Network, path: &NodePath, found: &mut Findings) {
    let Some(dns) = &network.dns else { return };
    for at in 0..dns.txts.len() {
        found.error(path.nth("txt", at), "OVN answers no questions for TXT");
    }
    for at in 0..dns.srvs.len() {
        found.error(path.nth("srv", at), "OVN answers no questions for SRV");
    }
    for (at, forwarder) in dns.forwarders.iter().enumerate() {
        if forwarder.domain.is_some() || forwarder.port.is_some() {
            found.error(path.nth("forwarder", at), "OVN does not forward names of one domain, or to another port");
        }
    }
    for (at, host) in dns.hosts.iter().enumerate() {
        if let Some(name) = host.hostnames.iter().find(|it| !crate::dns::is_host_name(it)) {
            found.error(path.nth("host", at), format!("OVN cannot answer for the name `{name}`"));
        }
    }
    if dns.forward_plain_names == Some(false) {
        let path = path.attribute("forwardPlainNames");
        found.warning(path, "OVN passes questions on whose answer it does not know");
    }
}

fn addresses(ip: &vnet_xml::network::Ip, path: &NodePath, found: &mut Findings) {
    if ip.tftp_root.is_some() {
        found.error(path.element("tftp"), "OVN serves no files");
    }
    if ip.local_ptr == Some(true) {
        found.warning(path.attribute("localPtr"), "OVN passes questions on whose answer it does not know");
    }
    let Some(dhcp) = &ip.dhcp else { return };
    let path = path.element("dhcp");
    if let Some(bootp) = &dhcp.bootp {
        let path = path.element("bootp");
        if ip.address.is_ipv6() {
            found.error(path, "OVN tells what to boot over IPv4 only");
        } else if bootp.server.is_none() {
            found.error(path, "the gateway serves no files: add `server`");
        } else if DhcpText::new(&bootp.file).is_err() {
            found.error(path.attribute("file"), "OVN cannot send this name by DHCP");
        }
    }
    for (at, host) in dhcp.hosts.iter().enumerate() {
        if host.mac.is_none() && host.name.is_none() {
            found.error(path.nth("host", at), "OVN does not look at the ids of clients: add `mac` or `name`");
        }
        if ip.address.is_ipv6() && host.lease.is_some() {
            found.warning(path.nth("host", at).element("lease"), "leases of IPv6 never end");
        }
    }
    for (at, range) in dhcp.ranges.iter().enumerate() {
        if ip.address.is_ipv6() && range.lease.is_some() {
            found.warning(path.nth("range", at).element("lease"), "leases of IPv6 never end");
        }
    }
}
