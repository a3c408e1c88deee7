//! A network that was changed again and again is the network that a fresh start of its last
//! definition makes: links, rules, routes, traffic control, files and switches, as other programs
//! see them.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use rstest::rstest;
use serde_json::{Value, json as value};
use vnet_tests::{isolate, json, run, vnet};

/// A definition, by what differs from one to the other.
#[derive(Clone, Copy)]
struct Definition {
    forward: &'static str,
    /// The attributes of `<bridge>`.
    bridge: &'static str,
    mac: &'static str,
    /// Before the addresses.
    more: &'static str,
    dhcp: &'static str,
    /// Behind the first address.
    ips: &'static str,
}

const NAT: Definition = Definition {
    forward: "<forward mode='nat'/>",
    bridge: "name='lab0' stp='off'",
    mac: "<mac address='52:54:00:00:00:01'/>",
    more: "",
    dhcp: "<range start='10.9.0.100' end='10.9.0.200'/>",
    ips: "",
};

/// Each differs from [`NAT`] in one thing.
const DEFINITIONS: [Definition; 28] = [
    NAT,
    Definition { forward: "", ..NAT },
    Definition { forward: "<forward mode='route'/>", ..NAT },
    Definition { forward: "<forward mode='open'/>", ..NAT },
    Definition { forward: "<forward mode='nat' dev='lo'/>", ..NAT },
    Definition { forward: "<forward mode='nat'><nat><port start='2000' end='3000'/></nat></forward>", ..NAT },
    Definition { bridge: "name='lab0' stp='on' delay='3'", ..NAT },
    Definition { bridge: "name='lab0' stp='off' macTableManager='libvirt'", ..NAT },
    Definition { bridge: "name='lab1' stp='off'", ..NAT },
    Definition { bridge: "name='lab2' stp='off'", more: "<bandwidth><outbound average='800'/></bandwidth>", ..NAT },
    Definition { bridge: "name='any%d' stp='off'", ..NAT },
    Definition { bridge: "stp='off'", ..NAT },
    Definition { mac: "<mac address='52:54:00:00:00:02'/>", ..NAT },
    Definition { mac: "", ..NAT },
    Definition { more: "<mtu size='1400'/>", ..NAT },
    Definition { more: "<mtu size='1500'/>", ..NAT },
    Definition { more: "<mtu size='9000'/>", ..NAT },
    Definition { more: "<domain name='lab.example'/>", ..NAT },
    Definition { more: "<dns><host ip='10.9.0.5'><hostname>five</hostname></host></dns>", ..NAT },
    Definition { more: "<bandwidth><inbound average='1000' peak='2000'/></bandwidth>", ..NAT },
    Definition { more: "<bandwidth><inbound average='900'/><outbound average='800'/></bandwidth>", ..NAT },
    Definition { more: "<port isolated='yes'/>", ..NAT },
    Definition { dhcp: "<range start='10.9.0.50' end='10.9.0.200'/>", ..NAT },
    Definition { dhcp: "<host mac='52:54:00:00:00:0a' name='a' ip='10.9.0.11'/>", ..NAT },
    Definition { ips: "<ip address='10.9.4.1' prefix='28'/>", ..NAT },
    Definition { ips: "<ip family='ipv6' address='fd00:9::1' prefix='64'/>", ..NAT },
    Definition { ips: "<route address='10.77.0.0' prefix='16' gateway='10.9.0.9'/>", ..NAT },
    Definition { ips: "<route address='10.77.0.0' prefix='16' gateway='10.9.0.8' metric='9'/>", ..NAT },
];

fn call(arguments: &[&str]) {
    run(vnet().to_str().unwrap(), &[&["--state-dir", "/run/vnet"], arguments].concat());
}

fn bring_up(command: &str, definition: &Definition) {
    let Definition { forward, bridge, mac, more, dhcp, ips } = definition;
    let text = format!(
        "<network><name>lab</name>{forward}<bridge {bridge}/>{mac}{more}
         <ip address='10.9.0.1' prefix='24'><dhcp>{dhcp}</dhcp></ip>{ips}</network>"
    );
    fs::write("/run/lab.xml", text).unwrap();
    call(&[command, "/run/lab.xml"]);
}

fn attach() {
    for (number, dev, more) in [(1, "ta", ""), (2, "tb", "<port isolated='yes'/>")] {
        let text = format!(
            "<interface type='network'>
             <source network='lab' portid='00000000-0000-4000-8000-00000000000{number}'/>
             <mac address='52:54:00:00:0a:0{number}'/><target dev='{dev}'/>{more}</interface>"
        );
        fs::write("/run/port.xml", text).unwrap();
        call(&["attach", "/run/port.xml"]);
    }
}

/// Removes what differs from one time to the next: numbers that the kernel gives, times, and
/// counts.
fn settle(value: &mut Value) {
    const CHANGES: [&str; 18] = [
        "ifindex",
        "link_index",
        "handle",
        "stats64",
        "stats",
        "promiscuity",
        "allmulti",
        "hello_timer",
        "tcn_timer",
        "topology_change_timer",
        "gc_timer",
        "valid_life_time",
        "preferred_life_time",
        "packets",
        "bytes",
        "tentative",
        "timer",
        "linkdown",
    ];
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !CHANGES.contains(&name.as_str()));
            fields.values_mut().for_each(settle);
        }
        Value::Array(values) => values.iter_mut().for_each(settle),
        _ => {}
    }
}

/// A line of `tc`, which prints no JSON of classes, without the numbers that the kernel gives, and
/// without counts.
fn traffic(line: &str) -> String {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    let changes = ["noqueue", "index", "direct_packets_stat"];
    let given = words.iter().position(|word| changes.contains(word)).map(|at| at + 1);
    if let Some(given) = given.filter(|at| *at < words.len()) {
        words.remove(given);
    }
    words.join(" ")
}

fn sorted(mut list: Value) -> Vec<String> {
    settle(&mut list);
    let mut all: Vec<String> = list.as_array().into_iter().flatten().map(ToString::to_string).collect();
    all.sort();
    all
}

/// The ruleset, each rule with its place in its chain.
fn rules() -> Vec<String> {
    let mut places = BTreeMap::new();
    let mut list = json("nft", &["-j", "list", "ruleset"])["nftables"].take();
    for object in list.as_array_mut().unwrap() {
        if let Some(rule) = object.get_mut("rule") {
            let place: &mut usize = places.entry(rule["chain"].to_string()).or_default();
            rule["place"] = value!(*place);
            *place += 1;
        }
        if let Some(elements) = object.pointer_mut("/set/elem").and_then(Value::as_array_mut) {
            elements.sort_by_key(ToString::to_string);
        }
    }
    sorted(list)
}

/// Files by path, with their contents where these are not about one run.
fn files(folder: &Path, all: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, all);
            continue;
        }
        let told =
            ["conf", "hosts", "addnhosts", "xml"].iter().any(|end| path.extension().is_some_and(|it| it == *end));
        let text = if told { fs::read_to_string(&path).unwrap() } else { String::new() };
        all.push(format!("{} {text}", path.display()));
    }
}

/// The switches of a link.
fn switches(bridge: &str, all: &mut Vec<String>) {
    for family in ["ipv4", "ipv6"] {
        let Ok(folder) = fs::read_dir(format!("/proc/sys/net/{family}/conf/{bridge}")) else { continue };
        for path in folder.map(|entry| entry.unwrap().path()) {
            all.extend(fs::read_to_string(&path).ok().map(|value| format!("{} {}", path.display(), value.trim())));
        }
    }
}

fn everything() -> Vec<String> {
    let mut all = sorted(json("ip", &["-d", "-j", "link"]));
    all.extend(sorted(json("ip", &["-j", "address"])));
    all.extend(sorted(json("ip", &["-j", "-4", "route", "show", "table", "all"])));
    // The kernel adds the routes to link-local addresses when it has found that nobody else has
    // them.
    let is_link_local = |route: &String| route.contains("\"fe80::") && route.contains("\"local\"");
    let routes = sorted(json("ip", &["-j", "-6", "route", "show", "table", "all"]));
    all.extend(routes.into_iter().filter(|route| !is_link_local(route)));
    all.extend(sorted(json("bridge", &["-d", "-j", "link"])));
    all.extend(rules());
    let mut rest = Vec::new();
    let links = json("ip", &["-j", "link"]);
    let mut devices: Vec<&str> = links.as_array().unwrap().iter().filter_map(|link| link["ifname"].as_str()).collect();
    devices.sort_unstable();
    for dev in devices {
        switches(dev, &mut rest);
        let filters = |place| run("tc", &["filter", "show", "dev", dev, place]);
        let shown = [run("tc", &["qdisc", "show", "dev", dev]), run("tc", &["class", "show", "dev", dev])];
        let shown = shown.into_iter().chain(["root", "ingress"].map(filters));
        let lines: Vec<String> = shown.flat_map(|text| text.lines().map(traffic).collect::<Vec<_>>()).collect();
        all.extend(lines.into_iter().map(|line| format!("{dev} {line}")));
    }
    files(Path::new("/run/vnet"), &mut rest);
    rest.sort();
    all.extend(rest);
    all
}

/// Whether the kernel can filter VLANs in bridges.
fn filters_vlans() -> bool {
    let add = ["link", "add", "probe", "type", "bridge", "vlan_filtering", "1"];
    let can = Command::new("ip").args(add).output().unwrap().status.success();
    if can {
        run("ip", &["link", "delete", "probe"]);
    }
    can
}

/// In the order of a linear congruential generator (Knuth's).
fn shuffled(mut seed: u64) -> Vec<Definition> {
    let filters_vlans = filters_vlans();
    let mut keyed: Vec<(u64, Definition)> = DEFINITIONS
        .into_iter()
        .filter(|definition| filters_vlans || !definition.bridge.contains("macTableManager"))
        .map(|definition| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 32, definition)
        })
        .collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, definition)| definition).collect()
}

#[rstest]
fn a_changed_network_is_as_a_fresh_one(#[values(1, 2, 3)] seed: u64, #[values(1, 3)] length: usize) {
    isolate!();
    // Without a policer, a limit to what guests send is refused where these are on.
    for switch in ["bridge-nf-call-iptables", "bridge-nf-call-ip6tables"] {
        let _ = fs::write(Path::new("/proc/sys/net/bridge").join(switch), "0");
    }
    bring_up("start", &NAT);
    attach();
    for chain in shuffled(seed).chunks(length) {
        chain.iter().for_each(|definition| bring_up("apply", definition));
        let changed = everything();
        call(&["stop", "lab"]);
        let last = chain.last().unwrap();
        bring_up("start", last);
        attach();
        let fresh = everything();
        let only = |these: &[String], those: &[String]| {
            these.iter().filter(|line| !those.contains(line)).cloned().collect::<Vec<_>>().join("\n")
        };
        let text = fs::read_to_string("/run/lab.xml").unwrap();
        assert!(
            changed == fresh,
            "{text}\nonly when changed:\n{}\nonly when fresh:\n{}",
            only(&changed, &fresh),
            only(&fresh, &changed)
        );
    }
    call(&["stop", "lab"]);
}
