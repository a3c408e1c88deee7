//! `vnet trace`: a packet's way through the rules of everybody, and nothing that stays armed.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use vnet_tests::{Netns, as_its_schema_says, isolate, run, vnet, wait_for};

const GUEST: &str = "192.168.130.77";
const OUTSIDE: &str = "203.0.113.2";

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(vnet());
    command.args(arguments).env("PATH", std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin");
    command
}

fn call(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

/// The steps of a packet that is sent in the guest's name, with the exit code.
fn sent(arguments: &[&str]) -> (Vec<Value>, Option<i32>) {
    let output = call(&[&["trace", GUEST], arguments, &["--send", "--format", "json"]].concat());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    as_its_schema_says("trace", &report);
    (report["steps"].as_array().unwrap().clone(), output.status.code())
}

/// What the rules would do with a packet, with the exit code.
fn explained(arguments: &[&str]) -> (Value, Option<i32>) {
    let output = call(&[&["trace", GUEST], arguments, &["--explain", "--format", "json"]].concat());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    as_its_schema_says("trace", &report);
    (report, output.status.code())
}

fn plug(link: &str, netns: &Netns, address: &str, gateway: Option<&str>) {
    let netlink = vnet_netlink::Netlink::open().unwrap();
    let index = netlink.link(&link.parse().unwrap()).unwrap().unwrap().index;
    netlink.move_to_namespace(index, netns.file()).unwrap();
    netns.run(|| {
        run("ip", &["address", "add", address, "dev", link]);
        run("ip", &["link", "set", link, "up"]);
        gateway.iter().for_each(|gateway| drop(run("ip", &["route", "add", "default", "via", gateway])));
    });
}

fn tables() -> String {
    run("nft", &["list", "tables"])
}

#[test]
fn a_packet_is_followed_and_nothing_stays() {
    isolate!();
    let (outside, guest) = (Netns::new(), Netns::new());
    run("ip", &["link", "add", "eth0", "type", "veth", "peer", "name", "far"]);
    run("ip", &["address", "add", "203.0.113.1/24", "dev", "eth0"]);
    run("ip", &["link", "set", "eth0", "up"]);
    plug("far", &outside, "203.0.113.2/24", None);
    run("ip", &["route", "add", "default", "via", OUTSIDE]);
    std::fs::write(
        "/run/lab.xml",
        "<network><name>lab</name><forward><nat ipv6='yes'/></forward>
         <bridge name='virbr7' stp='off' delay='0'/><dns enable='no'/>
         <ip address='192.168.130.1' prefix='24'/>
         <ip family='ipv6' address='2001:db8:7::1' prefix='64'/></network>",
    )
    .unwrap();
    assert!(call(&["start", "/run/lab.xml"]).status.success());
    run("ip", &["link", "add", "plug", "type", "veth", "peer", "name", "card"]);
    run("ip", &["link", "set", "plug", "master", "virbr7", "up"]);
    plug("card", &guest, "192.168.130.77/24", Some("192.168.130.1"));
    let before = tables();
    of_ipv6(&outside, &guest);
    assert_eq!(tables(), before);

    // What leaves is translated, and its answer comes back.
    let (steps, code) = sent(&[OUTSIDE]);
    assert_eq!(code, Some(0), "{steps:#?}");
    let has = |packet: u64, field: &str, words: &str| {
        steps.iter().any(|it| it["packet"] == packet && it[field].as_str().is_some_and(|text| text.contains(words)))
    };
    assert!(has(1, "header", "192.168.130.77 > 203.0.113.2 icmp") && has(1, "incoming", "virbr7"), "{steps:#?}");
    assert!(has(1, "rule", "masquerade") && has(1, "table", "inet vnet"), "{steps:#?}");
    assert!(has(1, "translated", "source 192.168.130.77 became 203.0.113.1"), "{steps:#?}");
    assert!(has(1, "outgoing", "eth0") && has(1, "verdict", "passed"), "{steps:#?}");
    assert_eq!(steps.last().unwrap()["packet"], 2, "{steps:#?}");
    assert!(steps.iter().all(|it| !it["table"].as_str().is_some_and(|name| name.contains("trace"))), "{steps:#?}");
    assert!(has(2, "translated", "destination 203.0.113.1 became 192.168.130.77"), "{steps:#?}");

    // Rules of others that drop are named, at hooks before and after routing.
    for (hook, priority) in [("prerouting", -300), ("forward", 0), ("postrouting", 300)] {
        run("nft", &["add table ip me"]);
        run("nft", &[&format!("add chain ip me it {{ type filter hook {hook} priority {priority}; }}")]);
        run("nft", &["add rule ip me it ip daddr 203.0.113.2 tcp dport 443 counter drop"]);
        let (steps, code) = sent(&["203.0.113.2:443"]);
        assert_eq!(code, Some(1), "{hook}: {steps:#?}");
        let last = steps.last().unwrap();
        assert_eq!([&last["hook"], &last["table"], &last["chain"], &last["verdict"]], [hook, "ip me", "it", "drop"]);
        assert!(last["rule"].as_str().unwrap().contains("# handle"), "{last:#}");
        assert_eq!(last["counts"]["packets"], 1, "{last:#}");
        // Without a packet, the same rule is found; another packet passes.
        let (report, code) = explained(&["203.0.113.2:443"]);
        let found = report["steps"].as_array().unwrap().last().unwrap();
        assert_eq!((report["answer"].as_str(), code), (Some("refused"), Some(1)), "{report:#}");
        for field in ["hook", "table", "chain", "rule", "verdict"] {
            assert_eq!(found[field], last[field], "{report:#}");
        }
        let (report, code) = explained(&["203.0.113.2:80"]);
        assert_eq!((report["answer"].as_str(), code), (Some("passes"), Some(0)), "{report:#}");
        // Whether a limit is reached is not known.
        run("nft", &["insert rule ip me it limit rate over 1/hour drop"]);
        let (report, code) = explained(&["203.0.113.2:80"]);
        assert_eq!((report["answer"].as_str(), code), (Some("unknown"), Some(1)), "{report:#}");
        assert!(report["reason"].as_str().unwrap().contains("limit"), "{report:#}");
        run("nft", &["delete table ip me"]);
    }

    // What is the host's own, what goes out, and what has no way.
    let (report, _) = explained(&["192.168.130.1:22"]);
    assert_eq!(report["answer"], "passes", "{report:#}");
    let (report, _) = explained(&[OUTSIDE, "--proto", "udp"]);
    let steps = report["steps"].as_array().unwrap();
    assert!(steps.iter().any(|it| it["verdict"] == "translates" && it["table"] == "inet vnet"), "{report:#}");
    explained_by_state_and_protocol();
    run("ip", &["route", "add", "unreachable", "198.51.100.0/24"]);
    let (report, code) = explained(&["198.51.100.7:80"]);
    assert_eq!((report["answer"].as_str(), code), (Some("refused"), Some(1)), "{report:#}");

    // One that waits hears the guest's own packets, by its MAC address too, and leaves nothing when
    // it is killed.
    let mac = guest.run(|| std::fs::read_to_string("/sys/class/net/card/address").unwrap());
    let waiting = |packets: &str| {
        let mut trace = command(&["trace", mac.trim(), OUTSIDE, "--packets", packets, "--format", "json"]);
        trace.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
    };
    let armed = || wait_for(Duration::from_secs(20), "the trace", || tables().contains("vnet-trace").then_some(()));
    let trace = waiting("1");
    armed();
    guest.run(|| run("ping", &["-c", "1", "-W", "5", OUTSIDE]));
    let output = trace.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["steps"][0]["header"].as_str().unwrap().ends_with("> 203.0.113.2 icmp"), "{report:#}");
    let mut trace = waiting("9");
    armed();
    trace.kill().unwrap();
    trace.wait().unwrap();
    wait_for(Duration::from_secs(20), "the end of the table", || (tables() == before).then_some(()));
    assert_eq!(call(&["trace", "nobody"]).status.code(), Some(2));
}

/// Rules that tell protocols, connections and answers apart, and what leads elsewhere.
fn explained_by_state_and_protocol() {
    run("nft", &["add table ip me"]);
    run("nft", &["add chain ip me it { type filter hook forward priority 0; }"]);
    run("nft", &["add chain ip me to { type nat hook prerouting priority -100; }"]);
    for rule in [
        "it ct state established ct direction reply accept",
        "it ct state established drop",
        "it icmp type echo-request drop",
        "it ip daddr 203.0.113.2 tcp dport 8443 ct status dnat accept",
        "it tcp dport 8443 drop",
        "to ip daddr 203.0.113.9 tcp dport 443 dnat to 203.0.113.2:8443",
        "to ip daddr 203.0.113.8 dnat to 203.0.113.2-203.0.113.5",
    ] {
        run("nft", &[&format!("add rule ip me {rule}")]);
    }
    for (arguments, expected, last) in [
        (&["203.0.113.2:80"][..], "passes", "masquerade"),
        (&["203.0.113.2:80", "--state", "established"], "refused", "drop"),
        (&["203.0.113.2:80", "--state", "reply"], "passes", "ct state established,related"),
        (&["203.0.113.2", "--proto", "icmp"], "refused", "drop"),
        (&["203.0.113.2", "--proto", "icmp", "--state", "reply"], "passes", ""),
        (&["203.0.113.2:8443"], "refused", "drop"),
        (&["203.0.113.9:443"], "passes", "masquerade"),
        (&["203.0.113.8:443"], "unknown", "nat"),
    ] {
        let (report, _) = explained(arguments);
        assert_eq!(report["answer"], expected, "{arguments:?}: {report:#}");
        let steps = report["steps"].as_array().unwrap();
        let rules: Vec<&str> = steps.iter().filter_map(|it| it["rule"].as_str()).collect();
        if expected != "passes" {
            assert!(rules.last().is_some_and(|rule| rule.contains(last)), "{arguments:?}: {rules:#?}");
        }
    }
    let (report, _) = explained(&["203.0.113.9:443"]);
    let steps = report["steps"].as_array().unwrap();
    let led = steps.iter().find_map(|it| it["translated"].as_str());
    assert_eq!(led, Some("destination 203.0.113.9:443 became 203.0.113.2:8443"), "{report:#}");
    run("nft", &["delete table ip me"]);
    // A forward of the network, from its own guest.
    let added = call(&["forward", "add", "lab", "tcp/2222", "192.168.130.77:22"]);
    assert!(added.status.success(), "{added:?}");
    let (report, code) = explained(&["203.0.113.1:2222"]);
    assert_eq!((report["answer"].as_str(), code), (Some("passes"), Some(0)), "{report:#}");
    let steps = report["steps"].as_array().unwrap();
    let led = steps.iter().find_map(|it| it["translated"].as_str());
    assert_eq!(led, Some("destination 203.0.113.1:2222 became 192.168.130.77:22"), "{report:#}");
    let removed = call(&["forward", "remove", "lab", "tcp/2222"]);
    assert!(removed.status.success(), "{removed:?}");
}

/// The same for IPv6: an echo and a segment in the guest's name, there and back.
fn of_ipv6(outside: &Netns, guest: &Netns) {
    const FAR: &str = "2001:db8:8::2";
    run("ip", &["address", "add", "2001:db8:8::1/64", "dev", "eth0", "nodad"]);
    outside.run(|| run("ip", &["address", "add", "2001:db8:8::2/64", "dev", "far", "nodad"]));
    guest.run(|| {
        run("ip", &["address", "add", "2001:db8:7::77/64", "dev", "card", "nodad"]);
        run("ip", &["route", "add", "default", "via", "2001:db8:7::1"]);
        // The kernel does not answer before the bridge's own addresses are known to be unique.
        let ping = || Command::new("ping").args(["-c", "1", "-W", "1", FAR]).stdout(Stdio::null()).status().unwrap();
        wait_for(Duration::from_secs(20), "an answer", || ping().success().then_some(()));
    });
    for (to, protocol) in [(FAR.to_owned(), "icmpv6"), (format!("[{FAR}]:443"), "tcp")] {
        let output = call(&["trace", "2001:db8:7::77", &to, "--send", "--format", "json"]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let steps = report["steps"].as_array().unwrap();
        let has = |packet: u64, field: &str, words: &str| {
            steps.iter().any(|it| it["packet"] == packet && it[field].as_str().is_some_and(|text| text.contains(words)))
        };
        assert!(has(1, "header", "2001:db8:7::77") && has(1, "header", protocol), "{steps:#?}");
        assert!(has(1, "translated", "became") && has(1, "outgoing", "eth0"), "{steps:#?}");
        assert!(has(2, "translated", "destination"), "the answer: {steps:#?}");
    }
    let refused = call(&["trace", "2001:db8:7::77", OUTSIDE, "--send"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("no known address of that family"), "{refused:?}");
}
