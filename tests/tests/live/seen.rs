//! Everything that a network is made of, as other programs see it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json as value};
use vnet_tests::{json, run};

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

/// Links, addresses, routes, rules, traffic control, files and switches, without what differs from
/// one time to the next.
pub(crate) fn everything() -> Vec<String> {
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
