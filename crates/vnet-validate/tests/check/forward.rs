//! `<forward>`.

use rstest::rstest;
use vnet_types::{AddressRange, InterfaceName, PortRange};
use vnet_xml::Network;
use vnet_xml::network::{Bridge, Forward, ForwardMode, Nat};

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
