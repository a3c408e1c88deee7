//! Networks given by name, by UUID, by folder, several at once, and all of them.

use std::fs;

use crate::kept::{refuses, says};
use crate::{json, scratch, shown, text, vnet_with};

fn network(name: &str, third: u8) -> String {
    format!("<network><name>{name}</name><bridge name='{name}'/><ip address='10.9.{third}.1' prefix='24'/></network>")
}

#[test]
fn a_network_is_given_by_its_name_everywhere() {
    vnet_tests::isolate!();
    let folder = scratch("named");
    let file = folder.join("lab.xml");
    fs::write(&file, network("lab0", 1)).unwrap();
    let file = file.to_str().unwrap();
    // Transient: everything but start knows it as it runs.
    says(&["start", file], "network lab0 started on lab0");
    says(&["plan", "lab0"], "network lab0: nothing to change");
    vnet_tests::run("ip", &["link", "set", "lab0", "down"]);
    says(&["status", "lab0"], "`vnet apply lab0` does it");
    says(&["apply", "lab0"], "network lab0 is as defined");
    says(&["diff", "lab0"], "network lab0 is in sync");
    refuses(&["start", "lab0"], "help: `vnet apply lab0` repairs it");
    // What runs is kept, and found by its UUID.
    says(&["define", "--from-running", "lab0"], "network lab0 defined from /run/vnet/lab0/network.xml");
    let uuid = says(&["uuid", "lab0"], "");
    let uuid = uuid.trim();
    for command in ["plan", "apply", "dumpxml", "info", "check"] {
        says(&[command, uuid], "");
    }
    says(&["stop", uuid], "network lab0 stopped");
    says(&["status", "lab0"], "lab0: inactive");
    says(&["start", uuid], "network lab0 started on lab0");
    says(&["status", uuid], "persistent yes");
    says(&["stop", file], "network lab0 stopped");
    let output = vnet_with(&["start", "nobody"], b"");
    assert!(
        output.status.code() == Some(2) && text(&output.stderr).contains("`vnet list --all`"),
        "{}",
        shown(&output)
    );
}

#[test]
fn several_networks_are_one_batch() {
    vnet_tests::isolate!();
    let folder = scratch("batch");
    for (name, third) in [("a0", 1), ("b0", 2), ("c0", 3)] {
        fs::write(folder.join(format!("{name}.xml")), network(name, third)).unwrap();
    }
    fs::write(folder.join("bad.xml"), network("bad0", 2)).unwrap();
    let folder = format!("{}/", folder.display());
    // bad0 has the subnet of b0: one of the two is refused, the others run.
    let output = vnet_with(&["start", &folder], b"");
    assert!(output.status.code() == Some(1), "{}", shown(&output));
    let running = says(&["list", "--name"], "");
    assert_eq!(running.lines().count(), 3, "{running}");
    let list = json(&vnet_with(&["diff", "--all", "--format", "json"], b""));
    assert_eq!(list["networks"].as_array().map(Vec::len), Some(3), "{list}");
    vnet_tests::run("ip", &["link", "set", "a0", "down"]);
    let output = vnet_with(&["diff", "a0", "c0"], b"");
    let told = text(&output.stdout);
    assert!(
        output.status.code() == Some(1) && told.contains("network a0:\n") && told.contains("network c0 is in sync")
    );
    says(&["apply", "--all"], "network c0: nothing to change");
    says(&["diff", "--all"], "network a0 is in sync");
    let output = vnet_with(&["stop", "a0", "nobody", "c0"], b"");
    let (told, refused) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.code() == Some(1) && refused.contains("`nobody` does not run"), "{}", shown(&output));
    assert!(told.contains("network a0 stopped") && told.contains("network c0 stopped"));
    says(&["stop", "--all"], "stopped");
    assert_eq!(says(&["list", "--name"], ""), "");
    // Those that are defined.
    says(&["define", &format!("{folder}a0.xml"), &format!("{folder}c0.xml")], "network c0 defined");
    says(&["start", "a0"], "network a0 started");
    let started = says(&["start", "--all"], "network c0 started");
    assert!(!started.contains("a0 started"), "it runs already: {started}");
    says(&["check", "--all"], "2 files checked, nothing found");
    says(&["undefine", "a0"], "transient");
    says(&["stop", "--all"], "network a0 stopped");
    let status = json(&vnet_with(&["status", "--all", "--format", "json"], b""));
    let networks = status["networks"].as_array().unwrap();
    assert!(networks.len() == 1 && networks[0]["network"] == "c0" && networks[0]["state"].is_null(), "{status}");
}
