//! What `vnet status` says of packets: how many, and how many bytes, by network and by what became
//! of them. What `vnet diff` says where rules or elements are not as they were.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use vnet_firewall::Firewall;
use vnet_tests::{NamedNetns, isolate, run, vnet};

const OUTSIDE: &str = "203.0.113.2";
/// Bytes of a datagram, and of the packet that it is in.
const DATAGRAM: usize = 100;
const PACKET: usize = DATAGRAM + 28;

/// A network that needs no rules of its own beside one that does.
#[test]
fn packets_and_bytes_are_counted_by_network_and_verdict() {
    isolate!();
    std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
    start("one", "virbr1", "<forward/>", "192.168.150.1");
    start("two", "virbr2", "<forward mode='route' dev='uplink'/>", "192.168.151.1");
    let one = plug("vnet1", Some("virbr1"), "192.168.150.2", "192.168.150.1");
    let two = plug("vnet2", Some("virbr2"), "192.168.151.2", "192.168.151.1");
    let outside = plug("uplink", None, OUTSIDE, "203.0.113.1");
    run("ip", &["address", "add", "203.0.113.1/24", "dev", "uplink"]);

    let nothing = [("accepted", 0), ("rejected", 0), ("translated", 0), ("kept", 0)];
    assert_eq!(counted("one"), verdicts(&nothing));
    assert_eq!(counted("two"), verdicts(&nothing[..2]));

    arrive(&one, &outside, OUTSIDE, 3);
    refused(&outside, "192.168.150.2", 2);
    arrive(&two, &outside, OUTSIDE, 4);
    arrive(&outside, &two, "192.168.151.2", 5);
    refused(&two, "192.168.150.2", 1);

    // Only the first packet of a connection is translated by a rule.
    let expected = [("accepted", 3), ("rejected", 3), ("translated", 1), ("kept", 0)];
    assert_eq!(counted("one"), verdicts(&expected));
    assert_eq!(counted("two"), verdicts(&[("accepted", 9), ("rejected", 0)]));

    let text = String::from_utf8(call(&["status", "--verbose", "two"], "")).unwrap();
    let line = text.lines().find(|line| line.trim_start().starts_with("accepted")).unwrap();
    assert_eq!(line.split_whitespace().collect::<Vec<_>>(), ["accepted", "9", "packets", "1152", "bytes"]);
    for network in ["one", "two"] {
        call(&["stop", network], "");
    }
    assert_eq!(run("nft", &["list", "ruleset"]), "");
}

/// On a terminal, of which script(1) makes one: in place, with rates. Changes of several networks
/// say so there, and nowhere else.
#[test]
fn what_goes_on_is_shown_on_a_terminal() {
    isolate!();
    start("one", "virbr1", "<forward/>", "192.168.150.1");
    let one = plug("vnet1", Some("virbr1"), "192.168.150.2", "192.168.150.1");
    let outside = plug("uplink", None, OUTSIDE, "203.0.113.1");
    run("ip", &["address", "add", "203.0.113.1/24", "dev", "uplink"]);
    let on_a_terminal = |line: &str, file: &str| {
        let line = format!("stty rows 40 cols 100; {} {line}", vnet().display());
        Command::new("script")
            .args(["--quiet", "--flush", "--command", &line, file])
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut watching = on_a_terminal("status --watch=200ms", "/tmp/watched");
    let shown = || std::fs::read_to_string("/tmp/watched").unwrap_or_default();
    vnet_tests::wait_for(Duration::from_secs(20), "a rate", || {
        arrive(&one, &outside, OUTSIDE, 1);
        let is_rate = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            matches!(words[..], ["accepted", rate, "packets/s", ..] if rate != "0")
        };
        shown().lines().any(is_rate).then_some(())
    });
    watching.kill().unwrap();
    watching.wait().unwrap();
    assert!(shown().matches("\u{1b}[H").count() > 1 && shown().contains("one: in sync"), "{}", shown());

    std::fs::create_dir("/tmp/two").unwrap();
    for (name, bridge, address) in [("b", "virbr2", "10.2.0.1"), ("c", "virbr3", "10.3.0.1")] {
        std::fs::write(format!("/tmp/two/{name}.xml"), definition(name, bridge, "", address)).unwrap();
    }
    assert!(on_a_terminal("start /tmp/two", "/tmp/started").wait().unwrap().success());
    let started = std::fs::read_to_string("/tmp/started").unwrap();
    assert!(started.contains("changing 2 networks …") && started.contains("network b started"), "{started}");
    let output = Command::new(vnet()).args(["stop", "b", "c"]).output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stderr).contains("changing"));
    call(&["stop", "one"], "");
}

/// The same rules in another order, and one more element: seen by `diff` and `status`, repaired by
/// `apply`.
#[test]
fn what_was_changed_by_hand_is_shown_and_repaired() {
    isolate!();
    start("one", "virbr1", "<forward/>", "192.168.150.1");
    start("two", "virbr2", "<forward dev='uplink'/>", "192.168.151.1");
    let list = || run("nft", &["--stateless", "list", "ruleset"]);
    let before = list();
    let refuse = last_rule("to_guests");
    let own = last_rule("nat_two");
    let changes = [
        (
            "one",
            format!(
                "delete rule inet vnet to_guests handle {}; insert rule inet vnet to_guests {}",
                refuse.0, refuse.1
            ),
        ),
        ("two", format!("delete rule inet vnet nat_two handle {}; insert rule inet vnet nat_two {}", own.0, own.1)),
        ("one", "add element inet vnet leave_ipv4 { virbr1 . 10.0.0.0 }".to_owned()),
        ("one", "delete element inet vnet refuse_from { ipv4 . virbr1 }".to_owned()),
    ];
    for (network, change) in &changes {
        run("nft", &[change]);
        let shown = vnet_answers(&["diff", network], 1);
        assert!(shown.contains(&format!("~ nft rules of network {network}")), "{change}\n{shown}");
        let status: Value = serde_json::from_slice(&call(&["status", "--format", "json", network], "")).unwrap();
        assert_eq!(status["networks"][0]["state"], "drifted", "{change}");
        let forward = if *network == "one" { "<forward/>" } else { "<forward dev='uplink'/>" };
        let (bridge, address) =
            if *network == "one" { ("virbr1", "192.168.150.1") } else { ("virbr2", "192.168.151.1") };
        call(&["apply", "-"], &definition(network, bridge, forward, address));
        vnet_answers(&["diff", network], 0);
        assert_eq!(list(), before, "{change}");
    }
}

/// A network with a flowtable.
fn accelerated(forward: &str) -> String {
    let flowtable = "<metadata><v:network xmlns:v='https://github.com/vnet-rs/vnet/network/1.0'>\
                     <v:driver flowtable='on'/></v:network></metadata>";
    definition("one", "virbr1", &format!("{flowtable}{forward}"), "192.168.150.1")
}

/// The same with limits.
fn limited(forward: &str) -> String {
    let limits = "<bandwidth><inbound average='100000'/><outbound average='100000'/></bandwidth>";
    accelerated(&format!("{forward}{limits}"))
}

/// What `vnet start` and the like answer.
fn answered(args: &[&str], document: &str) -> Value {
    serde_json::from_slice(&call(&[args, &["--format", "json"]].concat(), document)).unwrap()
}

fn codes(report: &Value) -> Vec<&str> {
    report["diagnostics"].as_array().unwrap().iter().map(|it| it["code"].as_str().unwrap()).collect()
}

/// Where the kernel has no flowtables, the network runs without one, and that is said.
#[test]
fn a_flowtable_is_there_or_missed() {
    isolate!();
    let _outside = plug("uplink", None, OUTSIDE, "203.0.113.1");
    run("ip", &["address", "add", "203.0.113.1/24", "dev", "uplink"]);
    run("ip", &["route", "add", "default", "via", OUTSIDE]);
    let has = Firewall::open().unwrap().has_flowtables().unwrap();
    let checked = answered(&["check", "--against-host", "-"], &accelerated("<forward/>"));
    assert_eq!(codes(&checked["files"][0]).contains(&"VN0632"), !has, "{checked}");
    let planned = answered(&["plan", "-"], &accelerated("<forward/>"));
    assert_eq!(codes(&planned).contains(&"VN0632"), !has, "{planned}");
    let started = answered(&["start", "-"], &accelerated("<forward/>"));
    assert_eq!(codes(&started).contains(&"VN0632"), !has, "{started}");
    let says = started["changes"].to_string().contains("skip all rules");
    assert_eq!((says, run("nft", &["list", "ruleset"]).contains("flowtable")), (has, has));
    vnet_answers(&["diff", "one"], 0);
    vnet_answers(&["status", "one"], 0);
}

#[test]
#[ignore = "needs flowtables: runs in cargo xtask vm"]
fn a_flowtable_follows_the_way_out_and_keeps_limits() {
    isolate!();
    std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
    let outside = plug("uplink", None, OUTSIDE, "203.0.113.1");
    run("ip", &["address", "add", "203.0.113.1/24", "dev", "uplink"]);
    run("ip", &["route", "add", "default", "via", OUTSIDE]);
    answered(&["start", "-"], &limited("<forward/>"));
    let one = plug("vnet1", Some("virbr1"), "192.168.150.2", "192.168.150.1");

    let server = outside.run(|| UdpSocket::bind((OUTSIDE, 0)).unwrap());
    let client = one.run(|| UdpSocket::bind("0.0.0.0:0").unwrap());
    client.connect(server.local_addr().unwrap()).unwrap();
    for socket in [&client, &server] {
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    }
    let word = || {
        client.send(&[0; DATAGRAM]).unwrap();
        let (len, peer) = server.recv_from(&mut [0; 2 * DATAGRAM]).unwrap();
        server.send_to(&[0; DATAGRAM][..len], peer).unwrap();
        assert_eq!(client.recv(&mut [0; 2 * DATAGRAM]).unwrap(), DATAGRAM);
    };
    (0..2).for_each(|_| word());
    let queued = || -> Vec<u64> {
        let queues = vnet_tests::json("tc", &["-s", "-j", "qdisc", "show", "dev", "virbr1"]);
        let of = |kind: &str| queues.as_array().unwrap().iter().find(|it| it["kind"] == kind).unwrap();
        ["htb", "ingress"].map(|kind| of(kind)["packets"].as_u64().unwrap()).into()
    };
    // The kernel takes a connection out of the flowtable when it looks for its way anew.
    let mut before = queued();
    let skip_the_rules = (0..5).any(|_| {
        let counts = counted("one");
        before = queued();
        (0..10).for_each(|_| word());
        counted("one") == counts
    });
    assert!(skip_the_rules, "{}", counted("one"));
    let passed: Vec<u64> = queued().into_iter().zip(before).map(|(now, before)| now - before).collect();
    assert!(passed.iter().all(|packets| *packets >= 10), "and pass the limits: {passed:?}");

    // Another way out.
    let _other = plug("other", None, "198.51.100.2", "198.51.100.1");
    run("ip", &["address", "add", "198.51.100.1/24", "dev", "other"]);
    run("ip", &["route", "replace", "default", "via", "198.51.100.2"]);
    let is_missed = || vnet_answers(&["status", "one"], 0).contains("`other`, which is not in the flowtable");
    assert!(is_missed());
    answered(&["apply", "-"], &limited("<forward/>"));
    assert!(!is_missed());
    let devices = run("nft", &["list", "flowtables"]);
    assert!(devices.contains("other") && !devices.contains("uplink"), "{devices}");
    run("ip", &["route", "replace", "default", "via", OUTSIDE]);
    answered(&["apply", "-"], &limited("<forward/>"));
    (0..2).for_each(|_| word());

    // The bridge has another name, and the flowtable goes with it.
    answered(&["apply", "-"], &limited("<forward/>").replace("virbr1", "virbr7"));
    vnet_answers(&["diff", "one"], 0);
    assert!(run("nft", &["list", "flowtables"]).contains("virbr7"));
    (0..2).for_each(|_| word());

    answered(&["apply", "-"], &limited("").replace("flowtable='on'", "flowtable='off'").replace("virbr1", "virbr7"));
    client.send(&[0; DATAGRAM]).unwrap();
    assert_eq!(client.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert!(!run("nft", &["list", "ruleset"]).contains("flowtable"));
}

/// The handle of the last rule of a chain, and the rule.
fn last_rule(chain: &str) -> (String, String) {
    let listed = run("nft", &["--handle", "--stateless", "list", "chain", "inet", "vnet", chain]);
    let mut rules = listed.lines().filter(|line| line.contains("comment"));
    let (rule, handle) = rules.next_back().unwrap().trim().split_once(" # handle ").unwrap();
    (handle.to_owned(), rule.to_owned())
}

/// What it says with this exit code.
fn vnet_answers(args: &[&str], code: i32) -> String {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let output = Command::new(vnet()).args(args).env("PATH", path).output().expect("the program starts");
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    said
}

/// By decision, packets of `PACKET` bytes each.
fn verdicts(expected: &[(&str, usize)]) -> Value {
    let entry = |(decision, packets): &(&str, usize)| {
        ((*decision).to_owned(), json!({ "packets": packets, "bytes": packets * PACKET }))
    };
    Value::Object(expected.iter().map(entry).collect())
}

fn counted(network: &str) -> Value {
    let report: Value = serde_json::from_slice(&call(&["status", "--format", "json", network], "")).unwrap();
    assert_eq!(report["networks"][0]["state"], "in-sync");
    report["networks"][0]["verdicts"].clone()
}

/// So many datagrams get there.
fn arrive(from: &NamedNetns, to: &NamedNetns, address: &str, count: usize) {
    let server = to.run(|| UdpSocket::bind((address, 0)).unwrap());
    server.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let client = from.run(|| UdpSocket::bind("0.0.0.0:0").unwrap());
    client.connect(server.local_addr().unwrap()).unwrap();
    for _ in 0..count {
        client.send(&[0; DATAGRAM]).unwrap();
        assert_eq!(server.recv(&mut [0; 2 * DATAGRAM]).unwrap(), DATAGRAM);
    }
}

/// So many datagrams are refused, as their sender is told.
fn refused(from: &NamedNetns, address: &str, count: usize) {
    let client = from.run(|| UdpSocket::bind("0.0.0.0:0").unwrap());
    client.connect((address, 4711)).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    for _ in 0..count {
        client.send(&[0; DATAGRAM]).unwrap();
        assert_eq!(client.recv(&mut [0; 1]).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }
}

/// Someone behind a device of this host, on a bridge or beside.
fn plug(name: &str, bridge: Option<&str>, address: &str, gateway: &str) -> NamedNetns {
    let netns = NamedNetns::new(name);
    run("ip", &["link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name]);
    if let Some(bridge) = bridge {
        run("ip", &["link", "set", name, "master", bridge]);
    }
    run("ip", &["link", "set", name, "up"]);
    netns.run(|| {
        run("ip", &["address", "add", &format!("{address}/24"), "dev", "eth0"]);
        run("ip", &["link", "set", "eth0", "up"]);
        run("ip", &["route", "add", "default", "via", gateway]);
    });
    netns
}

fn start(name: &str, bridge: &str, forward: &str, address: &str) {
    call(&["start", "-"], &definition(name, bridge, forward, address));
}

fn definition(name: &str, bridge: &str, forward: &str, address: &str) -> String {
    format!(
        "<network><name>{name}</name>{forward}<bridge name='{bridge}' stp='off' delay='0'/><dns enable='no'/>\
         <ip address='{address}' prefix='24'/></network>"
    )
}

fn call(args: &[&str], input: &str) -> Vec<u8> {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    std::fs::write("/run/definition.xml", input).unwrap();
    let stdin = Stdio::from(std::fs::File::open("/run/definition.xml").unwrap());
    let output = Command::new(vnet()).args(args).env("PATH", path).stdin(stdin).output().expect("the program starts");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
