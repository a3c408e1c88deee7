//! `net-update`, word for word as for virsh: what it changes of the network that runs and of the
//! kept definition.

use std::fs;

use vnet_tests::isolate;

use crate::lab::{ISOLATED, Libvirt, try_virsh, virsh, vnet};

/// One after the other: verb, the last part of the guest's MAC address, options.
const RUNNING: [&str; 16] = [
    "add 0a --live",
    "add-last 0a --live",
    "add 0a --config",
    "add 0a --config",
    "delete 0a --live",
    "delete 0a --live",
    "add 0b",
    "delete 0b --config",
    "delete 0b --current",
    "add 0c --live --config",
    "add 0c --live --config",
    "add-first 0d --config",
    "add 0d --live --config",
    "delete 0c --live",
    "delete 0c --live --config",
    "delete 0a --config",
];
const STOPPED: [&str; 4] = ["add 0e --live", "add 0e --live --config", "add 0e", "delete 0e --current"];

/// Whether a command succeeds, the guests of the network that runs, and those of the kept one.
type Seen = (String, bool, Vec<String>, Vec<String>);

#[test]
#[cfg_attr(not(libvirt), ignore = "needs libvirtd and virsh")]
fn live_and_config_are_those_of_libvirt() {
    isolate!();
    let mut libvirt = Libvirt::start();
    fs::write("/tmp/inner.xml", ISOLATED).unwrap();
    let virsh_of = |words: &[&str]| {
        let output = try_virsh(words);
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let expected = seen(virsh_of);
    virsh(&["net-undefine", "inner"]);
    libvirt.down();
    let vnet_of = |words: &[&str]| {
        let output = vnet(words);
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(seen(vnet_of), expected);
    assert!(expected.iter().any(|(_, done, live, kept)| *done && live != kept), "{expected:?}");
}

fn seen(call: impl Fn(&[&str]) -> (bool, String)) -> Vec<Seen> {
    let done = |words: &[&str]| assert!(call(words).0, "{words:?}");
    done(&["net-define", "/tmp/inner.xml"]);
    done(&["net-start", "inner"]);
    let mut all: Vec<Seen> = RUNNING.iter().map(|line| after(&call, line)).collect();
    done(&["net-destroy", "inner"]);
    all.extend(STOPPED.iter().map(|line| after(&call, line)));
    all
}

fn after(call: &impl Fn(&[&str]) -> (bool, String), line: &str) -> Seen {
    let words: Vec<&str> = line.split(' ').collect();
    let (verb, guest, options) = (words[0], words[1], &words[2..]);
    let host = format!("<host mac='52:54:00:00:00:{guest}' ip='10.77.0.1{}'/>", guest.as_bytes()[1] - b'a');
    let mut update = vec!["net-update", "inner", verb, "ip-dhcp-host", &host];
    update.extend(options);
    let (done, _) = call(&update);
    let guests = |words: &[&str]| -> Vec<String> {
        let (_, text) = call(words);
        let hosts = text.split("<host mac='52:54:00:00:00:").skip(1);
        hosts.map(|rest| rest[..2].to_owned()).collect()
    };
    (line.to_owned(), done, guests(&["net-dumpxml", "inner"]), guests(&["net-dumpxml", "inner", "--inactive"]))
}
