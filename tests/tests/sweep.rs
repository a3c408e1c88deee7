//! The real program, killed at a system call or refused one: the next command finds the host as it
//! was or as it is wanted, and after a stop nothing is left. A sample of all calls; with
//! `VNET_SWEEP=all` each of them.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fmt::Write;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};

use rstest::rstest;
use vnet_tests::{isolate, run, vnet};

/// Calls by which something is done, under the names that kernels and C libraries have for them.
const DONE_BY: [&str; 9] = [
    "write",
    "sendto",
    "sendmsg",
    "?rename,?renameat,renameat2",
    "fsync",
    "fdatasync",
    "close",
    "?fork,?vfork,clone,clone3",
    "?unlink,unlinkat",
];

/// Calls that a host refuses, and how.
const REFUSED: [(&str, &str, &str); 8] = [
    ("ENOSPC", "write,fsync,fdatasync", "a full disk"),
    ("EROFS", "?mkdir,mkdirat,?rename,?renameat,renameat2,?unlink,unlinkat", "a disk that became read-only"),
    ("EACCES", "openat", "a file that may not be opened"),
    ("ENOMEM", "?fork,?vfork,clone,clone3,socket", "no memory for a process or socket"),
    ("ENOBUFS", "sendto,sendmsg", "no memory for a message to the kernel"),
    ("EPERM", "sendto,sendmsg", "a message that the kernel does not take"),
    ("EINTR", "sendto,sendmsg,recvfrom,recvmsg", "a signal during a message"),
    ("EINTR", "write,openat,fsync,fdatasync,wait4", "a signal during another call"),
];

/// What strace writes.
const TRACE: &str = "/tmp/trace";
/// The table of what was swept, made with `VNET_BLESS=1`.
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/vnet-host/docs/kills.md");

const LAB: &str = "start /tmp/lab.xml";
const GUEST: &str = "attach /tmp/guest.xml";

/// An operation: its name, the commands before it, and its command.
type Operation = (&'static str, &'static [&'static str], &'static str);

const OPERATIONS: [Operation; 9] = [
    ("start", &[], LAB),
    ("apply: another DHCP range", &[LAB], "apply /tmp/range.xml"),
    ("apply: another mode", &[LAB, GUEST], "apply /tmp/route.xml"),
    ("apply: isolated, another MTU", &[LAB], "apply /tmp/isolated.xml"),
    ("apply: another bridge name", &[LAB, GUEST], "apply /tmp/renamed.xml"),
    ("apply: another MAC address", &[LAB], "apply /tmp/mac.xml"),
    ("stop", &[LAB, GUEST], "stop lab"),
    ("attach", &[LAB], GUEST),
    ("detach", &[LAB, GUEST], "detach tap7"),
];

/// The numbers of calls to take of a group, for an operation: others for each. Short operations
/// have fewer calls.
fn places(operation: usize, group: usize) -> impl Iterator<Item = usize> {
    let is_all = std::env::var("VNET_SWEEP").is_ok_and(|all| all == "all");
    let stride = match OPERATIONS[operation].0 {
        _ if is_all => 1,
        "detach" => 13,
        "attach" | "stop" => 31,
        _ => 67,
    };
    (1 + (operation * 5 + group * 7) % stride..).step_by(stride)
}

/// Writes the definitions that commands name.
fn write() {
    let network = |bridge: &str, more: &str, first: u8| {
        format!(
            "<network><name>lab</name>{more}<bridge name='{bridge}'/><ip address='192.168.130.1' prefix='24'>
             <dhcp><range start='192.168.130.{first}' end='192.168.130.99'/></dhcp></ip></network>"
        )
    };
    for (file, text) in [
        ("lab", network("virbr7", "<forward/>", 2)),
        ("range", network("virbr7", "<forward/>", 20)),
        ("route", network("virbr7", "<forward mode='route'/>", 2)),
        ("isolated", network("virbr7", "<mtu size='1400'/>", 2)),
        ("renamed", network("virbr8", "<forward/>", 2)),
        ("mac", network("virbr7", "<forward/><mac address='52:54:00:00:00:99'/>", 2)),
        (
            "guest",
            "<interface type='network'><mac address='52:54:00:00:00:77'/><source network='lab'/>
             <target dev='tap7'/></interface>"
                .to_owned(),
        ),
    ] {
        fs::write(format!("/tmp/{file}.xml"), text).unwrap();
    }
    // It stays as a network needs it.
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
}

fn call(arguments: &str) -> Output {
    Command::new(vnet()).args(arguments.split(' ')).output().unwrap()
}

/// What is there of links, routes, rules, files and processes.
fn seen() -> String {
    let links = run("ip", &["-brief", "link"]);
    let mut links: Vec<&str> = links.lines().collect();
    links.sort_unstable();
    let routes = run("ip", &["-4", "route", "show", "table", "all"]);
    let (rules, files) = (run("nft", &["-s", "list", "ruleset"]), run("find", &["/run", "-mindepth", "1"]));
    let mut files: Vec<&str> = files.lines().collect();
    files.sort_unstable();
    let processes = run("ps", &["-eo", "args"]);
    let processes: Vec<&str> = processes.lines().filter(|line| line.contains("dnsmasq --conf")).collect();
    format!("{links:#?}\n{routes}\n{rules}\n{files:#?}\n{processes:#?}")
}

/// Runs a command in which one of some calls is tampered with. `None` where there are fewer of
/// them.
fn tampered(calls: &str, how: &str, number: usize, arguments: &str) -> Option<Output> {
    let mut strace = Command::new("strace");
    let inject = format!("inject={calls}:{how}:when={number}");
    strace.args(["-qq", "-o", TRACE, "-e", &format!("trace={calls}"), "-e", &inject]).arg(vnet());
    let output = strace.args(arguments.split(' ')).output().expect("strace is installed");
    let is_met = output.status.signal().is_some() || fs::read_to_string(TRACE).unwrap().contains("(INJECTED)");
    is_met.then_some(output)
}

/// Takes everything away: nothing is left.
fn nothing_is_left(base: &str, told: &str) {
    let (detach, stop) = (call("detach tap7"), call("stop lab"));
    for output in [&detach, &stop] {
        assert!(matches!(output.status.code(), Some(0 | 1)), "{told}: {output:?}");
    }
    assert_eq!(seen(), base, "{told}");
}

/// A network that runs is as a file defines it.
fn is_as(file: &str, told: &str) {
    let (diff, apply) = (call("diff lab"), call(&format!("apply {file}")));
    assert!(diff.status.success(), "{told}: {diff:?}");
    assert!(String::from_utf8_lossy(&apply.stdout).contains("nothing to change"), "{told}: {apply:?}");
}

/// The file of a network that a command is about.
fn definition(command: &str) -> Option<&str> {
    command.strip_prefix("start ").or_else(|| command.strip_prefix("apply "))
}

fn prepare(before: &[&str]) {
    for command in before {
        let output = call(command);
        assert!(output.status.success(), "{command}: {output:?}");
    }
}

/// After one more run of the command, the host is as wanted.
fn ends(command: &str, told: &str) {
    let output = call(command);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{told}: {output:?}");
    if let Some(file) = definition(command) {
        is_as(file, told);
    }
}

#[rstest]
fn a_process_that_is_killed_leaves_nothing_that_the_next_cannot_end(
    #[values(0, 1, 2, 3, 4, 5, 6, 7, 8)] operation: usize,
) {
    isolate!();
    write();
    let (_, before, command) = OPERATIONS[operation];
    let base = seen();
    let mut kills = 0;
    for (group, calls) in DONE_BY.into_iter().enumerate() {
        for number in places(operation, group) {
            prepare(before);
            let Some(killed) = tampered(calls, "signal=KILL", number, command) else {
                nothing_is_left(&base, command);
                break;
            };
            let mut told = format!("`{command}` killed at {calls} {number}");
            assert_eq!(killed.status.signal(), Some(9), "{told}: {killed:?}");
            kills += 1;
            if kills % 3 == 0 {
                let again = 1 + kills % 17;
                drop(tampered(calls, "signal=KILL", again, command));
                let _ = write!(told, ", and again at {again}");
            }
            if kills % 2 == 0 {
                ends(command, &told);
            }
            nothing_is_left(&base, &told);
        }
    }
    assert!(kills > 0, "{kills}");
}

#[rstest]
fn a_call_that_is_refused_is_told_and_undone(#[values(0, 1, 2, 3, 4, 5, 6, 7, 8)] operation: usize) {
    isolate!();
    write();
    let (_, before, command) = OPERATIONS[operation];
    let base = seen();
    let mut refusals = 0;
    for (group, (error, calls, _)) in REFUSED.into_iter().enumerate() {
        for number in places(operation, group) {
            prepare(before);
            let as_before = seen();
            let Some(output) = tampered(calls, &format!("error={error}"), number, command) else {
                nothing_is_left(&base, command);
                break;
            };
            refusals += 1;
            let told = format!("`{command}`, {calls} {number} refused by {error}: {output:?}");
            match output.status.code() {
                Some(0) => match definition(command) {
                    Some(file) => is_as(file, &told),
                    None => ends(command, &told),
                },
                // The program did not begin: a library is missing.
                Some(127) => assert_eq!(seen(), as_before, "{told}"),
                Some(1 | 2) => {
                    let said = String::from_utf8_lossy(&output.stderr);
                    assert!(said.contains("error: "), "{told}");
                    // What is taken away may be left in part, and said so. A network that was
                    // changed stays so when a port of it cannot follow.
                    let takes_away = command.starts_with("stop") || command.starts_with("detach");
                    let stays = said.contains("port `tap7` of network `lab` stays as it was")
                        || said.contains("network `lab` is changed, and its ports stay as they were");
                    assert!(takes_away || stays || seen() == as_before, "{told}\n{}\nbefore:\n{as_before}", seen());
                    ends(command, &told);
                }
                _ => panic!("{told}"),
            }
            nothing_is_left(&base, &told);
            assert!(!Path::new("/run/vnet").exists(), "{told}");
        }
    }
    assert!(refusals > 0, "{refusals}");
}

#[test]
fn the_table_of_kills_and_refusals_is_current() {
    let mut table = String::from(
        "# What a kill or a refusal leaves\n\n\
         A test runs each operation with the real program, kills it at a system call, or has one call\n\
         refused, and looks at the host: links, routes, rules, files and processes. It takes each call in\n\
         turn, a sample of them by default, all with `VNET_SWEEP=all`. After some kills the next run is\n\
         killed too.\n\n\
         - *Killed*: the next run of the same command brings the host to what was wanted. After a stop\n  \
           nothing is left.\n\
         - *Refused*: the operation ends as wanted nevertheless, or says what failed and the host is as\n  \
           before. When a network is changed and a port of it cannot follow, that is said, and the next\n  \
           apply changes the port. A stop or a detach may leave a part, says so, and ends it when it is\n  \
           called again.\n\n\
         Killed at: `write`, `sendto`, `sendmsg`, `rename`, `fsync`, `fdatasync`, `close`, `clone`,\n\
         `unlink`.\n\n\
         | refused with | calls | as on |\n|---|---|---|\n",
    );
    for (error, calls, reason) in REFUSED {
        let names: Vec<String> =
            calls.split(',').filter(|name| !name.starts_with('?')).map(|name| format!("`{name}`")).collect();
        let _ = writeln!(table, "| {error} | {} | {reason} |", names.join(", "));
    }
    table.push_str("\n| operation | killed | refused |\n|---|---|---|\n");
    for (name, _, command) in OPERATIONS {
        let takes_away = command.starts_with("stop") || command.starts_with("detach");
        let refused = if takes_away { "done, or told and ended by the next run" } else { "done, or told and undone" };
        let _ = writeln!(table, "| {name} | ended by the next run | {refused} |");
    }
    if std::env::var_os("VNET_BLESS").is_some() {
        fs::write(TABLE, &table).unwrap();
    }
    assert_eq!(fs::read_to_string(TABLE).unwrap_or_default(), table, "VNET_BLESS=1 writes {TABLE} anew");
}
