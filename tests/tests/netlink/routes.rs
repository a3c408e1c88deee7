//! Addresses and routes.

use nix::errno::Errno;
use rstest::rstest;
use serde_json::{Value, json as value};
use vnet_netlink::Netlink;
use vnet_tests::{isolate, json, run};
use vnet_types::{Address, ReservedSubnet, Route, RouteProtocol, SubnetHolder};

use crate::{address, errno, name, network, route};

#[rstest]
#[case(address("192.168.123.1/24", Some("192.168.123.255")), value!(["192.168.123.1", 24, "192.168.123.255"]))]
#[case(address("192.168.123.1/24", None), value!(["192.168.123.1", 24, null]))]
#[case(address("10.0.0.1/32", None), value!(["10.0.0.1", 32, null]))]
#[case(address("2001:db8:1::1/64", None), value!(["2001:db8:1::1", 64, null]))]
fn addresses_come_and_go(#[case] address: Address, #[case] expected: Value) {
    isolate!();
    let (netlink, link) = (network(), name("virbr0"));
    let shown = || {
        let links = json("ip", &["-j", "address", "show", "virbr0"]);
        let addresses = links[0]["addr_info"].as_array().unwrap().clone();
        let found = addresses.into_iter().find(|it| it["local"] == expected[0]);
        found.map(|it| value!([it["local"], it["prefixlen"], it["broadcast"]]))
    };
    netlink.add_address(&link, &address).unwrap();
    assert_eq!(shown().as_ref(), Some(&expected));
    assert!(netlink.addresses().unwrap().contains(&(link.clone(), address)));
    assert!(netlink.addresses_of(&link).unwrap().contains(&address));
    assert!(!netlink.addresses_of(&name("lo")).unwrap().contains(&address));
    let error = netlink.add_address(&link, &address).unwrap_err();
    assert!(error.is_exists(), "{error}");
    assert!(error.to_string().starts_with(&format!("cannot add address {address} on virbr0: File exists")), "{error}");
    netlink.delete_address(&link, &address).unwrap();
    assert_eq!(shown(), None);
    assert!(netlink.delete_address(&link, &address).unwrap_err().is_not_found());
}

#[rstest]
#[case(route("10.0.0.0/8", Some("192.168.122.9"), 0), "10.0.0.0/8 via 192.168.122.9 dev virbr0 proto static")]
#[case(route("10.0.0.0/8", Some("192.168.122.9"), 7), "10.0.0.0/8 via 192.168.122.9 dev virbr0 proto static metric 7")]
#[case(route("10.1.0.0/16", None, 0), "10.1.0.0/16 dev virbr0 proto static scope link")]
#[case(route("0.0.0.0/0", Some("192.168.122.9"), 5), "default via 192.168.122.9 dev virbr0 proto static metric 5")]
#[case(
    route("2001:db8:f::/48", Some("2001:db8::9"), 1024),
    "2001:db8:f::/48 via 2001:db8::9 dev virbr0 proto static metric 1024 pref medium"
)]
#[case(route("2001:db8:f::/48", None, 9), "2001:db8:f::/48 dev virbr0 proto static metric 9 pref medium")]
#[case(route("::/0", Some("2001:db8::9"), 3), "default via 2001:db8::9 dev virbr0 proto static metric 3 pref medium")]
#[case(route("10.2.0.0/16", Some("2001:db8::9"), 0), "10.2.0.0/16 via inet6 2001:db8::9 dev virbr0 proto static")]
fn routes_come_and_go(#[case] route: Route, #[case] expected: &str) {
    isolate!();
    let netlink = network();
    let family = if route.destination.addr().is_ipv4() { "-4" } else { "-6" };
    let shown = || run("ip", &[family, "route", "show", "proto", "static"]);
    // `ip` leaves out what it was asked for.
    let expected = expected.replace(" proto static", "");
    netlink.add_route(&route).unwrap();
    assert_eq!(shown().trim().replace(" linkdown", ""), expected);
    assert!(netlink.routes().unwrap().contains(&route));
    assert!(netlink.routes_of(&route.link).unwrap().contains(&route));
    netlink.delete_route(&route).unwrap();
    assert_eq!(shown(), "");
    assert!(netlink.delete_route(&route).unwrap_err().is_not_found());
}

#[test]
fn routes_of_others_are_read() {
    isolate!();
    let netlink = network();
    for words in [
        "10.1.0.0/16 via 192.168.122.9 proto dhcp metric 100",
        "10.2.0.0/16 via 192.168.122.9 proto boot",
        "10.3.0.0/16 via 192.168.122.9 proto 77",
        "10.4.0.0/16 nexthop via 192.168.122.8 nexthop via 192.168.122.9",
        "10.5.0.0/16 via 192.168.122.9 table 100",
        "blackhole 10.6.0.0/16",
    ] {
        run("ip", &[&["route", "add"], &words.split(' ').collect::<Vec<_>>()[..]].concat());
    }
    run("ip", &["route", "add", "10.7.0.0/16", "dev", "lo"]);
    let routes = netlink.routes_of(&name("virbr0")).unwrap();
    let mut all = netlink.routes().unwrap();
    all.retain(|route| route.link == name("virbr0"));
    assert_eq!(routes, all);
    let ipv4: Vec<_> = routes.iter().filter(|it| it.destination.addr().is_ipv4()).map(Route::to_string).collect();
    assert_eq!(
        ipv4,
        [
            "10.1.0.0/16 via 192.168.122.9 dev virbr0 proto dhcp metric 100",
            "10.2.0.0/16 via 192.168.122.9 dev virbr0 proto boot",
            "10.3.0.0/16 via 192.168.122.9 dev virbr0 proto 77",
            "10.4.0.0/16 via 192.168.122.8 dev virbr0 proto boot",
            "10.4.0.0/16 via 192.168.122.9 dev virbr0 proto boot",
            "192.168.122.0/24 dev virbr0 proto kernel",
        ]
    );
    let ipv6: Vec<_> = routes.iter().filter(|it| it.destination.addr().is_ipv6()).map(Route::to_string).collect();
    assert!(ipv6.contains(&"2001:db8::/64 dev virbr0 proto kernel metric 256".to_owned()), "{ipv6:?}");
    assert!(!ipv6.iter().any(|it| it.starts_with("ff00")), "multicast is no unicast: {ipv6:?}");
}

#[test]
fn subnets_of_other_tables_are_read() {
    isolate!();
    let netlink = network();
    for words in [
        "10.1.0.0/16 via 192.168.122.9",
        "10.2.0.0/16 via 192.168.122.9 table 52",
        "10.3.0.0/16 dev virbr0 table 5000",
        "default dev virbr0 table 52",
        "throw 10.4.0.0/16 table 52",
        "2001:db8:5::/48 dev virbr0 table 52",
    ] {
        let family = if words.contains("db8") { "-6" } else { "-4" };
        run("ip", &[&[family, "route", "add"], &words.split(' ').collect::<Vec<_>>()[..]].concat());
    }
    let reserved = |net: &str, table| ReservedSubnet {
        net: net.parse().unwrap(),
        by: SubnetHolder::Route { table, link: Some(name("virbr0")) },
    };
    let mut found = netlink.subnets_of_other_tables().unwrap();
    found.sort_by_key(|it| it.net);
    assert_eq!(found, [reserved("10.2.0.0/16", 52), reserved("10.3.0.0/16", 5000), reserved("2001:db8:5::/48", 52)]);
}

#[test]
fn a_host_without_routes_has_none() {
    isolate!();
    let netlink = Netlink::open().unwrap();
    assert_eq!(netlink.routes().unwrap(), []);
    assert_eq!(netlink.addresses().unwrap().len(), 2, "127.0.0.1 and ::1");
    assert_eq!(netlink.routes_of(&name("gone")).unwrap(), []);
    assert_eq!(netlink.addresses_of(&name("gone")).unwrap(), []);
}

#[rstest]
#[case::ipv4(route("10.0.0.0/8", Some("192.168.122.9"), 0), route("10.0.0.0/8", Some("192.168.122.8"), 0))]
#[case::ipv6(route("2001:db8:f::/48", Some("2001:db8::9"), 1024), route("2001:db8:f::/48", Some("2001:db8::8"), 0))]
fn a_duplicate_route_names_the_one_there(#[case] there: Route, #[case] route: Route) {
    isolate!();
    let netlink = network();
    netlink.add_route(&there).unwrap();
    let error = netlink.add_route(&route).unwrap_err();
    assert!(error.is_exists());
    assert_eq!(error.existing.as_deref(), Some(&there));
    assert_eq!(error.to_string(), format!("cannot add route {route}: File exists; there is {there}"));
}

#[rstest]
#[case::gateway_out_of_reach(
    route("10.0.0.0/8", Some("172.16.0.1"), 0),
    Errno::ENETUNREACH,
    "cannot add route 10.0.0.0/8 via 172.16.0.1 dev virbr0 proto static: Network is unreachable"
)]
#[case::gateway_out_of_reach_ipv6(
    route("2001:db8:f::/48", Some("2001:db8:e::1"), 0),
    Errno::EHOSTUNREACH,
    "cannot add route 2001:db8:f::/48 via 2001:db8:e::1 dev virbr0 proto static: No route to host"
)]
#[case::host_bits(
    route("10.0.0.1/8", None, 0),
    Errno::EINVAL,
    "cannot add route 10.0.0.1/8 dev virbr0 proto static: Invalid argument"
)]
fn bad_routes_are_refused(#[case] route: Route, #[case] expected: Errno, #[case] text: &str) {
    isolate!();
    let error = network().add_route(&route).unwrap_err();
    assert_eq!(errno(&error), expected, "{error}");
    assert!(error.to_string().starts_with(text), "{error}");
    assert!(error.existing.is_none() && !error.is_exists() && !error.is_not_found());
    assert_eq!(run("ip", &["route", "show", "proto", "static"]), "");
}

#[rstest]
#[case::metric(route("10.0.0.0/8", Some("192.168.122.9"), 0), route("10.0.0.0/8", Some("192.168.122.9"), 100))]
#[case::gateway(route("10.0.0.0/8", Some("192.168.122.9"), 0), route("10.0.0.0/8", Some("192.168.122.8"), 0))]
#[case::metric_ipv6(route("2001:db8:f::/48", None, 0), route("2001:db8:f::/48", None, 9))]
#[case::protocol(route("10.0.0.0/8", None, 5), Route { protocol: RouteProtocol::Boot, ..route("10.0.0.0/8", None, 5) })]
fn routes_of_others_are_not_deleted(#[case] ours: Route, #[case] others: Route) {
    isolate!();
    let netlink = network();
    netlink.add_route(&others).unwrap();
    assert!(netlink.delete_route(&ours).unwrap_err().is_not_found());
    assert!(netlink.routes().unwrap().contains(&others));
}
