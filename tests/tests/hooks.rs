//! Hooks: real programs that are told of networks and ports, and refuse.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use vnet_driver::{Driver, Error, HookProblem, Interface, Network};
use vnet_tests::{commands, isolate, json, run, vnet, wait_for};

const FOLDER: &str = "/etc/vnet/hooks";
const LOG: &str = "/tmp/log";
const NETWORK: &str = "<network><name>lab</name><forward mode='nat'/><bridge name='lab0' stp='off'/>
    <ip address='10.77.0.1' prefix='24'/></network>";
const INTERFACE: &str = "<interface type='network'><source network='lab'/><mac address='52:54:00:00:00:01'/>
    <target dev='guest1'/></interface>";

/// Writes a shell script that may be run.
fn script(path: impl AsRef<Path>, lines: &str) {
    fs::create_dir_all(path.as_ref().parent().unwrap()).unwrap();
    fs::write(&path, format!("#!/bin/sh\n{lines}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A hook that runs these lines at one operation.
fn at(operation: &str, lines: &str) {
    script(format!("{FOLDER}/network"), &format!("[ \"$2\" = {operation} ] || exit 0\n{lines}"));
}

fn call(arguments: &[&str], document: &str) -> Output {
    let mut command = Command::new(vnet());
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(document.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn done(arguments: &[&str], document: &str) -> String {
    let Output { status, stderr, .. } = call(arguments, document);
    let stderr = String::from_utf8(stderr).unwrap();
    assert!(status.success(), "{arguments:?}: {stderr}");
    stderr
}

fn refused(arguments: &[&str], document: &str) -> String {
    let Output { status, stderr, .. } = call(arguments, document);
    assert!(!status.success(), "{arguments:?}");
    String::from_utf8(stderr).unwrap()
}

fn log() -> Vec<String> {
    let text = fs::read_to_string(LOG).unwrap_or_default();
    let _ = fs::remove_file(LOG);
    text.lines().map(str::to_owned).collect()
}

/// The links, the rules and the files of state.
fn host() -> (Vec<String>, String, bool) {
    let links = json("ip", &["-j", "link"]);
    let links = links.as_array().unwrap().iter().map(|link| link["ifname"].as_str().unwrap().to_owned()).collect();
    (links, run("nft", &["list", "ruleset"]), Path::new("/run/vnet").exists())
}

#[test]
fn hooks_get_the_arguments_and_the_document_of_libvirt() {
    isolate!();
    script(format!("{FOLDER}/network"), &format!("echo first \"$@\" >>{LOG}\ncat >/tmp/$2.xml"));
    script(format!("{FOLDER}/network.d/20-b"), &format!("echo b \"$2\" >>{LOG}"));
    script(format!("{FOLDER}/network.d/10-a"), &format!("echo a \"$2\" >>{LOG}"));
    fs::write(format!("{FOLDER}/network.d/README"), "no program").unwrap();
    done(&["start", "-"], NETWORK);
    done(&["attach", "-"], INTERFACE);
    done(&["apply", "-"], &NETWORK.replace("<ip", "<mtu size='1400'/><ip"));
    done(&["apply", "-"], &NETWORK.replace("<ip", "<mtu size='1400'/><ip"));
    let record = "<host ip='10.77.0.9'><hostname>ninth</hostname></host>";
    done(&["net-update", "lab", "add", "dns-host", record, "--live"], "");
    done(&["detach", "guest1"], "");
    done(&["attach", "-"], INTERFACE);
    done(&["stop", "lab"], "");
    let expected = [
        ("start", "begin"),
        ("started", "begin"),
        ("port-created", "begin"),
        ("updated", "begin"),
        ("updated", "begin"),
        ("port-deleted", "begin"),
        ("port-created", "begin"),
        ("port-deleted", "begin"),
        ("stopped", "end"),
    ];
    let expected = expected.map(|(operation, stage)| {
        [format!("first lab {operation} {stage} -"), format!("a {operation}"), format!("b {operation}")]
    });
    assert_eq!(log(), expected.concat());

    let document = |operation: &str| fs::read_to_string(format!("/tmp/{operation}.xml")).unwrap();
    for operation in ["start", "started", "updated", "stopped"] {
        let text = document(operation);
        let network = text.strip_prefix("<hookData>\n").unwrap().strip_suffix("</hookData>").unwrap();
        let network: Network = network.parse().unwrap();
        assert!(network.name == "lab" && network.mac.is_some() && text.contains("<bridge name='lab0'"), "{text}");
        assert_eq!(network.mtu.is_some(), ["updated", "stopped"].contains(&operation), "{text}");
    }
    for operation in ["port-created", "port-deleted"] {
        let text = document(operation);
        let (network, port) = text.split_once("</network>\n<networkport>").unwrap();
        assert!(network.contains("<name>lab</name>"), "{text}");
        assert!(port.contains("<mac address='52:54:00:00:00:01'/>") && text.ends_with("</hookData>"), "{text}");
    }
}

#[test]
fn a_refused_start_leaves_the_host_as_before() {
    isolate!();
    let before = host();
    at("start", "echo no room in here >&2; exit 3");
    let said = refused(&["start", "-"], NETWORK);
    assert!(
        said.contains("network `lab` is not started: the hook `/etc/vnet/hooks/network` failed at `start`"),
        "{said}"
    );
    assert!(said.contains("exit status: 3") && said.contains("no room in here"), "{said}");
    assert_eq!(host(), before);
    assert!(refused(&["apply", "-"], NETWORK).contains("is not started"));
    assert_eq!(host(), before);

    script(format!("{FOLDER}/network.d/log"), &format!("echo $2 >>{LOG}"));
    at("started", "[ -e /sys/class/net/lab0 ] && exit 1");
    let said = refused(&["start", "-"], NETWORK);
    assert!(said.contains("network `lab` is stopped again: the hook"), "{said}");
    assert_eq!(host(), before);
    // The one after it learns of a start and of a stop, and not that the network has started.
    assert_eq!(log(), ["start", "stopped"]);
}

#[test]
fn a_refused_port_is_not_attached_and_a_refused_change_stays() {
    isolate!();
    at("port-created", "exit 1");
    done(&["start", "-"], NETWORK);
    let before = host();
    let said = refused(&["attach", "-"], INTERFACE);
    assert!(said.contains("no port is attached to network `lab`: the hook"), "{said}");
    assert_eq!(host(), before);
    assert!(!Path::new("/run/vnet/@ports").exists());

    at("updated", "exit 1");
    let said = refused(&["apply", "-"], &NETWORK.replace("<ip", "<mtu size='1400'/><ip"));
    assert!(said.contains("network `lab` is changed and stays so, but a hook refused"), "{said}");
    assert_eq!(json("ip", &["-j", "link", "show", "lab0"])[0]["mtu"], 1400);

    // A port that cannot be made after it was announced is taken back.
    script(format!("{FOLDER}/network"), &format!("echo $2 >>{LOG}"));
    run("mount", &["--bind", "/dev/null", "/dev/net/tun"]);
    refused(&["attach", "-"], INTERFACE);
    assert_eq!(log(), ["port-created", "port-deleted"]);
}

#[test]
fn what_is_over_cannot_be_refused() {
    isolate!();
    let before = host();
    script(format!("{FOLDER}/network"), "case $2 in port-deleted|stopped) echo I stay >&2; exit 1;; esac");
    done(&["start", "-"], NETWORK);
    done(&["attach", "-"], INTERFACE);
    let said = done(&["detach", "guest1"], "");
    assert!(said.contains("warning: a port of network `lab` is detached, but a hook failed"), "{said}");
    let said = done(&["stop", "lab"], "");
    assert!(said.contains("warning: network `lab` is stopped, but a hook failed") && said.contains("I stay"), "{said}");
    assert_eq!(host(), before);
}

#[test]
fn a_hook_that_does_not_end_is_ended_with_its_group() {
    isolate!();
    let before = host();
    let driver = Driver::open("/run/vnet").unwrap().with_hook_limit(Duration::from_millis(200));
    let network: Network = NETWORK.parse().unwrap();
    // One that sleeps, one that talks without end.
    for lines in ["sleep 1000 & echo started >&2; sleep 1000", "yes >&2"] {
        at("start", lines);
        let Err(Error::Hook(failure)) = driver.start(&network) else { panic!("not refused") };
        assert!(matches!(failure.problem, HookProblem::Slow(_)), "{failure}");
        assert!(!failure.stderr.is_empty() && failure.stderr.len() <= 4096, "{}", failure.stderr.len());
        assert_eq!(host(), before);
    }
    let of_hooks = || commands().any(|command| ["sleep\x001000\0", "yes\0"].contains(&&*command));
    wait_for(Duration::from_secs(10), "the end of the group", || (!of_hooks()).then_some(()));
}

#[test]
fn a_hook_may_say_much_and_leave_a_process_behind() {
    isolate!();
    at("start", "head -c 3000000 /dev/zero >&2; sleep 1000 & echo $! >/tmp/background");
    done(&["start", "-"], NETWORK);
    let background = fs::read_to_string("/tmp/background").unwrap();
    assert!(Path::new(&format!("/proc/{}", background.trim())).exists());
}

#[test]
fn a_hook_has_neither_our_files_nor_our_environment() {
    isolate!();
    // The substitution keeps the shell's own files as they were while `readlink` looks at them.
    let files = "files=$(readlink /proc/$$/fd/*); echo \"$files\" >/tmp/files";
    at("started", &format!("{files}; env >/tmp/environment; pwd >/tmp/folder"));
    let mut command = Command::new(vnet());
    command.args(["start", "-"]).env("SECRET", "x").stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(NETWORK.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    let files = fs::read_to_string("/tmp/files").unwrap();
    assert!(files.contains("memfd:hook") && files.contains("/dev/null"), "{files}");
    // Neither the lock, nor a socket to the kernel.
    assert!(!files.contains("/run/vnet") && !files.contains("socket:"), "{files}");
    let environment = fs::read_to_string("/tmp/environment").unwrap();
    assert!(environment.contains("LC_ALL=C") && !environment.contains("SECRET"), "{environment}");
    assert_eq!(fs::read_to_string("/tmp/folder").unwrap(), "/\n");
}

#[test]
fn a_hook_that_others_can_write_to_is_not_run_and_refuses() {
    isolate!();
    let before = host();
    let (hook, elsewhere) = (format!("{FOLDER}/network"), "/var/lib/elsewhere/hook");
    at("start", "touch /tmp/ran");
    for (path, mode, good) in [(&*hook, 0o777, 0o755), (FOLDER, 0o775, 0o755)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let said = refused(&["start", "-"], NETWORK);
        assert!(said.contains("the hook `/etc/vnet/hooks/network` is not run"), "{said}");
        assert!(said.contains("lets others write to it"), "{said}");
        assert!(host() == before && !Path::new("/tmp/ran").exists());
        fs::set_permissions(path, fs::Permissions::from_mode(good)).unwrap();
    }
    // A link is followed, and what it leads to is looked at.
    fs::remove_file(&hook).unwrap();
    script(elsewhere, "touch /tmp/ran");
    symlink(elsewhere, &hook).unwrap();
    fs::set_permissions(elsewhere, fs::Permissions::from_mode(0o757)).unwrap();
    assert!(refused(&["start", "-"], NETWORK).contains("is not run"));
    assert!(!Path::new("/tmp/ran").exists());
    fs::set_permissions(elsewhere, fs::Permissions::from_mode(0o755)).unwrap();
    done(&["start", "-"], NETWORK);
    assert!(Path::new("/tmp/ran").exists());
}

#[test]
fn what_is_no_program_is_told() {
    isolate!();
    let before = host();
    script(format!("{FOLDER}/network"), "");
    fs::write(format!("{FOLDER}/network"), "#!/no/such/shell\n").unwrap();
    let said = refused(&["start", "-"], NETWORK);
    assert!(said.contains("cannot be run") && said.contains("No such file"), "{said}");
    assert_eq!(host(), before);
}

/// A program that starts networks itself, as a virtual machine monitor does.
#[test]
fn a_library_user_has_hooks_too() {
    isolate!();
    script(format!("{FOLDER}/network"), &format!("echo $2 >>{LOG}"));
    let driver = Driver::open("/run/vnet").unwrap();
    let running = driver.run(&NETWORK.parse::<Network>().unwrap()).unwrap();
    let port = running.attach(&Interface::network("lab")).unwrap();
    drop(running);
    assert_eq!(log(), ["start", "started", "port-created"]);
    drop(port);
    assert_eq!(log(), ["port-deleted", "stopped"]);
    // Another folder of state has other definitions and other hooks.
    drop(Driver::open("/run/other").unwrap().run(&NETWORK.parse::<Network>().unwrap()).unwrap());
    assert_eq!(log(), [""; 0]);
    // The program has an option for the time.
    at("start", "sleep 1000");
    let said = refused(&["--hook-timeout", "100ms", "start", "-"], NETWORK);
    assert!(said.contains("did not end `start` within 100ms"), "{said}");
}

/// It would wait for whoever waits for it.
#[test]
fn a_hook_may_look_and_cannot_change_anything() {
    isolate!();
    let vnet = vnet().display().to_string();
    fs::write("/tmp/other.xml", NETWORK.replace("lab", "other").replace("10.77.", "10.78.")).unwrap();
    at("started", &format!("{vnet} status lab >/tmp/status || exit 9\n{vnet} start /tmp/other.xml"));
    let before = host();
    let said = refused(&["start", "-"], NETWORK);
    assert!(said.contains("waits for the hook that calls this"), "{said}");
    assert!(said.contains("network `lab` is stopped again"), "{said}");
    assert!(fs::read_to_string("/tmp/status").unwrap().contains("lab0"));
    assert_eq!(host(), before);
    // What it leaves behind can, when the start is over.
    at("started", &format!("{vnet} start /tmp/other.xml >/tmp/later 2>&1 &"));
    done(&["start", "-"], NETWORK);
    wait_for(Duration::from_secs(20), "the other network", || {
        (host().0.contains(&"other0".to_owned()) || fs::read_to_string("/tmp/later").unwrap().contains("calls this"))
            .then_some(())
    });
    assert!(host().0.contains(&"other0".to_owned()), "{}", fs::read_to_string("/tmp/later").unwrap());
}

#[test]
fn hooks_of_libvirt_run_when_they_are_asked_for() {
    isolate!();
    // The machine may have hooks of libvirt, which are hidden.
    fs::create_dir_all("/etc/libvirt").unwrap();
    run("mount", &["-t", "tmpfs", "none", "/etc/libvirt"]);
    fs::set_permissions("/etc/libvirt", fs::Permissions::from_mode(0o755)).unwrap();
    script("/etc/libvirt/hooks/network", &format!("echo theirs $2 >>{LOG}"));
    script("/etc/libvirt/hooks/network.d/x", &format!("echo more $2 >>{LOG}"));
    script(format!("{FOLDER}/network.d/x"), &format!("echo ours $2 >>{LOG}"));
    done(&["start", "-"], NETWORK);
    assert_eq!(log(), ["ours start", "ours started"]);
    done(&["--libvirt-hooks", "stop", "lab"], "");
    assert_eq!(log(), ["ours stopped", "theirs stopped", "more stopped"]);
    // Another folder of definitions has hooks of its own.
    script("/etc/other/hooks/network", &format!("echo other $2 >>{LOG}"));
    done(&["--config-dir", "/etc/other", "start", "-"], NETWORK);
    assert_eq!(log(), ["other start", "other started"]);
}

/// Starts the network and is killed while its hook runs.
fn killed_at_its_hook() {
    let mut command = Command::new(vnet());
    let mut child = command.args(["start", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(NETWORK.as_bytes()).unwrap();
    wait_for(Duration::from_secs(10), "the hook", || fs::remove_file("/tmp/here").ok());
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Nobody has heard whether the hook lets the network run: it is asked again.
#[test]
fn a_process_that_is_killed_at_the_last_hook_leaves_a_question() {
    isolate!();
    let before = host();
    let waits = || at("started", "touch /tmp/here; sleep 1000");
    waits();
    killed_at_its_hook();
    let status = String::from_utf8(call(&["status", "lab"], "").stdout).unwrap();
    assert!(status.contains("its hooks agree, but they have yet to answer at `started`"), "{status}");
    assert!(status.contains("`vnet apply lab`"), "{status}");
    assert!(refused(&["attach", "-"], INTERFACE).contains("`vnet apply lab` brings it to its end"));
    script(format!("{FOLDER}/network"), &format!("echo $2 >>{LOG}"));
    done(&["apply", "lab"], "");
    assert_eq!(log(), ["started"]);
    let status = String::from_utf8(call(&["status", "lab"], "").stdout).unwrap();
    assert!(!status.contains("hooks"), "{status}");
    done(&["attach", "-"], INTERFACE);
    done(&["stop", "lab"], "");
    // The second time it refuses.
    for apply in ["lab", "-"] {
        waits();
        killed_at_its_hook();
        at("started", "exit 1");
        let said = refused(&["apply", apply], NETWORK);
        assert!(said.contains("network `lab` is stopped again: the hook"), "{said}");
        assert_eq!(host(), before);
    }
}

/// Whoever is killed while a hook runs has not begun.
#[test]
fn a_process_that_is_killed_at_its_hook_has_done_nothing() {
    isolate!();
    at("start", "touch /tmp/here; sleep 1000");
    let (links, rules, _) = host();
    killed_at_its_hook();
    assert_eq!((host().0, host().1), (links, rules));
    fs::remove_file(format!("{FOLDER}/network")).unwrap();
    done(&["start", "-"], NETWORK);
    assert_eq!(host().0[1..], ["lab0"]);
}
