//! Guests on bridges that filter VLANs: whose MAC table vnet manages, and in VLANs of their own.
//! Frames show it.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use rstest::rstest;
use serde_json::Value;
use vnet_netlink::Tap;
use vnet_tests::{isolate, json, run, tell_vnet as vnet, vnet_does as done, wait_for};

/// How long nothing has to come, for it to be said that nothing comes.
const QUIET: Duration = Duration::from_millis(300);

/// A guest, as its network card: frames come and go.
struct Guest {
    mac: [u8; 6],
    file: File,
}

impl Guest {
    /// Attaches it: its number is the last of its MAC address.
    fn attach(number: u8, source: &str, more: &str) -> Self {
        let mac = [0x52, 0x54, 0, 0, 0, number];
        let interface = format!("<interface {source}<mac address='52:54:00:00:00:{number:02x}'/>{more}</interface>");
        Self::open(mac, done(&["attach", "-"], &interface)["port"]["name"].as_str().unwrap())
    }

    /// Opens its tap.
    fn open(mac: [u8; 6], tap: &str) -> Self {
        let name = tap.parse().unwrap();
        let [queue] = Tap::open(&name, NonZeroU16::MIN).unwrap().into_queues().try_into().unwrap();
        fcntl(&queue, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        let path = format!("/sys/class/net/{name}/brport/state");
        wait_for(Duration::from_secs(20), "the port to forward", || {
            (std::fs::read_to_string(&path).unwrap().trim() == "3").then_some(())
        });
        Self { mac, file: File::from(queue) }
    }

    /// Sends a frame with a mark of its own, from whomever.
    fn send(&mut self, to: [u8; 6], from: [u8; 6], mark: u8) {
        let mut frame = [&to[..], &from, &[0x88, 0xb5, mark]].concat();
        frame.resize(60, 0);
        self.file.write_all(&frame).unwrap();
    }

    /// The frame with this mark, when it comes in time.
    fn receives(&mut self, mark: u8, patience: Duration) -> Option<Vec<u8>> {
        let deadline = Instant::now() + patience;
        let mut buffer = [0; 2048];
        while Instant::now() < deadline {
            match self.file.read(&mut buffer) {
                Ok(length) => {
                    let frame = &buffer[..length];
                    if frame[12..].starts_with(&[0x88, 0xb5, mark]) || frame[16..].starts_with(&[0x88, 0xb5, mark]) {
                        return Some(frame.to_vec());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(Duration::from_millis(1)),
                Err(error) => panic!("{error}"),
            }
        }
        None
    }

    fn gets(&mut self, mark: u8) -> Vec<u8> {
        self.receives(mark, Duration::from_secs(5)).unwrap_or_else(|| panic!("frame {mark} did not come"))
    }

    fn gets_not(&mut self, mark: u8) {
        assert_eq!(self.receives(mark, QUIET), None, "frame {mark} came");
    }
}

const STRANGER: [u8; 6] = [0x52, 0x54, 0, 0xff, 0xff, 0xff];

/// The static entries of a port.
fn entries(port: &str) -> Vec<String> {
    let all = json("bridge", &["-j", "fdb", "show", "dev", port]);
    let fixed = |entry: &&Value| entry["state"] == "static" && entry["vlan"].is_null();
    all.as_array().unwrap().iter().filter(fixed).map(|entry| entry["mac"].as_str().unwrap().to_owned()).collect()
}

#[test]
#[ignore = "needs bridge VLAN filtering: runs in cargo xtask vm"]
fn a_managed_mac_table_keeps_frames_from_whom_they_are_not_for() {
    isolate!();
    let network = "<network><name>lab</name><bridge name='lab0' stp='off' macTableManager='libvirt'/>\
                   <ip address='10.9.0.1' prefix='24'/></network>";
    done(&["start", "-"], network);
    let attach = |number| Guest::attach(number, "type='network'><source network='lab'/>", "");
    let [mut a, mut b, mut c] = [1, 2, 3].map(attach);
    assert_eq!(json("ip", &["-j", "-d", "link", "show", "lab0"])[0]["linkinfo"]["info_data"]["vlan_filtering"], 1);
    let port = json("bridge", &["-j", "-d", "link", "show", "dev", "vnet0"])[0].clone();
    assert_eq!((&port["learning"], &port["flood"]), (&Value::Bool(false), &Value::Bool(false)));
    assert_eq!(entries("vnet0"), ["52:54:00:00:00:01"]);
    a.send(b.mac, a.mac, 1);
    b.gets(1);
    c.gets_not(1);
    a.send(STRANGER, a.mac, 2);
    b.gets_not(2);
    c.gets_not(2);
    // Who takes another's address teaches the bridge nothing, nor does one with an address of
    // nobody.
    a.send(b.mac, c.mac, 3);
    b.send(c.mac, b.mac, 4);
    c.gets(4);
    a.gets_not(4);
    a.send(b.mac, STRANGER, 5);
    b.send(STRANGER, b.mac, 6);
    a.gets_not(6);
    // The entry follows the guest's address.
    done(
        &["apply", "-"],
        "<interface type='network'><source network='lab'/><mac address='52:54:00:00:00:09'/><target dev='vnet0'/></interface>",
    );
    assert_eq!(entries("vnet0"), ["52:54:00:00:00:09"]);
    b.send([0x52, 0x54, 0, 0, 0, 9], b.mac, 7);
    a.gets(7);
    assert_eq!(done(&["diff", "lab"], "")["changes"].as_array().unwrap().len(), 0);
    run("bridge", &["fdb", "del", "52:54:00:00:00:09", "dev", "vnet0", "master"]);
    assert_eq!(vnet(&["diff", "lab"], "").status.code(), Some(1));
    done(&["apply", "-"], network);
    assert_eq!(entries("vnet0"), ["52:54:00:00:00:09"]);
    done(&["stop", "lab"], "");
    assert!(!std::path::Path::new("/run/vnet").exists(), "nothing is left");
}

/// A bridge of the system with an uplink; somebody beyond it.
fn system_bridge() -> Guest {
    for line in [
        "link add br0 type bridge",
        "link add card type veth peer name away",
        // Not every device can choose what it receives by address; this one can.
        "link add link card name uplink type vlan id 5",
        "link add link away name beyond type vlan id 5",
        "link add elsewhere type bridge",
        "tuntap add far mode tap",
        "link set uplink master br0",
        "link set beyond master elsewhere",
        "link set far master elsewhere",
    ] {
        run("ip", &line.split(' ').collect::<Vec<_>>());
    }
    for name in ["away", "card", "uplink", "beyond", "far", "elsewhere", "br0"] {
        run("ip", &["link", "set", name, "up"]);
    }
    Guest::open([0x52, 0x54, 0, 0, 0, 0xfa], "far")
}

fn seen(link: &str) -> Value {
    json("ip", &["-j", "-d", "link", "show", link])[0].clone()
}

fn is_filtering(bridge: &str) -> bool {
    seen(bridge)["linkinfo"]["info_data"]["vlan_filtering"] == 1
}

#[rstest]
#[case::network("type='network'><source network='lab'/>")]
#[case::bridge("type='bridge'><source bridge='br0' macTableManager='libvirt'/>")]
#[ignore = "needs bridge VLAN filtering: runs in cargo xtask vm"]
fn a_bridge_of_the_system_goes_on_filtering_and_its_uplink_need_not_see_everything(#[case] source: &str) {
    isolate!();
    let mut far = system_bridge();
    assert!(!is_filtering("br0"));
    assert_eq!(seen("uplink")["promiscuity"], 1);
    let of_network = source.contains("lab");
    if of_network {
        let network = "<network><name>lab</name><forward mode='bridge'/>\
                       <bridge name='br0' macTableManager='libvirt'/></network>";
        done(&["start", "-"], network);
        assert!(is_filtering("br0"));
    }
    let [mut a, mut b] = [1, 2].map(|number| Guest::attach(number, source, ""));
    assert!(is_filtering("br0"));
    assert_eq!(seen("uplink")["promiscuity"], 0);
    assert_eq!(entries("vnet0"), ["52:54:00:00:00:01"]);
    // The way in and out: to whom it is for, and unknown ones from guests to the uplink only.
    far.send(a.mac, far.mac, 1);
    a.gets(1);
    b.gets_not(1);
    far.send(STRANGER, far.mac, 2);
    a.gets_not(2);
    b.gets_not(2);
    a.send(far.mac, a.mac, 3);
    far.gets(3);
    b.gets_not(3);
    // The address may change.
    let changed = format!("<interface {source}<mac address='52:54:00:00:00:09'/><target dev='vnet0'/></interface>");
    done(&["apply", "-"], &changed);
    assert_eq!(entries("vnet0"), ["52:54:00:00:00:09"]);
    far.send([0x52, 0x54, 0, 0, 0, 9], far.mac, 4);
    a.gets(4);
    drop((a, b));
    done(&["detach", "vnet0"], "");
    done(&["detach", "vnet1"], "");
    assert!(!run("bridge", &["fdb", "show", "br", "br0"]).contains("52:54:00:00:00:0"), "our entries go");
    if of_network {
        done(&["stop", "lab"], "");
    }
    assert!(is_filtering("br0"), "others may have come to rely on it");
    let uplink = json("bridge", &["-j", "-d", "link", "show", "dev", "uplink"])[0].clone();
    assert_eq!((&uplink["learning"], &uplink["flood"]), (&Value::Bool(true), &Value::Bool(true)));
    assert!(!std::path::Path::new("/run/vnet").exists(), "nothing is left");
}

#[test]
#[ignore = "needs bridge VLAN filtering: runs in cargo xtask vm"]
fn a_managed_mac_table_knows_guests_in_their_vlans() {
    isolate!();
    run("ip", &["link", "add", "br0", "type", "bridge"]);
    run("ip", &["link", "set", "br0", "up"]);
    let on = "type='bridge'><source bridge='br0' macTableManager='libvirt'/>";
    let vlan = |id: u16| format!("<vlan><tag id='{id}'/></vlan>");
    let mut a = Guest::attach(1, on, &vlan(10));
    let mut b = Guest::attach(2, on, &vlan(10));
    let mut c = Guest::attach(3, on, &vlan(20));
    a.send(b.mac, a.mac, 1);
    b.gets(1);
    a.send(c.mac, a.mac, 2);
    c.gets_not(2);
    // Who moves into another VLAN is found there, and no longer where it was.
    let moved =
        format!("<interface {on}<mac address='52:54:00:00:00:02'/>{}<target dev='vnet1'/></interface>", vlan(20));
    assert!(!done(&["apply", "-"], &moved)["changes"].as_array().unwrap().is_empty());
    c.send(b.mac, c.mac, 3);
    b.gets(3);
    a.send(b.mac, a.mac, 4);
    b.gets_not(4);
    let known = json("bridge", &["-j", "fdb", "show", "dev", "vnet1"]);
    let own = known.as_array().unwrap().iter().filter(|entry| entry["mac"] == "52:54:00:00:00:02");
    assert_eq!(own.map(|entry| entry["vlan"].as_u64()).collect::<Vec<_>>(), [Some(20)]);
    // In any of its VLANs somebody may take the entry away.
    run("bridge", &["fdb", "del", "52:54:00:00:00:02", "dev", "vnet1", "master", "vlan", "20"]);
    assert_eq!(vnet(&["diff", "vnet1"], "").status.code(), Some(1));
    done(&["apply", "-"], &moved);
    c.send(b.mac, c.mac, 5);
    b.gets(5);
}

/// The default VLAN is one of its VLANs too.
#[test]
#[ignore = "needs bridge VLAN filtering: runs in cargo xtask vm"]
fn an_entry_that_is_gone_in_one_vlan_is_drift() {
    isolate!();
    run("ip", &["link", "add", "br0", "type", "bridge"]);
    let interface = "<interface type='bridge'><source bridge='br0' macTableManager='libvirt'/>\
                     <mac address='52:54:00:00:00:01'/><target dev='guest'/></interface>";
    done(&["attach", "-"], interface);
    let before = run("bridge", &["fdb", "show", "dev", "guest"]);
    run("bridge", &["fdb", "del", "52:54:00:00:00:01", "dev", "guest", "master", "vlan", "1"]);
    assert_eq!(vnet(&["diff", "guest"], "").status.code(), Some(1));
    done(&["apply", "-"], interface);
    assert_eq!(run("bridge", &["fdb", "show", "dev", "guest"]), before);
    done(&["detach", "guest"], "");
}

/// As bridge(8) tells of them.
fn vlans(port: &str) -> Vec<String> {
    let shown = json("bridge", &["-j", "vlan", "show", "dev", port]);
    let one = |vlan: &Value| {
        let flags = vlan["flags"].as_array().into_iter().flatten().map(|flag| format!(" {}", flag.as_str().unwrap()));
        format!("{}{}", vlan["vlan"], flags.collect::<String>())
    };
    shown[0]["vlans"].as_array().unwrap().iter().map(one).collect()
}

const VLANS: [(&str, &[&str]); 6] = [
    ("<vlan><tag id='10'/></vlan>", &["10 PVID Egress Untagged"]),
    ("<vlan trunk='yes'><tag id='10'/><tag id='20'/></vlan>", &["10", "20"]),
    ("<vlan trunk='yes'><tag id='10' nativeMode='tagged'/><tag id='20'/></vlan>", &["10 PVID", "20"]),
    // Without a definition it is the bridge's default.
    ("", &["1 PVID Egress Untagged"]),
    ("<vlan trunk='yes'><tag id='4094'/></vlan>", &["4094"]),
    ("<vlan trunk='yes'><tag id='20'/><tag id='1' nativeMode='untagged'/></vlan>", &["1 PVID Egress Untagged", "20"]),
];

#[test]
#[ignore = "needs bridge VLAN filtering: runs in cargo xtask vm"]
fn ports_have_the_vlans_that_are_defined() {
    isolate!();
    run("ip", &["link", "add", "br0", "type", "bridge", "vlan_filtering", "1"]);
    let interface =
        |vlan: &str| format!("<interface type='bridge'><source bridge='br0'/><target dev='guest'/>{vlan}</interface>");
    done(&["attach", "-"], &interface(VLANS[0].0));
    for (vlan, shown) in VLANS {
        done(&["apply", "-"], &interface(vlan));
        assert_eq!(vlans("guest"), shown);
    }
    // Others' changes are drift.
    let (last, shown) = VLANS[5];
    run("bridge", &["vlan", "add", "dev", "guest", "vid", "77"]);
    assert_eq!(vnet(&["diff", "guest"], "").status.code(), Some(1));
    done(&["apply", "-"], &interface(last));
    assert_eq!(vlans("guest"), shown);
    assert_eq!(done(&["diff", "guest"], "")["changes"].as_array().unwrap().len(), 0);
}

/// A kernel either has it or not; which, is known before anything is done.
#[rstest]
#[case::network("start", "<network><name>lab</name><bridge name='lab0' macTableManager='libvirt'/></network>")]
#[case::bridge_of_the_system(
    "start",
    "<network><name>lab</name><forward mode='bridge'/><bridge name='br0' macTableManager='libvirt'/></network>"
)]
#[case::interface("attach", "<interface type='bridge'><source bridge='br0' macTableManager='libvirt'/></interface>")]
#[case::interface_in_a_vlan(
    "attach",
    "<interface type='bridge'><source bridge='br0' macTableManager='libvirt'/><vlan><tag id='7'/></vlan></interface>"
)]
fn a_kernel_that_cannot_filter_is_found_while_planning(#[case] act: &str, #[case] document: &str) {
    isolate!();
    run("ip", &["link", "add", "br0", "type", "bridge"]);
    let before = run("ip", &["-d", "link"]);
    let can = vnet_netlink::Netlink::features().unwrap().unwrap().vlan_filtering;
    for command in ["plan", act] {
        let output = vnet(&[command, "-"], document);
        assert_eq!(output.status.success(), can);
        if !can {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.starts_with("error: ") && said.contains("CONFIG_BRIDGE_VLAN_FILTERING"), "{said}");
            assert!(said.lines().count() == 2 && said.contains("\nhelp: "), "{said}");
            assert_eq!(run("ip", &["-d", "link"]), before);
            assert!(!std::path::Path::new("/run/vnet").exists(), "nothing is left");
        }
    }
}

#[test]
#[ignore = "needs bridge VLAN filtering: runs in cargo xtask vm"]
fn guests_are_in_the_vlans_of_their_ports() {
    isolate!();
    run("ip", &["link", "add", "br0", "type", "bridge", "vlan_filtering", "0"]);
    run("ip", &["link", "set", "br0", "up"]);
    let access = "<interface type='bridge'><source bridge='br0'/><vlan><tag id='10'/></vlan></interface>";
    let refused = vnet(&["attach", "-"], access);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("bridge `br0` does not filter VLANs"));
    run("ip", &["link", "set", "br0", "type", "bridge", "vlan_filtering", "1"]);
    let on = "type='bridge'><source bridge='br0'/>";
    let mut access = Guest::attach(1, on, "<vlan><tag id='10'/></vlan>");
    let trunk = "<vlan trunk='yes'><tag id='10'/><tag id='20'/><tag id='30' nativeMode='untagged'/></vlan>";
    let mut trunk = Guest::attach(2, on, trunk);
    let mut other = Guest::attach(3, on, "<vlan><tag id='20'/></vlan>");
    let mut native = Guest::attach(4, on, "<vlan><tag id='30'/></vlan>");
    let change = |number: u8, dev: &str, vlan: &str| {
        let mac = format!("<mac address='52:54:00:00:00:{number:02x}'/><target dev='{dev}'/>");
        done(&["apply", "-"], &format!("<interface {on}{mac}{vlan}</interface>"));
    };
    assert_eq!(vlans("vnet0"), ["10 PVID Egress Untagged"]);
    assert_eq!(vlans("vnet1"), ["10", "20", "30 PVID Egress Untagged"]);
    access.send([0xff; 6], access.mac, 1);
    let frame = trunk.gets(1);
    assert_eq!(frame[12..16], [0x81, 0x00, 0, 10], "the trunk sees the tag");
    other.gets_not(1);
    native.send([0xff; 6], native.mac, 2);
    assert_eq!(trunk.gets(2)[12..14], [0x88, 0xb5], "its native VLAN comes without");
    access.gets_not(2);
    trunk.send([0xff; 6], trunk.mac, 3);
    native.gets(3);
    access.gets_not(3);
    // What is native may have a tag all the same; and nothing without a tag comes from a trunk
    // without a native VLAN.
    let tagged = "<vlan trunk='yes'><tag id='10'/><tag id='30' nativeMode='tagged'/></vlan>";
    change(2, "vnet1", tagged);
    native.send([0xff; 6], native.mac, 4);
    assert_eq!(trunk.gets(4)[12..16], [0x81, 0x00, 0, 30]);
    trunk.send([0xff; 6], trunk.mac, 5);
    native.gets(5);
    other.send([0xff; 6], other.mac, 6);
    trunk.gets_not(6);
    change(2, "vnet1", "<vlan trunk='yes'><tag id='10'/><tag id='30'/></vlan>");
    trunk.send([0xff; 6], trunk.mac, 7);
    native.gets_not(7);
    access.gets_not(7);
    for port in ["vnet0", "vnet1", "vnet2", "vnet3"] {
        assert_eq!(done(&["diff", port], "")["changes"].as_array().unwrap().len(), 0);
        done(&["detach", port], "");
    }
    assert_eq!(run("bridge", &["fdb"]).matches("52:54:00:00:00").count(), 0);
}
