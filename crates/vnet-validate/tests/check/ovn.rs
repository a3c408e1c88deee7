//! `<vnet:ovn>` in `<metadata>`.

use rstest::rstest;
use vnet_types::{AddressRange, Egress, EgressPreset, Inventory, Link, LinkKind};
use vnet_validate::{check_against, refused_by_ovn};
use vnet_xml::interface::{PortForward, PortForwardRange, Protocol};
use vnet_xml::network::{
    Bootp, DhcpHost, Domain, Forward, ForwardGuest, ForwardMode, Forwarder, GuestForward, Ip, MacTableManager,
    OvnAddress, OvnEngine, OvnGateway, OvnOutside, OvnTls, PortGroup, Srv, Txt,
};
use vnet_xml::{Bandwidth, Network, Rate, Vlan};

use crate::{addr, dns, lines, nat, route};

/// The valid network, made by OVN.
fn on_ovn() -> Network {
    let mut network = nat();
    let mut outside = OvnOutside::new("physical");
    let address = |net: &str, next: &str| OvnAddress::new(net.parse().unwrap(), Some(addr(next)));
    outside.addresses =
        vec![address("198.51.100.10/24", "198.51.100.1"), address("2001:db8:2::10/64", "2001:db8:2::1")];
    outside.gateways = vec![OvnGateway::new("host1", Some(20)), OvnGateway::new("host2", None)];
    let mut engine = OvnEngine::new("tcp:192.0.2.1:6641");
    engine.outside = Some(outside);
    network.extensions.ovn = Some(engine);
    network
}

fn outside(network: &mut Network) -> &mut OvnOutside {
    network.extensions.ovn.as_mut().unwrap().outside.as_mut().unwrap()
}

fn tls(network: &mut Network, ca: &str) {
    let engine = network.extensions.ovn.as_mut().unwrap();
    engine.northbound = "ssl:192.0.2.1:6641".to_owned();
    engine.tls = Some(OvnTls::new("/key.pem", "/cert.pem", ca));
}

fn forward(network: &mut Network, ports: (u16, u16)) -> &mut GuestForward {
    let mut forward = PortForward::new(Protocol::Tcp);
    let mut range = PortForwardRange::default();
    (range.start, range.end) = (Some(ports.0), Some(ports.1));
    forward.ranges = vec![range];
    let guest = ForwardGuest::Address(addr("192.168.100.10"));
    network.extensions.port_forwards.push(GuestForward::new(guest, forward));
    network.extensions.port_forwards.last_mut().unwrap()
}

fn limited(peak: Option<u64>) -> Bandwidth {
    let mut bandwidth = Bandwidth::default();
    let mut rate = Rate::average(1000);
    rate.peak = peak;
    bandwidth.inbound = Some(rate);
    bandwidth
}

fn translated(network: &mut Network, address: &str) {
    let nat = network.forward.as_mut().unwrap().nat.get_or_insert_default();
    nat.addresses = Some(AddressRange::new(addr(address), addr(address)).unwrap());
}

/// A subnet with one address for guests.
fn one_address(network: &mut Network, net: &str) {
    network.ips.truncate(1);
    let mut ip = Ip::new(net.parse().unwrap());
    ip.dhcp = network.ips[0].dhcp.take();
    let dhcp = ip.dhcp.as_mut().unwrap();
    dhcp.hosts.clear();
    dhcp.ranges.truncate(1);
    (dhcp.ranges[0].start, dhcp.ranges[0].end) = (addr("192.168.100.2"), addr("192.168.100.2"));
    network.ips[0] = ip;
}

/// Leaves no address for a name server.
fn without_room(network: &mut Network) {
    network.ips.truncate(1);
    network.ips[0] = Ip::new("192.168.100.1/31".parse().unwrap());
}

/// Guests reach no name server.
fn for_nobody(network: &mut Network) {
    network.extensions.egress = Some(Egress::new(EgressPreset::None));
}

const OUTSIDE: &str = "/network/metadata/vnet:network/vnet:ovn/vnet:outside";

#[rstest]
#[case::usual(|_: &mut Network| {}, &[])]
#[case::isolated(|n: &mut Network| { n.forward = None; n.extensions.ovn = Some(OvnEngine::new("unix:/nb.sock")); }, &[])]
#[case::another_engine(|n: &mut Network| { n.extensions.ovn = None; n.vlan = Some(Vlan::tag(3)); }, &[])]
#[case::bridge(|n: &mut Network| n.forward = Some(Forward::new(ForwardMode::Bridge)), &["VN0811 /network/forward/@mode"])]
#[case::no_remote(|n: &mut Network| n.extensions.ovn.as_mut().unwrap().northbound = "here".to_owned(),
    &["VN0812 /network/metadata/vnet:network/vnet:ovn/@northbound"])]
#[case::no_files(|n: &mut Network| n.extensions.ovn.as_mut().unwrap().northbound = "tcp:192.0.2.1,ssl:192.0.2.2".to_owned(),
    &["VN0812 /network/metadata/vnet:network/vnet:ovn/@northbound"])]
#[case::files(|n: &mut Network| tls(n, "/ca.pem"), &[])]
#[case::relative_file(|n: &mut Network| tls(n, "ca.pem"), &["VN0812 /network/metadata/vnet:network/vnet:ovn/vnet:tls/@ca"])]
#[case::no_outside(|n: &mut Network| n.extensions.ovn.as_mut().unwrap().outside = None,
    &["VN0813 /network/metadata/vnet:network/vnet:ovn"])]
#[case::no_gateway(|n: &mut Network| outside(n).gateways.clear(), &["VN0813 /~"])]
#[case::no_ipv6_address(|n: &mut Network| { outside(n).addresses.pop(); }, &["VN0813 /~"])]
#[case::no_vlan(|n: &mut Network| outside(n).vlan = Some(4095), &["VN0814 /~/@vlan"])]
#[case::a_vlan(|n: &mut Network| outside(n).vlan = Some(4094), &[])]
#[case::physical_network(|n: &mut Network| outside(n).network = "a:br".to_owned(), &["VN0814 /~/@network"])]
#[case::chassis(|n: &mut Network| outside(n).gateways[0] = OvnGateway::new("a,b", Some(20)), &["VN0814 /~/vnet:gateway[1]/@chassis"])]
#[case::chassis_twice(|n: &mut Network| outside(n).gateways[1] = OvnGateway::new("host1", None), &["VN0814 /~/vnet:gateway[2]/@chassis"])]
#[case::priority(|n: &mut Network| outside(n).gateways[1] = OvnGateway::new("host2", Some(32768)), &["VN0814 /~/vnet:gateway[2]/@priority"])]
#[case::group(|n: &mut Network| outside(n).gateways = vec![OvnGateway::group("edge")], &[])]
#[case::group_and_host(|n: &mut Network| outside(n).gateways[0] = OvnGateway::group("edge"), &["VN0814 /~/vnet:gateway[1]/@group"])]
#[case::prefix(|n: &mut Network| outside(n).addresses[0].prefix = 33, &["VN0814 /~/vnet:address[1]/@prefix"])]
#[case::next_router(|n: &mut Network| outside(n).addresses[0].gateway = Some(addr("203.0.113.1")), &["VN0814 /~/vnet:address[1]/@gateway"])]
#[case::itself(|n: &mut Network| outside(n).addresses[0].gateway = Some(addr("198.51.100.10")), &["VN0814 /~/vnet:address[1]/@gateway"])]
#[case::subnet_itself(|n: &mut Network| outside(n).addresses[0].address = addr("198.51.100.0"), &["VN0814 /~/vnet:address[1]/@address"])]
#[case::broadcast(|n: &mut Network| outside(n).addresses[0].address = addr("198.51.100.255"), &["VN0814 /~/vnet:address[1]/@address"])]
#[case::point_to_point(|n: &mut Network| outside(n).addresses[0] = OvnAddress::new("198.51.100.0/31".parse().unwrap(), Some(addr("198.51.100.1"))), &[])]
#[case::multicast(|n: &mut Network| outside(n).addresses[0] = OvnAddress::new("224.0.0.5/24".parse().unwrap(), None), &["VN0814 /~/vnet:address[1]/@address"])]
#[case::two_next_routers(|n: &mut Network| outside(n).addresses.push(OvnAddress::new("203.0.113.9/24".parse().unwrap(), Some(addr("203.0.113.1")))), &["VN0814 /~/vnet:address[3]/@gateway"])]
#[case::two_addresses(|n: &mut Network| outside(n).addresses.push(OvnAddress::new("198.51.100.11/24".parse().unwrap(), Some(addr("198.51.100.1")))), &[])]
#[case::same_priority(|n: &mut Network| outside(n).gateways[1] = OvnGateway::new("host2", Some(20)), &["VN0819 /~/vnet:gateway[2]"])]
#[case::no_way_outside(|n: &mut Network| n.forward = None, &["VN0816 /~"])]
#[case::nat_of_next_router(|n: &mut Network| translated(n, "198.51.100.1"), &["VN0814 /network/forward/nat/address/@start"])]
#[case::nat_of_another(|n: &mut Network| translated(n, "198.51.100.77"), &[])]
#[case::forward_of_next_router(|n: &mut Network| forward(n, (80, 80)).forward.address = Some(addr("198.51.100.1")),
    &["VN0814 /network/metadata/vnet:network/vnet:portForward[1]/@address"])]
#[case::forward_of_another(|n: &mut Network| forward(n, (80, 80)).forward.address = Some(addr("198.51.100.77")), &[])]
#[case::name_server_takes_all(|n: &mut Network| one_address(n, "192.168.100.1/30"), &["VN0815 /network/ip[1]/dhcp/range[1]"])]
#[case::name_server_beside(|n: &mut Network| one_address(n, "192.168.100.1/29"), &[])]
#[case::among_guests(|n: &mut Network| outside(n).addresses[0] = OvnAddress::new("192.168.100.77/16".parse().unwrap(), None), &["VN0814 /~/vnet:address[1]"])]
#[case::srv(|n: &mut Network| { let mut srv = Srv::default(); srv.service = "ldap".to_owned(); srv.protocol = "tcp".to_owned(); dns(n).srvs.push(srv) }, &[])]
#[case::txt(|n: &mut Network| dns(n).txts.push(Txt { name: "a".to_owned(), value: "b".to_owned() }), &[])]
#[case::domain_forwarder(|n: &mut Network| { let mut it = Forwarder::default(); it.domain = Some("a.example".to_owned()); dns(n).forwarders.push(it) }, &[])]
#[case::txt_without_room(|n: &mut Network| { without_room(n); dns(n).txts.push(Txt { name: "a".to_owned(), value: "b".to_owned() }) }, &["VN0815 /network/dns/txt[1]"])]
#[case::srv_without_room(|n: &mut Network| { without_room(n); dns(n).srvs.push(Srv::default()) }, &["VN0815 /network/dns/srv[1]"])]
#[case::domain_forwarder_for_nobody(|n: &mut Network| { for_nobody(n); let mut it = Forwarder::default(); it.domain = Some("a.example".to_owned()); dns(n).forwarders.push(it) }, &["VN0815 /network/dns/forwarder[1]"])]
#[case::local_names(|n: &mut Network| { dns(n).forward_plain_names = Some(false); n.ips[0].local_ptr = Some(true); }, &[])]
#[case::local_names_for_nobody(|n: &mut Network| { for_nobody(n); dns(n).forward_plain_names = Some(false); n.ips[0].local_ptr = Some(true); },
    &["VN0816 /network/dns/@forwardPlainNames", "VN0816 /network/ip[1]/@localPtr"])]
#[case::forwarder(|n: &mut Network| { let mut it = Forwarder::default(); it.addr = Some(addr("9.9.9.9")); dns(n).forwarders.push(it) }, &[])]
#[case::mtu(|n: &mut Network| n.mtu = Some(1443), &["VN0815 /network/mtu/@size"])]
#[case::small_mtu(|n: &mut Network| n.mtu = Some(1442), &[])]
#[case::option(|n: &mut Network| n.dnsmasq_options.push("log-dhcp".to_owned()), &["VN0815 /network/dnsmasq:options[1]/dnsmasq:option[1]/@value"])]
#[case::wildcard(|n: &mut Network| n.dnsmasq_options.push("address=/apps.example/192.168.100.9".to_owned()), &[])]
#[case::wildcard_without_room(|n: &mut Network| { without_room(n); n.dnsmasq_options.push("address=/a.example/192.0.2.1".to_owned()) }, &["VN0815 /network/dnsmasq:options[1]/dnsmasq:option[1]/@value"])]
#[case::tftp(|n: &mut Network| n.ips[0].tftp_root = Some("/srv".to_owned()), &["VN0815 /network/ip[1]/tftp"])]
#[case::bootp_by_itself(|n: &mut Network| n.ips[0].dhcp.as_mut().unwrap().bootp = Some(Bootp { file: "f".to_owned(), server: None }), &["VN0815 /network/ip[1]/dhcp/bootp"])]
#[case::client_id(|n: &mut Network| { let mut it = DhcpHost::new(addr("192.168.100.9")); it.id = Some("01:02".to_owned()); n.ips[0].dhcp.as_mut().unwrap().hosts.push(it) }, &["VN0815 /network/ip[1]/dhcp/host[1]"])]
#[case::rate_of_all(|n: &mut Network| n.bandwidth = Some(limited(None)), &["VN0815 /network/bandwidth"])]
#[case::rate_of_each(|n: &mut Network| { let mut it = PortGroup::new("g"); it.bandwidth = Some(limited(None)); n.port_groups.push(it) }, &[])]
#[case::peak(|n: &mut Network| { let mut it = PortGroup::new("g"); it.bandwidth = Some(limited(Some(2000))); n.port_groups.push(it) }, &["VN0816 /network/portgroup[1]/bandwidth/inbound/@peak"])]
#[case::flowtable(|n: &mut Network| n.extensions.flowtable = Some(true), &["VN0816 /network/metadata/vnet:network/vnet:driver/@flowtable"])]
#[case::metric(|n: &mut Network| { let mut it = route("10.30.0.0/16 via 192.168.100.2"); it.metric = Some(4); n.routes.push(it) }, &["VN0816 /network/route[1]/@metric"])]
#[case::table_manager(|n: &mut Network| n.bridge.get_or_insert_default().mac_table_manager = Some(MacTableManager::Libvirt), &["VN0816 /network/bridge/@macTableManager"])]
#[case::domain(|n: &mut Network| { let mut it = Domain::default(); it.name = "büro".to_owned(); n.domain = Some(it) }, &["VN0817 /network/domain/@name"])]
#[case::a_device(|n: &mut Network| forward(n, (80, 80)).forward.dev = Some("eth0".parse().unwrap()), &["VN0818 /network/metadata/vnet:network/vnet:portForward[1]/@dev"])]
#[case::many_ports(|n: &mut Network| { forward(n, (1, 1024)); }, &[])]
#[case::too_many_ports(|n: &mut Network| { forward(n, (1, 1025)); }, &["VN0818 /network/metadata/vnet:network/vnet:portForward[1]"])]
fn refusals(#[case] change: fn(&mut Network), #[case] expected: &[&str]) {
    let mut network = on_ovn();
    change(&mut network);
    let findings = refused_by_ovn(&network);
    let expected: Vec<String> = expected.iter().map(|it| it.replace("/~", OUTSIDE)).collect();
    assert_eq!(lines(&findings), expected, "{findings:#?}");
    assert!(findings.iter().all(|finding| finding.help.is_some()), "all have help: {findings:#?}");
    let all = lines(&vnet_validate::check(&network));
    assert!(expected.iter().all(|it| all.contains(it)), "{all:?}");
}

#[rstest]
#[case::no_bridge("eth0", &["VN0633 /network/metadata/vnet:network/vnet:ovn"])]
#[case::bridge("br-int", &[])]
fn a_host_of_ovn_has_a_bridge(#[case] link: &str, #[case] expected: &[&str]) {
    let (name, kind) = (link.parse().unwrap(), LinkKind::Other(String::new()));
    // What is in the way of a bridge of the host is in the way of none of OVN's.
    let address = vnet_types::Address { net: "192.168.100.1/24".parse().unwrap(), broadcast: None };
    let mut host = Inventory { ipv6: true, ..Inventory::default() };
    host.addresses.push((link.parse().unwrap(), address));
    host.links.push(Link { name, kind, mac: None, mtu: Some(1500), up: true });
    assert_eq!(lines(&check_against(&on_ovn(), &host)), expected);
}
