//! Hosts that are set up wrong: `vnet doctor` names the cause first, and nothing when it is mended.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::net::UdpSocket;
use std::process::{Command, Output};

use serde_json::Value;
use vnet_tests::{Netns, as_its_schema_says, isolate, run, vnet};

const RESOLV: &str = "/etc/resolv.conf";
const NAME_SERVER: &str = "203.0.113.2";

/// A way in which a host is wrong: what breaks it, the check that must name it first, words of what
/// is said, and what mends it. Without `asks`, doctor only reads.
struct Wrong {
    breaks: &'static str,
    asks: bool,
    check: &'static str,
    words: &'static str,
    mends: &'static str,
}

const fn read(breaks: &'static str, check: &'static str, words: &'static str, mends: &'static str) -> Wrong {
    Wrong { breaks, asks: false, check, words, mends }
}

const fn tried(breaks: &'static str, check: &'static str, words: &'static str, mends: &'static str) -> Wrong {
    Wrong { asks: true, ..read(breaks, check, words, mends) }
}

const APPLY: &str = "vnet apply lab";

/// More than one thing follows from most of them.
const WRONG: &[Wrong] = &[
    read("ip link set virbr7 down", "bridge", "virbr7 is down", APPLY),
    read("ip link delete virbr7", "bridge", "virbr7 is gone", "vnet apply lab && ip link set plug master virbr7"),
    read("ip link set tap7 nomaster", "port", "tap7 is not in the bridge", APPLY),
    read("ip link delete tap7", "port", "tap7 is gone", APPLY),
    read("ip link set plug down", "port", "plug is down", "ip link set plug up"),
    read("ip address flush dev virbr7", "address", "ip address add 192.168.130.1/24", APPLY),
    read(
        "ip address add 192.168.130.200/25 dev eth0",
        "conflict",
        "VN0601",
        "ip address del 192.168.130.200/25 dev eth0",
    ),
    read(
        "ip rule add to 192.168.130.0/24 table 77 && ip route add 192.168.0.0/16 dev eth0 table 77",
        "way-to-guests",
        "leave by eth0",
        "ip rule del table 77 && ip route flush table 77",
    ),
    read(
        "ip rule add to 192.168.130.0/24 prohibit",
        "way-to-guests",
        "no way to guests",
        "ip rule del to 192.168.130.0/24 prohibit",
    ),
    read("kill -9 $(cat /run/vnet/lab/dnsmasq.pid)", "dnsmasq", "dnsmasq", APPLY),
    read("kill -STOP $(cat /run/vnet/lab/dnsmasq.pid)", "dnsmasq", "continue (it is stopped)", APPLY),
    read("nft flush ruleset", "own-rules", "as after a flush", APPLY),
    read(
        "nft add table ip filter && nft 'add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'",
        "foreign-rules",
        "chain `FORWARD` in table `ip filter`",
        "nft delete table ip filter",
    ),
    read(
        "nft add table inet me && nft 'add chain inet me in { type filter hook input priority 0; }' \
          && nft add rule inet me in udp dport 67 drop",
        "foreign-rules",
        "guests get addresses by DHCP",
        "nft delete table inet me",
    ),
    read(
        "for host in 2 3 4 5 6 7 8 9; do echo 0 52:54:00:00:00:0$host 192.168.130.$host vm$host '*'; done \
          > /var/lib/vnet/lab/leases",
        "pool",
        "is used up",
        ": > /var/lib/vnet/lab/leases",
    ),
    read("ip route del default", "uplink", "no default route", "ip route add default via 203.0.113.2"),
    read(": > /etc/resolv.conf", "name-servers", "names no server", "echo nameserver 203.0.113.2 > /etc/resolv.conf"),
    read(
        "echo nameserver 192.168.130.1 > /etc/resolv.conf",
        "name-servers",
        "it would ask itself",
        "echo nameserver 203.0.113.2 > /etc/resolv.conf",
    ),
    read("sysctl -qw net.ipv4.ip_forward=0", "forwarding", "does not forward ipv4", APPLY),
    read(
        "sysctl -qw net.ipv4.conf.virbr7.forwarding=0",
        "forwarding",
        "conf/virbr7/forwarding is 0",
        "sysctl -qw net.ipv4.conf.virbr7.forwarding=1",
    ),
    read("ip rule add iif virbr7 prohibit", "way-out", "that leave", "ip rule del iif virbr7 prohibit"),
    read(
        "ip rule add from 192.168.130.0/24 table 78 && ip route add default dev lo table 78",
        "way-to-guests",
        "leave by lo",
        "ip rule del table 78 && ip route flush table 78",
    ),
    read(
        "ip rule add iif virbr7 table 78 && ip route add default dev lo table 78",
        "way-out",
        "go to lo",
        "ip rule del table 78 && ip route flush table 78",
    ),
    read("bridge link set dev tap7 locked on", "port", "tap7 is locked", "bridge link set dev tap7 locked off"),
    read(
        "echo 0 52:54:00:00:00:77 192.168.130.5 vm '*' > /var/lib/vnet/lab/leases \
           && ip neighbour add 192.168.130.5 lladdr 02:00:00:00:00:99 dev virbr7",
        "guest",
        "this host sends to 02:00:00:00:00:99",
        ": > /var/lib/vnet/lab/leases && ip neighbour del 192.168.130.5 dev virbr7",
    ),
    tried(
        "ip route replace default via 203.0.113.9",
        "uplink",
        "203.0.113.9, the router of this host, does not answer",
        "ip route replace default via 203.0.113.2",
    ),
    read("ip link set eth0 mtu 1300", "mtu", "eth0 carries 1300", "ip link set eth0 mtu 1500"),
    read(
        "echo '<network>' > /etc/vnet/networks/lab.xml",
        "definition",
        "cannot be used",
        "cp /run/lab.xml /etc/vnet/networks/lab.xml",
    ),
    read(
        "mv /run/vnet/lab/receipt /run/receipt",
        "definition",
        "its receipt is gone",
        "mv /run/receipt /run/vnet/lab/receipt",
    ),
    read(
        "cp /run/vnet/lab/receipt /run/receipt && head -c 100 /run/receipt > /run/vnet/lab/receipt",
        "definition",
        "receipt cannot be read",
        "cp /run/receipt /run/vnet/lab/receipt",
    ),
    read(
        "echo 0 52:54:00:00:00:77 192.168.130.5 vm '*' > /var/lib/vnet/lab/leases && nft add table ip me \
           && nft 'add chain ip me out { type filter hook forward priority 0; }' \
           && nft add rule ip me out ip saddr 192.168.130.4/30 drop",
        "foreign-rules",
        "refuses what guests with these addresses send: 192.168.130.5",
        ": > /var/lib/vnet/lab/leases && nft delete table ip me",
    ),
    read(
        "vnet stop lab",
        "definition",
        "does not run",
        "vnet start lab && ip link set plug master virbr7 && vnet attach /run/guest.xml",
    ),
    tried(
        "echo nameserver 127.0.0.53 > /etc/resolv.conf",
        "name-servers",
        "systemd-resolved",
        "echo nameserver 203.0.113.2 > /etc/resolv.conf",
    ),
    tried(
        "nft add table bridge me && nft 'add chain bridge me in { type filter hook input priority 0; }' \
           && nft add rule bridge me in meta protocol arp drop",
        "frames",
        "does not answer a guest",
        "nft delete table bridge me",
    ),
    tried(
        "nft add table ip me && nft 'add chain ip me early { type filter hook prerouting priority -300; }' \
           && nft add rule ip me early iifname virbr7 udp dport 53 drop",
        "dns",
        "answers this host and not a guest",
        "nft delete table ip me",
    ),
    tried(
        "nft add table ip me && nft 'add chain ip me late { type filter hook postrouting priority 300; }' \
           && nft add rule ip me late ip daddr 203.0.113.2 ip saddr 203.0.113.1 icmp type echo-request \
           meta iifname virbr7 drop",
        "outside",
        "answers this host and not a guest",
        "nft delete table ip me",
    ),
];

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
    std::thread::spawn(move || {
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
         <ip address='192.168.130.1' prefix='24'><dhcp><range start='192.168.130.2' end='192.168.130.9'/></dhcp></ip>
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
