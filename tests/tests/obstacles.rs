//! What `vnet` says about the firewalls of others.

use std::process::{Command, Output};

use rstest::rstest;
use serde_json::Value;
use vnet_tests::{isolate, run, vnet};

const DEFAULT: &str = "../testdata/network/valid/nat-default.xml";
const DOCKER: &str = "tests/firewall/foreign/docker.nft";
const FIREWALLD: &str = "tests/firewall/foreign/firewalld.nft";

#[rstest]
#[case::check(&["check", "--against-host"], "/files/0/obstacles")]
#[case::plan(&["plan"], "/obstacles")]
#[case::start(&["start"], "/obstacles")]
#[case::apply(&["apply"], "/obstacles")]
fn a_policy_that_drops_is_named(#[case] command: &[&str], #[case] place: &str) {
    isolate!();
    let before = host(DOCKER);
    let output = call(&[command, &["--format", "json", DEFAULT]].concat());
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let obstacles = report.pointer(place).and_then(Value::as_array).expect("a list");
    let said: Vec<_> =
        obstacles.iter().map(|it| (it["promise"].as_str().unwrap_or_default(), it["sure"] == true)).collect();
    assert_eq!(
        said,
        [
            ("guests of 192.168.122.0/24 get answers from beyond the host", true),
            ("guests of 192.168.122.0/24 reach beyond the host", true),
        ]
    );
    for obstacle in obstacles {
        assert_eq!((&obstacle["table"], &obstacle["chain"]), (&"ip filter".into(), &"FORWARD".into()));
        assert_eq!(obstacle["rule"], Value::Null);
    }
    assert_eq!(foreign(), before);
}

#[test]
fn people_are_told_and_status_knows() {
    isolate!();
    let before = host(FIREWALLD);
    let started = call(&["start", DEFAULT]);
    let told = String::from_utf8_lossy(&started.stderr);
    for (promise, chain) in [
        ("guests get addresses by DHCP", "filter_IN_public"),
        ("guests ask 192.168.122.1 for names", "filter_IN_public"),
        ("guests of 192.168.122.0/24 reach beyond the host", "filter_FWD_public"),
    ] {
        let line = told.lines().find(|line| line.contains(promise)).unwrap_or_else(|| panic!("{promise}:\n{told}"));
        assert!(
            line.starts_with("warning: ") && line.contains(&format!("chain `{chain}` in table `inet firewalld`")),
            "{line}"
        );
    }
    assert!(!told.contains("get answers"), "{told}");
    let status = String::from_utf8(call(&["status", "default"]).stdout).expect("text");
    assert!(status.contains("in sync") && status.contains("filter_FWD_public"), "{status}");
    assert_eq!(foreign(), before);

    run("nft", &["delete", "table", "inet", "firewalld"]);
    let status: Value = serde_json::from_slice(&call(&["status", "--format", "json"]).stdout).expect("JSON");
    assert_eq!(status["networks"][0]["obstacles"], serde_json::json!([]));
    call(&["stop", "default"]);
}

/// A host with a way out and somebody else's rules; how these are listed.
fn host(rules: &str) -> String {
    run("ip", &["link", "add", "eth0", "type", "veth", "peer", "name", "far"]);
    run("ip", &["address", "add", "203.0.113.1/24", "dev", "eth0"]);
    run("ip", &["link", "set", "eth0", "up"]);
    run("ip", &["link", "set", "far", "up"]);
    run("ip", &["route", "add", "default", "via", "203.0.113.2"]);
    run("nft", &["-f", rules]);
    foreign()
}

/// The rules of others, as they are listed.
fn foreign() -> String {
    let tables = run("nft", &["list", "tables"]);
    let others = tables.lines().filter(|table| *table != "table inet vnet");
    let list =
        |table: &str| run("nft", &[&["--stateless", "list"], &table.split(' ').collect::<Vec<_>>()[..]].concat());
    others.map(list).collect()
}

fn call(args: &[&str]) -> Output {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let output = Command::new(vnet()).args(args).env("PATH", path).output().expect("the program starts");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}
