//! Containers as ports of a real Open vSwitch.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use vnet_netlink::Netlink;
use vnet_tests::{NamedNetns, OpenVSwitch, isolate, run};

use super::{Plugin, define, ends, is_in_sync, vnet};

const NETWORK: &str = "<network><name>blue</name><forward mode='bridge'/><bridge name='ovs0'/>\
    <virtualport type='openvswitch'/><portgroup name='ten'><vlan><tag id='10'/></vlan></portgroup>\
    <portgroup name='twenty'><vlan><tag id='20'/></vlan>\
    <bandwidth><inbound average='1000'/></bandwidth></portgroup></network>";

const SOON: Duration = Duration::from_secs(5);

fn reaches(from: &str, to: &str) -> bool {
    let namespace = format!("--net=/run/netns/{from}");
    let ping = ["ping", "-c1", "-W1", "-q", to];
    Command::new("nsenter").arg(namespace).args(ping).output().unwrap().status.success()
}

/// Sends more than one segment by TCP, and a datagram.
fn connects(from: &NamedNetns, to: &NamedNetns, address: &str) {
    let sent = [7; 20_000];
    let (server, datagrams) =
        to.run(|| (TcpListener::bind((address, 7)).unwrap(), UdpSocket::bind((address, 7)).unwrap()));
    let client = from.run(|| TcpStream::connect_timeout(&server.local_addr().unwrap(), SOON)).unwrap();
    let (mut accepted, _) = server.accept().unwrap();
    accepted.set_read_timeout(Some(SOON)).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| (&client).write_all(&sent).unwrap());
        let mut received = vec![0; sent.len()];
        accepted.read_exact(&mut received).unwrap();
        assert_eq!(received, sent);
    });
    let asks = from.run(|| UdpSocket::bind(("0.0.0.0", 0)).unwrap());
    datagrams.set_read_timeout(Some(SOON)).unwrap();
    asks.send_to(b"one", (address, 7)).unwrap();
    assert_eq!(datagrams.recv(&mut [0; 8]).unwrap(), 3);
}

#[test]
fn containers_are_ports_of_open_vswitch() {
    isolate!();
    let switch = OpenVSwitch::start(Path::new("/run/openvswitch"));
    switch.add_bridge("ovs0");
    define(NETWORK);
    let plugin = Plugin::ours();
    let names = ["c1", "c2", "c3"];
    let mut containers = names.map(NamedNetns::new);
    let groups = ["ten", "ten", "twenty"].map(|group| json!({ "portgroup": group }));
    let added: Vec<Value> = (0..3).map(|at| plugin.done("ADD", names[at], &groups[at])).collect();
    for (at, name) in names.iter().enumerate() {
        assert_eq!(added[at]["ips"], json!([]), "{}", added[at]);
        let address = format!("10.5.5.{}/24", at + 1);
        run("ip", &["-n", name, "address", "add", &address, "dev", "eth0"]);
    }
    let dev = |at: usize| {
        let interfaces = added[at]["interfaces"].as_array().unwrap();
        let end = interfaces.iter().find(|it| it["name"].as_str().unwrap().starts_with("veth"));
        end.unwrap_or_else(|| panic!("{interfaces:?}"))["name"].as_str().unwrap().to_owned()
    };
    assert_eq!(switch.vsctl(&["get", "Port", &dev(2), "tag"]).trim(), "20");
    assert_eq!(switch.vsctl(&["--columns=_uuid", "--bare", "find", "QoS", "type=linux-htb"]).lines().count(), 1);
    let mac = added[0]["interfaces"].as_array().unwrap().iter().find(|it| it["name"] == "eth0").unwrap()["mac"].clone();
    let known = switch.vsctl(&["get", "Interface", &dev(0), "external_ids:attached-mac"]);
    assert_eq!(known.trim().trim_matches('"'), mac);
    assert!(reaches("c1", "10.5.5.2"), "one VLAN");
    assert!(!reaches("c1", "10.5.5.3"), "two VLANs");
    connects(&containers[0], &containers[1], "10.5.5.2");
    assert_eq!(vnet(&["ports"]).matches("in sync").count(), 3, "{}", vnet(&["ports"]));
    // What others change is seen, and mended.
    let check = |code: Option<i32>| {
        let previous = json!({ "portgroup": "ten", "prevResult": added[0] });
        let output = plugin.call("CHECK", "c1", &previous);
        let error = serde_json::from_slice::<Value>(&output.stdout).ok();
        assert_eq!(error.map(|error| error["code"].clone()), code.map(Value::from));
    };
    check(None);
    let first = dev(0);
    for change in [
        &["set", "Port", &first, "tag=20"][..],
        &["del-port", "ovs0", &first],
        &["set", "Interface", &first, "external_ids:iface-id=other"],
        &["set", "Interface", &first, "ingress_policing_rate=10"],
    ] {
        switch.vsctl(change);
        check(Some(104));
        vnet(&["apply", "blue"]);
        check(None);
    }
    is_in_sync();
    for (mtu, code) in [("1400", Some(104)), ("1500", None)] {
        run("ip", &["-n", "c1", "link", "set", "eth0", "mtu", mtu]);
        check(code);
    }
    // So is what leaves checksums to the switch.
    containers[0].run(|| Netlink::open().unwrap().fill_in_checksums(&"eth0".parse().unwrap(), false).unwrap());
    check(Some(104));
    vnet(&["apply", "blue"]);
    check(None);
    connects(&containers[0], &containers[1], "10.5.5.2");
    // Nobody remembers two of them: one is there, the other has lost its device. What others have
    // made stays.
    switch.vsctl(&["add-port", "ovs0", "vethother"]);
    for at in [1, 2] {
        fs::remove_file(format!("/run/vnet/@ports/{}/receipt", dev(at))).unwrap();
    }
    plugin.done("DEL", names[2], &Value::Null);
    assert_eq!(switch.vsctl(&["--columns=_uuid", "--bare", "find", "QoS", "type=linux-htb"]), "");
    let ports = || switch.vsctl(&["list-ports", "ovs0"]).lines().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(ports(), [dev(0), dev(1), "vethother".to_owned()].into());
    run("ip", &["link", "del", &dev(1)]);
    let one = json!({ "cni.dev/valid-attachments": [{ "containerID": "c1", "ifname": "eth0" }] });
    plugin.done("GC", names[0], &one);
    assert_eq!(ports(), [dev(0), "vethother".to_owned()].into());
    check(None);
    switch.vsctl(&["del-port", "ovs0", "vethother"]);
    // A container that is gone leaves a port without a device.
    let [gone, ..] = &mut containers;
    *gone = NamedNetns::new("other");
    for name in names {
        plugin.done("DEL", name, &Value::Null);
    }
    assert_eq!(ends(), Vec::<String>::new());
    assert_eq!(switch.vsctl(&["list-ports", "ovs0"]), "");
    assert_eq!(switch.vsctl(&["--columns=_uuid", "--bare", "find", "QoS", "type=linux-htb"]), "");
}
