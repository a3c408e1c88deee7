//! Hosts that are set up wrong: `vnet doctor` names the cause first, and nothing when it is mended.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::net::UdpSocket;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use vnet_tests::{Netns, as_its_schema_says, isolate, run, vnet};

mod wrong;

use self::wrong::{WRONG, Wrong};

const RESOLV: &str = "/etc/resolv.conf";
const NAME_SERVER: &str = "203.0.113.2";

fn shell(line: &str) {
    let vnet = vnet();
    run("sh", &["-ec", &format!("vnet() {{ {} -q \"$@\"; }}; {line}", vnet.display())]);
}

fn call(arguments: &[&str]) -> Output {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    Command::new(vnet()).args(arguments).env("PATH", path).output().unwrap()
}

/// The report of doctor, with its exit code.
fn examined(arguments: &[&str]) -> (Value, Option<i32>) {
    let output = call(&[&["doctor", "--format", "json"], arguments].concat());
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    as_its_schema_says("doctor", &report);
    (report, output.status.code())
}

/// A host with a way out and a name server, a network, a guest with a tap that nobody has open, and
/// one with a cable.
fn host() -> (Netns, Netns) {
    let outside = Netns::new();
    run("ip", &["link", "add", "eth0", "type", "veth", "peer", "name", "far"]);
    run("ip", &["address", "add", "203.0.113.1/24", "dev", "eth0"]);
    run("ip", &["link", "set", "eth0", "up"]);
    plug("far", &outside, &format!("{NAME_SERVER}/24"));
    run("ip", &["route", "add", "default", "via", NAME_SERVER]);
    let server = outside.run(|| UdpSocket::bind((NAME_SERVER, 53)).unwrap());
    thread::spawn(move || {
        let mut message = [0; 512];
        while let Ok((length, from)) = server.recv_from(&mut message) {
            message[2] |= 0x80;
            let _ = server.send_to(&message[..length], from);
        }
    });
    // A link to the host's own file.
    fs::remove_file(RESOLV).unwrap();
    fs::write(RESOLV, format!("nameserver {NAME_SERVER}\n")).unwrap();
    fs::write(
        "/run/lab.xml",
        "<network><name>lab</name><forward/><bridge name='virbr7' stp='off' delay='0'/>
         <ip address='192.168.130.1' prefix='24'><dhcp><range start='192.168.130.2' end='192.168.130.9'/>
         <host mac='52:54:00:00:00:78' name='web' ip='192.168.130.50'/></dhcp></ip>
         </network>",
    )
    .unwrap();
    fs::write(
        "/run/guest.xml",
        "<interface type='network'><mac address='52:54:00:00:00:77'/><source network='lab'/><target dev='tap7'/>
         </interface>",
    )
    .unwrap();
    shell("vnet define /run/lab.xml && vnet dumpxml --inactive lab > /run/kept.xml && mv /run/kept.xml /run/lab.xml");
    shell("vnet start lab && vnet attach /run/guest.xml");
    let guest = Netns::new();
    run("ip", &["link", "add", "plug", "type", "veth", "peer", "name", "card"]);
    run("ip", &["link", "set", "plug", "master", "virbr7"]);
    run("ip", &["link", "set", "plug", "up"]);
    plug("card", &guest, "192.168.130.77/24");
    (outside, guest)
}

fn plug(link: &str, netns: &Netns, address: &str) {
    let index = vnet_netlink::Netlink::open().unwrap().link(&link.parse().unwrap()).unwrap().unwrap().index;
    vnet_netlink::Netlink::open().unwrap().move_to_namespace(index, netns.file()).unwrap();
    netns.run(|| {
        run("ip", &["address", "add", address, "dev", link]);
        run("ip", &["link", "set", link, "up"]);
    });
}

#[test]
fn the_cause_comes_first() {
    isolate!();
    let (_outside, guest) = host();
    let (report, code) = examined(&["lab"]);
    assert_eq!((&report["cause"], code), (&Value::Null, Some(0)), "{report:#}");
    let health = |check: &str| {
        let checks = report["checks"].as_array().unwrap();
        checks.iter().find(|it| it["check"] == check).unwrap_or_else(|| panic!("{check}: {report:#}"))["health"].clone()
    };
    for check in ["frames", "dhcp", "dns", "name-servers", "way-out", "outside"] {
        assert_eq!(health(check), "ok", "{check}");
    }
    assert_eq!(health("port"), "unknown", "nobody has tap7 open");
    let mut wrong = Vec::new();
    for Wrong { breaks, asks, check, words, mends } in WRONG {
        let arguments: &[&str] = if *asks { &["lab"] } else { &["lab", "--no-probe"] };
        shell(breaks);
        let before = traces();
        let (report, code) = examined(arguments);
        let cause = &report["cause"];
        let finding = cause["finding"].as_str().unwrap_or_default();
        if cause["check"] != *check || !finding.contains(words) || code != Some(1) {
            let checks = report["checks"].as_array().unwrap().iter().filter(|it| it["health"] != "ok");
            wrong.push(format!("{breaks}: {:#?}", checks.collect::<Vec<_>>()));
        } else {
            assert!(!cause["evidence"].as_array().unwrap().is_empty(), "{breaks}: {cause:#}");
        }
        assert!(traces() == before, "{breaks}: {:?}", traces());
        shell(mends);
        let (report, code) = examined(&["lab", "--no-probe"]);
        assert_eq!((&report["cause"], code), (&Value::Null, Some(0)), "mended from {breaks}: {report:#}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    what_vnet_can_do_is_done();
    for (table, hook) in [("bridge", "prerouting priority 0"), ("netdev", "ingress device plug priority 0")] {
        shell(&format!("nft add table {table} me && nft 'add chain {table} me in {{ type filter hook {hook}; }}'"));
        shell(&format!("nft add rule {table} me in ether saddr 52:54:00:00:00:77 drop"));
        let (report, _) = examined(&["lab", "--no-probe"]);
        let place = format!("of chain `in` in table `{table} me`");
        let is_named = |it: &Value| it["health"] == "unknown" && it["finding"].as_str().unwrap().contains(&place);
        assert!(report["checks"].as_array().unwrap().iter().any(is_named), "{report:#}");
        shell(&format!("nft delete table {table} me"));
    }
    guest.run(|| run("ip", &["address", "add", "192.168.130.1/24", "dev", "card"]));
    let (report, _) = examined(&["lab"]);
    let cause = &report["cause"];
    assert!(
        cause["check"] == "frames" && cause["finding"].as_str().unwrap().contains("has 192.168.130.1"),
        "{report:#}"
    );
}

/// As the kernel does where it knows many neighbours.
#[test]
fn a_router_that_is_forgotten_is_silent() {
    isolate!();
    let (_outside, _guest) = host();
    shell("ip route replace default via 203.0.113.9");
    let forgets = "while sleep 0.05; do ip neighbour flush dev eth0 nud failed; done";
    let mut forgets =
        Command::new("sh").args(["-c", forgets]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let (report, code) = examined(&["lab"]);
    forgets.kill().unwrap();
    forgets.wait().unwrap();
    let cause = report["cause"]["finding"].as_str().unwrap_or_default();
    assert!(cause.starts_with("203.0.113.9, the router of this host, does not answer"), "{report:#}");
    assert_eq!(code, Some(1));
}

/// With `--fix`: the network is repaired as it runs, and what others have done stays.
fn what_vnet_can_do_is_done() {
    shell("vnet forward add lab tcp/2222 web:22");
    let forwards = call(&["forward", "list", "lab"]).stdout;
    assert!(String::from_utf8_lossy(&forwards).contains("2222"));
    shell("ip link set virbr7 down");
    // Nobody can be asked.
    let output = call(&["doctor", "--fix", "--no-probe", "lab"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let (report, code) = examined(&["lab", "--no-probe", "--fix", "--yes"]);
    assert_eq!((&report["cause"], code), (&Value::Null, Some(0)), "{report:#}");
    assert_eq!(report["mended"], serde_json::json!(["repair network lab"]));
    assert_eq!(call(&["forward", "list", "lab"]).stdout, forwards);
    shell("vnet forward remove lab tcp/2222");
    shell("nft add table inet me && nft 'add chain inet me it { type filter hook forward priority 0; policy drop; }'");
    let (report, code) = examined(&["lab", "--no-probe", "--fix", "--yes"]);
    assert_eq!((report["cause"]["health"].as_str(), code), (Some("problem"), Some(1)), "{report:#}");
    assert!(run("nft", &["list", "tables"]).contains("inet me"));
    shell("nft delete table inet me");
}

#[test]
fn a_guest_without_a_router_of_ipv6() {
    isolate!();
    let xml = "<network><name>six</name><bridge name='virbr6' stp='off' delay='0'/>
         <ip family='ipv6' address='fd00:7::1' prefix='64'/></network>";
    fs::write("/run/six.xml", xml).unwrap();
    shell("vnet start /run/six.xml");
    let guest = Netns::new();
    run("ip", &["link", "add", "plug", "type", "veth", "peer", "name", "card"]);
    run("ip", &["link", "set", "plug", "master", "virbr6"]);
    run("ip", &["link", "set", "plug", "up"]);
    plug("card", &guest, "fd00:7::77/64");
    // The kernel looks whether somebody else has the address.
    let deadline = Instant::now() + Duration::from_secs(10);
    while run("ip", &["-6", "address", "show", "dev", "virbr6"]).contains("tentative") {
        assert!(Instant::now() < deadline, "the address stays tentative");
        thread::sleep(Duration::from_millis(50));
    }
    let cause = || examined(&["six"]).0["cause"].clone();
    assert_eq!(cause(), Value::Null);
    let rule = "nft add table ip6 me && nft 'add chain ip6 me c { type filter hook HOOK priority 0; }' && \
                nft add rule ip6 me c icmpv6 type KIND drop";
    for (hook, kind, words) in [
        ("output", "nd-router-advert", "guests hear of no router"),
        ("input", "nd-neighbor-solicit", "does not answer a guest that asks who has fd00:7::1"),
    ] {
        shell(&rule.replace("HOOK", hook).replace("KIND", kind));
        let cause = cause();
        let finding = cause["finding"].as_str().unwrap_or_default();
        assert!(cause["check"] == "router" && finding.contains(words) && finding.contains("not known"), "{cause:#}");
        shell("nft delete table ip6 me");
    }
}

/// What a made-up guest could leave: links, neighbours, rules, leases.
fn traces() -> [String; 4] {
    let names = run("ip", &["-br", "link"]);
    let names: Vec<&str> = names.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let bridge = run("ip", &["neighbour", "show"]);
    let neighbours: Vec<&str> =
        bridge.lines().filter(|line| line.contains("lladdr") && line.contains("virbr7")).collect();
    let rules = run("nft", &["--stateless", "list", "ruleset"]);
    [names.join(" "), neighbours.join(" "), rules, fs::read_to_string("/var/lib/vnet/lab/leases").unwrap_or_default()]
}
