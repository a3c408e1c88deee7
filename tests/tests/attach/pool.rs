//! Guests of networks with a pool of devices.

use std::process::Output;

use serde_json::Value;
use vnet_tests::{isolate, run};

use crate::{done, everything, link, nothing_is_left, refused, stderr, vnet};

#[test]
fn a_pool_serves_by_least_use_and_gives_each_a_device_of_its_own() {
    isolate!();
    for name in ["eth1", "eth2"] {
        run("ip", &["link", "add", name, "type", "veth", "peer", "name", &format!("{name}p")]);
    }
    let network = |mode: &str| {
        format!(
            "<network><name>lab</name><forward mode='{mode}'><interface dev='eth1'/><interface dev='eth2'/></forward></network>"
        )
    };
    let attach =
        || vnet(&["attach", "-", "--format", "json"], "<interface type='network'><source network='lab'/></interface>");
    let lower = |output: &Output| -> String {
        assert!(output.status.success(), "{}", stderr(output));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        report["port"]["lower"].as_str().unwrap().to_owned()
    };
    done(&["start", "-"], &network("private"));
    let three: Vec<String> = (0..3).map(|_| lower(&attach())).collect();
    assert_eq!(three, ["eth1", "eth2", "eth1"]);
    let xml = done(&["dumpxml", "lab"], "")["xml"].as_str().unwrap().to_owned();
    assert!(xml.contains("<interface dev='eth1' connections='2'/>"), "{xml}");
    assert_eq!(link("macvtap0")["linkinfo"]["info_data"]["mode"], "private");
    done(&["stop", "lab"], "");
    let before = everything();
    done(&["start", "-"], &network("passthrough"));
    let two: Vec<String> = (0..2).map(|_| lower(&attach())).collect();
    assert_eq!(two, ["eth1", "eth2"]);
    let told = stderr(&attach());
    assert!(told.contains("network `lab` gives each guest a device of its own, and all 2 are taken"), "{told}");
    let guest = done(&["ports"], "")["ports"][0].clone();
    assert_eq!(link(guest["lower"].as_str().unwrap())["address"], guest["mac"], "the device has the guest's address");
    done(&["stop", "lab"], "");
    assert_eq!(everything(), before, "the devices have their own addresses again");
}

/// What the device below had before is given back after any number of changes.
#[test]
fn a_guest_keeps_a_device_of_its_own_while_its_network_changes() {
    isolate!();
    run("ip", &["link", "add", "eth1", "address", "02:00:00:00:00:01", "type", "veth", "peer", "name", "eth2"]);
    let network = "<network><name>lab</name><forward mode='passthrough'><interface dev='eth1'/></forward></network>";
    let before = everything();
    done(&["start", "-"], network);
    let guest = "<interface type='network'><mac address='52:54:00:00:00:01'/><source network='lab'/></interface>";
    done(&["attach", "-"], guest);
    let attached = everything();
    for _ in 0..2 {
        assert_eq!(done(&["apply", "-"], network)["changes"], Value::Array(Vec::new()));
        assert_eq!(
            (done(&["diff", "lab"], "")["changes"].as_array().unwrap().len(), everything()),
            (0, attached.clone())
        );
    }
    let changed = guest.replace("00:01'/>", "00:02'/><target dev='macvtap0'/>");
    done(&["apply", "-"], &changed);
    for link_name in ["eth1", "macvtap0"] {
        assert_eq!(link(link_name)["address"], "52:54:00:00:00:02");
    }
    done(&["detach", "macvtap0"], "");
    assert_eq!(link("eth1")["address"], "02:00:00:00:00:01");
    done(&["stop", "lab"], "");
    assert_eq!(everything(), before);
    nothing_is_left();
}

/// A card with virtual functions, as sysfs shows one: this kernel has none that could be told
/// anything.
#[test]
fn virtual_functions_are_found_and_given_out_in_order() {
    isolate!();
    run("ip", &["link", "add", "eth1", "address", "02:00:00:00:00:01", "type", "veth", "peer", "name", "eth2"]);
    let network = "<network><name>lab</name><forward mode='hostdev' managed='yes'><pf dev='eth1'/></forward></network>";
    let told = refused(&["start", "-"], network);
    assert!(told.contains("no virtual function of `eth1` can be used"), "{told}");
    let index = link("eth1")["ifindex"].to_string();
    run("mount", &["-t", "tmpfs", "tmpfs", "/sys/class/net"]);
    std::fs::create_dir_all("/sys/class/net/eth1/device").unwrap();
    std::fs::write("/sys/class/net/eth1/ifindex", index).unwrap();
    std::fs::write("/sys/class/net/eth1/address", "02:00:00:00:00:01\n").unwrap();
    for (number, address) in ["0000:03:10.0", "0000:03:10.2"].iter().enumerate() {
        let function = format!("/sys/class/net/eth1/device/virtfn{number}");
        std::os::unix::fs::symlink(format!("../{address}"), function).unwrap();
    }
    let before = everything();
    done(&["start", "-"], network);
    let xml = done(&["dumpxml", "lab"], "")["xml"].as_str().unwrap().to_owned();
    let functions = xml.matches("<address type='pci' domain='0x0000' bus='0x03' slot='0x10' function='0x").count();
    assert!(functions == 2 && xml.contains("<pf dev='eth1'/>"), "{xml}");
    let guest = "<interface type='network'><mac address='52:54:00:00:00:01'/><source network='lab'/>\
                 <vlan><tag id='7'/></vlan></interface>";
    let planned = done(&["plan", "-"], guest);
    let words = planned["changes"][0]["text"][0].as_str().unwrap_or_default();
    assert_eq!(words, "+ ip link set eth1 vf 0 mac 52:54:00:00:00:01 vlan 7", "{planned}");
    assert_eq!((&planned["port"]["name"], &planned["port"]["function"]), (&"hostdev0".into(), &"0000:03:10.0".into()));
    let told = refused(&["attach", "-"], guest);
    assert!(told.contains("virtual function 0 of eth1 failed; what was done before it is undone"), "{told}");
    assert!(told.contains("cannot change virtual function 0 of eth1: Operation not supported"), "{told}");
    assert_eq!(done(&["ports"], "")["ports"].as_array().unwrap().len(), 0);
    done(&["stop", "lab"], "");
    assert_eq!(everything(), before);
    nothing_is_left();
}
