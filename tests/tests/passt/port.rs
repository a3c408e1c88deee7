//! A guest behind passt as a port: `vnet attach`, `plan`, `diff`, `apply`, `ports`, `detach`.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use vnet_passt::Protocol;
use vnet_tests::{vnet, wait_for};

use crate::guest::Guest;
use crate::host::{Host, OUTSIDE, SOON, ask};

const LOOPBACK: [u8; 4] = [127, 0, 0, 1];

fn define(file: &str, port: u16) -> String {
    let text = format!(
        "<interface type='user'><backend type='passt'/>
          <portForward proto='tcp' address='127.0.0.1'><range start='{port}' to='22'/></portForward></interface>"
    );
    let path = format!("/tmp/{file}");
    fs::write(&path, text).unwrap();
    path
}

fn call(words: &[&str]) -> Output {
    Command::new(vnet()).args(words).output().unwrap()
}

/// What a call says to people, with its exit code.
fn said(words: &[&str]) -> (Option<i32>, String) {
    let output = call(words);
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

fn report(words: &[&str], code: i32) -> Value {
    let output = call(&[words, &["--format", "json"]].concat());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{words:?}: {stderr}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{words:?}: {error}: {stderr}"))
}

fn kill_passt(report: &Value) {
    let pid = Pid::from_raw(report["port"]["passt"]["pid"].as_i64().unwrap().try_into().unwrap());
    kill(pid, Signal::SIGKILL).unwrap();
    wait_for(SOON, "the end of passt", || (!Path::new(&format!("/proc/{pid}")).exists()).then_some(()));
}

/// Everything that vnet keeps, with the sockets.
fn kept() -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![Path::new("/run/vnet").to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => files.push(entry.path()),
            }
        }
    }
    files
}

#[test]
fn one_that_died_is_drift_and_comes_back_under_its_guest() {
    vnet_tests::isolate!();
    let _host = Host::new();
    let file = define("vm1.xml", 2222);
    let attached = report(&["attach", &file], 0);
    let port = &attached["port"];
    assert_eq!((&port["name"], &port["guest"], &port["ifindex"]), (&"passt0".into(), &"vm1".into(), &Value::Null));
    let socket = Path::new(port["passt"]["socket"].as_str().unwrap());
    assert!(port["passt"]["qemu"][1].as_str().unwrap().contains(socket.to_str().unwrap()), "{port}");
    let mut guest = Guest::new(socket);
    guest.lease();
    guest.serve(&[22]);
    assert_eq!(ask(Protocol::Tcp, LOOPBACK.into(), 2222), Some(22));
    assert_eq!(report(&["diff", "passt0"], 0)["changes"], Value::Array(Vec::new()));

    for definition in [file.as_str(), "passt0"] {
        kill_passt(&report(&["apply", definition], 0));
        let drift = report(&["diff", "passt0"], 1);
        assert_eq!((&drift["changes"][0]["change"], &drift["changes"][1]), (&"create".into(), &Value::Null), "{drift}");
        assert_eq!(report(&["ports"], 0)["ports"][0]["state"], "drifted");
        assert_eq!(report(&["passt", "list"], 0)["guests"][0]["state"], "ended");
        let (code, text) = said(&["apply", definition]);
        assert!(code == Some(0) && text.contains("port passt0 is as defined"), "{text}");
        let ports = report(&["ports"], 0);
        assert_eq!((&ports["ports"][0]["state"], &ports["ports"][0]["mac"]), (&"in-sync".into(), &port["mac"]));
        assert_eq!(ports["ports"][0]["passt"]["socket"], port["passt"]["socket"]);
        guest.plug(socket);
        guest.netns.run(|| ask(Protocol::Udp, OUTSIDE.parse().unwrap(), 9));
        let answers = || (ask(Protocol::Tcp, LOOPBACK.into(), 2222) == Some(22)).then_some(());
        wait_for(SOON, "the guest to be found again", answers);
    }

    assert_eq!(call(&["detach", "passt0"]).status.code(), Some(0));
    assert_eq!((report(&["ports"], 0)["ports"].clone(), kept()), (Value::Array(Vec::new()), Vec::new()));
    assert_eq!(ask(Protocol::Tcp, LOOPBACK.into(), 2222), None);
}

#[test]
fn a_change_is_planned_and_made_in_place() {
    vnet_tests::isolate!();
    let _host = Host::new();
    let (code, plan) = said(&["plan", &define("vm1.xml", 2222)]);
    assert!(code == Some(0) && plan.contains("+ run passt --one-off --socket ") && kept().is_empty(), "{plan}");
    let before = report(&["attach", "/tmp/vm1.xml"], 0);
    let (code, plan) = said(&["plan", &define("vm1.xml", 2223)]);
    assert!(code == Some(0) && plan.contains("+ run passt ") && plan.contains("2223:22"), "{plan}");
    assert!(plan.contains("connections end"), "{plan}");
    let after = report(&["apply", "/tmp/vm1.xml"], 0);
    let [before, after] = [before, after].map(|report| report["port"]["passt"].clone());
    assert!(before["pid"] != after["pid"] && before["socket"] == after["socket"], "{before} {after}");
    let guest = Guest::new(Path::new(after["socket"].as_str().unwrap()));
    guest.lease();
    guest.serve(&[22]);
    assert_eq!([2222, 2223].map(|port| ask(Protocol::Tcp, LOOPBACK.into(), port)), [None, Some(22)]);
}

#[test]
fn run_and_attach_are_one() {
    vnet_tests::isolate!();
    let _host = Host::new();
    let file = define("vm1.xml", 2222);
    let run = report(&["passt", "run", &file], 0);
    assert_eq!(run["port"], "passt0");
    let (code, text) = said(&["attach", &file]);
    assert!(code == Some(1) && text.contains("port `passt0` is attached already"), "{text}");
    report(&["attach", "--guest", "other", &define("vm2.xml", 2223)], 0);
    let names = report(&["passt", "list"], 0)["guests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].clone())
        .collect::<Vec<_>>();
    assert_eq!(names, ["other", "vm1"]);
    assert_eq!(call(&["detach", "passt0"]).status.code(), Some(0));
    assert_eq!(call(&["passt", "stop", "other"]).status.code(), Some(0));
    assert_eq!(kept(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn one_that_does_not_start_leaves_nothing_and_changes_nothing() {
    vnet_tests::isolate!();
    let _host = Host::new();
    report(&["attach", &define("vm1.xml", 2222)], 0);
    let before = kept();
    let (code, text) = said(&["attach", &define("vm2.xml", 2222)]);
    assert!(code == Some(2) && text.contains("tcp port 2222 is taken by passt"), "{text}");
    assert_eq!(kept(), before);
    // A change that cannot be made leaves what was there, started again.
    let _taken = std::net::TcpListener::bind(("127.0.0.1", 2224)).unwrap();
    let (code, text) = said(&["apply", &define("vm1.xml", 2224)]);
    assert!(code == Some(2) && text.contains("tcp port 2224 is taken"), "{text}");
    assert_eq!(report(&["diff", "passt0"], 0)["changes"], Value::Array(Vec::new()));
    let listed = report(&["ports"], 0);
    let guest = Guest::new(Path::new(listed["ports"][0]["passt"]["socket"].as_str().unwrap()));
    guest.lease();
    guest.serve(&[22]);
    assert_eq!(ask(Protocol::Tcp, LOOPBACK.into(), 2222), Some(22));
}
