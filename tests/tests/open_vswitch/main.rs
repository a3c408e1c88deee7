//! Guests as ports of a real Open vSwitch: its rows, seen by its own programs, and frames, with the
//! datapath in userspace. What the kernel carries is in `kernel` and `kernel_ovn`.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use serde_json::Value;
use vnet_netlink::Tap;
use vnet_tests::{OpenVSwitch, isolate, run, tell_vnet as vnet, vnet_does as done, wait_for};

mod kernel;
mod kernel_ovn;

const SOON: Duration = Duration::from_secs(20);
const GUEST: &str = "11111111-2222-4333-8444-555555555555";
const INTERFACE: &str = "6a0e3b0c-7d3f-4c7c-9a3f-0d0c5b6f1e10";
const BROADCAST: [u8; 6] = [0xff; 6];
const NETWORK: &str = "<network><name>lab</name><forward mode='bridge'/><bridge name='ovs0'/>\
    <virtualport type='openvswitch'/><portgroup name='ten'><vlan><tag id='10'/></vlan></portgroup>\
    <portgroup name='twenty'><vlan><tag id='20'/></vlan></portgroup><portgroup name='both'>\
    <vlan trunk='yes'><tag id='10'/><tag id='20'/></vlan></portgroup></network>";

fn refused(arguments: &[&str], document: &str, why: &str) {
    let output = vnet(arguments, document);
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success() && said.contains(why), "{said}");
}

fn switch() -> OpenVSwitch {
    let switch = OpenVSwitch::start(Path::new("/run/openvswitch"));
    switch.add_bridge("ovs0");
    switch
}

/// The columns of the rows that a condition of ovs-vsctl selects, as it prints them.
fn rows(switch: &OpenVSwitch, table: &str, condition: &str, columns: &str) -> Vec<BTreeMap<String, Value>> {
    let text = switch.vsctl(&["--format=json", &format!("--columns={columns}"), "find", table, condition]);
    let printed: Value = serde_json::from_str(&text).unwrap();
    let names: Vec<String> = serde_json::from_value(printed["headings"].clone()).unwrap();
    let rows = printed["data"].as_array().unwrap().iter();
    rows.map(|row| names.iter().cloned().zip(row.as_array().unwrap().iter().cloned()).collect()).collect()
}

/// Everything that libvirt decides of a port, with its name as `DEV`, and without our mark.
fn decided(switch: &OpenVSwitch, dev: &str) -> String {
    let named = format!("name={dev}");
    let of = format!("external_ids:ifname={dev}");
    let mut port = rows(switch, "Port", &named, "tag,trunks,vlan_mode,other_config,external_ids");
    if let Value::Array(ids) = &mut port[0].get_mut("external_ids").unwrap()[1] {
        ids.retain(|pair| pair[0] != "vnet-namespace");
    }
    let columns = "external_ids,ingress_policing_rate,ingress_policing_burst,type,options";
    let interface = rows(switch, "Interface", &named, columns);
    let (qos, queue) = (
        rows(switch, "QoS", &of, "type,other_config,external_ids"),
        rows(switch, "Queue", &of, "other_config,external_ids"),
    );
    format!("{port:?}\n{interface:?}\n{qos:?}\n{queue:?}").replace(dev, "DEV")
}

/// What libvirt 11.3 runs for the same interface: `virNetDevOpenvswitchAddPort` and
/// `virNetDevOpenvswitchInterfaceSetQos` of `src/util/virnetdevopenvswitch.c`.
fn add_as_libvirt(switch: &OpenVSwitch, dev: &str, vlan: &[&str], profile: Option<&str>, limits: bool) {
    let id = |pair: &str| format!("external-ids:{pair}");
    let mut pairs = vec![
        id("attached-mac=\"52:54:00:00:00:01\""),
        id(&format!("iface-id=\"{INTERFACE}\"")),
        id(&format!("vm-id=\"{GUEST}\"")),
    ];
    if let Some(profile) = profile {
        pairs.extend([id(&format!("port-profile=\"{profile}\"")), id(&format!("ifname=\"{dev}\""))]);
    }
    pairs.push(id("iface-status=active"));
    let mut words = vec!["--", "--may-exist", "add-port", "ovs0", dev, "--", "set", "Port", dev];
    words.push("other_config:transient=true");
    words.extend(vlan);
    pairs.iter().for_each(|pair| words.extend(["--", "set", "Interface", dev, pair]));
    switch.vsctl(&words);
    if limits {
        let ids = [id(&format!("vm-id=\"{GUEST}\"")), id(&format!("ifname=\"{dev}\""))];
        let ids = [&*ids[0], &*ids[1]];
        let config = ["other_config:min-rate=8000000", "other_config:burst=4194304", "other_config:max-rate=16000000"];
        let qos = ["--", "--id=@qos1", "create", "qos", "type=linux-htb"];
        let queue = ["--", "--id=@queue0", "create", "queue"];
        let port = ["set", "port", dev, "qos=@qos1"];
        switch.vsctl(&[&port[..], &ids, &qos, &config, &["queues:0=@queue0"], &ids, &queue, &config, &ids].concat());
        switch.vsctl(&["set", "Interface", dev, "ingress_policing_rate=4000", "ingress_policing_burst=2048"]);
    }
}

fn domain(interface: &str) -> String {
    format!("<domain type='kvm'><name>vm1</name><uuid>{GUEST}</uuid><devices>{interface}</devices></domain>")
}

fn interface(inside: &str, profile: &str) -> String {
    format!(
        "<interface type='bridge'><source bridge='ovs0'/><mac address='52:54:00:00:00:01'/>\
         <virtualport type='openvswitch'><parameters interfaceid='{INTERFACE}'{profile}/></virtualport>{inside}</interface>"
    )
}

#[test]
fn rows_are_those_of_libvirt_and_go_with_the_port() {
    isolate!();
    let switch = switch();
    run("ip", &["tuntap", "add", "ref0", "mode", "tap"]);
    switch.vsctl(&["set", "Interface", "ovs0", "mtu_request=1400"]);
    let limits = "<bandwidth><inbound average='1000' peak='2000' burst='512'/>\
                  <outbound average='500' burst='256'/></bandwidth>";
    let native = |mode: &str| format!("<vlan trunk='yes'><tag id='42' nativeMode='{mode}'/><tag id='47'/></vlan>");
    let cases: [(String, &[&str], Option<&str>, bool); 6] = [
        (String::new(), &[], None, false),
        ("<vlan><tag id='42'/></vlan>".into(), &["tag=42"], None, false),
        ("<vlan trunk='yes'><tag id='47'/><tag id='42'/></vlan>".into(), &["trunk=47,42"], Some("blue sky"), false),
        (native("tagged"), &["vlan_mode=native-tagged", "tag=42", "trunk=42,47"], None, false),
        (native("untagged"), &["vlan_mode=native-untagged", "tag=42", "trunk=42,47"], None, true),
        (limits.into(), &[], Some("p"), true),
    ];
    for (inside, vlan, profile, limited) in cases {
        let words = profile.map(|profile| format!(" profileid='{profile}'")).unwrap_or_default();
        let inside = if limited && !inside.contains("bandwidth") { inside + limits } else { inside };
        let attached = done(&["attach", "-"], &domain(&interface(&inside, &words)));
        let port = attached["ports"].get(0).unwrap_or(&attached["port"]).clone();
        assert_eq!((&port["name"], &port["mtu"]), (&"vnet0".into(), &1400.into()), "{attached}");
        assert_eq!(done(&["ports"], "")["ports"][0]["state"], "in-sync");
        add_as_libvirt(&switch, "ref0", vlan, profile, limited);
        assert_eq!(decided(&switch, "vnet0"), decided(&switch, "ref0"), "{inside}");
        done(&["detach", "vnet0"], "");
        assert_eq!(switch.vsctl(&["list-ports", "ovs0"]).trim(), "ref0");
        switch.vsctl(&["del-port", "ref0"]);
        switch.vsctl(&["--all", "destroy", "QoS", "--", "--all", "destroy", "Queue"]);
    }
    // The limits of a port stay in Open vSwitch unless they are removed.
    done(&["attach", "-"], &domain(&interface(limits, "")));
    done(&["detach", "vnet0"], "");
    assert_eq!(
        (rows(&switch, "QoS", "type=linux-htb", "_uuid"), rows(&switch, "Queue", "dscp=[]", "_uuid")),
        (vec![], vec![])
    );
    assert!(!Path::new("/sys/class/net/vnet0").exists());
}

#[test]
fn a_port_that_others_change_is_seen_and_repaired() {
    isolate!();
    let switch = switch();
    let limits = "<bandwidth><inbound average='1000'/></bandwidth>";
    let document = interface(&format!("<vlan><tag id='42'/></vlan>{limits}"), "");
    done(&["attach", "-", "--guest", "vm1"], &document);
    let named = document.replace("<mac", "<target dev='vnet0'/><mac");
    let before = decided(&switch, "vnet0");
    let damages: [&[&str]; 5] = [
        &["set", "Port", "vnet0", "tag=7"],
        &["clear", "Interface", "vnet0", "external_ids"],
        &["set", "Interface", "vnet0", "ingress_policing_rate=8"],
        &["clear", "Port", "vnet0", "qos"],
        &["del-port", "vnet0"],
    ];
    for damage in damages {
        switch.vsctl(damage);
        assert_eq!(done(&["ports"], "")["ports"][0]["state"], "drifted", "{damage:?}");
        done(&["apply", "-"], &named);
        assert_eq!(decided(&switch, "vnet0"), before, "{damage:?}");
        assert_eq!(done(&["ports"], "")["ports"][0]["state"], "in-sync", "{damage:?}");
    }
    // A change of the definition is one of the rows, and the port stays.
    let ofport = switch.vsctl(&["get", "Interface", "vnet0", "ofport"]);
    let changed = named.replace("id='42'", "id='43'").replace("average='1000'", "average='2000'");
    done(&["apply", "-"], &changed);
    assert_eq!(switch.vsctl(&["get", "Port", "vnet0", "tag"]).trim(), "43");
    assert_eq!(switch.vsctl(&["get", "Interface", "vnet0", "ofport"]), ofport);
    let qos = rows(&switch, "QoS", "external_ids:ifname=vnet0", "other_config");
    assert_eq!(qos.len(), 1, "{qos:?}");
    // What somebody else has made anew under this name stays.
    switch.vsctl(&["del-port", "vnet0", "--", "add-port", "ovs0", "vnet0"]);
    done(&["detach", "vnet0"], "");
    assert_eq!(switch.vsctl(&["list-ports", "ovs0"]).trim(), "vnet0");
}

#[test]
fn what_cannot_be_is_told_and_leaves_nothing() {
    isolate!();
    refused(&["try", "-"], NETWORK, "are ports of Open vSwitch, and a trial starts none");
    let wanted = interface("", "");
    let check = |document: &str| done(&["check", "--against-host", "-"], document).to_string();
    assert!(check(NETWORK).contains("Open vSwitch cannot be used here"), "{}", check(NETWORK));
    refused(&["attach", "-"], &wanted, "Open vSwitch cannot be used");
    let switch = switch();
    assert!(!check(NETWORK).contains("VN0613"), "{}", check(NETWORK));
    let elsewhere = |text: &str| text.replace("ovs0", "ovs1");
    assert!(check(&elsewhere(NETWORK)).contains("Open vSwitch has no bridge `ovs1` yet"));
    refused(&["attach", "-"], &elsewhere(&wanted), "Open vSwitch has no bridge `ovs1`");
    run("ip", &["link", "add", "ovs1", "type", "bridge"]);
    refused(&["attach", "-"], &elsewhere(&wanted), "not of Open vSwitch");
    // A port of this name is somebody else's, although its device is gone.
    switch.vsctl(&["--no-wait", "add-port", "ovs0", "tap7"]);
    let named = wanted.replace("<mac", "<target dev='tap7'/><mac");
    refused(&["attach", "-"], &named, "there is already: port tap7 of Open vSwitch");
    assert_eq!(switch.vsctl(&["list-ports", "ovs0"]).trim(), "tap7");
    assert!(!Path::new("/run/vnet/@ports/vnet0").exists());
    assert!(!Path::new("/sys/class/net/vnet0").exists());
}

#[test]
fn an_attach_that_is_killed_leaves_before_or_after() {
    isolate!();
    let switch = switch();
    let limits = "<bandwidth><inbound average='1000'/></bandwidth>";
    let document = interface(limits, "").replace("<mac", "<target dev='g0'/><mac");
    std::fs::write("/run/interface.xml", &document).unwrap();
    let mut killed = 0;
    // Each message to the kernel and to Open vSwitch, and each write of the journal.
    for number in 1.. {
        let inject = format!("inject=sendto,sendmsg,write,rename,unlink:signal=SIGKILL:when={number}");
        let mut command = Command::new("strace");
        command.args(["-f", "-o", "/dev/null", "-e", "trace=sendto,sendmsg,write,rename,unlink", "-e", &inject]);
        command.arg(vnet_tests::vnet()).args(["--state-dir", "/run/vnet", "attach", "/run/interface.xml"]);
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        let listed = done(&["ports"], "");
        let is_there = listed["ports"].as_array().unwrap().iter().any(|port| port["name"] == "g0");
        if is_there {
            done(&["detach", "g0"], "");
        }
        assert_eq!(switch.vsctl(&["list-ports", "ovs0"]), "", "killed at {number}");
        assert_eq!(rows(&switch, "QoS", "type=linux-htb", "_uuid"), [], "killed at {number}");
        assert!(!Path::new("/sys/class/net/g0").exists(), "killed at {number}");
        if status.success() {
            assert!(is_there);
            break;
        }
        killed += 1;
    }
    assert!(killed > 5, "killed {killed} times only");
}

#[test]
fn ports_without_a_device_are_collected_and_those_of_others_stay() {
    isolate!();
    let mut switch = switch();
    done(&["attach", "-"], &interface("<bandwidth><inbound average='1000'/></bandwidth>", ""));
    switch.vsctl(&["add-port", "ovs0", "gone0", "--", "set", "Port", "gone0", "other_config:transient=true"]);
    assert_eq!(done(&["gc"], "")["switch_ports"], serde_json::json!([]));
    run("ip", &["link", "del", "vnet0"]);
    // While a receipt names it, it is drift.
    assert_eq!(done(&["gc"], "")["switch_ports"], serde_json::json!([]));
    assert_eq!(done(&["ports"], "")["ports"][0]["state"], "drifted");
    std::fs::remove_dir_all("/run/vnet/@ports/vnet0").unwrap();
    assert_eq!(done(&["gc"], "")["switch_ports"], serde_json::json!(["vnet0"]));
    assert_eq!(switch.vsctl(&["list-ports", "ovs0"]).trim(), "gone0");
    assert_eq!(rows(&switch, "QoS", "type=linux-htb", "_uuid"), []);
    // Without the database a port is listed, and not taken to be gone.
    done(&["attach", "-"], &interface("", ""));
    switch.server.kill();
    assert_eq!(done(&["ports"], "")["ports"][0]["state"], "unsure");
    refused(&["detach", "vnet0"], "", "Open vSwitch does not remove the port vnet0");
}

/// A guest, as its network card.
struct Guest(File, [u8; 6]);

impl Guest {
    fn attach(number: u8, group: &str) -> Self {
        let document = format!(
            "<interface type='network'><source network='lab' portgroup='{group}'/>\
             <mac address='52:54:00:00:00:{number:02x}'/></interface>"
        );
        let attached = done(&["attach", "-"], &document);
        Self::at(attached["port"]["name"].as_str().unwrap(), number)
    }

    /// One that is attached.
    fn at(dev: &str, number: u8) -> Self {
        let [queue] = Tap::open(&dev.parse().unwrap(), NonZeroU16::MIN).unwrap().into_queues().try_into().unwrap();
        fcntl(&queue, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        Self(File::from(queue), [0x52, 0x54, 0, 0, 0, number])
    }

    /// Sends a frame with a mark to everybody, in a VLAN of its own if there is one.
    fn says(&mut self, mark: u8, vlan: Option<u8>) {
        self.says_much(mark, vlan, 50);
    }

    /// The same with so many bytes behind the Ethernet header.
    fn says_much(&mut self, mark: u8, vlan: Option<u8>, bytes: usize) {
        let tag = vlan.map(|vlan| vec![0x81, 0, 0, vlan]).unwrap_or_default();
        let mut frame = [&BROADCAST[..], &self.1, &tag, &[0x88, 0xb5, mark]].concat();
        frame.resize(14 + bytes, 0);
        self.0.write_all(&frame).unwrap();
    }

    /// The next mark that comes, with the VLAN that the frame has.
    fn hears(&mut self) -> (u8, Option<u8>) {
        wait_for(SOON, "a frame", || self.next().flatten())
    }

    /// Whether a mark without a VLAN is among what has come until now.
    fn catches(&mut self, mark: u8) -> bool {
        while let Some(heard) = self.next() {
            if heard == Some((mark, None)) {
                return true;
            }
        }
        false
    }

    /// The next frame that has come: its mark with its VLAN, or nothing if it has no mark.
    fn next(&mut self) -> Option<Option<(u8, Option<u8>)>> {
        let mut frame = [0; 2048];
        match self.0.read(&mut frame) {
            Ok(_) if frame[12..14] == [0x88, 0xb5] => Some(Some((frame[14], None))),
            Ok(_) if frame[12..14] == [0x81, 0] && frame[16..18] == [0x88, 0xb5] => {
                Some(Some((frame[18], Some(frame[15]))))
            }
            Ok(_) => Some(None),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Guests in two VLANs and one on a trunk of both. Each hears what is said in its own.
fn four_guests() -> [Guest; 4] {
    let [mut a, mut b, mut c, mut trunk] =
        [(1, "ten"), (2, "ten"), (3, "twenty"), (4, "both")].map(|(number, group)| Guest::attach(number, group));
    a.says(1, None);
    assert_eq!((b.hears(), trunk.hears()), ((1, None), (1, Some(10))));
    // What the one in the other VLAN hears first is what was said there later.
    trunk.says(2, Some(20));
    assert_eq!(c.hears(), (2, None));
    c.says(3, None);
    assert_eq!(trunk.hears(), (3, Some(20)));
    trunk.says(4, Some(10));
    assert_eq!((a.hears(), b.hears()), ((4, None), (4, None)));
    [a, b, c, trunk]
}

#[test]
fn guests_hear_their_own_vlan_only() {
    isolate!();
    let switch = switch();
    done(&["start", "-"], NETWORK);
    let _guests = four_guests();
    let record = done(&["ports"], "")["ports"][0].clone();
    assert_eq!((&record["network"], &record["state"]), (&"lab".into(), &"in-sync".into()));
    // Each guest has an id of its own, which stays when its network is applied.
    let ids = || rows(&switch, "Interface", "external_ids:iface-status=active", "external_ids");
    let before = ids();
    assert_eq!(before.len(), 4);
    done(&["apply", "-"], NETWORK);
    assert_eq!(ids(), before);
    done(&["stop", "lab"], "");
    assert_eq!(switch.vsctl(&["list-ports", "ovs0"]), "");
    assert!(!Path::new("/run/vnet").exists());
}
