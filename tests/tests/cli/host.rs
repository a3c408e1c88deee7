//! The commands that change a host, in a namespace.

use std::fs;

use crate::{DEFAULT, json, scratch, shown, text, vnet_with};

#[test]
fn a_network_lives_and_is_gone() {
    vnet_tests::isolate!();
    let folder = scratch("life");
    let file = folder.join("default.xml");
    fs::write(&file, DEFAULT).unwrap();
    let file = file.to_str().unwrap();
    let says = |args: &[&str], code: i32, word: &str| {
        let output = vnet_with(args, b"");
        let said = if code == 0 || args[0] == "diff" { &output.stdout } else { &output.stderr };
        assert!(output.status.code() == Some(code) && text(said).contains(word), "{args:?}: {}", shown(&output));
        output
    };
    says(&["list"], 0, "Name");
    says(&["status"], 0, "no network runs");
    says(&["plan", file], 0, "+ ip link add virbr0 type bridge");
    says(&["start", file], 0, "network default started on virbr0");
    says(&["start", file], 1, "runs already");
    says(&["plan", file], 0, "nothing to change");
    says(&["list"], 0, "active");
    says(&["status", "default"], 0, "192.168.122.1/24");
    says(&["net-dumpxml", "default"], 0, "<bridge name='virbr0' stp='on' delay='0'/>");
    says(&["leases", "default"], 0, "Expiry Time");
    says(&["diff", "default"], 0, "in sync");

    vnet_tests::run("ip", &["address", "del", "192.168.122.1/24", "dev", "virbr0"]);
    says(&["diff", "default"], 1, "+ ip address add 192.168.122.1/24");
    let status = says(&["status", "default"], 0, "default: drifted");
    let told = text(&status.stdout);
    assert!(told.lines().nth(1).unwrap().starts_with("  to repair it"), "the news come first: {told}");
    assert!(!told.contains("  address ") && !told.contains("packets"), "what is gone is not there: {told}");
    for (args, code) in [(&["status", "--exit-code"][..], 1), (&["list", "--exit-code"], 1), (&["list"], 0)] {
        assert_eq!(vnet_with(args, b"").status.code(), Some(code), "{args:?}");
    }
    assert!(vnet_with(&["status", "--exit-code", "-q"], b"").stdout.is_empty());
    let drift = json(&vnet_with(&["diff", "--format", "json", "default"], b""));
    assert_eq!(drift["changes"][0]["change"], "create", "{drift}");
    says(&["apply", "--dry-run", file], 0, "+ ip address add 192.168.122.1/24");
    says(&["apply", file], 0, "network default is as defined");
    says(&["diff", "default"], 0, "in sync");

    says(&["stop", "default"], 0, "network default stopped");
    says(&["stop", "default"], 1, "does not run");
    says(&["diff", "default"], 1, "");
    assert_eq!(vnet_tests::json("ip", &["-j", "link"]).as_array().map(Vec::len), Some(1));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_kept_definition_starts_by_name() {
    vnet_tests::isolate!();
    let folder = scratch("kept");
    fs::create_dir(folder.join("networks")).unwrap();
    let named = |uuid: &str| DEFAULT.replace("</name>", &format!("</name>\n  <uuid>{uuid}</uuid>"));
    fs::write(folder.join("networks/default.xml"), named("3a1f8a2c-0000-4000-8000-000000000001")).unwrap();
    let config = folder.to_str().unwrap();
    let state = folder.join("state");
    let state = state.to_str().unwrap();
    let call = |args: &[&str]| vnet_with(&[args, &["--config-dir", config, "--state-dir", state]].concat(), b"");
    let output = call(&["net-start", "default"]);
    assert!(output.status.success(), "{}", shown(&output));
    assert_eq!(call(&["start", "other"]).status.code(), Some(2), "no such definition");
    fs::write(folder.join("networks/default.xml"), named("3a1f8a2c-0000-4000-8000-000000000002")).unwrap();
    let output = call(&["apply", "default"]);
    assert!(text(&output.stderr).contains("VN0607"), "another network of this name: {}", shown(&output));
    assert!(call(&["net-destroy", "default"]).status.success());
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_host_that_hears_routers_is_not_made_deaf() {
    vnet_tests::isolate!();
    vnet_tests::run("ip", &["link", "add", "uplink", "up", "type", "veth", "peer", "name", "router"]);
    vnet_tests::run("ip", &["-6", "route", "add", "default", "dev", "uplink", "proto", "ra"]);
    let network = DEFAULT.replace("  <ip ", "  <ip family='ipv6' address='fd00:9::1' prefix='64'/>\n  <ip ");
    let check = |accept_ra: &str| {
        fs::write("/proc/sys/net/ipv6/conf/uplink/accept_ra", accept_ra).unwrap();
        vnet_with(&["check", "--against-host", "-"], network.as_bytes())
    };
    let output = check("1");
    assert!(output.status.code() == Some(1) && text(&output.stderr).contains("VN0617"), "{}", shown(&output));
    for fine in ["0", "2"] {
        let output = check(fine);
        assert!(output.status.success(), "{fine}: {}", shown(&output));
    }
}
