//! The real systemd-resolved, on the same bus: the host resolves the guests of a network with
//! `<domain register='yes'>`, and no longer when the network has stopped.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;

use super::*;

#[test]
fn a_domain_is_registered_repaired_and_taken_back() {
    isolate!();
    start_bus();
    let resolved = start_resolved();
    let file = registered(true);
    let plan = text(&call(&["plan", &file]));
    assert!(
        plan.contains(
            "+ resolvectl dns virbr0 192.168.122.1\n+ resolvectl domain virbr0 '~lab.test'\n\
             + resolvectl default-route virbr0 no\n"
        ),
        "{plan}"
    );
    call(&["start", &file]);
    // It asks no server behind a link that nobody is at.
    run("ip", &["link", "add", "vnet0", "up", "master", "virbr0", "type", "veth", "peer", "name", "eth0"]);
    run("ip", &["link", "set", "eth0", "up"]);
    wait_for(PATIENCE, "the link in use", || resolvectl(&["status", "virbr0"]).contains("Scopes: DNS").then_some(()));
    assert!(resolvectl(&["query", "--legend=no", "web.Lab.test"]).contains("192.168.122.9"));
    assert_eq!(known(), ["DNS Servers: 192.168.122.1", "DNS Domain: ~lab.test"]);
    assert!(resolvectl(&["default-route", "virbr0"]).trim_end().ends_with("no"));
    assert!(text(&call(&["apply", &file])).contains("nothing to change"));

    // Drift is seen and repaired.
    resolvectl(&["revert", "virbr0"]);
    let drift = vnet_command(&["diff", "lab"]);
    assert_eq!(drift.status.code(), Some(1));
    assert!(text(&drift).starts_with("+ resolvectl dns virbr0 192.168.122.1\n"), "{}", text(&drift));
    assert!(text(&vnet_command(&["status", "lab"])).contains("drifted"));
    let doctor = text(&vnet_command(&["doctor", "lab", "--no-probe"]));
    assert!(doctor.contains("systemd-resolved does not ask the network for names of its guests"), "{doctor}");
    call(&["apply", "lab"]);
    resolvectl(&["dns", "virbr0", "192.168.122.77"]);
    assert!(text(&vnet_command(&["diff", "lab"])).starts_with("~ resolvectl dns virbr0 192.168.122.1\n"));
    call(&["apply", "lab"]);
    assert_eq!(known(), ["DNS Servers: 192.168.122.1", "DNS Domain: ~lab.test"]);

    // In place, in both directions.
    call(&["apply", &registered(false)]);
    assert!(known().is_empty(), "{:?}", known());
    call(&["apply", &registered(true)]);

    // One that starts again knows it still; where it has ended, the network stops all the same.
    drop(resolved);
    assert_eq!(vnet_command(&["diff", "lab"]).status.code(), Some(1));
    let resolved = start_resolved();
    call(&["diff", "lab"]);
    call(&["stop", "lab"]);
    assert!(!resolvectl(&["status"]).contains("lab.test"));
    assert_eq!(fs::read_dir("/run/systemd/resolve/netif").unwrap().count(), 0);
    call(&["start", &registered(true)]);
    drop(resolved);
    call(&["stop", "lab"]);
    assert!(!run("ip", &["link"]).contains("virbr0"));
}

#[test]
fn without_resolved_one_finding_says_what_does_it() {
    isolate!();
    start_bus();
    let refused = vnet_command(&["start", &registered(true)]);
    let told = stderr(&refused);
    assert_eq!((refused.status.code(), told.matches("VN0629").count()), (Some(1), 1), "{told}");
    assert!(told.contains("`server=/Lab.test/192.168.122.1`"), "{told}");
    assert!(!run("ip", &["link"]).contains("virbr0"));
    // It is no other finding, alone and in a trial.
    assert_eq!(stderr(&call(&["check", "/run/lab.xml"])).matches("VN").count(), 0);
}

/// It answers while the network is prepared, and then no more.
#[rstest]
#[case::hangs("STOP", "systemd-resolved did not take the name servers of virbr0 within 1 s")]
#[case::dies("KILL", "cannot have systemd-resolved take the name servers of virbr0: it has ended meanwhile")]
fn a_resolved_that_fails_during_a_start_is_told(#[case] signal: &str, #[case] expected: &str) {
    isolate!();
    start_bus();
    let resolved = start_resolved();
    let (hook, pid) = ("/etc/vnet/hooks/network", resolved.0.id());
    fs::create_dir_all("/etc/vnet/hooks").unwrap();
    fs::write(hook, format!("#!/bin/sh\n[ $2 != start ] || kill -{signal} {pid}\n")).unwrap();
    fs::set_permissions(hook, fs::Permissions::from_mode(0o755)).unwrap();
    let driver = Driver::open("/run/vnet").unwrap().with_firewalld_limit(Duration::from_secs(1));
    let definition: Network = fs::read_to_string(registered(true)).unwrap().parse().unwrap();
    let told = format!("{:?}", driver.start(&definition).unwrap_err());
    assert!(told.contains(expected), "{told}");
    run("kill", &["-CONT", &pid.to_string()]);
    assert!(!run("ip", &["link"]).contains("virbr0") && !Path::new("/run/vnet").exists(), "{told}");
}

/// `vnet` is killed around the calls of a start and of a stop with which it tells systemd-resolved.
/// The next command ends what was begun.
#[test]
fn a_vnet_that_is_killed_leaves_nothing_with_resolved() {
    isolate!();
    start_bus();
    let _resolved = start_resolved();
    let file = registered(true);
    // A thread asks, and the other waits for it; then the journal is written.
    for call_name in ["clone3", "futex", "write"] {
        let last = killed_at(call_name, usize::MAX, &["start", &file]);
        for at in last.saturating_sub(1)..=last {
            call(&["stop", "lab"]);
            killed_at(call_name, at, &["start", &file]);
            call(&["apply", &file]);
            call(&["diff", "lab"]);
            assert_eq!(known(), ["DNS Servers: 192.168.122.1", "DNS Domain: ~lab.test"], "{call_name} {at}");
        }
        killed_at(call_name, 1, &["stop", "lab"]);
        if Path::new("/run/vnet/lab").exists() {
            call(&["stop", "lab"]);
        }
        assert!(!resolvectl(&["status"]).contains("lab.test"), "{call_name}");
        assert!(!run("ip", &["link"]).contains("virbr0"), "{call_name}");
    }
}

/// Runs a command that is killed at this call of its first thread, and returns how often it made
/// it. A command that makes fewer calls comes to its end.
fn killed_at(call: &str, at: usize, args: &[&str]) -> usize {
    let (program, path) = (vnet(), std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin");
    let mut strace = Command::new("strace");
    strace.args(["-qq", "-o", "/tmp/calls", "-e", &format!("trace={call}")]);
    if at != usize::MAX {
        strace.args(["-e", &format!("inject={call}:signal=KILL:when={at}")]);
    }
    let output = strace.arg(program).args(args).env("PATH", path).output().expect("strace starts");
    assert!(output.status.success() || output.status.signal() == Some(9), "{args:?}: {}", stderr(&output));
    fs::read_to_string("/tmp/calls").unwrap().lines().filter(|line| line.starts_with(call)).count()
}

/// A network whose domain the host has to know, or not.
fn registered(register: bool) -> String {
    let register = if register { "yes" } else { "no" };
    let names = "<dns><host ip='192.168.122.9'><hostname>web.lab.test</hostname></host></dns>";
    network("<forward/>", &format!("<domain name='Lab.test' localOnly='yes' register='{register}'/><bridge/>{names}"))
}

/// What systemd-resolved knows of the bridge, by its own program.
fn known() -> Vec<String> {
    let status = resolvectl(&["status", "virbr0"]);
    let lines = status.lines().map(str::trim).filter(|line| line.starts_with("DNS "));
    lines.map(str::to_owned).collect()
}

fn resolvectl(arguments: &[&str]) -> String {
    run(find("bin/resolvectl").to_str().unwrap(), arguments)
}

/// systemd-resolved, which changes to a user of its own: that is root here.
fn start_resolved() -> Running {
    for (file, line) in
        [("/etc/passwd", "systemd-resolve:x:0:0::/:/bin/false\n"), ("/etc/group", "systemd-resolve:x:0:\n")]
    {
        let text = fs::read_to_string(file).unwrap();
        fs::remove_file(file).unwrap();
        fs::write(file, text.replace("systemd-resolve:", "old:") + line).unwrap();
    }
    fs::create_dir_all("/run/systemd/resolve").unwrap();
    let log = fs::File::create("/run/resolved.log").unwrap();
    let mut command = Command::new(find("lib/systemd/systemd-resolved"));
    command.env("SYSTEMD_LOG_TARGET", "console").stdout(log.try_clone().unwrap()).stderr(log).stdin(Stdio::null());
    let running = Running(command.spawn().expect("systemd-resolved starts"));
    wait_for(PATIENCE, "systemd-resolved", || LinuxHost::open().unwrap().has_resolved().unwrap().then_some(()));
    running
}

/// A file of systemd-resolved: of the system, or as `cargo xtask kernel` unpacks it.
fn find(file: &str) -> PathBuf {
    let unpacked = vnet().parent().unwrap().join("../unpacked");
    let folders = [Path::new("/usr"), Path::new("/"), &unpacked.join("usr"), &unpacked];
    let found = folders.iter().map(|folder| folder.join(file)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("systemd-resolved is missing: `cargo xtask kernel` fetches it"))
}
