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
            ("guests of 192.168.122.0/24 reach beyond the host", true),
            ("guests of 192.168.122.0/24 get answers from beyond the host", true),
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

/// The commands that are shown let pass what is refused, whoever has made the rules.
#[rstest]
#[case::docker(&[("iptables-nft-restore", "docker.iptables")])]
#[case::ufw(&[("iptables-nft-restore", "ufw.iptables"), ("ip6tables-nft-restore", "ufw.ip6tables")])]
#[case::nft(&[("nft -f", "../../obstacles.nft")])]
fn what_is_shown_lets_it_pass(#[case] rules: &[(&str, &str)]) {
    isolate!();
    host_without_rules();
    for (command, file) in rules {
        let line = format!("{command} tests/firewall/foreign/{file}");
        run("sh", &["-c", &line]);
    }
    let file = "/run/dual.xml";
    let dual = "<network><name>dual</name><forward mode='route'/><bridge name='virbr0'/>
        <ip address='10.7.0.1' prefix='24'><tftp root='/run'/><dhcp><range start='10.7.0.2' end='10.7.0.9'/></dhcp></ip>
        <ip family='ipv6' address='fd00:7::1' prefix='64'/></network>";
    std::fs::write(file, dual).expect("/run is ours");
    let started: Value = serde_json::from_slice(&call(&["start", "--format", "json", file]).stdout).expect("JSON");
    let obstacles = |report: &Value| report["obstacles"].as_array().expect("a list").clone();
    let in_the_way = obstacles(&started);
    assert!(in_the_way.iter().any(|it| it["sure"] == true), "{started}");
    for obstacle in &in_the_way {
        for command in obstacle["leave"].as_array().expect("a list") {
            run("sh", &["-c", command.as_str().expect("text")]);
        }
    }
    let status: Value = serde_json::from_slice(&call(&["status", "--format", "json"]).stdout).expect("JSON");
    assert_eq!(obstacles(&status["networks"][0]), Vec::<Value>::new());
    call(&["stop", "dual"]);
}

/// Code hosts are told too, and where warnings are errors this one is.
#[rstest]
#[case::warned(&[], "warning", 0)]
#[case::strict(&["--strict"], "error", 1)]
fn sarif_and_strictness_know(#[case] strict: &[&str], #[case] level: &str, #[case] code: i32) {
    isolate!();
    host(DOCKER);
    let check = [&["check", "--against-host"], strict].concat();
    let output = vnet_command(&[&check[..], &["--format", "sarif", DEFAULT]].concat());
    assert_eq!(output.status.code(), Some(code));
    let log: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let results = log["runs"][0]["results"].as_array().expect("a list");
    let found: Vec<&Value> = results.iter().filter(|result| result["ruleId"] == "VN0623").collect();
    assert_eq!(found.len(), 2, "{results:#?}");
    for result in found {
        let text = result["message"]["text"].as_str().expect("text");
        assert_eq!(result["level"], level);
        assert!(
            text.contains("policy of chain `FORWARD` in table `ip filter`") && text.contains("iptables -I"),
            "{text}"
        );
    }
    let told = vnet_command(&[&check[..], &[DEFAULT]].concat());
    let (told, summary) = (String::from_utf8_lossy(&told.stderr), String::from_utf8_lossy(&told.stdout));
    assert!(told.contains(&format!("{level}: guests of 192.168.122.0/24 reach beyond the host")), "{told}");
    assert!(summary.contains(&format!("2 {level}s")), "{summary}");
    assert_eq!(vnet_command(&["explain", "VN0623"]).status.code(), Some(0));
}

/// Rules that are in nobody's way are not spoken of.
#[rstest]
#[case::docker("iptables-nft-restore tests/firewall/foreign/docker.iptables && iptables -P FORWARD ACCEPT")]
#[case::ufw_that_routes(
    "iptables-nft-restore tests/firewall/foreign/ufw.iptables && iptables -A ufw-user-forward -i virbr0 -j ACCEPT \
     && for port in 53 67; do iptables -A ufw-user-input -i virbr0 -p udp --dport $port -j ACCEPT; done"
)]
fn nobody_is_warned_in_vain(#[case] rules: &str) {
    isolate!();
    host_without_rules();
    run("sh", &["-c", rules]);
    let output = call(&["check", "--against-host", "--strict", DEFAULT]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1 file checked, nothing found\n");
}

/// A host with a way out and somebody else's rules; how these are listed.
fn host(rules: &str) -> String {
    host_without_rules();
    run("nft", &["-f", rules]);
    foreign()
}

fn host_without_rules() {
    run("ip", &["link", "add", "eth0", "type", "veth", "peer", "name", "far"]);
    run("ip", &["address", "add", "203.0.113.1/24", "dev", "eth0"]);
    run("ip", &["link", "set", "eth0", "up"]);
    run("ip", &["link", "set", "far", "up"]);
    run("ip", &["route", "add", "default", "via", "203.0.113.2"]);
    run("ip", &["-6", "address", "add", "2001:db8::1/64", "dev", "eth0", "nodad"]);
    run("ip", &["-6", "route", "add", "default", "via", "2001:db8::2"]);
}

/// The rules of others, as they are listed.
fn foreign() -> String {
    let tables = run("nft", &["list", "tables"]);
    let others = tables.lines().filter(|table| *table != "table inet vnet");
    let list =
        |table: &str| run("nft", &[&["--stateless", "list"], &table.split(' ').collect::<Vec<_>>()[..]].concat());
    others.map(list).collect()
}

fn vnet_command(args: &[&str]) -> Output {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    Command::new(vnet()).args(args).env("PATH", path).output().expect("the program starts")
}

fn call(args: &[&str]) -> Output {
    let output = vnet_command(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}
