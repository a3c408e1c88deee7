//! Guests of networks with a pool of devices.

use std::process::Output;

use serde_json::Value;
use vnet_tests::{isolate, run};

use crate::{done, everything, link, stderr, vnet};

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
