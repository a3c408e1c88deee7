//! Every interface of `testdata`, and of libvirt's own tests where a copy of them lies beside this
//! repository: attached and detached without a trace, or refused with the reason and nothing done.
//! `outcomes.txt` has what becomes of each.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use vnet_netlink::Netlink;
use vnet_tests::{isolate, run};

use crate::{done, everything, refused_or_done, vnet};

/// What the interfaces speak of.
const DEFAULT: &str = "\
<network>
  <name>default</name>
  <forward mode='nat'/>
  <bridge name='virbr0' stp='off'/>
  <bandwidth><inbound average='10000'/></bandwidth>
  <ip address='192.168.122.1' prefix='24'/>
  <portgroup name='bob'><bandwidth><inbound average='1000'/></bandwidth></portgroup>
</network>
";

fn host() {
    done(&["start", "-"], DEFAULT);
    for bridge in ["br0", "xenbr0", "ovsbr0"] {
        // One that nobody gave an address has that of its ports.
        run("ip", &["link", "add", bridge, "address", "02:00:00:00:00:01", "type", "bridge"]);
    }
    if Netlink::features().unwrap().unwrap().vlan_filtering {
        run("ip", &["link", "set", "br0", "type", "bridge", "vlan_filtering", "1"]);
    }
    for card in ["eth0", "eth42"] {
        run("ip", &["link", "add", card, "type", "veth", "peer", "name", &format!("{card}p")]);
    }
    for tap in ["mytap0", "tap0", "vnet0"] {
        run("ip", &["tuntap", "add", tap, "mode", "tap"]);
    }
}

/// What becomes of an interface, in one line.
fn outcome(interface: &str) -> String {
    let before = everything();
    let outcome = match refused_or_done(&["attach", "-"], interface) {
        Ok(report) => {
            let name = report["port"]["name"].as_str().unwrap();
            let drift = String::from_utf8(vnet(&["diff", name], "").stdout).unwrap();
            assert_eq!(drift, format!("port {name} is in sync\n"), "{interface}");
            done(&["detach", name], "");
            let in_vlan =
                report["changes"].as_array().unwrap().iter().any(|it| it["key"] == format!("VLANs of {name}"));
            format!("attached as {name}{}", if in_vlan { VLAN } else { "" })
        }
        Err(told) => {
            let lines = told.lines().skip_while(|line| !line.starts_with("error"));
            let reason = lines.clone().next().unwrap_or_else(|| panic!("no reason: {told}"));
            let cause = lines.skip(1).find_map(|line| line.strip_prefix("  because "));
            if reason.contains("this kernel cannot filter VLANs") {
                format!("attached as vnet1{VLAN}")
            } else {
                format!("refused: {}{}", reason, cause.map(|it| format!(": {it}")).unwrap_or_default())
            }
        }
    };
    let after = everything();
    let trace: Vec<_> = after.iter().filter(|it| !before.contains(it)).collect();
    assert!(after == before, "{trace:#?} of {interface}");
    outcome
}

/// What is added where it depends on the kernel.
const VLAN: &str = ", where the kernel can filter VLANs";

fn interfaces(folder: &Path) -> Vec<(String, String)> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|it| it.extension().is_some_and(|it| it == "xml")).collect();
    files.sort();
    let read =
        |file: &PathBuf| (file.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(file).unwrap());
    // passt's have a program of their own, and a test.
    files.iter().map(read).filter(|(_, text)| text.contains("<interface") && !text.contains("'passt'")).collect()
}

#[test]
fn every_valid_interface_is_attached_or_refused_with_the_reason() {
    isolate!();
    host();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut table = String::new();
    for (name, text) in interfaces(&folder.join("../testdata/interface/valid")) {
        writeln!(table, "{name}: {}", outcome(&text)).unwrap();
    }
    let expected = folder.join("tests/attach/outcomes.txt");
    if std::env::var_os("VNET_BLESS").is_some() {
        fs::write(&expected, &table).unwrap();
    }
    let expected = fs::read_to_string(&expected).unwrap();
    let differs: Vec<_> = table.lines().filter(|line| !expected.lines().any(|it| it == *line)).collect();
    assert!(table == expected, "VNET_BLESS=1 writes it anew: {differs:#?}");
}

/// Which those are is for libvirt to say; what has to hold is the same for all.
#[test]
#[cfg_attr(not(libvirt_corpus), ignore = "VNET_LIBVIRT_CORPUS names no folder with libvirt's test data")]
fn every_case_of_libvirt_is_attached_or_refused_with_the_reason() {
    isolate!();
    host();
    let other = DEFAULT.replace("default", "nat-network;plug-network-basic").replace("virbr0", "virbr1");
    done(&["start", "-"], &other.replace("192.168.122.", "192.168.123."));
    let all = interfaces(&Path::new(env!("VNET_LIBVIRT_CORPUS_FOLDER")).join("interface"));
    let attached = all.iter().filter(|(_, text)| outcome(text).starts_with("attached")).count();
    assert!(attached > all.len() / 10, "{attached} of {} were attached", all.len());
}
