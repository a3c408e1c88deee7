//! Guests on bridges that filter VLANs: whose MAC table vnet manages, and in VLANs of their own. Frames show it.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::num::NonZeroU16;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use serde_json::Value;
use vnet_netlink::Tap;
use vnet_tests::{isolate, json, run, wait_for};

/// How long nothing has to come, for it to be said that nothing comes.
const QUIET: Duration = Duration::from_millis(300);

fn vnet(arguments: &[&str], document: &str) -> Output {
    let mut command = Command::new(vnet_tests::vnet());
    command.args(["--state-dir", "/run/vnet"]).args(arguments).args(["--format", "json"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(document.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn done(arguments: &[&str], document: &str) -> Value {
    let output = vnet(arguments, document);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

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
        let name = done(&["attach", "-"], &interface)["port"]["name"].as_str().unwrap().parse().unwrap();
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
#[ignore = "needs bridge VLAN filtering: runs in cargo xtask vmtest"]
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
    // Who takes another's address teaches the bridge nothing, nor does one with an address of nobody.
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

#[test]
#[ignore = "needs bridge VLAN filtering: runs in cargo xtask vmtest"]
fn a_bridge_of_the_system_goes_on_filtering_and_its_uplink_need_not_see_everything() {
    isolate!();
    run("ip", &["link", "add", "br0", "type", "bridge"]);
    run("ip", &["link", "add", "card", "type", "veth", "peer", "name", "away"]);
    // Not every device can choose what it receives by address; this one can.
    run("ip", &["link", "add", "link", "card", "name", "uplink", "type", "vlan", "id", "5"]);
    for name in ["away", "card", "uplink", "br0"] {
        run("ip", &["link", "set", name, "up"]);
    }
    run("ip", &["link", "set", "uplink", "master", "br0"]);
    let promiscuity = || json("ip", &["-j", "-d", "link", "show", "uplink"])[0]["promiscuity"].as_u64();
    let filtering =
        || json("ip", &["-j", "-d", "link", "show", "br0"])[0]["linkinfo"]["info_data"]["vlan_filtering"].as_u64();
    done(
        &["start", "-"],
        "<network><name>lab</name><forward mode='bridge'/><bridge name='br0' macTableManager='libvirt'/></network>",
    );
    assert_eq!(filtering(), Some(1));
    let guest = Guest::attach(1, "type='network'><source network='lab'/>", "");
    assert_eq!(promiscuity(), Some(0));
    assert_eq!(entries("vnet0"), ["52:54:00:00:00:01"]);
    drop(guest);
    done(&["detach", "vnet0"], "");
    assert!(!run("bridge", &["fdb"]).contains("52:54:00:00:00:01"));
    done(&["stop", "lab"], "");
    assert_eq!(filtering(), Some(1), "others may have come to rely on it");
}

#[test]
#[ignore = "needs bridge VLAN filtering: runs in cargo xtask vmtest"]
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
    let vlans = |port: &str| {
        let shown = json("bridge", &["-j", "vlan", "show", "dev", port]);
        let one = |vlan: &Value| {
            let flags = vlan["flags"]
                .as_array()
                .map(|flags| flags.iter().map(|it| it.as_str().unwrap()).collect::<Vec<_>>().join(" "));
            format!("{} {}", vlan["vlan"], flags.unwrap_or_default())
        };
        shown[0]["vlans"].as_array().unwrap().iter().map(one).collect::<Vec<_>>()
    };
    assert_eq!(vlans("vnet0"), ["10 PVID Egress Untagged"]);
    assert_eq!(vlans("vnet1"), ["10 ", "20 ", "30 PVID Egress Untagged"]);
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
    for port in ["vnet0", "vnet1", "vnet2", "vnet3"] {
        assert_eq!(done(&["diff", port], "")["changes"].as_array().unwrap().len(), 0);
        done(&["detach", port], "");
    }
    assert_eq!(run("bridge", &["fdb"]).matches("52:54:00:00:00").count(), 0);
}
