//! What `vnet ports` says of guests whose rows have changed, on the host that has them.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use vnet_tests::{OvnHost, OvnLab, as_its_schema_says};

use super::{CELL, DB};

/// The socket of the northbound database.
const NORTHBOUND: &str = "nb/db.sock";

/// The port of a guest in the list.
fn port(host: &OvnHost, mac: &str) -> Value {
    let listed = host.does(&["ports"], "");
    as_its_schema_says("ports", &listed);
    let ports = listed["ports"].as_array().unwrap();
    ports.iter().find(|port| port["mac"] == mac).unwrap_or_else(|| panic!("{mac}: {listed}")).clone()
}

fn is_well(host: &OvnHost, mac: &str, network: &str) {
    let port = port(host, mac);
    assert_eq!((&port["state"], &port["network"]), (&"in-sync".into(), &network.into()), "{port}");
    assert_eq!(port.get("obstacles"), None, "{port}");
}

/// The words of each are in the one obstacle.
fn is_lost(host: &OvnHost, mac: &str, network: &str, reason: &str, remedy: &str) {
    let port = port(host, mac);
    assert_eq!((&port["state"], &port["network"]), (&"drifted".into(), &network.into()), "{port}");
    let obstacles = port["obstacles"].as_array().unwrap();
    assert_eq!(obstacles.len(), 1, "{port}");
    let has = |what: &str, words: &str| obstacles[0][what].as_str().unwrap().contains(words);
    assert!(has("reason", reason) && has("remedy", remedy), "{port}");
}

/// The second host has a guest of `lab` and one of `cell`, the others have none of `cell`.
pub(super) fn are_listed_as_ovn_has_them(lab: &OvnLab) {
    let [_, two, three] = &lab.hosts[..] else { unreachable!() };
    is_well(two, DB, "lab");
    is_well(two, CELL, "cell");
    let of_lab = two.does(&["ports", "lab"], "");
    assert_eq!(of_lab["ports"].as_array().unwrap().len(), 1, "{of_lab}");
    let connections = |arguments: &[&str]| two.calls(arguments, "connect").matches(NORTHBOUND).count();
    assert_eq!(connections(&["ports"]), 1, "one for both networks");
    assert_eq!(connections(&["ports", "--guest", "nobody"]), 0, "no port is meant");

    // A row that somebody has removed.
    let its = format!("external_ids:vnet-mac=\"{CELL}\"");
    let row = lab.central.nbctl(&["--bare", "--columns=name", "find", "Logical_Switch_Port", &its]);
    lab.central.nbctl(&["lsp-del", row.trim()]);
    is_lost(two, CELL, "cell", row.trim(), "`vnet apply cell`");
    is_well(two, DB, "lab");
    two.does(&["apply", "cell"], "");
    is_well(two, CELL, "cell");
    // All rows.
    two.does(&["stop", "cell"], "");
    is_lost(two, CELL, "cell", "network `cell` does not run", "`vnet start cell`");
    two.does(&["start", "cell"], "");
    is_well(two, CELL, "cell");

    // A guest that has moved, and comes back.
    drop(three.guest("cell", "cell", CELL, ""));
    let dev = port(two, CELL)["name"].as_str().unwrap().to_owned();
    is_lost(two, CELL, "cell", "host `h3`", &format!("`vnet detach {dev}`"));
    is_well(three, CELL, "cell");
    let moved = port(three, CELL)["name"].as_str().unwrap().to_owned();
    three.does(&["detach", &moved], "");
    two.does(&["apply", "cell"], "");
    // The same MAC address at another port, which an apply leaves alone.
    let other = "<virtualport type='openvswitch'><parameters interfaceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/></virtualport>";
    lab.central.nbctl(&["lsp-del", row.trim()]);
    drop(three.guest("cell", "cell", CELL, other));
    is_lost(two, CELL, "cell", "port `09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f` on host `h3`", &dev);
    let moved = port(three, CELL)["name"].as_str().unwrap().to_owned();
    three.does(&["detach", &moved], "");
    two.does(&["apply", "cell"], "");
    is_well(two, CELL, "cell");

    // A database that does not answer, for the time being.
    let socket = Path::new("/run/lab").join(NORTHBOUND);
    let away = socket.with_extension("away");
    fs::rename(&socket, &away).unwrap();
    let output = two.vnet(&["ports"], "");
    fs::rename(&away, &socket).unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    for port in listed["ports"].as_array().unwrap() {
        assert!(port["state"] == "unsure" && port["network"] != json!(null), "{port}");
        assert!(told.contains(&format!("`{}`", port["name"].as_str().unwrap())), "{told}");
    }
    assert!(told.matches("warning").count() == 1 && told.contains(NORTHBOUND), "one for both: {told}");
}
