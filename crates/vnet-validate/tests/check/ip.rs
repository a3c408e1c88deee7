//! `<ip>`.

use rstest::rstest;
use vnet_types::Family;
use vnet_xml::Network;
use vnet_xml::network::Mask;

use crate::{assert_found, dns, ip};

/// The IPv4 subnet becomes another one, without DHCP.
fn first(network: &mut Network, text: &str) {
    network.ips[0] = ip(text);
}

fn netmask(network: &mut Network, index: usize, mask: [u8; 4]) {
    network.ips[index].mask = Some(Mask::Netmask(mask.into()));
}

fn bare(network: &mut Network, address: &str) {
    first(network, &format!("{address}/0"));
    network.ips[0].mask = None;
}

fn tftp(network: &mut Network, index: usize, root: &str) {
    network.ips[index].tftp_root = Some(root.into());
}

fn local_ptr(network: &mut Network, text: &str) {
    first(network, text);
    network.ips[0].local_ptr = Some(true);
}

#[rstest]
#[case::family_missing(|n: &mut Network| n.ips[1].family = None, &["VN0201 /network/ip[2]/@address"])]
#[case::family_ipv4(|n: &mut Network| n.ips[1].family = Some(Family::Ipv4), &["VN0201 /network/ip[2]/@family"])]
#[case::family_ipv6(|n: &mut Network| n.ips[0].family = Some(Family::Ipv6), &["VN0201 /network/ip[1]/@family"])]
#[case::family_written(|n: &mut Network| n.ips[0].family = Some(Family::Ipv4), &[])]
#[case::prefix_33(|n: &mut Network| first(n, "192.168.100.1/33"), &["VN0202 /network/ip[1]/@prefix"])]
#[case::prefix_129(|n: &mut Network| n.ips[1] = ip("fd00::1/129"), &["VN0202 /network/ip[2]/@prefix"])]
#[case::prefix_beyond_a_byte(|n: &mut Network| first(n, "192.168.100.1/280"), &["VN0202 /network/ip[1]/@prefix"])]
#[case::prefix_32(|n: &mut Network| first(n, "192.168.100.1/32"), &[])]
#[case::netmask_with_holes(|n: &mut Network| netmask(n, 0, [255, 0, 255, 0]), &["VN0203 /network/ip[1]/@netmask"])]
#[case::netmask_ipv6(|n: &mut Network| netmask(n, 1, [255, 255, 255, 0]), &["VN0203 /network/ip[2]/@netmask"])]
#[case::netmask_zero(|n: &mut Network| netmask(n, 0, [0; 4]), &["VN0203 /network/ip[1]/@netmask"])]
#[case::netmask(|n: &mut Network| netmask(n, 0, [255, 255, 255, 0]), &[])]
#[case::class_e(|n: &mut Network| bare(n, "240.0.0.1"), &["VN0204 /network/ip[1]/@address"])]
#[case::class_a(|n: &mut Network| bare(n, "10.24.10.1"), &["VN0205 /network/ip[1]/@address"])]
#[case::prefix_zero_is_none(|n: &mut Network| first(n, "10.24.10.1/0"), &["VN0205 /network/ip[1]/@address"])]
#[case::ipv6_default(|n: &mut Network| n.ips[1].mask = None, &[])]
#[case::network_address(|n: &mut Network| first(n, "10.1.2.0/24"), &["VN0212 /network/ip[1]/@address"])]
#[case::broadcast_address(|n: &mut Network| first(n, "10.1.2.255/24"), &["VN0206 /network/ip[1]/@address"])]
#[case::point_to_point(|n: &mut Network| first(n, "10.1.2.0/31"), &[])]
#[case::multicast(|n: &mut Network| first(n, "224.0.0.5/24"), &["VN0206 /network/ip[1]/@address"])]
#[case::multicast_ipv6(|n: &mut Network| n.ips[1] = ip("ff02::5/64"), &["VN0206 /network/ip[2]/@address"])]
#[case::unspecified(|n: &mut Network| bare(n, "0.0.0.0"), &["VN0206 /network/ip[1]/@address"])]
#[case::unspecified_ipv6(|n: &mut Network| n.ips[1] = ip("::/64"), &["VN0206 /network/ip[2]/@address"])]
#[case::loopback(|n: &mut Network| first(n, "127.0.0.1/8"), &["VN0206 /network/ip[1]/@address"])]
#[case::anycast(|n: &mut Network| n.ips[1] = ip("fd00:100::/64"), &["VN0207 /network/ip[2]/@address"])]
#[case::link_local(|n: &mut Network| n.ips[1] = ip("fe80::1/64"), &[])]
#[case::equal(|n: &mut Network| n.ips.push(ip("192.168.100.2/24")), &["VN0208 /network/ip[3]/@address"])]
#[case::inside(|n: &mut Network| n.ips.push(ip("192.168.100.130/25")), &["VN0208 /network/ip[3]/@address"])]
#[case::around(|n: &mut Network| n.ips.push(ip("192.168.0.1/16")), &["VN0208 /network/ip[3]/@address"])]
#[case::ipv6_inside(|n: &mut Network| n.ips.push(ip("fd00:100::5/96")), &["VN0208 /network/ip[3]/@address", "VN0213 /network/ip[3]/@prefix"])]
#[case::prefix_48(|n: &mut Network| n.ips[1] = ip("fd00:100::1/48"), &["VN0213 /network/ip[2]/@prefix"])]
#[case::prefix_48_with_dhcp(|n: &mut Network| {
    n.ips[1] = ip("fd00:100::1/48");
    n.ips[1].dhcp = Some(crate::dhcp(&[("fd00:100::10", "fd00:100::20")]));
}, &[])]
#[case::beside(|n: &mut Network| n.ips.push(ip("192.168.101.1/24")), &[])]
#[case::tftp_ipv6(|n: &mut Network| tftp(n, 1, "/srv"), &["VN0209 /network/ip[2]/tftp"])]
#[case::tftp(|n: &mut Network| tftp(n, 0, "/srv/a b,c"), &[])]
#[case::tftp_empty(|n: &mut Network| tftp(n, 0, ""), &["VN0301 /network/ip[1]/tftp/@root"])]
#[case::tftp_control(|n: &mut Network| tftp(n, 0, "/srv\u{7}"), &["VN0301 /network/ip[1]/tftp/@root"])]
#[case::tftp_long(|n: &mut Network| tftp(n, 0, &"/srv".repeat(300)), &["VN0313 /network/ip[1]/tftp/@root"])]
#[case::ptr_25(|n: &mut Network| local_ptr(n, "10.1.2.1/25"), &["VN0210 /network/ip[1]/@localPtr"])]
#[case::ptr_32(|n: &mut Network| local_ptr(n, "10.1.2.1/32"), &["VN0210 /network/ip[1]/@localPtr"])]
#[case::ptr_24(|n: &mut Network| local_ptr(n, "10.1.2.1/24"), &[])]
#[case::ptr_without_dns(|n: &mut Network| { local_ptr(n, "10.1.2.1/25"); dns(n).enable = Some(false) }, &[])]
#[case::ptr_ipv6(|n: &mut Network| n.ips[1].local_ptr = Some(true), &[])]
#[case::ptr_ipv6_65(|n: &mut Network| { n.ips[1] = ip("fd00:100::1/65"); n.ips[1].local_ptr = Some(true) },
    &["VN0213 /network/ip[2]/@prefix", "VN0210 /network/ip[2]/@localPtr"])]
fn findings(#[case] change: fn(&mut Network), #[case] expected: &[&str]) {
    assert_found(change, expected);
}
