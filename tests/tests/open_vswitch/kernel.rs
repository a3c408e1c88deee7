//! Frames that the kernel's module `openvswitch` carries, and limits that the kernel keeps.

use std::fs;
use std::path::Path;

use vnet_tests::{OpenVSwitch, isolate, json, run, vnet_does as done, wait_for};

use super::{Guest, NETWORK, SOON, add_as_libvirt, four_guests, interface, rows};

/// The flows that the kernel has.
fn flows() -> String {
    run("ovs-appctl", &["--target=/run/openvswitch/switch.ctl", "dpctl/dump-flows", "system@ovs-system"])
}

/// What traffic control has on a device, in each direction, with no counters.
fn limits_of(dev: &str) -> [String; 3] {
    let tc = |words: &[&str]| run("tc", &[words, &["dev", dev]].concat());
    let arriving = run("tc", &["filter", "show", "dev", dev, "ingress"]);
    // Actions are numbered in the namespace.
    [tc(&["qdisc", "show"]), tc(&["class", "show"]), arriving.replace("police 0x2", "police 0x1")]
}

/// Says something until each of these has heard it. A frame was lost once on a slow machine, it was
/// not seen where; Open vSwitch changes a port when its device gets a guest.
fn is_heard(speaker: &mut Guest, mark: u8, listeners: [&mut Guest; 2]) {
    for listener in listeners {
        wait_for(SOON, "a frame that is said again and again", || {
            speaker.says(mark, None);
            listener.catches(mark).then_some(())
        });
    }
}

#[test]
#[ignore = "needs the module openvswitch: runs in cargo xtask vm"]
fn guests_hear_their_own_vlan_only() {
    isolate!();
    let switch = OpenVSwitch::start(Path::new("/run/openvswitch"));
    switch.add_kernel_bridge("ovs0");
    switch.vsctl(&["set", "Interface", "ovs0", "mtu_request=1400"]);
    let checked = done(&["check", "--against-host", "-"], NETWORK).to_string();
    assert!(!checked.contains("VN06"), "{checked}");
    done(&["start", "-"], NETWORK);
    let [mut a, mut b, _c, _trunk] = four_guests();
    wait_for(SOON, "a flow of the VLAN", || flows().contains("push_vlan(vid=10,").then_some(()));
    let link = json("ip", &["-j", "link", "show", "vnet0"])[0].clone();
    assert_eq!((&link["master"], &link["mtu"]), (&"ovs-system".into(), &1400.into()), "{link}");
    // What is longer than the bridge's MTU is not carried.
    a.says_much(5, None, 1401);
    a.says_much(6, None, 1400);
    assert_eq!(b.hears(), (6, None));
    let status = done(&["status", "lab"], "")["networks"][0].clone();
    let is_sound = |key: &str| status[key] == serde_json::json!([]);
    assert!(status["state"] == "in-sync" && is_sound("changes") && is_sound("obstacles"), "{status}");

    // Limits are those of libvirt, and frames pass them.
    let limits = "<bandwidth><inbound average='1000' peak='2000' burst='512'/>\
                  <outbound average='500' burst='256'/></bandwidth>";
    let limited = interface(&format!("<vlan><tag id='10'/></vlan>{limits}"), "");
    let limited = limited.replace("<mac", "<target dev='g0'/><mac").replace("00:01'", "00:05'");
    done(&["attach", "-", "--guest", "vm1"], &limited);
    run("ip", &["tuntap", "add", "ref0", "mode", "tap"]);
    run("ip", &["link", "set", "ref0", "mtu", "1400"]);
    add_as_libvirt(&switch, "ref0", &["tag=10"], None, true);
    assert_eq!(limits_of("g0"), limits_of("ref0").map(|text| text.replace("ref0", "g0")));
    let mut guest = Guest::at("g0", 5);
    is_heard(&mut a, 7, [&mut guest, &mut b]);
    let counted = |what: &[&str]| {
        let text = run("tc", &[&["-s"], what].concat());
        text.contains("Sent ") && !text.contains("Sent 0 bytes")
    };
    assert!(counted(&["class", "show", "dev", "g0"]));
    // Open vSwitch makes the policer anew when it hears that the device has a guest.
    wait_for(SOON, "frames that the policer counts", || {
        is_heard(&mut guest, 8, [&mut a, &mut b]);
        counted(&["filter", "show", "dev", "g0", "ingress"]).then_some(())
    });

    // A device that somebody deletes leaves a row, which is collected; the name is free again.
    drop(guest);
    run("ip", &["link", "del", "g0"]);
    assert_eq!(done(&["ports"], "")["ports"][0]["state"], "drifted");
    fs::remove_dir_all("/run/vnet/@ports/g0").unwrap();
    assert_eq!(done(&["gc"], "")["switch_ports"], serde_json::json!(["g0"]));
    done(&["attach", "-", "--guest", "vm1"], &limited);
    let mut guest = Guest::at("g0", 5);
    is_heard(&mut guest, 9, [&mut a, &mut b]);
    drop(guest);
    done(&["detach", "g0"], "");
    switch.vsctl(&["del-port", "ref0"]);
    let ours = rows(&switch, "QoS", "external_ids:ifname=g0", "_uuid");
    assert_eq!((ours.len(), Path::new("/sys/class/net/g0").exists()), (0, false));
    done(&["stop", "lab"], "");
    assert_eq!(switch.vsctl(&["list-ports", "ovs0"]), "");
    assert!(!Path::new("/run/vnet").exists());
}
