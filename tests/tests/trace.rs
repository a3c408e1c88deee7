//! What a network leaves behind: nothing. Seen through other eyes than ours.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rstest::rstest;
use serde_json::Value;
use vnet_tests::{commands, json, run, vnet, wait_for};

/// Everything of a host that a network could leave a trace in.
#[derive(Clone, Debug, PartialEq)]
struct Host {
    links: Value,
    addresses: Value,
    routes: [Value; 2],
    rules: Value,
    sysctls: BTreeMap<PathBuf, String>,
    processes: Vec<String>,
    files: Vec<PathBuf>,
}

/// Not switches: one counts, the other is made anew where it is read first.
const CHANGING: [&str; 2] = ["nf_conntrack_count", "tcp_fastopen_key"];

impl Host {
    fn look() -> Self {
        // It waits for the kernel, which has told that the links are gone.
        let is_deleting = || commands().any(|command| command.contains("@delete-links"));
        wait_for(Duration::from_secs(10), "who deletes links", || (!is_deleting()).then_some(()));
        let ip = |words: &[&str]| json("ip", words);
        Self {
            links: ip(&["-j", "-d", "link"]),
            addresses: ip(&["-j", "address"]),
            routes: ["-4", "-6"].map(|family| ip(&["-j", family, "route", "show", "table", "all"])),
            rules: json("nft", &["-j", "list", "ruleset"]),
            sysctls: files(Path::new("/proc/sys/net"))
                .into_iter()
                .filter(|path| !CHANGING.iter().any(|name| path.ends_with(name)))
                .filter_map(|path| Some((fs::read_to_string(&path).ok()?, path)))
                .map(|(value, path)| (path, value))
                .collect(),
            processes: processes(),
            files: ["/run", "/var/lib"].iter().flat_map(|folder| files(Path::new(folder))).collect(),
        }
    }
}

/// Fails with what differs, and nothing else.
fn assert_same(before: &Host, after: &Host) {
    assert_eq!(changed_sysctls(before, after), Vec::<String>::new());
    let rest = |host: &Host| Host { sysctls: BTreeMap::new(), ..host.clone() };
    assert_eq!(rest(before), rest(after));
}

fn changed_sysctls(before: &Host, after: &Host) -> Vec<String> {
    let paths: BTreeSet<&PathBuf> = before.sysctls.keys().chain(after.sysctls.keys()).collect();
    let changed = paths.into_iter().filter(|path| before.sysctls.get(*path) != after.sysctls.get(*path));
    changed.map(|path| path.display().to_string()).collect()
}

/// Files and folders below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            found.push(entry.path());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

fn processes() -> Vec<String> {
    let numbered = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().parse::<u32>().is_ok());
    let all = fs::read_dir("/proc").expect("/proc").flatten().map(|entry| entry.path());
    let mut names: Vec<String> =
        all.filter(numbered).filter_map(|path| fs::read_to_string(path.join("comm")).ok()).collect();
    names.sort();
    names
}

fn succeeds(arguments: &[&str]) -> String {
    run(vnet().to_str().expect("a plain path"), arguments)
}

#[rstest]
fn stop_leaves_what_was_before_start(#[files("../testdata/network/valid/*.xml")] file: PathBuf) {
    if file.to_string_lossy().ends_with(".canonical.xml") {
        return;
    }
    vnet_tests::isolate!();
    // Forwarding is shared by everyone on a host, and left on: `forwarding_is_left_on` looks at
    // that.
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("a sysctl of this namespace");
    fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").expect("a sysctl of this namespace");
    let file = file.to_str().expect("a plain path");
    let name = name(file);
    let before = Host::look();
    succeeds(&["start", file]);
    assert_ne!(before, Host::look(), "something must have come up");
    succeeds(&["diff", &name]);
    succeeds(&["stop", &name]);
    assert_same(&before, &Host::look());
}

/// Guests of such a network use what the host has: it is written down, and nothing else.
#[rstest]
#[case("bridge-open-vswitch")]
#[case("private")]
#[case("hostdev")]
fn a_network_without_a_bridge_of_its_own_is_recorded(#[case] definition: &str) {
    vnet_tests::isolate!();
    let file = format!("{}/../testdata/network/near-miss/{definition}.xml", env!("CARGO_MANIFEST_DIR"));
    let before = Host::look();
    let said = succeeds(&["start", &file]);
    assert!(said.ends_with("network lab started\n"), "{said}");
    let files = Host::look().files;
    assert_eq!(Host { files: before.files.clone(), ..Host::look() }, before);
    assert!(files.contains(&PathBuf::from("/run/vnet/lab/network.xml")), "{files:?}");
    assert!(succeeds(&["list"]).contains("lab"));
    assert!(succeeds(&["status", "lab"]).contains("none of its own"));
    let dumped = succeeds(&["dumpxml", "lab"]);
    let drawn = dumped.lines().find(|line| line.contains("<uuid>")).expect("a UUID that was drawn");
    assert_eq!(dumped.replace(&format!("{drawn}\n"), ""), succeeds(&["fmt", &file]));
    succeeds(&["diff", "lab"]);
    succeeds(&["stop", "lab"]);
    assert_same(&before, &Host::look());
}

#[test]
fn forwarding_is_left_on() {
    vnet_tests::isolate!();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/network/valid/open.xml");
    let before = Host::look();
    succeeds(&["start", file]);
    succeeds(&["stop", "open"]);
    let after = Host::look();
    let changed = changed_sysctls(&before, &after);
    assert!(changed.contains(&"/proc/sys/net/ipv4/ip_forward".to_owned()));
    // The kernel sets the switches of each link, and what follows from them, along with the shared
    // one.
    assert!(changed.iter().all(|path| path.starts_with("/proc/sys/net/ipv4")), "{changed:?}");
    assert_same(&before, &Host { sysctls: before.sysctls.clone(), ..after });
}

#[test]
fn a_bridge_that_was_there_before_is_refused_and_stays() {
    vnet_tests::isolate!();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/network/valid/open.xml");
    run("ip", &["link", "add", "virbr20", "type", "bridge"]);
    run("ip", &["address", "add", "203.0.113.1/24", "dev", "virbr20"]);
    let before = Host::look();
    let output = Command::new(vnet()).args(["start", file]).output().expect("vnet runs");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stderr).contains("virbr20"));
    assert_same(&before, &Host::look());
}

/// The receipt grows by a line before and after each step: whatever the line, killing there leaves
/// nothing that `stop` does not find.
#[test]
fn a_start_that_is_killed_is_taken_away_by_stop() {
    vnet_tests::isolate!();
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("a sysctl of this namespace");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/network/valid/nat-default.xml");
    let receipt = Path::new("/run/vnet/default/receipt");
    let before = Host::look();
    let mut killed = 0;
    for lines in 1..40 {
        let mut start = Command::new(vnet()).args(["start", file]).stdout(Stdio::null()).spawn().expect("vnet runs");
        let ended = wait_for(Duration::from_secs(10), "the receipt or the end", || {
            let written = fs::read(receipt).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count();
            let ended = start.try_wait().expect("a child").is_some();
            (ended || written >= lines).then_some(ended)
        });
        start.kill().expect("a child");
        start.wait().expect("a child");
        killed += usize::from(!ended);
        if receipt.exists() {
            succeeds(&["stop", "default"]);
        }
        assert_same(&before, &Host::look());
    }
    assert!(killed > 5, "most starts must have been killed on their way, not {killed}");
}

/// The name in a definition.
fn name(file: &str) -> String {
    let text = fs::read_to_string(file).expect("a file of testdata");
    let (_, rest) = text.split_once("<name>").expect("a name");
    rest.split_once("</name>").expect("its end").0.to_owned()
}
