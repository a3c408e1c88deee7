//! Networks of any kind.

use proptest::prelude::*;
use vnet_types::{Egress, EgressException, EgressPreset, EgressProtocol, InterfaceName, IpNet, MacAddr, PciAddress};
use vnet_types::{PortRange, Uuid};

use super::ovn::ovn;
use super::shared::{address, bandwidth, virtual_port, vlan, word};
use crate::network::{
    Bootp, Bridge, Dhcp, DhcpHost, DhcpRange, Dns, DnsHost, Domain, Forward, ForwardInterface, ForwardMode, Forwarder,
    Ip, Lease, LeaseUnit, Mask, Nat, Network, PortGroup, Route, Srv, Txt,
};

/// Networks of every mode, with all elements that they can have. Many make no sense, but each can
/// be printed and read back.
pub fn network() -> impl Strategy<Value = Network> {
    // Boxed, because the combined strategy is larger than a test's stack.
    prop_oneof![3 => with_subnets().boxed(), 1 => external().boxed()]
}

fn lease() -> impl Strategy<Value = Option<Lease>> {
    let unit = prop_oneof![Just(LeaseUnit::Seconds), Just(LeaseUnit::Minutes), Just(LeaseUnit::Hours)];
    prop::option::of((1u64.., unit).prop_map(|(expiry, unit)| Lease { expiry, unit }))
}

prop_compose! {
    fn dhcp()(
        ranges in prop::collection::vec((address(), address(), lease()), 0..3),
        hosts in prop::collection::vec((any::<Option<[u8; 6]>>(), prop::option::of(word()), address(), lease()), 0..3),
        bootp in prop::option::of((word(), prop::option::of(address()))),
    ) -> Option<Dhcp> {
        let mut dhcp = Dhcp::default();
        dhcp.ranges = ranges.into_iter().map(|(start, end, lease)| DhcpRange { start, end, lease }).collect();
        dhcp.hosts = hosts.into_iter().map(|(mac, name, ip, lease)| {
            let mut host = DhcpHost::new(ip);
            host.mac = mac.map(|mac| MacAddr(mac).into());
            (host.name, host.lease) = (name, lease);
            host
        }).collect();
        dhcp.bootp = bootp.map(|(file, server)| Bootp { file, server });
        (dhcp != Dhcp::default()).then_some(dhcp)
    }
}

fn mask() -> impl Strategy<Value = Option<Mask>> {
    let some = prop_oneof![
        any::<[u8; 4]>().prop_map(|netmask| Mask::Netmask(netmask.into())),
        (1u32..).prop_map(Mask::Prefix)
    ];
    prop::option::of(some)
}

prop_compose! {
    fn ip()(
        (address, mask, local_ptr) in (address(), mask(), any::<Option<bool>>()),
        (tftp_root, dhcp) in (prop::option::of(word()), dhcp()),
    ) -> Ip {
        let mut ip = Ip::new("10.0.0.1/8".parse().unwrap());
        (ip.address, ip.mask, ip.local_ptr, ip.tftp_root, ip.dhcp) = (address, mask, local_ptr, tftp_root, dhcp);
        ip
    }
}

prop_compose! {
    fn dns()(
        (enable, plain) in any::<(Option<bool>, Option<bool>)>(),
        txts in prop::collection::vec((word(), word()), 0..3),
        srvs in prop::collection::vec((word(), word(), any::<Option<u16>>()), 0..3),
        hosts in prop::collection::vec((address(), prop::collection::vec(word(), 1..3)), 0..3),
        forwarders in prop::collection::vec((prop::option::of(word()), address()), 0..3),
    ) -> Option<Dns> {
        let mut dns = Dns::default();
        (dns.enable, dns.forward_plain_names) = (enable, plain);
        dns.txts = txts.into_iter().map(|(name, value)| Txt { name, value }).collect();
        dns.srvs = srvs.into_iter().map(|(service, protocol, port)| {
            let mut srv = Srv::default();
            (srv.service, srv.protocol, srv.port) = (service, protocol, port.filter(|port| *port != 0));
            srv
        }).collect();
        dns.hosts = hosts.into_iter().map(|(ip, hostnames)| DnsHost { ip, hostnames }).collect();
        dns.forwarders = forwarders.into_iter().map(|(domain, addr)| {
            let mut forwarder = Forwarder::default();
            (forwarder.domain, forwarder.addr) = (domain, Some(addr));
            forwarder
        }).collect();
        (dns != Dns::default()).then_some(dns)
    }
}

prop_compose! {
    fn forward()(
        mode in prop_oneof![Just(ForwardMode::Nat), Just(ForwardMode::Route), Just(ForwardMode::Open)],
        interfaces in prop::collection::btree_set("[a-z]{1,15}", 0..3),
        ipv6 in any::<Option<bool>>(),
        ports in any::<Option<(u16, u16)>>(),
    ) -> Forward {
        let mut forward = Forward::new(mode);
        forward.interfaces = interfaces.into_iter().map(|name| name.parse::<InterfaceName>().unwrap().into()).collect();
        let mut nat = Nat::default();
        nat.ipv6 = ipv6;
        nat.ports = ports.and_then(|(one, other)| PortRange::new(one.max(1).min(other.max(1)), one.max(other).max(1)).ok());
        forward.nat = (mode == ForwardMode::Nat && nat != Nat::default()).then_some(nat);
        forward
    }
}

fn one_of<T: Copy + std::fmt::Debug + 'static>(words: &[(&str, T)]) -> impl Strategy<Value = T> + use<T> {
    prop::sample::select(words.iter().map(|(_, it)| *it).collect::<Vec<_>>())
}

prop_compose! {
    fn exception()(
        net in prop::option::of((address(), any::<u8>())),
        protocol in prop::option::of(one_of(EgressProtocol::WORDS)),
        ports in any::<Option<(u16, u16)>>(),
    ) -> EgressException {
        let mut exception = EgressException::default();
        exception.net = net.map(|(address, prefix)| {
            let bits = if address.is_ipv4() { 33 } else { 129 };
            IpNet::new(address, prefix % bits).unwrap()
        });
        exception.protocol = protocol;
        exception.ports = ports.map(|(one, other)| PortRange::new(one.min(other), one.max(other)).unwrap());
        exception
    }
}

prop_compose! {
    fn egress()(
        preset in one_of(EgressPreset::WORDS),
        allow in prop::collection::vec(exception(), 0..3),
        deny in prop::collection::vec(exception(), 0..3),
    ) -> Egress {
        let mut egress = Egress::new(preset);
        (egress.allow, egress.deny) = (allow, deny);
        egress
    }
}

prop_compose! {
    fn group()(
        (name, default, trust) in ("[a-z<&']{1,12}", any::<bool>(), any::<Option<bool>>()),
        (vlan, port, bandwidth) in (prop::option::of(vlan()), prop::option::of(virtual_port()), bandwidth()),
    ) -> PortGroup {
        let mut group = PortGroup::new(name);
        (group.default, group.trust_guest_rx_filters) = (default, trust);
        (group.vlan, group.virtual_port, group.bandwidth) = (vlan, port, bandwidth);
        group
    }
}

/// A network of any mode whose guests are attached to existing devices of the host.
fn external() -> impl Strategy<Value = Network> {
    let modes =
        [ForwardMode::Bridge, ForwardMode::Private, ForwardMode::Vepa, ForwardMode::Passthrough, ForwardMode::Hostdev];
    let pci = (any::<(u32, u8)>(), 0u8..32, 0u8..8)
        .prop_map(|((domain, bus), slot, function)| PciAddress::new(domain, bus, slot, function).unwrap());
    let pool = (prop::collection::btree_map("[a-z]{1,15}", any::<u32>(), 0..3), prop::collection::btree_set(pci, 0..3));
    let forward = (prop::sample::select(modes.to_vec()), any::<(bool, bool)>(), pool).prop_map(
        |(mode, (managed, pf), (names, pci))| {
            let mut forward = Forward::new(mode);
            forward.managed = managed && mode == ForwardMode::Hostdev;
            forward.addresses = pci.into_iter().collect();
            forward.pf = pf.then(|| "pf0".parse().unwrap());
            if forward.addresses.is_empty() {
                forward.interfaces = names
                    .into_iter()
                    .map(|(name, connections)| {
                        let mut interface = ForwardInterface::from(name.parse::<InterfaceName>().unwrap());
                        interface.connections = connections;
                        interface
                    })
                    .collect();
            }
            forward
        },
    );
    let rest = (
        prop::option::of(virtual_port()),
        prop::collection::vec(group(), 0..3),
        prop::option::of(vlan()),
        any::<u32>(),
    );
    (forward, rest).prop_map(|(forward, (port, groups, vlan, connections))| {
        let mut network = Network::new("n");
        network.forward = Some(forward);
        (network.virtual_port, network.port_groups, network.vlan, network.connections) =
            (port, groups, vlan, connections);
        network
    })
}

prop_compose! {
    fn with_subnets()(
        (name, title, description) in ("[a-z][a-z0-9<>&'\" é-]{0,12}", prop::option::of(word()), prop::option::of(word())),
        (uuid, mac, mtu, ipv6) in any::<(Option<[u8; 16]>, Option<[u8; 6]>, Option<u32>, bool)>(),
        (stp, delay, bridge) in (any::<bool>(), any::<u64>(), prop::option::of("[a-z]{1,12}(%d)?")),
        domain in prop::option::of((word(), any::<Option<bool>>(), any::<Option<bool>>())),
        (forward, dns) in (prop::option::of(forward()), dns()),
        ips in prop::collection::vec(ip(), 0..3),
        routes in prop::collection::vec((address(), mask(), address(), prop::option::of(1u32..)), 0..3),
        (bandwidth, groups, options) in (bandwidth(), prop::collection::vec(group(), 0..2), prop::collection::vec(word(), 0..2)),
        (trust, isolated, connections) in any::<(Option<bool>, Option<bool>, u32)>(),
        (egress, ovn, flowtable) in (prop::option::of(egress()), prop::option::of(ovn()), any::<Option<bool>>()),
    ) -> Network {
        let mut network = Network::new(name);
        (network.bandwidth, network.port_groups, network.dnsmasq_options) = (bandwidth, groups, options);
        (network.trust_guest_rx_filters, network.port_isolated, network.connections) = (trust, isolated, connections);
        (network.title, network.description) = (title, description);
        network.uuid = uuid.map(Uuid);
        network.mac = mac.map(MacAddr);
        network.mtu = mtu.filter(|mtu| *mtu != 0);
        network.ipv6 = ipv6;
        let mut model = Bridge::default();
        (model.stp, model.delay) = (Some(stp), Some(delay));
        model.name = bridge.map(|name| name.parse().unwrap());
        network.bridge = Some(model);
        network.domain = domain.map(|(name, local_only, register)| {
            let mut domain = Domain::default();
            (domain.name, domain.local_only, domain.register) = (name, local_only, register);
            domain
        });
        (network.forward, network.dns, network.ips) = (forward, dns, ips);
        (network.extensions.egress, network.extensions.flowtable) = (egress, flowtable);
        network.extensions.ovn = ovn;
        network.routes = routes.into_iter().map(|(address, mask, gateway, metric)| {
            let mut route = Route::new("10.0.0.0/8".parse().unwrap(), gateway);
            (route.family, route.address, route.mask, route.metric) = (None, Some(address), mask, metric);
            route
        }).collect();
        network
    }
}
