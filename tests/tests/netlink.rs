//! vnet-netlink against a kernel, seen through `ip`.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use nix::errno::Errno;
use rstest::rstest;
use serde_json::{Value, json as value};
use vnet_netlink::{Error, Netlink};
use vnet_tests::{Netns, isolate, json, run};
use vnet_types::{Address, BridgeOptions, InterfaceName, IpNet, Link, LinkKind, Route, RouteProtocol};

const MAC: &str = "52:54:00:12:34:56";

fn name(text: &str) -> InterfaceName {
    text.parse().unwrap()
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn bridge(stp: bool, forward_delay: u32, mac: &str, mtu: u32, up: bool) -> Link {
    Link {
        name: name("virbr0"),
        kind: LinkKind::Bridge(BridgeOptions { stp, forward_delay, vlan_filtering: false }),
        mac: Some(mac.parse().unwrap()),
        mtu: Some(mtu),
        up,
    }
}

fn address(text: &str, broadcast: Option<&str>) -> Address {
    Address { net: net(text), broadcast: broadcast.map(|it| it.parse().unwrap()) }
}

fn route(destination: &str, gateway: Option<&str>, metric: u32) -> Route {
    Route {
        destination: net(destination),
        gateway: gateway.map(|it| it.parse().unwrap()),
        link: name("virbr0"),
        metric,
        protocol: RouteProtocol::Static,
    }
}

/// A bridge that is up with two subnets, and the socket that made it.
fn network() -> Netlink {
    let netlink = Netlink::open().unwrap();
    let bridge = bridge(false, 0, MAC, 1500, true);
    netlink.add_link(&bridge).unwrap();
    netlink.add_address(&bridge.name, &address("192.168.122.1/24", None)).unwrap();
    netlink.add_address(&bridge.name, &address("2001:db8::1/64", None)).unwrap();
    netlink
}

fn errno(error: &Error) -> Errno {
    Errno::from_raw(error.refused.errno)
}

/// What `ip` shows of the bridge: as [`bridge`]'s arguments.
fn shown() -> Value {
    let link = &json("ip", &["-j", "-d", "link", "show", "virbr0"])[0];
    let data = &link["linkinfo"]["info_data"];
    let up = link["flags"].as_array().unwrap().contains(&value!("UP"));
    value!([data["stp_state"], data["forward_delay"], link["address"], link["mtu"], up])
}

#[rstest]
#[case::plain(bridge(false, 0, MAC, 1500, true), value!([0, 0, MAC, 1500, true]))]
#[case::stp(bridge(true, 400, MAC, 1500, true), value!([1, 400, MAC, 1500, true]))]
#[case::mtu(bridge(false, 1500, MAC, 9000, true), value!([0, 1500, MAC, 9000, true]))]
#[case::down(bridge(false, 0, MAC, 1400, false), value!([0, 0, MAC, 1400, false]))]
fn bridges_are_made_and_read(#[case] bridge: Link, #[case] expected: Value) {
    isolate!();
    let netlink = Netlink::open().unwrap();
    let index = netlink.add_link(&bridge).unwrap();
    assert_eq!(shown(), expected);
    let read = netlink.link(&bridge.name).unwrap().unwrap();
    assert_eq!((read.index, read.controller, &read.link), (index, None, &bridge));
    assert!(netlink.links().unwrap().contains(&read));
}

#[test]
fn what_is_left_open_is_chosen_by_the_kernel() {
    isolate!();
    let netlink = Netlink::open().unwrap();
    let bridge = Link { mac: None, mtu: None, ..bridge(true, 0, MAC, 0, true) };
    netlink.add_link(&bridge).unwrap();
    let read = netlink.link(&bridge.name).unwrap().unwrap().link;
    assert!(read.mac.is_some_and(|mac| !mac.is_multicast()));
    assert_eq!(read.mtu, Some(1500));
    assert_eq!(read.kind, LinkKind::Bridge(BridgeOptions { stp: true, forward_delay: 200, vlan_filtering: false }));
}

#[test]
fn other_kinds_go_by_their_word() {
    isolate!();
    let netlink = Netlink::open().unwrap();
    let ifb = Link { name: name("ifb9"), kind: LinkKind::Other("ifb".into()), mac: None, mtu: Some(1400), up: true };
    netlink.add_link(&ifb).unwrap();
    assert_eq!(json("ip", &["-j", "-d", "link", "show", "ifb9"])[0]["linkinfo"]["info_kind"], "ifb");
    let read = netlink.link(&ifb.name).unwrap().unwrap().link;
    assert_eq!(Link { mac: None, ..read }, ifb);
    let lo = netlink.link(&name("lo")).unwrap().unwrap();
    assert_eq!((lo.index, lo.link.kind), (1, LinkKind::Other(String::new())));
}

#[rstest]
#[case::nothing(bridge(false, 0, MAC, 1500, true), bridge(false, 0, MAC, 1500, true))]
#[case::mac_and_mtu(bridge(false, 0, MAC, 1500, true), bridge(false, 0, "52:54:00:00:00:01", 1400, true))]
#[case::down(bridge(false, 0, MAC, 1500, true), bridge(false, 0, MAC, 1500, false))]
#[case::up(bridge(false, 0, MAC, 1500, false), bridge(false, 0, MAC, 1500, true))]
#[case::stp_on(bridge(false, 0, MAC, 1500, true), bridge(true, 200, MAC, 1500, true))]
#[case::stp_off(bridge(true, 200, MAC, 1500, true), bridge(false, 0, MAC, 1500, true))]
fn links_change_and_change_back(#[case] from: Link, #[case] to: Link) {
    isolate!();
    let netlink = Netlink::open().unwrap();
    let index = netlink.add_link(&from).unwrap();
    let before = shown();
    netlink.set_link(index, &from, &to).unwrap();
    assert_eq!(netlink.link(&to.name).unwrap().unwrap().link, to);
    assert_eq!(shown() == before, from == to);
    netlink.set_link(index, &to, &from).unwrap();
    assert_eq!(shown(), before);
}

#[test]
fn a_bridge_that_is_refused_in_part_is_not_made() {
    isolate!();
    let error = Netlink::open().unwrap().add_link(&bridge(false, 0, MAC, 70_000, true)).unwrap_err();
    assert_eq!(errno(&error), Errno::EINVAL);
    assert!(error.to_string().starts_with("cannot add link virbr0: Invalid argument"), "{error}");
    assert!(!fs::exists("/sys/class/net/virbr0").unwrap());
}

#[test]
fn a_change_that_is_refused_leaves_nothing() {
    isolate!();
    let netlink = Netlink::open().unwrap();
    let from = bridge(true, 400, MAC, 1500, true);
    let index = netlink.add_link(&from).unwrap();
    let before = shown();
    let error = netlink.set_link(index, &from, &bridge(false, 0, "52:54:00:00:00:01", 70_000, true)).unwrap_err();
    assert_eq!((errno(&error), error.object.as_str()), (Errno::EINVAL, "link virbr0"));
    assert_eq!(shown(), before);
}

/// 1500 is what a bridge has by itself, and the largest MTU that a bridge can have.
#[rstest]
#[case::smaller(1400)]
#[case::the_default(1500)]
#[case::the_largest(65535)]
fn a_bridge_keeps_its_mtu_when_a_port_joins(#[case] mtu: u32, #[values(1300, 9000)] of_port: u32) {
    isolate!();
    let netlink = Netlink::open().unwrap();
    let index = netlink.add_link(&bridge(false, 0, MAC, mtu, true)).unwrap();
    join(&netlink, index, of_port);
    assert_eq!(shown()[3], mtu);
}

#[test]
fn a_bridge_keeps_an_mtu_that_it_had_by_chance() {
    isolate!();
    let netlink = Netlink::open().unwrap();
    let wanted = bridge(false, 0, MAC, 1500, true);
    let before = Link { mtu: None, ..wanted.clone() };
    let index = netlink.add_link(&before).unwrap();
    netlink.set_link(index, &before, &wanted).unwrap();
    join(&netlink, index, 1300);
    assert_eq!(shown()[3], 1500);
}

/// Makes a port of the bridge that has an MTU of its own.
fn join(netlink: &Netlink, bridge: u32, mtu: u32) {
    run("ip", &["link", "add", "vnet0", "mtu", &mtu.to_string(), "type", "veth", "peer", "name", "eth0"]);
    let port = netlink.link(&name("vnet0")).unwrap().unwrap().index;
    netlink.set_controller(port, Some(bridge)).unwrap();
}

/// The bridge has the default again, or less where a port has less of its own.
#[rstest]
#[case::alone(9000, None, 1500)]
#[case::larger_port(1400, Some(9000), 1500)]
#[case::smaller_port(9000, Some(1300), 1300)]
#[case::port_that_follows(1300, Some(1300), 1500)]
fn an_mtu_is_let_go(#[case] given: u32, #[case] port: Option<u32>, #[case] expected: u32) {
    isolate!();
    let netlink = Netlink::open().unwrap();
    let from = bridge(false, 0, MAC, given, true);
    let index = netlink.add_link(&from).unwrap();
    if let Some(mtu) = port {
        join(&netlink, index, mtu);
    }
    let to = Link { mtu: None, ..from.clone() };
    netlink.set_link(index, &from, &to).unwrap();
    assert_eq!(shown()[3], expected);
    netlink.set_link(index, &to, &from).unwrap();
    assert_eq!(shown()[3], given);
}

#[test]
fn guests_are_plugged_in_and_out() {
    isolate!();
    let netlink = network();
    let guest = Netns::new();
    netlink.add_veth(&name("vnet0"), &name("eth0")).unwrap();
    let index = |name: &InterfaceName| netlink.link(name).unwrap().unwrap().index;
    let (bridge, port) = (index(&name("virbr0")), index(&name("vnet0")));
    netlink.move_to_namespace(index(&name("eth0")), guest.file()).unwrap();
    netlink.set_controller(port, Some(bridge)).unwrap();
    netlink.set_up(port, true).unwrap();
    assert_eq!(netlink.link(&name("eth0")).unwrap(), None);
    assert_eq!(netlink.link(&name("vnet0")).unwrap().unwrap().controller, Some(bridge));
    let shown = &json("ip", &["-j", "link", "show", "vnet0"])[0];
    assert_eq!(shown["master"], "virbr0");
    assert!(shown["flags"].as_array().unwrap().contains(&value!("UP")), "{shown}");

    let inside = guest.run(|| Netlink::open().unwrap());
    inside.set_up(inside.link(&name("eth0")).unwrap().unwrap().index, true).unwrap();
    inside.add_address(&name("eth0"), &address("192.168.122.2/24", None)).unwrap();
    guest.run(|| run("ping", &["-c1", "-W2", "192.168.122.1"]));

    netlink.set_controller(port, None).unwrap();
    netlink.set_up(port, false).unwrap();
    let shown = &json("ip", &["-j", "link", "show", "vnet0"])[0];
    assert_eq!((&shown["master"], &shown["operstate"]), (&Value::Null, &value!("DOWN")));
}

#[test]
fn deleted_links_are_gone() {
    isolate!();
    let netlink = network();
    let index = netlink.link(&name("virbr0")).unwrap().unwrap().index;
    netlink.delete_link(index).unwrap();
    assert!(!fs::exists("/sys/class/net/virbr0").unwrap());
    assert!(netlink.delete_link(index).unwrap_err().is_not_found());
    assert!(netlink.set_up(index, true).unwrap_err().is_not_found());
    assert!(netlink.add_address(&name("virbr0"), &address("10.0.0.1/24", None)).unwrap_err().is_not_found());
    assert!(netlink.add_route(&route("10.0.0.0/8", None, 0)).unwrap_err().is_not_found());
    assert!(netlink.delete_route(&route("10.0.0.0/8", None, 7)).unwrap_err().is_not_found());
}

#[test]
fn names_that_are_taken_are_refused() {
    isolate!();
    let netlink = network();
    let error = netlink.add_link(&bridge(true, 400, MAC, 1400, false)).unwrap_err();
    assert!(error.is_exists(), "{error}");
    assert_eq!(error.to_string(), "cannot add link virbr0: File exists");
    assert!(netlink.add_veth(&name("vnet0"), &name("virbr0")).unwrap_err().is_exists());
    assert_eq!(netlink.link(&name("vnet0")).unwrap(), None);
    assert_eq!(shown(), value!([0, 0, MAC, 1500, true]));
}

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

/// A socket stays where it was opened, and serves many threads.
#[test]
fn sockets_are_shared_and_stay_in_their_namespace() {
    isolate!();
    let guest = Netns::new();
    let netlink = guest.run(|| Netlink::open().unwrap());
    thread::scope(|scope| {
        for thread in 0..4 {
            let netlink = &netlink;
            scope.spawn(move || {
                for number in 0..40 {
                    let name = name(&format!("br{thread}-{number}"));
                    let index = netlink.add_link(&Link { name: name.clone(), ..bridge(false, 0, MAC, 1500, false) });
                    assert_eq!(netlink.link(&name).unwrap().unwrap().index, index.unwrap());
                }
            });
        }
    });
    let is_bridge = |link: &Link| matches!(link.kind, LinkKind::Bridge(_));
    assert_eq!(netlink.links().unwrap().iter().filter(|it| is_bridge(&it.link)).count(), 160);
    assert_eq!(guest.run(|| json("ip", &["-j", "link", "show", "type", "bridge"])).as_array().unwrap().len(), 160);
    assert_eq!(json("ip", &["-j", "link", "show", "type", "bridge"]), value!([]));
}

#[test]
fn a_missing_privilege_is_named() {
    isolate!();
    network();
    thread::scope(|scope| scope.spawn(without_privilege).join()).unwrap();
}

fn without_privilege() {
    drop_capabilities();
    let netlink = Netlink::open().unwrap();
    let index = netlink.link(&name("virbr0")).unwrap().unwrap().index;
    let (link, other) = (bridge(false, 0, MAC, 1500, true), bridge(false, 0, MAC, 1400, true));
    let errors = [
        netlink.add_link(&Link { name: name("virbr1"), ..link.clone() }).unwrap_err(),
        netlink.set_link(index, &link, &other).unwrap_err(),
        netlink.delete_link(index).unwrap_err(),
        netlink.add_veth(&name("a"), &name("b")).unwrap_err(),
        netlink.set_up(index, false).unwrap_err(),
        netlink.add_address(&link.name, &address("10.0.0.1/24", None)).unwrap_err(),
        netlink.delete_address(&link.name, &address("192.168.122.1/24", None)).unwrap_err(),
        netlink.add_route(&route("10.0.0.0/8", None, 0)).unwrap_err(),
        netlink.delete_route(&route("10.0.0.0/8", None, 7)).unwrap_err(),
    ];
    for error in errors {
        assert!(error.is_permission_denied(), "{error}");
        assert!(error.to_string().contains("CAP_NET_ADMIN"), "{error}");
    }
}

/// Takes every capability from this thread (capset(2)).
#[allow(unsafe_code)]
fn drop_capabilities() {
    let header = [0x2008_0522u32, 0];
    let none = [0u32; 6];
    // SAFETY: capset reads the version with the thread (0: this one), and three sets of 64 bits.
    let result = unsafe { nix::libc::syscall(nix::libc::SYS_capset, header.as_ptr(), none.as_ptr()) };
    assert_eq!(result, 0);
}

/// The kernel says when a list changed while it was read (`NLM_F_DUMP_INTR`): then what is there for sure may be missing
/// in it, or be in it twice.
#[test]
fn lists_are_whole_though_what_is_listed_changes() {
    const ROUNDS: usize = 60;
    isolate!();
    let netlink = Netlink::open().unwrap();
    let lo = name("lo");
    let constant: Vec<String> = (1..=1500).map(|number| format!("2001:db8::{number:x}/128")).collect();
    constant.iter().for_each(|it| netlink.add_address(&lo, &address(it, None)).unwrap());
    let round = AtomicUsize::new(0);
    let faults = thread::scope(|scope| {
        scope.spawn(|| {
            // New ones come first in the list, and move all others.
            let (netlink, passing) = (Netlink::open().unwrap(), address("2001:db8:f::1/128", None));
            for next in 1..=ROUNDS {
                while round.load(Ordering::Acquire) < next {
                    thread::yield_now();
                }
                for _ in 0..12 {
                    netlink.add_address(&lo, &passing).unwrap();
                    netlink.delete_address(&lo, &passing).unwrap();
                }
            }
        });
        let look = |next| {
            round.store(next, Ordering::Release);
            let listed = netlink.addresses().map_err(|error| error.to_string())?;
            let mut listed: Vec<_> = listed.iter().map(|(_, it)| it.net.to_string()).collect();
            listed.sort_unstable();
            match listed.windows(2).find(|pair| pair[0] == pair[1]) {
                Some(pair) => Err(format!("{} is in it twice", pair[0])),
                None => match constant.iter().find(|it| listed.binary_search(it).is_err()) {
                    Some(missing) => Err(format!("{missing} is missing")),
                    None => Ok(()),
                },
            }
        };
        (1..=ROUNDS).filter_map(|next| look(next).err()).collect::<Vec<_>>()
    });
    assert!(faults.is_empty(), "of {ROUNDS} lists {}: {faults:?}", faults.len());
}
