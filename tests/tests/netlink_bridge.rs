//! Ports of bridges, their MAC addresses and VLANs against a kernel, seen through `bridge`.
#![allow(clippy::unwrap_used, reason = "a test")]

use rstest::rstest;
use serde_json::{Value, json as value};
use vnet_netlink::{Cause, Missing, Netlink};
use vnet_tests::{isolate, json, run};
use vnet_types::{BridgeOptions, BridgePort, BridgeVlan, Fdb, FdbOrigin, InterfaceName, Link, LinkKind};

fn name(text: &str) -> InterfaceName {
    text.parse().unwrap()
}

/// `br0` with the port `vnet0`.
fn netlink() -> Netlink {
    run("ip", &["link", "add", "br0", "type", "bridge"]);
    run("ip", &["link", "add", "vnet0", "type", "veth", "peer", "name", "eth0"]);
    let netlink = Netlink::open().unwrap();
    netlink.set_port(&name("vnet0"), &BridgePort::new(name("br0"))).unwrap();
    netlink
}

#[rstest]
#[case::new(BridgePort::new(name("br0")), value!([true, true, false, false]))]
#[case::no_learning(BridgePort { learning: false, ..BridgePort::new(name("br0")) }, value!([false, true, false, false]))]
#[case::no_flood(BridgePort { unicast_flood: false, ..BridgePort::new(name("br0")) }, value!([true, false, false, false]))]
#[case::isolated(BridgePort { isolated: true, ..BridgePort::new(name("br0")) }, value!([true, true, true, false]))]
#[case::quiet(BridgePort { neigh_suppress: true, ..BridgePort::new(name("br0")) }, value!([true, true, false, true]))]
fn ports_are_set_and_read(#[case] port: BridgePort, #[case] expected: Value) {
    isolate!();
    let netlink = netlink();
    let vnet0 = name("vnet0");
    netlink.set_port(&vnet0, &port).unwrap();
    let shown = &json("bridge", &["-j", "-d", "link", "show", "dev", "vnet0"])[0];
    assert_eq!(shown["master"], "br0");
    assert_eq!(value!([shown["learning"], shown["flood"], shown["isolated"], shown["neigh_suppress"]]), expected);
    assert_eq!(netlink.port(&vnet0).unwrap().as_ref(), Some(&port));
    netlink.remove_port(&vnet0).unwrap();
    assert_eq!(netlink.port(&vnet0).unwrap(), None);
    assert_eq!(json("bridge", &["-j", "link", "show", "dev", "vnet0"]), value!([]));
    assert_eq!(netlink.port(&name("nobody")).unwrap(), None);
    assert!(netlink.remove_port(&name("nobody")).unwrap_err().is_not_found());
    assert!(netlink.set_port(&vnet0, &BridgePort::new(name("nobody"))).unwrap_err().is_not_found());
}

#[rstest]
#[case(FdbOrigin::Static, "static")]
#[case(FdbOrigin::Local, "permanent")]
fn entries_come_and_go(#[case] origin: FdbOrigin, #[case] state: &str) {
    isolate!();
    let netlink = netlink();
    let entry = Fdb { mac: "52:54:00:01:02:03".parse().unwrap(), port: name("vnet0"), vlan: None, origin };
    let shown = || {
        let all = json("bridge", &["-j", "fdb", "show", "br", "br0"]);
        all.as_array().unwrap().iter().find(|it| it["mac"] == "52:54:00:01:02:03").cloned()
    };
    netlink.add_fdb(&entry).unwrap();
    let there = shown().unwrap();
    assert_eq!(
        (&there["ifname"], &there["state"], &there["master"]),
        (&value!("vnet0"), &value!(state), &value!("br0"))
    );
    assert!(netlink.fdb().unwrap().contains(&entry));
    assert!(netlink.add_fdb(&entry).unwrap_err().is_exists());
    netlink.delete_fdb(&entry).unwrap();
    assert_eq!(shown(), None);
    assert!(!netlink.fdb().unwrap().contains(&entry));
    assert!(netlink.delete_fdb(&entry).unwrap_err().is_not_found());
    let nobody = Fdb { port: name("nobody"), ..entry };
    assert!(netlink.delete_fdb(&nobody).unwrap_err().is_not_found());
}

#[test]
fn a_large_forwarding_database_is_read_whole() {
    isolate!();
    let netlink = netlink();
    let entry = |number: u16| {
        let [a, b] = number.to_be_bytes();
        let mac = vnet_types::MacAddr([0x52, 0x54, 0, 0, a, b]);
        Fdb { mac, port: name("vnet0"), vlan: None, origin: FdbOrigin::Static }
    };
    (0..2000).for_each(|number| netlink.add_fdb(&entry(number)).unwrap());
    let fixed =
        netlink.fdb().unwrap().into_iter().filter(|it| it.vlan.is_none() && it.origin == FdbOrigin::Static).count();
    assert_eq!(fixed, 2000);
}

/// A bridge that filters VLANs, with the port `vnet0`, which is in VLAN 1.
fn filtering() -> Netlink {
    let netlink = netlink();
    let options = BridgeOptions { vlan_filtering: true, ..BridgeOptions::default() };
    let known = netlink.link(&name("br0")).unwrap().unwrap();
    let LinkKind::Bridge(before) = known.link.kind else { panic!("a bridge") };
    let to = Link { kind: LinkKind::Bridge(BridgeOptions { vlan_filtering: true, ..before }), ..known.link.clone() };
    assert_ne!(before, options);
    netlink.set_link(known.index, &known.link, &to).unwrap();
    netlink
}

#[rstest]
#[case::access(&[BridgeVlan::access(7)], value!([{"vlan": 7, "flags": ["PVID", "Egress Untagged"]}]))]
#[case::trunk(
    &[BridgeVlan { last: 12, ..BridgeVlan::tagged(10) }, BridgeVlan::tagged(20)],
    value!([{"vlan": 10}, {"vlan": 11}, {"vlan": 12}, {"vlan": 20}])
)]
#[case::native(
    &[BridgeVlan::access(5), BridgeVlan::tagged(6)], value!([{"vlan": 5, "flags": ["PVID", "Egress Untagged"]}, {"vlan": 6}])
)]
#[case::native_tagged(
    &[BridgeVlan { pvid: true, ..BridgeVlan::tagged(5) }], value!([{"vlan": 5, "flags": ["PVID"]}])
)]
#[ignore = "needs bridges that filter VLANs: runs in cargo xtask vm"]
fn vlans_come_and_go(#[case] vlans: &[BridgeVlan], #[case] expected: Value) {
    isolate!();
    let netlink = filtering();
    for link in [name("vnet0"), name("br0")] {
        assert_eq!(netlink.vlans(&link).unwrap(), [BridgeVlan::access(1)]);
        netlink.delete_vlan(&link, &BridgeVlan::access(1)).unwrap();
        vlans.iter().for_each(|vlan| netlink.add_vlan(&link, vlan).unwrap());
        let shown = json("bridge", &["-j", "vlan", "show", "dev", link.as_str()]);
        assert_eq!(shown[0]["vlans"], expected, "{shown}");
        assert_eq!(netlink.vlans(&link).unwrap(), vlans);
        vlans.iter().for_each(|vlan| netlink.delete_vlan(&link, vlan).unwrap());
        assert_eq!(netlink.vlans(&link).unwrap(), []);
    }
}

#[test]
#[ignore = "needs bridges that filter VLANs: runs in cargo xtask vm"]
fn entries_are_of_a_vlan() {
    isolate!();
    let netlink = filtering();
    let mac = "52:54:00:01:02:03".parse().unwrap();
    let entry = Fdb { mac, port: name("vnet0"), vlan: Some(1), origin: FdbOrigin::Static };
    netlink.add_fdb(&entry).unwrap();
    assert!(netlink.fdb().unwrap().contains(&entry));
    netlink.delete_fdb(&entry).unwrap();
    assert!(!netlink.fdb().unwrap().contains(&entry));
}

#[test]
#[ignore = "needs bridges that filter VLANs: runs in cargo xtask vm"]
fn filtering_is_switched_on_and_off() {
    isolate!();
    let netlink = filtering();
    let shown =
        || json("ip", &["-j", "-d", "link", "show", "br0"])[0]["linkinfo"]["info_data"]["vlan_filtering"].clone();
    assert_eq!(shown(), 1);
    let known = netlink.link(&name("br0")).unwrap().unwrap();
    let LinkKind::Bridge(on) = known.link.kind else { panic!("a bridge") };
    assert!(on.vlan_filtering);
    let to = Link { kind: LinkKind::Bridge(BridgeOptions { vlan_filtering: false, ..on }), ..known.link.clone() };
    netlink.set_link(known.index, &known.link, &to).unwrap();
    assert_eq!(shown(), 0);
}

/// Where the kernel can filter, everything works; where it cannot, the refusal says so and nothing
/// is made.
#[test]
fn a_kernel_without_vlans_says_so() {
    isolate!();
    let netlink = Netlink::open().unwrap();
    let options = BridgeOptions { vlan_filtering: true, ..BridgeOptions::default() };
    let bridge = Link { name: name("br9"), kind: LinkKind::Bridge(options), mac: None, mtu: None, up: true };
    let can = Netlink::features().unwrap().unwrap().vlan_filtering;
    match netlink.add_link(&bridge) {
        Ok(_) => assert!(can),
        Err(error) => {
            assert_eq!((can, error.cause), (false, Some(Cause::Missing(Missing::VlanFiltering))));
            assert_eq!(netlink.link(&bridge.name).unwrap(), None);
        }
    }
}

#[rstest]
#[case(BridgeVlan::tagged(0))]
#[case(BridgeVlan::tagged(4095))]
#[case(BridgeVlan { last: 3, ..BridgeVlan::tagged(5) })]
fn numbers_that_are_no_vlans_are_refused(#[case] vlan: BridgeVlan) {
    isolate!();
    let error = netlink().add_vlan(&name("vnet0"), &vlan).unwrap_err();
    assert_eq!(error.refused.errno, nix::errno::Errno::EINVAL as i32);
}
