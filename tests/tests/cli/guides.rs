//! The commands of the guides are run, in their order, on a host with an uplink.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::{root, vnet};

/// What there is before the commands of a block: the page, the first command, and the shell lines
/// that make it.
const GIVEN: &[(&str, &str, &[&str])] = &[
    ("docs/operator.md", "vnet check lab.xml", &[LAB]),
    ("docs/operator.md", "vnet attach iface.xml", &[RUNS, IFACE]),
    ("docs/operator.md", "vnet passt run", &[PASST]),
    ("docs/operator.md", "vnet import", &[LIBVIRT]),
    ("docs/operator.md", "vnet define lab.xml", &[LAB]),
    ("docs/operator.md", "vnet status lab", &[RUNS, WEB, "vnet dumpxml lab --inactive > lab.xml"]),
    ("docs/operator.md", "vnet update lab add", &[RUNS]),
    ("docs/operator.md", "vnet doctor lab", &[RUNS, "vnet attach-interface web network lab"]),
    ("docs/ci.md", "vnet check --strict networks/", &["mkdir networks; vnet new nat lab > networks/lab.xml"]),
    ("docs/vmm.md", "vnet attach iface.xml", &[RUNS, IFACE]),
    ("crates/vnet-cli/README.md", "vnet check net.xml", &["vnet new nat default > net.xml"]),
    ("crates/vnet-cli/README.md", "vnet leases", &["vnet new nat default --define --start"]),
    ("crates/vnetd/docs/in-virtnetworkds-place.md", "vnet import", &[LIBVIRT]),
    ("crates/vnetd/docs/in-virtnetworkds-place.md", "vnet export", &[LAB, "vnet define lab.xml"]),
];
const LAB: &str = "vnet new nat lab > lab.xml";
const RUNS: &str = "vnet new nat lab --define --start";
const IFACE: &str = "echo \"<interface type='network'><source network='lab'/></interface>\" > iface.xml";
const PASST: &str = "echo \"<interface type='user'><backend type='passt'/></interface>\" > iface.xml";
const LIBVIRT: &str = "vnet new nat default > /etc/libvirt/qemu/networks/default.xml";
const WEB: &str = "vnet update lab add ip-dhcp-host \"<host name='web' ip='192.168.180.9'/>\" --live --config";

/// What takes more than a namespace, and where it is run: the page, the beginning of the command,
/// the file.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    ("docs/operator.md", "vnet import --take-over", "tests/tests/libvirt/take_over.rs"),
    ("docs/operator.md", "vnet forward add default", "tests/tests/libvirt/hook.rs"),
    ("docs/operator.md", "vnet doctor lab", "tests/tests/doctor/main.rs"),
    ("docs/operator.md", "vnet trace web", "tests/tests/trace_packets.rs"),
    ("docs/many-hosts.md", "vnet try", "tests/tests/try_ovn.rs"),
    ("docs/libvirt-hook.md", "vnet forward", "tests/tests/libvirt/hook.rs"),
    ("docs/libvirt-hook.md", "vnet status default", "tests/tests/libvirt/hook.rs"),
    ("docs/libvirt-hook.md", "vnet doctor default", "tests/tests/doctor/main.rs"),
    ("crates/vnet-cli/README.md", "vnet leases --wait", "tests/tests/addresses.rs"),
    ("crates/vnetd/docs/in-virtnetworkds-place.md", "vnet import --take-over", "tests/tests/libvirt/take_over.rs"),
    ("packaging/README.md", "vnet define lab.xml && ", "xtask/boot/boot-1.sh"),
];

#[test]
fn commands_of_the_guides_do_what_they_say() {
    vnet_tests::isolate!();
    for line in [
        "link add eth0 up type veth peer name away",
        "link set away up",
        "address add 192.0.2.2/24 dev eth0",
        "route add default via 192.0.2.1",
    ] {
        vnet_tests::run("ip", &line.split(' ').collect::<Vec<_>>());
    }
    let path = format!("{}:{}", vnet().parent().unwrap().display(), std::env::var("PATH").unwrap());
    let call = |line: &str| {
        let line = line.replace("--owner alice", "--owner root");
        let line = if line.starts_with("vnet events") { "vnet events --timeout 1s" } else { &line };
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir("/tmp/guide").env("PATH", &path).env("VISUAL", "true");
        let output = command.output().unwrap();
        let shown = crate::shown(&output);
        (!output.status.success()).then(|| format!("{line}: {shown}"))
    };
    let (mut failed, mut passed, mut given, mut left) = (Vec::new(), 0, BTreeSet::new(), BTreeSet::new());
    for (page, commands) in blocks() {
        // Nothing is left of the block before.
        let clean =
            "mkdir -p /tmp/guide; vnet stop --all --quiet; rm -rf /etc/vnet /var/lib/vnet /tmp/guide /etc/libvirt";
        let clean = Command::new("sh").args(["-c", clean]).env("PATH", &path).status().unwrap();
        assert!(clean.success(), "before {commands:?} of {page}");
        fs::create_dir("/tmp/guide").unwrap();
        fs::create_dir_all("/etc/libvirt/qemu/networks").unwrap();
        let known = GIVEN.iter().enumerate().find(|(_, (of, first, _))| *of == page && commands[0].starts_with(first));
        if let Some((at, (.., lines))) = known {
            given.insert(at);
            failed.extend(lines.iter().filter_map(|line| call(line)));
        }
        for command in commands {
            let elsewhere = ELSEWHERE.iter().position(|(of, start, _)| *of == page && command.starts_with(start));
            match elsewhere {
                Some(at) => drop(left.insert(at)),
                None => match call(&command) {
                    Some(problem) => failed.push(format!("{page}: {problem}")),
                    None => passed += 1,
                },
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(passed > 40, "{passed}");
    // Nothing is said of commands that are in no guide any more.
    assert_eq!((given.len(), left.len()), (GIVEN.len(), ELSEWHERE.len()), "{given:?} {left:?}");
    for (.., file) in ELSEWHERE {
        assert!(root().join(file).is_file(), "{file}");
    }
}

/// The calls of `vnet` in each block of code, with its page. What shows output too has `$ `, and is
/// tried with that.
fn blocks() -> Vec<(String, Vec<String>)> {
    let mut blocks: Vec<(String, Vec<String>)> = Vec::new();
    for page in crate::readme::pages() {
        let name = page.strip_prefix(root()).unwrap().display().to_string();
        let mut is_inside = false;
        for line in fs::read_to_string(&page).unwrap().lines() {
            match line.strip_prefix("    ") {
                Some(code) if code.starts_with("vnet ") && is_inside => {
                    blocks.last_mut().unwrap().1.push(code.to_owned());
                }
                Some(code) if code.starts_with("vnet ") => {
                    blocks.push((name.clone(), vec![code.to_owned()]));
                    is_inside = true;
                }
                Some(_) => {}
                None => is_inside = false,
            }
        }
    }
    blocks
}
