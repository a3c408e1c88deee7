//! The real program, killed at a system call or refused one: the next command finds the host as it
//! was or as it is wanted, and after a stop nothing is left. A sample of all calls; with
//! `VNET_SWEEP=all` each of them.

#![allow(clippy::unwrap_used, reason = "a test")]

mod operations;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};

use rstest::rstest;
use vnet_tests::{commands, isolate, run, vnet};

use operations::{End, OPERATIONS, Operation, write};

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

/// The numbers of calls to take of a group, for an operation: others for each.
fn places(operation: usize, group: usize, calls: usize) -> impl Iterator<Item = usize> {
    let is_all = std::env::var("VNET_SWEEP").is_ok_and(|all| all == "all");
    let stride = if is_all { 1 } else { OPERATIONS[operation].stride };
    (1 + (operation * 5 + group * 7) % stride..=calls).step_by(stride)
}

/// An operation, what is there before anything, and how often it makes each call.
fn begun(at: usize) -> (&'static Operation, String, BTreeMap<String, usize>) {
    write();
    let (operation, base) = (&OPERATIONS[at], seen());
    let counts = counted(operation, &base);
    (operation, base, counts)
}

/// How often each call is made when nothing is tampered with.
fn counted(operation: &Operation, base: &str) -> BTreeMap<String, usize> {
    prepare(operation);
    let words = operation.command.split(' ');
    let output = Command::new("strace").args(["-qq", "-o", TRACE]).arg(vnet()).args(words).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut counts = BTreeMap::new();
    for (name, _) in fs::read_to_string(TRACE).unwrap().lines().filter_map(|line| line.split_once('(')) {
        *counts.entry(name.to_owned()).or_default() += 1;
    }
    nothing_is_left(operation, base, operation.command);
    counts
}

/// The number of calls of a group: strace counts each kind of call by itself.
fn most(counts: &BTreeMap<String, usize>, calls: &str) -> usize {
    let names = calls.split(',').map(|name| name.trim_start_matches('?'));
    names.filter_map(|name| counts.get(name)).copied().max().unwrap_or(0)
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
    let rules = run("nft", &["-s", "list", "ruleset"]);
    let mut files = Vec::new();
    // Its folders stay when the last definition is dropped.
    list(Path::new("/etc/vnet/networks"), &mut files);
    for folder in ["/run", "/var/lib"] {
        list(Path::new(folder), &mut files);
    }
    files.sort_unstable();
    let processes: Vec<String> = commands().filter(|command| command.contains("dnsmasq\0--conf")).collect();
    format!("{links:#?}\n{routes}\n{rules}\n{files:#?}\n{processes:#?}")
}

/// Adds what is below a folder: of definitions the files with their texts.
fn list(folder: &Path, files: &mut Vec<String>) {
    let is_kept = folder.starts_with("/etc");
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, is_folder) = (entry.path(), entry.file_type().unwrap().is_dir());
        if !is_kept {
            files.push(path.display().to_string());
        } else if !is_folder {
            files.push(format!("{}: {}", path.display(), fs::read_to_string(&path).unwrap_or_default()));
        }
        if is_folder {
            list(&path, files);
        }
    }
}

/// How many calls the last command was refused: one of each kind, as far as it made them.
fn refused_calls() -> usize {
    fs::read_to_string(TRACE).unwrap().matches("(INJECTED)").count()
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
fn nothing_is_left(operation: &Operation, base: &str, told: &str) {
    for command in operation.after {
        let output = call(command);
        assert!(matches!(output.status.code(), Some(0 | 1)), "{told}: {output:?}");
    }
    assert_eq!(seen(), base, "{told}");
}

/// The operation has come to its end.
fn is_done(operation: &Operation, told: &str) {
    for end in operation.end {
        match end {
            // The network runs as a file defines it.
            End::As(file) => {
                let (diff, apply) = (call("diff lab"), call(&format!("apply {file}")));
                assert!(diff.status.success(), "{told}: {diff:?}");
                let said = String::from_utf8_lossy(&apply.stdout);
                assert!(said.contains("nothing to change"), "{told}: {apply:?}");
            }
            End::Says(command, text) => {
                let output = call(command);
                let said = String::from_utf8_lossy(&output.stdout);
                assert!(said.contains(text), "{told}: {command}: {output:?}");
            }
            End::Not(command, text) => {
                let output = call(command);
                let said = String::from_utf8_lossy(&output.stdout);
                assert!(!said.contains(text), "{told}: {command}: {output:?}");
            }
        }
    }
}

fn prepare(operation: &Operation) {
    for command in operation.before {
        let output = call(command);
        assert!(output.status.success(), "{command}: {output:?}");
    }
}

/// After one more run of the command, the host is as wanted.
fn ends(operation: &Operation, told: &str) {
    let output = call(operation.command);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{told}: {output:?}");
    is_done(operation, told);
}

#[rstest]
fn a_process_that_is_killed_leaves_nothing_that_the_next_cannot_end(
    #[values(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17)] at: usize,
) {
    isolate!();
    let (operation, base, counts) = begun(at);
    let command = operation.command;
    let mut kills = 0;
    for (group, calls) in DONE_BY.into_iter().enumerate() {
        for number in places(at, group, most(&counts, calls)) {
            prepare(operation);
            let Some(killed) = tampered(calls, "signal=KILL", number, command) else {
                nothing_is_left(operation, &base, command);
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
                ends(operation, &told);
            }
            nothing_is_left(operation, &base, &told);
        }
    }
    assert!(kills > 0, "{kills}");
}

#[rstest]
fn a_call_that_is_refused_is_told_and_undone(
    #[values(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17)] at: usize,
) {
    isolate!();
    let (operation, base, counts) = begun(at);
    let command = operation.command;
    let mut refusals = 0;
    for (group, (error, calls, _)) in REFUSED.into_iter().enumerate() {
        for number in places(at, group, most(&counts, calls)) {
            prepare(operation);
            let as_before = seen();
            let Some(output) = tampered(calls, &format!("error={error}"), number, command) else {
                nothing_is_left(operation, &base, command);
                break;
            };
            refusals += 1;
            let told = format!("`{command}`, {calls} {number} refused by {error}: {output:?}");
            match output.status.code() {
                Some(0) => is_done(operation, &told),
                // The program did not begin: a library is missing.
                Some(127) => assert_eq!(seen(), as_before, "{told}"),
                Some(1 | 2) => {
                    let said = String::from_utf8_lossy(&output.stderr);
                    assert!(said.contains("error: "), "{told}");
                    // What is taken away may be left in part, and said so. At boot the others run.
                    // A network that was changed stays so when a port of it cannot follow. A second
                    // refusal may be that of the undoing.
                    let stays = said.contains("port `tap7` of network `lab` stays as it was")
                        || said.contains("network `lab` is changed, and its ports stay as they were");
                    assert!(
                        operation.in_part || stays || refused_calls() > 1 || seen() == as_before,
                        "{told}\n{}\nbefore:\n{as_before}",
                        seen()
                    );
                    ends(operation, &told);
                }
                _ => panic!("{told}"),
            }
            nothing_is_left(operation, &base, &told);
            assert!(!Path::new("/run/vnet").exists(), "{told}");
        }
    }
    assert!(refusals > 0, "{refusals}");
}

/// On a file system without hard links, too, the definition before comes back when the disk fails.
#[test]
fn a_definition_comes_back_without_hard_links() {
    isolate!();
    write();
    assert!(call("define /tmp/lab.xml").status.success());
    let before = seen();
    for number in 1.. {
        let mut strace = Command::new("strace");
        strace.args(["-qq", "-o", TRACE, "-e", "trace=?link,linkat,fsync", "-e", "inject=?link,linkat:error=EPERM"]);
        strace.args(["-e", &format!("inject=fsync:error=EIO:when={number}")]).arg(vnet());
        let output = strace.args(["define", "/tmp/range.xml"]).output().unwrap();
        let trace = fs::read_to_string(TRACE).unwrap();
        assert!(trace.contains("EPERM"), "{trace}");
        if !trace.contains("EIO") {
            assert!(output.status.success() && number > 2, "{number}: {output:?}");
            break;
        }
        assert_eq!(output.status.code(), Some(2), "{number}: {output:?}");
        assert_eq!(seen(), before, "{number}: {output:?}");
    }
}

/// A network that was known before has no leases then either.
#[test]
fn an_import_that_fails_leaves_no_leases() {
    isolate!();
    write();
    let leases = "/var/lib/vnet/lab/leases";
    assert!(call("import").status.success());
    fs::remove_file(leases).unwrap();
    fs::create_dir("/etc/vnet/networks/.lab.xml.new").unwrap();
    let before = seen();
    let output = call("import");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(seen(), before);
    fs::remove_dir("/etc/vnet/networks/.lab.xml.new").unwrap();
    assert!(call("import").status.success() && Path::new(leases).exists());
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
           apply changes the port. A stop, a detach or an undefine may leave a part, says so, and ends it\n  \
           when it is called again. At boot one network that fails does not hold back the others.\n\n\
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
    for Operation { name, in_part, .. } in &OPERATIONS {
        let refused = if *in_part { "done, or told and ended by the next run" } else { "done, or told and undone" };
        let _ = writeln!(table, "| {name} | ended by the next run | {refused} |");
    }
    if std::env::var_os("VNET_BLESS").is_some() {
        fs::write(TABLE, &table).unwrap();
    }
    assert_eq!(fs::read_to_string(TABLE).unwrap_or_default(), table, "VNET_BLESS=1 writes {TABLE} anew");
}
