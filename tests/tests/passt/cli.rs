//! `vnet passt run`, `status`, `list` and `stop`, as a person calls them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rstest::rstest;
use serde_json::Value;
use vnet_passt::Protocol;
use vnet_tests::{vnet, wait_for};

use crate::guest::Guest;
use crate::host::{Host, OUTSIDE, SOON, ask};

const SSH: &str = "<interface type='user'><backend type='passt'/>
  <portForward proto='tcp' address='127.0.0.1'><range start='2222' to='22'/></portForward></interface>";

fn define(file: &str, text: &str) -> String {
    let path = format!("/tmp/{file}");
    fs::write(&path, text).unwrap();
    path
}

fn passt(words: &[&str]) -> Output {
    Command::new(vnet()).arg("passt").args(words).stdin(Stdio::null()).output().unwrap()
}

/// What a call says, with its exit code.
fn said(words: &[&str]) -> (Option<i32>, String) {
    let output = passt(words);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

fn report(words: &[&str], code: i32) -> Value {
    let output = passt(&[words, &["--format", "json"]].concat());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{words:?}: {stderr}");
    let document =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{words:?}: {error}: {stderr}"));
    vnet_tests::as_its_schema_says(&format!("passt-{}", words[0]), &document);
    document
}

fn pid(report: &Value) -> Pid {
    Pid::from_raw(report["pid"].as_i64().unwrap().try_into().unwrap())
}

fn is_there(file: &Value) -> bool {
    fs::exists(file.as_str().unwrap()).unwrap()
}

#[test]
fn a_guest_s_passt_runs_is_known_and_stops() {
    vnet_tests::isolate!();
    let _host = Host::new();
    let file = define("vm1.xml", SSH);
    let run = report(&["run", &file], 0);
    assert_eq!(run["name"], "vm1");
    let socket = run["socket"].as_str().unwrap();
    assert!(run["qemu"][1].as_str().unwrap().contains(socket), "{run}");
    assert_eq!(report(&["status", "vm1"], 0)["pid"], run["pid"]);
    let list = report(&["list"], 0)["guests"].clone();
    assert_eq!((&list[0]["name"], &list[0]["state"]), (&"vm1".into(), &"running".into()), "{list}");
    let guest = Guest::new(Path::new(socket));
    guest.lease();
    guest.serve(&[22]);
    assert_eq!(ask(Protocol::Tcp, [127, 0, 0, 1].into(), 2222), Some(22));
    assert_eq!(report(&["stop", "vm1"], 0)["pid"], run["pid"]);
    assert!(!is_there(&run["socket"]) && !is_there(&run["pid_file"]));
    assert_eq!(report(&["list"], 0)["guests"], Value::Array(Vec::new()));
    assert_eq!((passt(&["status", "vm1"]).status.code(), passt(&["stop", "vm1"]).status.code()), (Some(1), Some(1)));
}

#[test]
fn one_that_was_killed_is_said_to_have_ended_and_is_started_again() {
    vnet_tests::isolate!();
    let _host = Host::new();
    let file = define("vm1.xml", SSH);
    let first = report(&["run", &file], 0);
    let mut guest = Guest::new(Path::new(first["socket"].as_str().unwrap()));
    guest.lease();
    guest.serve(&[22]);
    kill(pid(&first), Signal::SIGKILL).unwrap();
    wait_for(SOON, "the end of passt", || (passt(&["status", "vm1"]).status.code() == Some(1)).then_some(()));
    let (code, text) = said(&["status", "vm1"]);
    assert!(code == Some(1) && text.contains("ended"), "{text}");
    assert_eq!(report(&["list"], 0)["guests"][0]["state"], "ended");
    let second = report(&["run", &file], 0);
    assert_eq!(second["socket"], first["socket"]);
    guest.plug(Path::new(second["socket"].as_str().unwrap()));
    guest.netns.run(|| ask(Protocol::Udp, OUTSIDE.parse().unwrap(), 9));
    let answers = || (ask(Protocol::Tcp, [127, 0, 0, 1].into(), 2222) == Some(22)).then_some(());
    wait_for(SOON, "the guest to be found again", answers);
}

#[test]
fn a_second_guest_with_the_same_port_or_name_is_refused() {
    vnet_tests::isolate!();
    let _host = Host::new();
    let [one, two] = ["vm1.xml", "vm2.xml"].map(|file| define(file, SSH));
    let first = report(&["run", &one], 0);
    let (code, text) = said(&["run", &two]);
    assert!(code == Some(2) && text.contains("tcp port 2222 is taken"), "{text}");
    let (code, text) = said(&["run", &one]);
    assert!(code == Some(2) && text.contains(&first["pid"].to_string()), "{text}");
    assert_eq!(
        report(&["list"], 0)["guests"].as_array().unwrap().len(),
        1,
        "nothing is left of the one that was refused"
    );
    assert_eq!(report(&["status", "vm1"], 0)["pid"], first["pid"]);
}

#[rstest]
#[case::blanks("a  b")]
#[case::comma("a,b")]
#[case::leading_dash("-vm")]
#[case::newline("a\nb")]
#[case::dots("..")]
#[case::slash("../../x")]
#[case::long(&"x".repeat(90))]
fn a_guest_s_name_leads_nowhere_else(#[case] name: &str) {
    vnet_tests::isolate!();
    let _host = Host::new();
    let file = define("vm.xml", SSH);
    let output = passt(&["run", "--format", "json", &format!("--name={name}"), &file]);
    if !output.status.success() {
        // Refused: in words, and without a trace.
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(output.status.code() == Some(2) && told["failures"][0]["message"].is_string(), "{told}");
        assert_eq!(report(&["list"], 0)["guests"], Value::Array(Vec::new()));
        return;
    }
    let run: Value = serde_json::from_slice(&output.stdout).unwrap();
    let socket = Path::new(run["socket"].as_str().unwrap());
    let folder = socket.parent().and_then(Path::parent).unwrap();
    assert!(folder.ends_with("@passt") && !socket.to_string_lossy().contains("/../"), "{}", socket.display());
    assert_eq!(report(&["list"], 0)["guests"].as_array().unwrap().len(), 1);
    assert_eq!(passt(&["stop", "--", name]).status.code(), Some(0));
    assert!(!is_there(&run["socket"]));
}

#[test]
fn in_the_foreground_it_is_passt_itself() {
    vnet_tests::isolate!();
    let _host = Host::new();
    let file = define("vm1.xml", SSH);
    let mut child = Command::new(vnet())
        .args(["passt", "run", "--foreground", &file])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = wait_for(Duration::from_secs(20), "passt in the foreground", || {
        let output = passt(&["status", "vm1", "--format", "json"]);
        output.status.success().then(|| serde_json::from_slice::<Value>(&output.stdout).unwrap())
    });
    assert_eq!(status["pid"], child.id());
    assert_eq!(passt(&["stop", "vm1"]).status.code(), Some(0));
    child.wait().unwrap();
}

#[test]
fn a_port_of_root_s_is_refused_with_what_would_do() {
    vnet_tests::isolate!();
    let _host = Host::new();
    let file = define("vm1.xml", &SSH.replace("2222", "80"));
    let program = vnet();
    let mut ordinary = Command::new("setpriv");
    ordinary.args(["--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service"]).arg(program);
    let output = ordinary.args(["passt", "run", &file]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    for words in ["tcp port 80 ", "1024 and more", "net.ipv4.ip_unprivileged_port_start=80"] {
        assert!(stderr.contains(words), "{words}: {stderr}");
    }
    fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "80").unwrap();
    let output = ordinary.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
