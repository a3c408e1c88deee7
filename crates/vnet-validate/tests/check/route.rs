//! `<route>`.

use rstest::rstest;
use vnet_types::Family;
use vnet_xml::Network;
use vnet_xml::network::Mask;

use crate::{assert_found, ip, nat, route};

fn add(network: &mut Network, text: &str) {
    network.routes.push(route(text));
}

fn mask(network: &mut Network, text: &str, mask: Option<Mask>) {
    add(network, text);
    network.routes[0].mask = mask;
}

fn family(network: &mut Network, text: &str, family: Option<Family>) {
    add(network, text);
    network.routes[0].family = family;
}

fn metrics(network: &mut Network, metrics: &[Option<u32>]) {
    for metric in metrics {
        let mut route = route("10.30.0.0/16 via 192.168.100.2");
        route.metric = *metric;
        network.routes.push(route);
    }
}

#[rstest]
#[case::ipv4(|n: &mut Network| add(n, "10.30.0.0/16 via 192.168.100.2"), &[])]
#[case::ipv6(|n: &mut Network| add(n, "fd00:200::/64 via fd00:100::2"), &[])]
#[case::isolated(|n: &mut Network| { n.forward = None; add(n, "10.30.0.0/16 via 192.168.100.2") }, &[])]
#[case::netmask(|n: &mut Network| mask(n, "10.30.0.0/16 via 192.168.100.2", Some(Mask::Netmask([255, 255, 0, 0].into()))), &[])]
#[case::one_address(|n: &mut Network| add(n, "10.30.0.7/32 via 192.168.100.2"), &[])]
#[case::covers_own_subnet(|n: &mut Network| add(n, "192.168.0.0/16 via 192.168.100.2"), &[])]
#[case::second_subnet(|n: &mut Network| { n.ips.push(ip("10.1.0.1/24")); add(n, "10.30.0.0/16 via 10.1.0.9") }, &[])]
#[case::family_missing(|n: &mut Network| family(n, "fd00:200::/64 via fd00:100::2", None), &["VN0401 /network/route[1]/@address"])]
#[case::family_wrong(|n: &mut Network| family(n, "10.30.0.0/16 via 192.168.100.2", Some(Family::Ipv6)),
    &["VN0401 /network/route[1]/@family"])]
#[case::address_family(|n: &mut Network| add(n, "fd00:200::/64 via 192.168.100.2"), &["VN0401 /network/route[1]/@address"])]
#[case::gateway_family(|n: &mut Network| family(n, "10.30.0.0/16 via fd00:100::2", None), &["VN0402 /network/route[1]/@gateway"])]
#[case::prefix_33(|n: &mut Network| add(n, "10.30.0.0/33 via 192.168.100.2"), &["VN0403 /network/route[1]/@prefix"])]
#[case::prefix_129(|n: &mut Network| add(n, "fd00:200::/129 via fd00:100::2"), &["VN0403 /network/route[1]/@prefix"])]
#[case::netmask_with_holes(|n: &mut Network| mask(n, "10.30.0.0/16 via 192.168.100.2", Some(Mask::Netmask([255, 0, 255, 0].into()))),
    &["VN0404 /network/route[1]/@netmask"])]
#[case::netmask_ipv6(|n: &mut Network| mask(n, "fd00:200::/64 via fd00:100::2", Some(Mask::Netmask([255, 0, 0, 0].into()))),
    &["VN0404 /network/route[1]/@netmask"])]
#[case::prefix_missing(|n: &mut Network| mask(n, "10.0.0.0/8 via 192.168.100.2", None), &["VN0405 /network/route[1]/@address"])]
#[case::not_a_network(|n: &mut Network| add(n, "10.30.5.1/16 via 192.168.100.2"), &["VN0406 /network/route[1]/@address"])]
#[case::not_a_network_ipv6(|n: &mut Network| add(n, "fd00:200::1/64 via fd00:100::2"), &["VN0406 /network/route[1]/@address"])]
#[case::prefix_zero_of_an_address(|n: &mut Network| add(n, "10.30.0.0/0 via 192.168.100.2"), &["VN0406 /network/route[1]/@address"])]
#[case::gateway_outside(|n: &mut Network| add(n, "10.30.0.0/16 via 192.168.1.2"), &["VN0407 /network/route[1]/@gateway"])]
#[case::gateway_outside_ipv6(|n: &mut Network| add(n, "fd00:200::/64 via fd00:101::2"), &["VN0407 /network/route[1]/@gateway"])]
#[case::gateway_without_subnet(|n: &mut Network| { n.ips.pop(); add(n, "fd00:200::/64 via fd00:101::2") },
    &["VN0407 /network/route[1]/@gateway"])]
#[case::gateway_subnet_unknown(|n: &mut Network| { n.ips[1] = ip("fd00:100::1/129"); add(n, "fd00:200::/64 via fd00:100::2") },
    &["VN0202 /network/ip[2]/@prefix"])]
#[case::gateway_bridge(|n: &mut Network| add(n, "10.30.0.0/16 via 192.168.100.1"), &["VN0408 /network/route[1]/@gateway"])]
#[case::gateway_broadcast(|n: &mut Network| add(n, "10.30.0.0/16 via 192.168.100.255"), &["VN0408 /network/route[1]/@gateway"])]
#[case::metric_zero(|n: &mut Network| metrics(n, &[Some(0)]), &["VN0409 /network/route[1]/@metric"])]
#[case::duplicate(|n: &mut Network| metrics(n, &[None, Some(1)]), &["VN0410 /network/route[2]/@address"])]
#[case::other_metric(|n: &mut Network| metrics(n, &[None, Some(2)]), &[])]
#[case::own_subnet(|n: &mut Network| add(n, "192.168.100.0/24 via 192.168.100.2"), &["VN0411 /network/route[1]/@address"])]
#[case::inside_own_subnet(|n: &mut Network| add(n, "192.168.100.128/25 via 192.168.100.2"), &["VN0412 /network/route[1]/@address"])]
#[case::default_route(|n: &mut Network| add(n, "0.0.0.0/0 via 192.168.100.2"), &["VN0413 /network/route[1]/@address"])]
#[case::default_route_bare(|n: &mut Network| mask(n, "0.0.0.0/0 via 192.168.100.2", None), &["VN0413 /network/route[1]/@address"])]
#[case::default_route_ipv6(|n: &mut Network| add(n, "::/0 via fd00:100::2"), &["VN0413 /network/route[1]/@address"])]
#[case::two_mistakes(|n: &mut Network| add(n, "10.30.5.1/16 via 192.168.1.2"),
    &["VN0406 /network/route[1]/@address", "VN0407 /network/route[1]/@gateway"])]
fn findings(#[case] change: fn(&mut Network), #[case] expected: &[&str]) {
    assert_found(change, expected);
}

#[rstest]
#[case("10.30.5.1/16 via 192.168.100.2", "write `address='10.30.0.0'`, or `prefix='32'` for that one address")]
#[case(
    "10.30.0.0/0 via 192.168.100.2",
    "write `address='0.0.0.0'` for the default route, or `prefix='32'` for that one address"
)]
#[case("10.30.0.0/16 via 10.9.9.9", "write the address of a guest in `10.1.0.0/24` or `192.168.100.0/24`")]
#[case("10.30.0.0/16 via 10.1.0.255", "write the address of a guest, from `10.1.0.1` to `10.1.0.254`")]
fn suggestions_are_concrete(#[case] text: &str, #[case] help: &str) {
    let mut network = nat();
    network.ips.push(ip("10.1.0.1/24"));
    add(&mut network, text);
    let findings = vnet_validate::check(&network);
    assert_eq!(findings.iter().filter_map(|finding| finding.help.as_deref()).collect::<Vec<_>>(), [help]);
}
