//! What nobody can stop any more, and what is said where a command cannot say what it has done.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use nix::fcntl::{Flock, FlockArg};
use vnet_tests::{isolate, json, run, vnet};

const STATE: &str = "/run/vnet";
const DEFINITION: &str = "/run/lab.xml";
const GUEST: &str = "/run/guest.xml";

/// Writes a network with DHCP, and an interface of a guest.
fn write() {
    let network = "<network><name>lab</name><bridge name='virbr7'/><ip address='192.168.130.1' prefix='24'>
                   <dhcp><range start='192.168.130.2' end='192.168.130.9'/></dhcp></ip></network>";
    fs::write(DEFINITION, network).unwrap();
    let guest = "<interface type='network'><mac address='52:54:00:00:00:77'/><source network='lab'/>
                 <target dev='tap7'/></interface>";
    fs::write(GUEST, guest).unwrap();
}

fn call(arguments: &str) -> Output {
    Command::new(vnet()).args(arguments.split(' ')).output().unwrap()
}

fn done(arguments: &str) -> String {
    let output = call(arguments);
    assert!(output.status.success(), "{arguments}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn refused(arguments: &str, code: i32) -> String {
    let output = call(arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// Starts the network and attaches the guest in a network namespace of their own, which is there
/// until the shell has read a line.
fn elsewhere() -> std::process::Child {
    let script =
        format!("ip link set lo up; {0} start {DEFINITION} && {0} attach {GUEST}; read line", vnet().display());
    let mut shell = Command::new("unshare");
    shell.args(["--net", "sh", "-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut shell = shell.spawn().unwrap();
    let mut lines = BufReader::new(shell.stdout.as_mut().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("port tap7 attached")));
    shell
}

#[test]
fn a_network_is_forgotten_once_its_namespace_is_gone() {
    isolate!();
    write();
    let mut shell = elsewhere();
    for name in ["lab", "tap7"] {
        let said = refused(&format!("forget {name}"), 2);
        assert!(said.contains("is in another network namespace, which is there: process"), "{said}");
    }
    assert!(done("list").contains("elsewhere"));
    shell.stdin.take().unwrap().write_all(b"\n").unwrap();
    shell.wait().unwrap();
    assert!(refused(&format!("start {DEFINITION}"), 2).contains("vnet forget lab"));
    assert_eq!(done("forget lab"), "network `lab` is forgotten\n");
    assert!(!Path::new(STATE).exists());
    let processes = run("ps", &["-eo", "args"]);
    assert!(!processes.contains("--conf-file=/run/vnet/lab"), "{processes}");
    assert!(refused("forget lab", 1).contains("no network or port `lab` has a receipt"));
    done(&format!("start {DEFINITION}"));
    let said = refused("forget lab", 2);
    assert!(said.contains("is in this network namespace"), "{said}");
    done("stop lab");
}

#[test]
fn a_port_is_forgotten_without_its_network() {
    isolate!();
    write();
    let mut shell = elsewhere();
    drop(shell.stdin.take());
    shell.wait().unwrap();
    // dnsmasq is still in the namespace, and is no program of the port's.
    assert!(refused("forget tap7", 2).contains("which is there: process"));
    done("forget lab");
    assert!(!Path::new(STATE).exists());
}

#[test]
fn a_receipt_that_cannot_be_read_is_forgotten() {
    isolate!();
    write();
    done(&format!("start {DEFINITION}"));
    let receipt = Path::new(STATE).join("lab/receipt");
    let whole = fs::read(&receipt).unwrap();
    fs::write(&receipt, &whole[..whole.len() / 3]).unwrap();
    assert!(refused("stop lab", 2).contains("vnet forget"));
    assert_eq!(done("forget lab"), "network `lab` is forgotten\n");
    assert!(!receipt.exists());
    // What it named is there, so its rules are nobody's.
    run("ip", &["link", "show", "virbr7"]);
    assert_eq!(done("gc"), "network lab has rules and no receipt: `vnet gc --rules` removes them\n");
}

/// Such a port stays as it was, and nobody is held back by it.
#[test]
fn a_port_whose_receipt_cannot_be_read_is_told() {
    isolate!();
    write();
    done(&format!("start {DEFINITION}"));
    done(&format!("attach {GUEST}"));
    let second = fs::read_to_string(GUEST).unwrap().replace(":77", ":78").replace("tap7", "tap8");
    fs::write("/run/second.xml", second).unwrap();
    done("attach /run/second.xml");
    fs::write("/run/other.xml", "<network><name>other</name><ip address='192.168.131.1' prefix='24'/></network>")
        .unwrap();
    let receipt = Path::new(STATE).join("@ports/tap7/receipt");
    let whole = fs::read_to_string(&receipt).unwrap();
    let (header, _) = whole.split_once('\n').unwrap();
    let mtu = |dev| json("ip", &["-j", "link", "show", dev])[0]["mtu"].clone();
    let definition = fs::read_to_string(DEFINITION).unwrap();
    for (size, text) in [(1400, format!("{header}\n")), (1300, header[..20].to_owned())] {
        fs::write(&receipt, text).unwrap();
        fs::write(DEFINITION, definition.replace("<ip", &format!("<mtu size='{size}'/><ip"))).unwrap();
        let planned = call(&format!("plan {DEFINITION}"));
        let said = String::from_utf8_lossy(&planned.stderr);
        assert!(planned.status.success() && said.contains("one of its ports is passed over: port `tap7`"), "{said}");
        let said = refused(&format!("apply {DEFINITION}"), 2);
        assert!(said.contains("port `tap7` of network `lab` stays as it was\n  because the receipt"), "{said}");
        assert_eq!([mtu("virbr7"), mtu("tap7"), mtu("tap8")], [size, 1500, size]);
        let status = done("status lab");
        assert!(status.contains("one of its ports is passed over: port `tap7`"), "{status}");
        // It is not the other network's.
        let output = call("apply /run/other.xml");
        assert!(output.status.success() && !String::from_utf8_lossy(&output.stderr).contains("passed over"));
    }
    // Somebody has deleted the bridge: it is made anew, with all ports in it, as they are defined.
    let isolated = definition.replace("<ip", "<port isolated='yes'/><ip");
    fs::write(DEFINITION, isolated).unwrap();
    fs::write(&receipt, &whole).unwrap();
    done(&format!("apply {DEFINITION}"));
    fs::write(&receipt, format!("{header}\n")).unwrap();
    run("ip", &["link", "delete", "virbr7"]);
    let said = refused(&format!("apply {DEFINITION}"), 2);
    assert!(said.contains("port `tap7` of network `lab` stays as it was"), "{said}");
    for dev in ["tap7", "tap8"] {
        let port = json("ip", &["-d", "-j", "link", "show", dev])[0].clone();
        let is_isolated = &port["linkinfo"]["info_slave_data"]["isolated"];
        assert!(port["master"] == "virbr7" && *is_isolated == true, "{port}");
    }
    fs::write(DEFINITION, &definition).unwrap();
    // A stop cannot take its device away.
    fs::write(&receipt, format!("{header}\n")).unwrap();
    assert!(refused("stop lab", 2).contains("tap7/receipt` is cut short"));
    assert!(!done("list --name").contains("lab"));
    done(&format!("start {DEFINITION}"));
    fs::write(&receipt, &header[..20]).unwrap();
    // Whose it was is not known any more.
    run("ip", &["link", "delete", "tap7"]);
    for file in [DEFINITION, "/run/other.xml"] {
        let output = call(&format!("apply {file}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("may be one of its own is passed over"), "{output:?}");
    }
    done("forget tap7");
    assert!(!String::from_utf8_lossy(&call(&format!("apply {DEFINITION}")).stderr).contains("passed over"));
    done("stop lab other");
}

#[test]
fn rules_without_a_receipt_are_named_and_removed_on_demand() {
    isolate!();
    write();
    done(&format!("start {DEFINITION}"));
    fs::write("/run/other.xml", "<network><name>other</name><ip address='192.168.131.1' prefix='24'/></network>")
        .unwrap();
    done("start /run/other.xml");
    assert_eq!(done("gc"), "nothing is left of programs that have ended\n");
    let before = run("nft", &["list", "ruleset"]);
    fs::remove_file(Path::new(STATE).join("lab/receipt")).unwrap();
    assert_eq!(done("gc"), "network lab has rules and no receipt: `vnet gc --rules` removes them\n");
    assert_eq!(run("nft", &["list", "ruleset"]), before);
    assert_eq!(done("gc --rules"), "rules of network lab removed\n");
    let rules = run("nft", &["list", "ruleset"]);
    assert!(!rules.contains("network lab") && rules.contains("network other"), "{rules}");
    assert_eq!(done("diff other"), "network other is in sync\n");
    done("stop other");
    assert_eq!(run("nft", &["list", "ruleset"]), "");
}

#[test]
fn who_waits_is_told_for_whom() {
    isolate!();
    write();
    done(&format!("start {DEFINITION}"));
    let file = OpenOptions::new().read(true).write(true).open(Path::new(STATE).join(".made-by-vnet")).unwrap();
    let mut lock = Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno).unwrap();
    lock.set_len(0).unwrap();
    lock.write_all(format!("{}\n", std::process::id()).as_bytes()).unwrap();
    let mut stop = Command::new(vnet()).args(["stop", "lab"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(stop.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let me = std::process::id();
    assert_eq!(line, format!("note: waiting for process {me}, which changes networks or ports\n"));
    drop(lock);
    assert!(stop.wait().unwrap().success());
    line.clear();
    said.read_to_string(&mut line).unwrap();
    assert_eq!(line, "");
}

/// What was done is done, whether or not somebody can read it.
#[test]
fn a_full_stdout_or_stderr_hides_nothing_that_was_done() {
    isolate!();
    write();
    let full = || File::create("/dev/full").unwrap();
    let steps = [
        (format!("start {DEFINITION}"), "warning: network `lab` runs; the result cannot be printed: "),
        (format!("apply {DEFINITION} --format json"), "warning: network `lab` is as defined; the result "),
        (format!("attach {GUEST}"), "warning: port `tap7` is attached; the result cannot be printed: "),
        ("detach tap7".to_owned(), "warning: port `tap7` is detached; the result cannot be printed: "),
        ("stop lab".to_owned(), "warning: network `lab` is stopped; the result cannot be printed: "),
    ];
    for (arguments, warning) in &steps {
        let output = Command::new(vnet()).args(arguments.split(' ')).stdout(full()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && said.contains(warning), "{arguments}: {said}");
    }
    for (arguments, _) in &steps {
        let status = Command::new(vnet()).args(arguments.split(' ')).stdout(full()).stderr(full()).status().unwrap();
        assert!(status.success(), "{arguments}");
    }
    assert!(!Path::new(STATE).exists());
}
