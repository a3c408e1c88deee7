//! Conflicts with a host.

use rstest::rstest;
use vnet_types::{
    Address, BridgeOptions, Firewalld, InterfaceName, Inventory, KnownListener, KnownNetwork, KnownPort, Link,
    LinkKind, ReservedSubnet, Route, RouteProtocol, SubnetHolder, Uuid,
};
use vnet_validate::{KnownHost, check_against};
use vnet_xml::interface::{PortForward, PortForwardRange, Protocol};
use vnet_xml::network::{Bridge, GuestForward, Nat};
use vnet_xml::{Domain, Interface, Network, NetworkPort};

use crate::{addr, ip, lines, nat, route};

/// A host with `lo` and `eth0`; its default routes leave by `eth0`.
fn host() -> Inventory {
    let mut host = Inventory { ipv6: true, ..Inventory::default() };
    link(&mut host, "lo");
    link(&mut host, "eth0");
    address(&mut host, "lo", "127.0.0.1/8");
    address(&mut host, "eth0", "192.168.1.5/24");
    address(&mut host, "eth0", "fe80::5/64");
    host_route(&mut host, "192.168.1.0/24 dev eth0 metric 0");
    host_route(&mut host, "fe80::/64 dev eth0 metric 256");
    host_route(&mut host, "0.0.0.0/0 dev eth0 metric 100");
    host_route(&mut host, "::/0 dev eth0 metric 1024");
    host
}

fn device(name: &str) -> InterfaceName {
    name.parse().unwrap()
}

fn link(host: &mut Inventory, name: &str) {
    let (name, kind) = (device(name), LinkKind::Other(String::new()));
    host.links.push(Link { name, kind, mac: None, mtu: Some(1500), up: true });
}

fn address(host: &mut Inventory, link: &str, net: &str) {
    host.addresses.push((device(link), Address { net: net.parse().unwrap(), broadcast: None }));
}

/// `10.0.0.0/8 dev eth0 metric 0`
fn host_route(host: &mut Inventory, text: &str) {
    let words: Vec<_> = text.split(' ').collect();
    let [destination, "dev", link, "metric", metric] = words[..] else { panic!("{text}") };
    host.routes.push(Route {
        destination: destination.parse().unwrap(),
        gateway: None,
        link: device(link),
        metric: metric.parse().unwrap(),
        protocol: RouteProtocol::Static,
    });
}

fn known(host: &mut Inventory, name: &str, bridge: &str, uuid: Option<u8>) {
    link(host, bridge);
    host.networks.push(KnownNetwork {
        name: name.parse().unwrap(),
        uuid: uuid.map(uuid_of),
        bridge: Some(device(bridge)),
    });
}

fn reserved(host: &mut Inventory, by: SubnetHolder) {
    host.reserved.push(ReservedSubnet { net: "192.168.100.128/25".parse().unwrap(), by });
}

fn uuid_of(last: u8) -> Uuid {
    let mut bytes = [0x5a; 16];
    bytes[15] = last;
    Uuid(bytes)
}

fn bridge(network: &mut Network, name: &str) {
    let mut bridge = Bridge::default();
    bridge.name = Some(name.parse().unwrap());
    network.bridge = Some(bridge);
}

fn zone(network: &mut Network, zone: &str) {
    bridge(network, "virbr3");
    network.bridge.as_mut().unwrap().zone = Some(zone.to_owned());
}

fn register(network: &mut Network) {
    let domain = network.domain.get_or_insert_default();
    (domain.name, domain.register) = ("lab.test".into(), Some(true));
}

fn firewalld(host: &mut Inventory, zones: &[&str]) {
    let zones = zones.iter().map(|zone| (zone.to_string(), Default::default())).collect();
    host.firewalld = Some(Firewalld { zones, ..Firewalld::default() });
}

/// Guests become ports of `br0`.
fn outside(network: &mut Network) {
    *network = Network::new("lab");
    network.forward = Some(vnet_xml::network::Forward::new(vnet_xml::network::ForwardMode::Bridge));
    bridge(network, "br0");
}

fn through(network: &mut Network, name: &str) {
    network.forward.as_mut().unwrap().interfaces.push(device(name).into());
}

fn add(network: &mut Network, text: &str) {
    network.routes.push(route(text));
}

fn all_bridges(host: &mut Inventory) {
    (0..=256).for_each(|number| link(host, &format!("virbr{number}")));
}

#[rstest]
#[case::free(|_: &mut Network, _: &mut Inventory| {}, &[])]
#[case::unknown_host(|_: &mut Network, h: &mut Inventory| *h = Inventory::default(), &[])]
#[case::address_equal(|_: &mut Network, h: &mut Inventory| address(h, "eth0", "192.168.100.7/24"), &["VN0601 /network/ip[1]/@address"])]
#[case::address_around(|_: &mut Network, h: &mut Inventory| address(h, "eth0", "192.168.0.7/16"), &["VN0601 /network/ip[1]/@address"])]
#[case::address_inside(|_: &mut Network, h: &mut Inventory| address(h, "eth0", "192.168.100.7/32"), &["VN0601 /network/ip[1]/@address"])]
#[case::address_ipv6(|_: &mut Network, h: &mut Inventory| address(h, "eth0", "fd00:100::7/48"), &["VN0601 /network/ip[2]/@address"])]
#[case::address_beside(|_: &mut Network, h: &mut Inventory| address(h, "eth0", "192.168.101.7/24"), &[])]
#[case::route_equal(|_: &mut Network, h: &mut Inventory| host_route(h, "192.168.100.0/24 dev eth0 metric 50"), &["VN0601 /network/ip[1]/@address"])]
#[case::route_around(|_: &mut Network, h: &mut Inventory| host_route(h, "192.168.0.0/16 dev eth0 metric 0"), &["VN0601 /network/ip[1]/@address"])]
#[case::bridge_of_the_host_missing(|n: &mut Network, h: &mut Inventory| { outside(n); link(h, "eth0") }, &["VN0613 /network/bridge/@name"])]
#[case::pf_missing(|n: &mut Network, h: &mut Inventory| { outside(n); n.bridge = None; n.forward.as_mut().unwrap().pf = Some(device("eth9")); link(h, "eth0") },
    &["VN0609 /network/forward/pf/@dev"])]
#[case::bridge_of_the_host(|n: &mut Network, h: &mut Inventory| { outside(n); link(h, "br0") }, &[])]
#[case::way_around(|_: &mut Network, h: &mut Inventory| { host_route(h, "192.168.0.0/16 dev eth0 metric 0"); h.routes.last_mut().unwrap().gateway = Some(addr("10.8.0.1")) },
    &["VN0612 /network/ip[1]/@address"])]
#[case::way_to_the_same(|_: &mut Network, h: &mut Inventory| { host_route(h, "192.168.100.0/24 dev eth0 metric 0"); h.routes.last_mut().unwrap().gateway = Some(addr("10.8.0.1")) },
    &["VN0601 /network/ip[1]/@address"])]
#[case::way_and_address(|_: &mut Network, h: &mut Inventory| { host_route(h, "192.168.0.0/16 dev eth0 metric 0"); h.routes.last_mut().unwrap().gateway = Some(addr("10.8.0.1")); address(h, "eth1", "192.168.100.9/8") },
    &["VN0601 /network/ip[1]/@address"])]
#[case::route_inside(|_: &mut Network, h: &mut Inventory| host_route(h, "192.168.100.64/26 dev eth0 metric 0"), &["VN0601 /network/ip[1]/@address"])]
#[case::route_ipv6(|_: &mut Network, h: &mut Inventory| host_route(h, "fd00:100::/32 dev eth0 metric 1024"), &["VN0601 /network/ip[2]/@address"])]
#[case::route_and_address(|_: &mut Network, h: &mut Inventory| { address(h, "eth0", "192.168.100.7/24"); host_route(h, "192.168.100.0/24 dev eth0 metric 0") },
    &["VN0601 /network/ip[1]/@address"])]
#[case::defined(|_: &mut Network, h: &mut Inventory| reserved(h, SubnetHolder::Network("db".parse().unwrap())), &["VN0628 /network/ip[1]/@address"])]
#[case::defined_in_libvirt(|_: &mut Network, h: &mut Inventory| reserved(h, SubnetHolder::Libvirt("db".to_owned())), &["VN0628 /network/ip[1]/@address"])]
#[case::defined_as_itself(|_: &mut Network, h: &mut Inventory| reserved(h, SubnetHolder::Network("lab".parse().unwrap())), &[])]
#[case::in_a_pool(|_: &mut Network, h: &mut Inventory| reserved(h, SubnetHolder::Pool("Docker".to_owned())), &[])]
#[case::link_local(|n: &mut Network, _: &mut Inventory| n.ips.push(ip("fe80::1/64")), &[])]
#[case::own_bridge(|_: &mut Network, h: &mut Inventory| {
    known(h, "lab", "virbr3", None);
    address(h, "virbr3", "192.168.100.1/24");
    host_route(h, "192.168.100.0/24 dev virbr3 metric 0");
}, &[])]
#[case::other_networks_bridge(|_: &mut Network, h: &mut Inventory| { known(h, "other", "virbr3", None); address(h, "virbr3", "192.168.100.1/24") },
    &["VN0601 /network/ip[1]/@address"])]
#[case::route_exists(|n: &mut Network, h: &mut Inventory| { add(n, "10.30.0.0/16 via 192.168.100.2"); host_route(h, "10.30.0.0/16 dev eth0 metric 1") },
    &["VN0602 /network/route[1]/@address"])]
#[case::default_route_exists(|n: &mut Network, h: &mut Inventory| { add(n, "0.0.0.0/0 via 192.168.100.2"); host_route(h, "0.0.0.0/0 dev eth0 metric 1") },
    &["VN0602 /network/route[1]/@address"])]
#[case::own_route_exists(|n: &mut Network, h: &mut Inventory| {
    known(h, "lab", "virbr3", None);
    add(n, "10.30.0.0/16 via 192.168.100.2");
    host_route(h, "10.30.0.0/16 dev virbr3 metric 1");
}, &[])]
#[case::route_other_metric(|n: &mut Network, h: &mut Inventory| { add(n, "10.30.0.0/16 via 192.168.100.2"); host_route(h, "10.30.0.0/16 dev eth0 metric 2") },
    &["VN0603 /network/route[1]/@address"])]
#[case::route_overlaps(|n: &mut Network, h: &mut Inventory| { add(n, "10.30.0.0/16 via 192.168.100.2"); host_route(h, "10.0.0.0/8 dev eth0 metric 0") },
    &["VN0603 /network/route[1]/@address"])]
#[case::route_beside(|n: &mut Network, h: &mut Inventory| { add(n, "10.30.0.0/16 via 192.168.100.2"); host_route(h, "10.31.0.0/16 dev eth0 metric 1") },
    &[])]
#[case::bridge_foreign(|n: &mut Network, h: &mut Inventory| { bridge(n, "br0"); link(h, "br0") }, &["VN0604 /network/bridge/@name"])]
#[case::bridge_of_another(|n: &mut Network, h: &mut Inventory| { bridge(n, "virbr3"); known(h, "other", "virbr3", None) },
    &["VN0604 /network/bridge/@name"])]
#[case::bridge_own(|n: &mut Network, h: &mut Inventory| { bridge(n, "virbr3"); known(h, "lab", "virbr3", None) }, &[])]
#[case::bridge_free(|n: &mut Network, _: &mut Inventory| bridge(n, "virbr3"), &[])]
#[case::bridges_exhausted(|_: &mut Network, h: &mut Inventory| all_bridges(h), &["VN0605 /network/bridge/@name"])]
#[case::bridges_exhausted_template(|n: &mut Network, h: &mut Inventory| { bridge(n, "virbr%d"); all_bridges(h) }, &["VN0605 /network/bridge/@name"])]
#[case::bridges_other_template(|n: &mut Network, h: &mut Inventory| { bridge(n, "lab%d"); all_bridges(h) }, &[])]
#[case::uuid_taken(|n: &mut Network, h: &mut Inventory| { n.uuid = Some(uuid_of(1)); known(h, "other", "virbr3", Some(1)) }, &["VN0606 /network/uuid"])]
#[case::name_taken(|n: &mut Network, h: &mut Inventory| { n.uuid = Some(uuid_of(2)); known(h, "lab", "virbr3", Some(1)) }, &["VN0607 /network/uuid"])]
#[case::same_network(|n: &mut Network, h: &mut Inventory| { n.uuid = Some(uuid_of(1)); known(h, "lab", "virbr3", Some(1)) }, &[])]
#[case::uuid_left_out(|_: &mut Network, h: &mut Inventory| known(h, "lab", "virbr3", Some(1)), &[])]
#[case::without_ipv6(|_: &mut Network, h: &mut Inventory| h.ipv6 = false, &["VN0608 /network/ip[2]/@address"])]
#[case::without_ipv6_unneeded(|n: &mut Network, h: &mut Inventory| { n.ips.pop(); h.ipv6 = false }, &[])]
#[case::hears_routers(|_: &mut Network, h: &mut Inventory| h.hears_routers.push(device("eth0")), &["VN0617 /network/ip[2]/@address"])]
#[case::hears_routers_isolated(|n: &mut Network, h: &mut Inventory| { n.forward = None; h.hears_routers.push(device("eth0")) }, &[])]
#[case::hears_routers_ipv4(|n: &mut Network, h: &mut Inventory| { n.ips.pop(); h.hears_routers.push(device("eth0")) }, &[])]
#[case::without_policer(|n: &mut Network, h: &mut Inventory| limit(n, h, 800), &["VN0618 /network/bandwidth/outbound"])]
#[case::without_policer_or_limit(|n: &mut Network, h: &mut Inventory| limit(n, h, 0), &[])]
#[case::without_br_netfilter(|n: &mut Network, h: &mut Inventory| { limit(n, h, 800); h.bridge_netfilter = false }, &[])]
#[case::with_policer(|n: &mut Network, h: &mut Inventory| { limit(n, h, 800); h.features.police = true }, &[])]
#[case::register_without_resolved(|n: &mut Network, _: &mut Inventory| register(n), &["VN0629 /network/domain/@register"])]
#[case::register(|n: &mut Network, h: &mut Inventory| { register(n); h.resolved = true }, &[])]
#[case::zone_without_firewalld(|n: &mut Network, _: &mut Inventory| zone(n, "trusted"), &["VN0621 /network/bridge/@zone"])]
#[case::zone_missing(|n: &mut Network, h: &mut Inventory| { zone(n, "trsted"); firewalld(h, &["public", "trusted"]) }, &["VN0622 /network/bridge/@zone"])]
#[case::zone(|n: &mut Network, h: &mut Inventory| { zone(n, "trusted"); firewalld(h, &["public", "trusted"]) }, &[])]
#[case::firewalld_without_a_zone_of_libvirt(|_: &mut Network, h: &mut Inventory| firewalld(h, &["public"]), &[])]
#[case::forward_missing(|n: &mut Network, _: &mut Inventory| through(n, "eth7"), &["VN0609 /network/forward/@dev"])]
#[case::forward_there(|n: &mut Network, _: &mut Inventory| through(n, "eth0"), &[])]
#[case::no_default_route(|_: &mut Network, h: &mut Inventory| h.routes.retain(|route| route.destination.prefix_len() > 0),
    &["VN0610 /network/forward/@mode"])]
#[case::no_default_route_of_family(|_: &mut Network, h: &mut Inventory| h.routes.retain(|route| route.destination.to_string() != "0.0.0.0/0"),
    &["VN0610 /network/forward/@mode"])]
#[case::default_route_of_one_family(|n: &mut Network, h: &mut Inventory| {
    let mut nat = Nat::default();
    nat.ipv6 = Some(true);
    n.forward.as_mut().unwrap().nat = Some(nat);
    h.routes.retain(|route| route.destination.to_string() != "0.0.0.0/0");
}, &[])]
#[case::no_default_route_isolated(|n: &mut Network, h: &mut Inventory| { n.forward = None; h.routes.clear() }, &[])]
#[case::mtu(|n: &mut Network, _: &mut Inventory| { through(n, "eth0"); n.mtu = Some(9000) }, &["VN0611 /network/mtu/@size"])]
#[case::mtu_equal(|n: &mut Network, _: &mut Inventory| { through(n, "eth0"); n.mtu = Some(1500) }, &[])]
fn findings(#[case] change: fn(&mut Network, &mut Inventory), #[case] expected: &[&str]) {
    let (mut network, mut inventory) = (nat(), host());
    change(&mut network, &mut inventory);
    let findings = check_against(&network, &inventory);
    assert_eq!(lines(&findings), expected, "{findings:#?}");
    assert!(findings.iter().all(|finding| finding.help.is_some()), "all have help: {findings:#?}");
}

/// Limits what guests send, on a host with br_netfilter and without a policer.
fn limit(network: &mut Network, host: &mut Inventory, average: u64) {
    let mut limits = vnet_xml::Bandwidth::default();
    limits.outbound = Some(vnet_xml::Rate::average(average));
    network.bandwidth = Some(limits);
    host.bridge_netfilter = true;
    host.features.police = false;
}

#[test]
fn conflicts_are_shown_as_ip_shows_them() {
    let (mut network, mut inventory) = (nat(), host());
    address(&mut inventory, "eth0", "192.168.0.7/16");
    host_route(&mut inventory, "10.0.0.0/8 dev eth0 metric 5");
    add(&mut network, "10.30.0.0/16 via 192.168.100.2");
    let findings = check_against(&network, &inventory);
    let text: Vec<_> = findings.iter().map(|finding| [&finding.message, finding.help.as_ref().unwrap()]).collect();
    assert_eq!(
        text,
        [
            [
                "the subnet 192.168.100.0/24 is part of 192.168.0.0/16, which is in use on this host: `inet 192.168.0.7/16 dev eth0`",
                "choose a subnet that is free, such as 172.27.180.0/24",
            ],
            [
                "the route to 10.30.0.0/16 overlaps a route of this host: `10.0.0.0/8 dev eth0 proto static metric 5`",
                "of the two, the one to the smaller network is used",
            ],
        ]
    );
}

#[test]
fn what_libvirt_runs_is_ended_there() {
    let (mut network, mut inventory) = (nat(), host());
    network.bridge.get_or_insert_default().name = Some(vnet_xml::BridgeName::Fixed(device("virbr0")));
    known(&mut inventory, "default", "virbr0", None);
    inventory.libvirt = std::mem::take(&mut inventory.networks);
    address(&mut inventory, "virbr0", "192.168.100.1/24");
    let findings = check_against(&network, &inventory);
    assert!(findings.len() == 2, "{findings:#?}");
    for finding in findings {
        assert!(finding.message.contains("libvirt's network `default`"), "{finding:#?}");
        let help = finding.help.unwrap();
        assert!(help.contains("`virsh net-destroy default`") && help.contains("--take-over default"), "{help}");
    }
}

#[rstest]
#[case::sound("network", "<source network='lab'/>", &[])]
#[case::not_running("network", "<source network='other'/>", &["VN0615 /interface/source/@network"])]
#[case::twin("network", "<source network='lab'/><mac address='52:54:00:00:00:09'/>", &["VN0614 /interface/mac/@address"])]
#[case::itself("network", "<source network='lab'/><mac address='52:54:00:00:00:09'/><target dev='tap9'/>", &[])]
#[case::bridge("bridge", "<source bridge='virbr7'/>", &[])]
#[case::no_bridge("bridge", "<source bridge='br9'/>", &["VN0616 /interface/source/@bridge"])]
#[case::twin("bridge", "<source bridge='virbr7'/><mac address='52:54:00:00:00:09'/>", &["VN0614 /interface/mac/@address"])]
#[case::elsewhere("direct", "<source dev='eth0' mode='bridge'/><mac address='52:54:00:00:00:09'/>", &[])]
#[case::direct("direct", "<source dev='eth0' mode='bridge'/>", &[])]
#[case::no_device("direct", "<source dev='eth9' mode='bridge'/>", &["VN0616 /interface/source/@dev"])]
#[case::alone("user", "<mac address='52:54:00:00:00:09'/>", &["VN0802 /interface/@type"])]
#[case::passt("user", "<backend type='passt'/>", &[])]
#[case::no_bridge_but_a_card("bridge", "<source bridge='eth0'/>", &["VN0625 /interface/source/@bridge"])]
#[case::vlan("bridge", "<source bridge='virbr7'/><vlan><tag id='42'/></vlan>", &["VN0624 /interface/vlan"])]
#[case::exists("network", "<source network='lab'/><target dev='eth0'/>", &["VN0620 /interface/target/@dev"])]
#[case::chosen("network", "<source network='lab'/><target dev='vnet0'/>", &[])]
#[case::unmanaged("ethernet", "<target dev='tap8' managed='no'/>", &["VN0620 /interface/target/@dev"])]
#[case::no_tap("ethernet", "<target dev='eth0' managed='no'/>", &["VN0620 /interface/target/@dev"])]
#[case::no_function("hostdev", "<source><address type='pci' domain='0' bus='3' slot='0x10' function='0'/></source>",
    &["VN0620 /interface/source/address"])]
#[case::passthrough_vlan("direct", "<source dev='eth0' mode='passthrough'/><vlan><tag id='42'/></vlan>", &["VN0620 /interface/vlan"])]
#[case::filter("network", "<source network='lab'/><filterref filter='clean-traffic'/>", &["VN0802 /interface/filterref"])]
#[case::open_vswitch("bridge", "<source bridge='virbr7'/><virtualport type='openvswitch'/>", &["VN0625 /interface/source/@bridge"])]
#[case::script("ethernet", "<script path='/etc/qemu-ifup'/>", &["VN0802 /interface/script"])]
fn interfaces(#[case] kind: &str, #[case] inside: &str, #[case] expected: &[&str]) {
    let mut inventory = host();
    known(&mut inventory, "lab", "virbr7", None);
    let bridge = inventory.links.iter_mut().find(|link| link.name == device("virbr7")).unwrap();
    bridge.kind = LinkKind::Bridge(BridgeOptions::default());
    inventory.ports.push(KnownPort {
        dev: device("tap9"),
        managed: true,
        guest: None,
        network: Some("lab".parse().unwrap()),
        bridge: Some(device("virbr7")),
        lower: None,
        function: None,
        mac: "52:54:00:00:00:09".parse().unwrap(),
        queues: 1,
        vnet_hdr: true,
        floor: None,
        uuid: None,
        recorded: false,
        container: None,
    });
    let interface: Interface = format!("<interface type='{kind}'>{inside}</interface>").parse().unwrap();
    let findings = check_against(&interface, &inventory);
    assert_eq!(lines(&findings), expected, "{findings:#?}");
    assert!(findings.iter().all(|finding| finding.help.is_some()), "all have help: {findings:#?}");
}

#[test]
fn what_a_network_port_is_attached_to_is_there() {
    let port = |plug: &str| -> NetworkPort {
        let identity = "<uuid>5a5a5a5a-5a5a-5a5a-5a5a-5a5a5a5a5a01</uuid><owner><name>vm</name>\
            <uuid>5a5a5a5a-5a5a-5a5a-5a5a-5a5a5a5a5a02</uuid></owner><mac address='52:54:00:00:00:09'/>";
        format!("<networkport>{identity}<plug {plug}/></networkport>").parse().unwrap()
    };
    let mut inventory = host();
    known(&mut inventory, "lab", "virbr7", None);
    let on_host = |plug| lines(&check_against(&port(plug), &inventory));
    assert_eq!(on_host("type='network' bridge='virbr7'"), [""; 0]);
    assert_eq!(on_host("type='network' bridge='virbr8'"), ["VN0616 /networkport/plug/@bridge"]);
    assert_eq!(on_host("type='direct' dev='eth9' mode='vepa'"), ["VN0616 /networkport/plug/@dev"]);
}

#[test]
fn a_domain_is_judged_by_its_interfaces() {
    let domain = "<domain type='kvm'><name>vm</name><devices>\
        <interface type='direct'><source dev='eth0' mode='bridge'/></interface>\
        <interface type='network'><source network='lab'/></interface></devices></domain>";
    let domain: Domain = domain.parse().unwrap();
    let findings = check_against(&domain, &host());
    assert_eq!(lines(&findings), ["VN0615 /domain/devices/interface[2]/source/@network"]);
}

/// With the definition of its network, the rules of the network apply to a guest.
#[rstest]
#[case::group("<portgroup name='web'/>", "portgroup='web'", "", &[])]
#[case::no_group("<portgroup name='web'/>", "portgroup='wbe'", "", &["VN0619 /interface/source/@portgroup"])]
#[case::vlan("", "", "<vlan><tag id='42'/></vlan>", &["VN0802 /interface/vlan"])]
#[case::isolated("", "", "<port isolated='yes'/>", &[])]
#[case::isolated_of_macvtap("<forward mode='private'><interface dev='eth0'/></forward>", "", "<port isolated='yes'/>",
    &["VN0802 /interface/port/@isolated"])]
#[case::vlan_of_group("<forward mode='vepa'><interface dev='eth0'/></forward><portgroup name='web'><vlan><tag id='7'/></vlan></portgroup>",
    "portgroup='web'", "", &["VN0802 /interface/source/@portgroup"])]
#[case::trunk_of_function("<forward mode='hostdev'><pf dev='eth0'/></forward>", "", "<vlan trunk='yes'><tag id='7'/></vlan>",
    &["VN0802 /interface/vlan"])]
#[case::mtu_of_function("<forward mode='hostdev'><pf dev='eth0'/></forward>", "", "<mtu size='1400'/>",
    &["VN0802 /interface/mtu/@size"])]
fn guests_of_a_network(#[case] rest: &str, #[case] group: &str, #[case] inside: &str, #[case] expected: &[&str]) {
    let mut inventory = host();
    known(&mut inventory, "lab", "virbr7", None);
    let network: Network = format!("<network><name>lab</name>{rest}</network>").parse().unwrap();
    let interface = format!("<interface type='network'><source network='lab' {group}/>{inside}</interface>");
    let interface: Interface = interface.parse().unwrap();
    let networks = [network];
    let findings = check_against(&interface, KnownHost::new(&inventory, &networks));
    assert_eq!(lines(&findings), expected, "{findings:#?}");
    assert!(findings.iter().all(|finding| finding.help.is_some()), "all have help: {findings:#?}");
}

#[rstest]
#[case::every_address("tcp", "0.0.0.0", 22, "", &["VN0626 /network/metadata/vnet:network/vnet:portForward[1]"])]
#[case::both_families("tcp", "::", 22, "", &["VN0626 /network/metadata/vnet:network/vnet:portForward[1]"])]
#[case::one_address("tcp", "192.168.1.5", 22, "", &["VN0626 /network/metadata/vnet:network/vnet:portForward[1]"])]
#[case::loopback("tcp", "127.0.0.1", 22, "", &[])]
#[case::other_port("tcp", "0.0.0.0", 23, "", &[])]
#[case::other_protocol("udp", "0.0.0.0", 22, "", &[])]
#[case::at_that_address("tcp", "198.51.100.1", 22, "198.51.100.1",
    &["VN0626 /network/metadata/vnet:network/vnet:portForward[1]"])]
#[case::at_another_address("tcp", "192.168.1.5", 22, "198.51.100.1", &[])]
#[case::covered("tcp", "0.0.0.0", 22, "198.51.100.1", &["VN0627 /network/metadata/vnet:network/vnet:portForward[1]"])]
fn ports_that_the_host_listens_on(
    #[case] protocol: &str,
    #[case] at: &str,
    #[case] port: u16,
    #[case] forwarded: &str,
    #[case] expected: &[&str],
) {
    let mut host = host();
    host.listeners.push(KnownListener { udp: protocol == "udp", address: addr(at), port });
    let mut network = nat();
    let mut forward = PortForward::new(Protocol::Tcp);
    forward.ranges.push(PortForwardRange::new(22));
    forward.address = forwarded.parse().ok();
    let guest = "192.168.100.9".parse().unwrap();
    network.extensions.port_forwards.push(GuestForward::new(guest, forward));
    assert_eq!(lines(&check_against(&network, &host)), expected);
}
