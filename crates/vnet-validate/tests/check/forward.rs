//! `<forward>`.

use rstest::rstest;
use vnet_types::{AddressRange, InterfaceName, PortRange};
use vnet_xml::Network;
use vnet_xml::interface::{PortForward, PortForwardRange, Protocol};
use vnet_xml::network::{Bridge, DhcpHost, Forward, ForwardMode, GuestForward, Nat};

use crate::{addr, assert_found};

fn mode(network: &mut Network, mode: ForwardMode) -> &mut Forward {
    network.forward.insert(Forward::new(mode))
}

fn devices(network: &mut Network, forward: ForwardMode, names: &[&str]) {
    mode(network, forward).interfaces =
        names.iter().map(|name| name.parse::<InterfaceName>().unwrap().into()).collect();
}

fn nat(network: &mut Network) -> &mut Nat {
    network.forward.as_mut().unwrap().nat.get_or_insert_default()
}

fn addresses(network: &mut Network, start: &str, end: &str) {
    nat(network).addresses = Some(AddressRange::new(addr(start), addr(end)).unwrap());
}

fn ports(network: &mut Network, start: u16, end: u16) {
    nat(network).ports = Some(PortRange::new(start, end).unwrap());
}

#[rstest]
#[case::nat_without_ip(|n: &mut Network| n.ips.clear(), &["VN0501 /network/forward/@mode"])]
#[case::route_without_ip(|n: &mut Network| { n.ips.clear(); mode(n, ForwardMode::Route); }, &["VN0501 /network/forward/@mode"])]
#[case::open_without_ip(|n: &mut Network| { n.ips.clear(); mode(n, ForwardMode::Open); }, &[])]
#[case::isolated_without_ip(|n: &mut Network| { n.ips.clear(); n.forward = None }, &[])]
#[case::two_interfaces(|n: &mut Network| devices(n, ForwardMode::Nat, &["eth0", "eth1"]),
    &["VN0502 /network/forward/interface[2]/@dev"])]
#[case::one_interface(|n: &mut Network| devices(n, ForwardMode::Route, &["eth0"]), &[])]
#[case::open_interface(|n: &mut Network| devices(n, ForwardMode::Open, &["eth0"]), &["VN0503 /network/forward/@dev"])]
#[case::interface_twice(|n: &mut Network| devices(n, ForwardMode::Nat, &["eth0", "eth0"]),
    &["VN0504 /network/forward/interface[2]/@dev"])]
#[case::own_bridge(|n: &mut Network| {
    devices(n, ForwardMode::Nat, &["virbr9"]);
    let mut bridge = Bridge::default();
    bridge.name = Some("virbr9".parse().unwrap());
    n.bridge = Some(bridge);
}, &["VN0505 /network/forward/@dev"])]
#[case::mode_none(|n: &mut Network| { mode(n, ForwardMode::None); }, &["VN0506 /network/forward/@mode"])]
#[case::nat_in_route(|n: &mut Network| { mode(n, ForwardMode::Route).nat = Some(Nat::default()); }, &["VN0511 /network/forward/nat"])]
#[case::nat_ipv6_addresses(|n: &mut Network| addresses(n, "fd00::1", "fd00::9"), &["VN0512 /network/forward/nat/address/@start"])]
#[case::nat_many_addresses(|n: &mut Network| addresses(n, "10.0.0.0", "10.1.0.0"), &["VN0513 /network/forward/nat/address/@end"])]
#[case::nat_addresses(|n: &mut Network| addresses(n, "10.0.0.0", "10.0.255.255"), &[])]
#[case::nat_one_address(|n: &mut Network| addresses(n, "198.51.100.7", "198.51.100.7"), &[])]
#[case::nat_port_zero(|n: &mut Network| ports(n, 0, 65_535), &["VN0514 /network/forward/nat/port/@start"])]
#[case::nat_ports_zero(|n: &mut Network| ports(n, 0, 0), &["VN0514 /network/forward/nat/port/@start"])]
#[case::nat_one_port(|n: &mut Network| ports(n, 5000, 5000), &["VN0515 /network/forward/nat/port/@end"])]
#[case::nat_ports(|n: &mut Network| ports(n, 1, 65_535), &[])]
#[case::nat_ipv6(|n: &mut Network| nat(n).ipv6 = Some(true), &[])]
#[case::nat_ipv6_without_subnet(|n: &mut Network| { n.ips.pop(); nat(n).ipv6 = Some(true) }, &["VN0516 /network/forward/nat/@ipv6"])]
fn findings(#[case] change: fn(&mut Network), #[case] expected: &[&str]) {
    assert_found(change, expected);
}

/// A guest, the ports that lead to it, and what more the forward has.
type Led<'a> = (&'a str, &'a [PortForwardRange], fn(&mut PortForward));

/// Adds `TCP port → guest:port` forwards, each with what more it has.
fn forwards(network: &mut Network, forwards: &[Led<'_>]) {
    let mut web = DhcpHost::new(addr("192.168.100.5"));
    web.name = Some("web".to_owned());
    web.mac = "52:54:00:00:00:05".parse().ok();
    network.ips[0].dhcp.as_mut().unwrap().hosts.push(web);
    for (guest, ranges, change) in forwards {
        let mut forward = PortForward::new(Protocol::Tcp);
        forward.ranges = ranges.to_vec();
        change(&mut forward);
        network.extensions.port_forwards.push(GuestForward::new(guest.parse().unwrap(), forward));
    }
}

fn port(start: u16) -> PortForwardRange {
    PortForwardRange::new(start)
}

#[rstest]
#[case::by_name("web", |_: &mut PortForward| {}, &[])]
#[case::by_mac("52:54:00:00:00:05", |_: &mut PortForward| {}, &[])]
#[case::by_address("192.168.100.77", |_: &mut PortForward| {}, &[])]
#[case::by_ipv6("fd00:100::77", |_: &mut PortForward| {}, &[])]
#[case::unknown_name("wbe", |_: &mut PortForward| {}, &["VN0552 /network/metadata/vnet:network/vnet:portForward[1]/@guest"])]
#[case::unknown_mac("52:54:00:00:00:06", |_: &mut PortForward| {}, &["VN0552 /network/metadata/vnet:network/vnet:portForward[1]/@guest"])]
#[case::outside("192.168.101.5", |_: &mut PortForward| {}, &["VN0553 /network/metadata/vnet:network/vnet:portForward[1]/@guest"])]
#[case::the_host("192.168.100.1", |_: &mut PortForward| {}, &["VN0553 /network/metadata/vnet:network/vnet:portForward[1]/@guest"])]
#[case::at_an_address("web", |it: &mut PortForward| it.address = Some(addr("198.51.100.1")), &[])]
#[case::loopback("web", |it: &mut PortForward| it.address = Some(addr("127.0.0.1")), &["VN0554 /network/metadata/vnet:network/vnet:portForward[1]/@address"])]
#[case::any("web", |it: &mut PortForward| it.address = Some(addr("0.0.0.0")), &["VN0554 /network/metadata/vnet:network/vnet:portForward[1]/@address"])]
#[case::other_family("web", |it: &mut PortForward| it.address = Some(addr("2001:db8::1")), &["VN0554 /network/metadata/vnet:network/vnet:portForward[1]/@address"])]
#[case::no_port("web", |it: &mut PortForward| it.ranges.clear(), &["VN0555 /network/metadata/vnet:network/vnet:portForward[1]"])]
#[case::too_many("web", |it: &mut PortForward| it.ranges[0].end = Some(9000), &["VN0555 /network/metadata/vnet:network/vnet:portForward[1]"])]
#[case::range_reversed("web", |it: &mut PortForward| it.ranges[0].end = Some(1), &["VN0755 /network/metadata/vnet:network/vnet:portForward[1]/vnet:range[1]/@end"])]
#[case::the_same_twice("web", |it: &mut PortForward| it.ranges.push(port(2222)), &[])]
#[case::two_ports_of_the_guest("web", |it: &mut PortForward| { it.ranges.push(port(2222)); it.ranges[1].to = Some(23); }, &["VN0759 /network/metadata/vnet:network/vnet:portForward[1]"])]
#[case::own_bridge("web", |it: &mut PortForward| it.dev = "virbr9".parse().ok(), &["VN0556 /network/metadata/vnet:network/vnet:portForward[1]/@dev"])]
#[case::other_device("web", |it: &mut PortForward| it.dev = "eth0".parse().ok(), &[])]
fn port_forwards(#[case] guest: &str, #[case] change: fn(&mut PortForward), #[case] expected: &[&str]) {
    let mut network = crate::nat();
    let mut bridge = Bridge::default();
    bridge.name = Some("virbr9".parse().unwrap());
    network.bridge = Some(bridge);
    forwards(&mut network, &[(guest, &[port(2222)], change)]);
    assert_eq!(crate::lines(&vnet_validate::check(&network)), expected);
}

#[rstest]
#[case::in_mode_open(|n: &mut Network| {
    forwards(n, &[("web", &[port(80)], |_| {})]);
    mode(n, ForwardMode::Open);
}, &["VN0551 /network/metadata/vnet:network/vnet:portForward[1]"])]
#[case::in_mode_route(|n: &mut Network| {
    forwards(n, &[("web", &[port(80)], |_| {})]);
    mode(n, ForwardMode::Route);
}, &[])]
#[case::another_device(|n: &mut Network| {
    devices(n, ForwardMode::Nat, &["eth1"]);
    forwards(n, &[("web", &[port(80)], |it| it.dev = "eth0".parse().ok())]);
}, &["VN0556 /network/metadata/vnet:network/vnet:portForward[1]/@dev"])]
#[case::twice(|n: &mut Network| {
    forwards(n, &[("web", &[port(80)], |_| {}), ("192.168.100.9", &[port(79), port(80)], |_| {})]);
}, &["VN0759 /network/metadata/vnet:network/vnet:portForward[2]"])]
#[case::at_two_addresses(|n: &mut Network| {
    forwards(n, &[
        ("web", &[port(80)], |it| it.address = Some(addr("198.51.100.1"))),
        ("192.168.100.9", &[port(80)], |it| it.address = Some(addr("198.51.100.2"))),
        ("192.168.100.9", &[port(80)], |it| it.protocol = Protocol::Udp),
        ("fd00:100::9", &[port(80)], |_| {}),
    ]);
}, &[])]
fn port_forwards_of_a_network(#[case] change: fn(&mut Network), #[case] expected: &[&str]) {
    assert_found(change, expected);
}
