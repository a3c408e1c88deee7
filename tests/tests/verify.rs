//! `vnet verify`: whether a network that runs keeps what it promises, and nothing that stays.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use vnet_tests::{Netns, as_its_schema_says, isolate, json, run, vnet, wait_for};

const LAB: &str = "<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'><name>lab</name>
  <metadata><vnet:network xmlns:vnet='https://github.com/vnet-rs/vnet/network/1.0'>
    <vnet:egress preset='internet-only'><vnet:allow address='172.22.77.7' proto='tcp'/></vnet:egress>
  </vnet:network></metadata>
  <forward><nat ipv6='yes'/></forward><bridge name='virbr7' stp='off' delay='0'/>
  <ip address='192.168.130.1' prefix='24'><dhcp><range start='192.168.130.10' end='192.168.130.90'/></dhcp></ip>
  <ip family='ipv6' address='fd00:130::1' prefix='64'/>
  <dnsmasq:options><dnsmasq:option value='no-ping'/></dnsmasq:options></network>";
/// Two addresses of guests: one is in use.
const DB: &str = "<network><name>db</name><bridge name='virbr8' stp='off' delay='0'/><dns enable='no'/>
  <ip address='192.168.131.1' prefix='24'/></network>";
/// Without rules of its own, and with addresses of the internet.
const PUB: &str = "<network><name>pub</name><forward mode='open'/><bridge name='virbr9' stp='off' delay='0'/>
  <dns enable='no'/><ip address='9.8.8.1' prefix='24'/></network>";

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(vnet());
    command.args(arguments).env("PATH", std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin");
    command
}

fn call(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

/// The promises, each with its verdict and what was seen, and the exit code.
fn verified(network: &str) -> (Vec<(String, String, String)>, Option<i32>) {
    let output = call(&["verify", network, "--format", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    as_its_schema_says("verify", &report);
    let text = |it: &Value, key: &str| it[key].as_str().unwrap().to_owned();
    let promises = report["promises"].as_array().unwrap().iter();
    let promises = promises.map(|it| (text(it, "promise"), text(it, "verdict"), text(it, "seen"))).collect();
    (promises, output.status.code())
}

/// What a host has that a guest could leave something in: links, who answers at which address,
/// tables.
fn host() -> [Vec<String>; 3] {
    let all = |document: Value, field: &str| {
        let words = document.as_array().unwrap().iter().filter_map(|it| it[field].as_str().map(str::to_owned));
        let mut words: Vec<String> = words.collect();
        words.sort();
        words
    };
    let mut neighbours = all(json("ip", &["-j", "neighbour"]), "dst");
    // Those of guests; the kernel forgets addresses of the link by itself.
    neighbours.retain(|address| address.starts_with("192.168.130.") || address.starts_with("fd00:130:"));
    let tables = run("nft", &["list", "tables"]).lines().map(str::to_owned).collect();
    [all(json("ip", &["-j", "link"]), "ifname"), neighbours, tables]
}

fn plug(link: &str, netns: &Netns, addresses: &[&str]) {
    let netlink = vnet_netlink::Netlink::open().unwrap();
    let index = netlink.link(&link.parse().unwrap()).unwrap().unwrap().index;
    netlink.move_to_namespace(index, netns.file()).unwrap();
    netns.run(|| {
        run("ip", &["link", "set", link, "up"]);
        addresses.iter().for_each(|it| drop(run("ip", &["address", "add", it, "dev", link])));
    });
}

#[test]
fn what_a_running_network_promises_is_tried_and_nothing_stays() {
    isolate!();
    let (outside, guest) = (Netns::new(), Netns::new());
    run("ip", &["link", "add", "eth0", "type", "veth", "peer", "name", "far"]);
    run("ip", &["link", "set", "eth0", "up"]);
    run("ip", &["address", "add", "203.0.113.1/24", "dev", "eth0"]);
    run("ip", &["address", "add", "2001:db8::1/64", "dev", "eth0", "nodad"]);
    plug("far", &outside, &["203.0.113.2/24", "9.9.9.9/32"]);
    outside.run(|| run("ip", &["address", "add", "2001:db8::2/64", "dev", "far", "nodad"]));
    run("ip", &["route", "add", "default", "via", "203.0.113.2"]);
    run("ip", &["route", "add", "default", "via", "2001:db8::2"]);
    for (name, text) in [("lab", LAB), ("db", DB), ("pub", PUB)] {
        let file = format!("/run/{name}.xml");
        std::fs::write(&file, text).unwrap();
        let started = call(&["start", &file]);
        assert!(started.status.success(), "{started:?}");
    }
    // Somebody has the address that a guest without DHCP would take first.
    run("ip", &["link", "add", "plug", "master", "virbr8", "type", "veth", "peer", "name", "card"]);
    run("ip", &["link", "set", "plug", "up"]);
    plug("card", &guest, &["192.168.131.254/24"]);
    // The kernel learns neighbours by itself.
    std::fs::write("/proc/sys/net/ipv6/conf/virbr7/disable_ipv6", "0").unwrap();
    let before = host();

    let (promises, code) = verified("lab");
    let of = |verdict: &str| promises.iter().filter(|it| it.1 == verdict).map(|it| it.0.clone()).collect::<Vec<_>>();
    assert_eq!((of("broken"), code), (Vec::new(), Some(0)), "{promises:#?}");
    let kept = of("kept");
    for expected in [
        "guest1 gets a DHCP lease in 192.168.130.10-192.168.130.90",
        "guests reach each other over IPv4",
        "guests reach each other over IPv6",
        "guests reach 9.9.9.9",
        "guests do not reach 10.200.77.7",
        "guests do not reach 169.254.169.254",
        "guests do not reach fd77:7a7a::7",
        "guests do not reach 192.168.130.1",
        "guests do not reach those of db, as at 192.168.131.254",
        "guests do not reach those of pub, as at 9.8.8.254",
        "nothing gets out with the source 9.8.8.254 of others",
        "nothing gets out with the source fd77:7a7a:9::9 of others",
    ] {
        assert!(kept.iter().any(|it| it == expected), "{expected}: {promises:#?}");
    }
    // Nobody is there to answer, or outside to connect.
    let open = of("open");
    for expected in ["guests reach 172.22.77.7 by TCP only", "nothing new comes in over IPv4"] {
        assert!(open.iter().any(|it| it == expected), "{expected}: {promises:#?}");
    }
    assert_eq!(host(), before);
    assert_eq!(std::fs::read_to_string("/var/lib/vnet/lab/leases").unwrap_or_default(), "", "no lease was taken");

    run("nft", &["delete", "element", "inet", "vnet", "limited", "{ virbr7 }"]);
    let (promises, code) = verified("lab");
    let broken: Vec<_> = promises.iter().filter(|it| it.1 == "broken").collect();
    assert_eq!(code, Some(1), "{promises:#?}");
    for (promise, device) in
        [("guests do not reach 10.200.77.7", "eth0"), ("guests do not reach those of pub, as at 9.8.8.254", "virbr9")]
    {
        let seen = format!("it left this host by {device}");
        assert!(broken.iter().any(|it| it.0 == promise && it.2 == seen), "{promise}: {promises:#?}");
    }

    let (promises, code) = verified("db");
    let kept: Vec<_> = promises.iter().filter(|it| it.1 == "kept").map(|it| it.0.as_str()).collect();
    assert_eq!(code, Some(0), "{promises:#?}");
    assert!(kept.contains(&"guests reach each other over IPv4") && kept.contains(&"no way out over IPv4"), "{kept:?}");
    let seen = guest.run(|| run("ip", &["neighbour"]));
    assert!(!seen.contains("192.168.131.254"), "nobody else had the guest's address: {seen}");
}

#[test]
fn a_verify_that_is_killed_leaves_nothing_to_the_next() {
    isolate!();
    std::fs::write("/run/db.xml", DB).unwrap();
    assert!(call(&["start", "/run/db.xml"]).status.success());
    let before = host();
    let mut verify = command(&["verify", "db"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for(Duration::from_secs(20), "a port", || {
        let ports = run("ip", &["-o", "link", "show", "master", "virbr8"]);
        (ports.lines().count() == 2).then_some(())
    });
    verify.kill().unwrap();
    verify.wait().unwrap();
    let ports: Value = serde_json::from_slice(&call(&["ports", "--format", "json"]).stdout).unwrap();
    assert_eq!(ports["ports"], Value::Array(Vec::new()), "{ports}");
    wait_for(Duration::from_secs(10), "no link", || (host()[0] == before[0]).then_some(()));
    let output = call(&["verify", "nobody"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}
