//! `vnet new`: the subnet is free, and stays the same.

use std::fs;
use std::process::Output;

use serde_json::Value;
use vnet_tests::NamedNetns;

use crate::{json, shown, text, vnet_with};

/// What `vnet new` makes, as JSON.
fn new(args: &[&str]) -> Value {
    let output = vnet_with(&[&["new", "--format", "json"], args].concat(), b"");
    assert!(output.status.success(), "{}", shown(&output));
    json(&output)
}

/// The subnet of a network that `vnet new` makes, by its first three numbers.
fn subnet(args: &[&str]) -> String {
    let made = new(args);
    let address = made["addresses"][0].as_str().unwrap();
    address.strip_suffix(".1/24").unwrap_or_else(|| panic!("{made}")).to_owned()
}

fn definition(name: &str, subnet: &str) -> String {
    format!("<network><name>{name}</name><ip address='{subnet}.1' prefix='24'/></network>")
}

#[test]
fn a_subnet_is_free_and_stays_the_same() {
    vnet_tests::isolate!();
    for folder in ["/etc/libvirt", "/etc/docker"] {
        fs::create_dir_all(folder).unwrap();
        vnet_tests::run("mount", &["-t", "tmpfs", "none", folder]);
    }
    let first = subnet(&["nat", "lab"]);
    assert_eq!(subnet(&["route", "lab"]), first, "the same again");
    assert_ne!(subnet(&["nat", "other"]), first);

    let nowhere = vnet_with(&["import"], b"");
    assert_eq!(nowhere.status.code(), Some(2), "{}", shown(&nowhere));
    assert!(text(&nowhere.stderr).contains("there is no libvirt here"), "{}", shown(&nowhere));

    // What libvirt keeps, and the pools of container engines.
    fs::create_dir_all("/etc/libvirt/qemu/networks").unwrap();
    fs::write("/etc/libvirt/qemu/networks/theirs.xml", definition("theirs", &first)).unwrap();
    let second = subnet(&["nat", "lab"]);
    assert_ne!(second, first);
    fs::write("/etc/docker/daemon.json", r#"{"default-address-pools": [{"base": "192.168.0.0/16", "size": 24}]}"#)
        .unwrap();
    let outside = subnet(&["nat", "lab"]);
    assert!(!outside.starts_with("192.168."), "{outside}");

    // What another table routes, as VPNs have it.
    vnet_tests::run("ip", &["link", "add", "up0", "up", "type", "veth", "peer", "name", "down0"]);
    let elsewhere = format!("{outside}.0/24");
    vnet_tests::run("ip", &["route", "add", &elsewhere, "dev", "up0", "table", "52"]);
    assert_ne!(subnet(&["nat", "lab"]), outside, "table 52 routes it");
    let told = vnet_with(&["check", "--against-host", "-"], definition("lab", &outside).as_bytes());
    let warning = format!("the subnet {elsewhere} overlaps a route of this host: `{elsewhere} dev up0 table 52`");
    assert!(text(&told.stdout).contains(&warning) || text(&told.stderr).contains(&warning), "{}", shown(&told));
    vnet_tests::run("ip", &["link", "del", "up0"]);

    // What libvirt keeps and nobody can read.
    fs::write("/etc/libvirt/qemu/networks/broken.xml", "<network><name>broken</name>").unwrap();
    let note = "`/etc/libvirt/qemu/networks/broken.xml` cannot be read: the networks in it may have the same subnet";
    let made = vnet_with(&["new", "nat", "lab"], b"");
    assert!(made.status.success() && text(&made.stderr).contains(note), "{}", shown(&made));
    fs::remove_file("/etc/libvirt/qemu/networks/broken.xml").unwrap();

    // What is kept and what runs; its own is its own.
    let made = vnet_with(&["new", "nat", "lab", "--define", "--start"], b"");
    assert!(made.status.success(), "{}", shown(&made));
    let said = text(&made.stdout);
    assert!(said.contains(&format!("network lab defined with {outside}.1/24\n")), "{said}");
    assert!(said.contains("network lab started on virbr0"), "{said}");
    let address = vnet_tests::run("ip", &["address", "show", "virbr0"]);
    assert!(address.contains(&format!("inet {outside}.1/24 brd {outside}.255")), "{address}");
    assert_eq!(subnet(&["nat", "lab"]), outside);
    let again = vnet_with(&["new", "nat", "lab", "--define"], b"");
    assert_eq!(again.status.code(), Some(1), "{}", shown(&again));
    assert!(text(&again.stderr).contains("`lab` is defined already\nhelp: `vnet edit lab`"), "{}", shown(&again));

    // An overlap is told with one that is free, and that one is taken.
    let taken = vnet_with(&["new", "isolated", "more", "--subnet", &format!("{outside}.0/24")], b"");
    assert_eq!(taken.status.code(), Some(1), "{}", shown(&taken));
    assert_eq!(text(&taken.stdout), "", "what is refused is not printed");
    let advice = text(&taken.stderr);
    let free = advice.split("such as ").nth(1).and_then(|rest| rest.split('\n').next()).unwrap();
    assert_eq!(free, format!("{}.0/24", subnet(&["isolated", "more"])), "{advice}");
    assert!(vnet_with(&["stop", "lab"], b"").status.success());
    let kept = vnet_with(&["check", "--against-host", "-"], definition("more", &outside).as_bytes());
    assert!(kept.status.success(), "{}", shown(&kept));
    assert_ne!(subnet(&["isolated", "more", "--no-probe"]), outside, "kept, although it does not run");
}

#[test]
fn who_answers_keeps_the_subnet() {
    vnet_tests::isolate!();
    let quiet = subnet(&["nat", "lab", "--no-probe"]);
    let router = NamedNetns::new("router");
    vnet_tests::run("ip", &["link", "add", "uplink", "type", "veth", "peer", "name", "eth0", "netns", "router"]);
    vnet_tests::run("ip", &["link", "set", "uplink", "up"]);
    vnet_tests::run("ip", &["address", "add", "203.0.113.2/24", "dev", "uplink"]);
    let inside = |args: &[&str]| router.run(|| vnet_tests::run("ip", args));
    inside(&["link", "set", "eth0", "up"]);
    inside(&["address", "add", "203.0.113.1/24", "dev", "eth0"]);
    assert_eq!(subnet(&["nat", "lab"]), quiet, "nobody has it");
    assert!(vnet_with(&["new", "nat", "lab", "--start"], b"").status.success());
    assert_eq!(subnet(&["nat", "lab"]), quiet, "the network itself answers");
    assert!(vnet_with(&["stop", "lab"], b"").status.success());

    // On the link itself, who answers no ping.
    inside(&["address", "add", &format!("{quiet}.1/32"), "dev", "eth0"]);
    // The kernel asks again after a second; this way it asks at once.
    vnet_tests::run("ip", &["neighbour", "flush", "dev", "uplink"]);
    router.run(|| fs::write("/proc/sys/net/ipv4/icmp_echo_ignore_all", "1").unwrap());
    passed_over(&quiet, 1);

    // Behind a router.
    inside(&["address", "del", &format!("{quiet}.1/32"), "dev", "eth0"]);
    router.run(|| fs::write("/proc/sys/net/ipv4/icmp_echo_ignore_all", "0").unwrap());
    inside(&["link", "set", "lo", "up"]);
    inside(&["address", "add", &format!("{quiet}.254/32"), "dev", "lo"]);
    router.run(|| fs::write("/proc/sys/net/ipv4/conf/all/arp_ignore", "1").unwrap());
    vnet_tests::run("ip", &["neighbour", "flush", "dev", "uplink"]);
    assert_eq!(subnet(&["nat", "lab"]), quiet, "no way leads there");
    vnet_tests::run("ip", &["route", "add", "default", "via", "203.0.113.1"]);
    passed_over(&quiet, 254);
}

/// `vnet new` takes another subnet and says who answers.
fn passed_over(quiet: &str, number: u8) {
    let made = new(&["nat", "lab"]);
    assert_eq!(made["answered"][0]["address"], format!("{quiet}.{number}"), "{made}");
    assert_ne!(made["addresses"][0], format!("{quiet}.1/24"));
    let said: Output = vnet_with(&["new", "nat", "lab"], b"");
    let note = format!("{quiet}.0/24 is passed over: {quiet}.{number} answers");
    assert!(text(&said.stderr).contains(&note), "{}", shown(&said));
}

#[test]
fn wishes_are_checked() {
    vnet_tests::isolate!();
    let refused = |args: &[&str], code: i32, why: &str| {
        let output = vnet_with(&[&["new"], args].concat(), b"");
        assert_eq!(output.status.code(), Some(code), "{}", shown(&output));
        assert!(text(&output.stderr).contains(why), "{}", shown(&output));
    };
    refused(&["nat", "lab", "--subnet", "fd00::/64"], 2, "write auto, none, or a subnet such as 10.20.0.0/24");
    refused(&["nat", "lab", "--host", "52:54:00:00:00:01"], 2, "write MAC=ADDRESS");
    refused(&["nat", "lab", "--ipv6", "fe80::/64"], 2, "fe80::/64 is in fe80::/10 (link-local)");
    refused(&["nat", "lab", "--subnet", "10.0.0.0/31"], 2, "has no room for the host and one guest");
    refused(&["nat", "lab", "--subnet", "10.0.0.0/0"], 2, "is every address there is");
    let large = vnet_with(&["new", "isolated", "lab", "--subnet", "10.0.0.0/8"], b"");
    assert!(large.status.success() && text(&large.stdout).contains("end='10.1.0.1'"), "{}", shown(&large));
    refused(&["bridge", "lab"], 2, "which device of the host do the guests share?");
    refused(&["isolated", "lab", "--dhcp", "10.0.0.5-10.0.0.9", "--subnet", "10.1.0.0/24"], 2, "is not in 10.1.0.0/24");
    let all =
        ["--subnet", "10.7.0.0/24", "--ipv6", "auto", "--dhcp", "none", "--host", "52:54:00:00:00:01=10.7.0.9,web"];
    let made = vnet_with(&[&["new", "nat", "lab"], &all[..]].concat(), b"");
    assert!(made.status.success(), "{}", shown(&made));
    let checked = vnet_with(&["check", "--strict", "-"], &made.stdout);
    assert!(checked.status.success(), "{}", shown(&checked));
    assert!(text(&made.stdout).contains("<host mac='52:54:00:00:00:01' name='web' ip='10.7.0.9'/>"));
}
