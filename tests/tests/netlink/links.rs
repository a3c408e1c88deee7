//! Links: made, changed, plugged in, deleted.

use std::fs;

use nix::errno::Errno;
use rstest::rstest;
use serde_json::{Value, json as value};
use vnet_netlink::Netlink;
use vnet_tests::{Netns, isolate, json, run};
use vnet_types::{BridgeOptions, InterfaceName, Link, LinkKind};

use crate::{MAC, address, bridge, errno, name, network, route};

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
fn an_alias_is_written_and_read() {
    isolate!();
    let (netlink, bridge) = (Netlink::open().unwrap(), bridge(false, 0, MAC, 1500, true));
    let index = netlink.add_link(&bridge).unwrap();
    for alias in ["of somebody", &"a".repeat(255)] {
        netlink.set_alias(index, alias).unwrap();
        assert_eq!(json("ip", &["-j", "link", "show", "virbr0"])[0]["ifalias"], alias);
        assert_eq!(netlink.link(&bridge.name).unwrap().unwrap().alias.as_deref(), Some(alias));
    }
    let refused = netlink.set_alias(index, &"a".repeat(256)).unwrap_err();
    assert!(matches!(errno(&refused), Errno::EINVAL | Errno::ERANGE), "{refused}");
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

/// The kernel deletes whatever is in the group. A link of others that is in the group which would
/// be taken first stays, also one whose name is not text.
#[test]
fn only_the_links_that_were_named_are_deleted_together() {
    isolate!();
    let netlink = Netlink::open().unwrap();
    let add =
        |text: String| netlink.add_link(&Link { name: name(&text), ..bridge(false, 0, MAC, 1500, true) }).unwrap();
    let others = ["0x766e0000", "0x766e0001", "0x766e0003", "default"].map(|group| {
        let (link, number) = (format!("other{}", &group[group.len() - 1..]), group.replace("0x", ""));
        let index = add(link.clone());
        let number = u32::from_str_radix(&number, 16).unwrap_or(0);
        run("ip", &["link", "set", "dev", &link, "group", &number.to_string()]);
        index
    });
    // Kernels before 6.2 rename a link only while it is down.
    run("ip", &["link", "set", "dev", "othert", "down"]);
    run("sh", &["-c", "ip link set dev othert name \"$(printf 'othe\\377')\""]);
    let ours: Vec<u32> = (0..4).map(|number| add(format!("ours{number}"))).collect();
    netlink.delete_link(ours[3]).unwrap();
    netlink.delete_links(&ours).unwrap();
    // ip -j prints a name as it is.
    let listed = run("sh", &["-c", "ip -o link | tr -d '\\377'"]);
    let left: Vec<u32> = listed.lines().filter_map(|line| line.split(':').next()?.parse().ok()).collect();
    for index in others {
        assert!(left.contains(&index), "{index} of others is gone: {left:?}");
    }
    for index in ours {
        assert!(!left.contains(&index), "{index} is left: {left:?}");
    }
    netlink.delete_links(&[]).unwrap();
}

/// The list of IPv6 switches says what their files say.
#[test]
fn ipv6_switches_are_listed() {
    isolate!();
    let netlink = Netlink::open().unwrap();
    let index = netlink.add_link(&bridge(false, 0, MAC, 1500, true)).unwrap();
    let file = |name: &str| format!("/proc/sys/net/ipv6/conf/virbr0/{name}");
    for (disable, accept, autoconf) in [(0, 2, 1), (1, 0, 0)] {
        for (name, value) in [("disable_ipv6", disable), ("accept_ra", accept), ("autoconf", autoconf)] {
            fs::write(file(name), format!("{value}\n")).unwrap();
        }
        let listed = netlink.ipv6_switches().unwrap()[&index];
        assert_eq!((listed.disable_ipv6, listed.accept_ra, listed.autoconf), (disable, accept, autoconf));
    }
    // A link that is too small for IPv6 has none.
    run("ip", &["link", "set", "dev", "virbr0", "mtu", "1000"]);
    assert!(!fs::exists(file("autoconf")).unwrap());
    assert!(!netlink.ipv6_switches().unwrap().contains_key(&index));
}

/// Links are deleted as a group of which nobody else is a member: not a link that is in the first
/// group that is tried, and not one that was in the same group before.
#[test]
fn a_group_takes_nothing_of_others() {
    isolate!();
    let netlink = Netlink::open().unwrap();
    let made: Vec<u32> = ["one", "two", "three", "four", "theirs0", "theirs1"]
        .map(|link| {
            netlink.add_link(&Link { name: name(link), mac: None, ..bridge(false, 0, MAC, 1500, true) }).unwrap()
        })
        .into();
    let groups = [("theirs0", 0x766e_0000_u32), ("one", 0x766e_0000), ("theirs1", 7), ("two", 7)];
    for (link, group) in groups {
        run("ip", &["link", "set", "dev", link, "group", &group.to_string()]);
    }
    run("ip", &["link", "delete", "four"]);
    netlink.delete_links(&made[..4]).unwrap();
    let left = json("ip", &["-j", "-N", "link"]);
    let left: Vec<_> =
        left.as_array().unwrap().iter().map(|link| (link["ifname"].clone(), link["group"].clone())).collect();
    let expected = [("lo", 0), ("theirs0", 0x766e_0000), ("theirs1", 7)];
    assert_eq!(left, expected.map(|(link, group)| (value!(link), value!(group.to_string()))));
}
