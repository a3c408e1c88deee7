//! `vnet try` as people and CI run it: without privileges, on definitions of real users.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::Value;
use vnet_tests::vnet;

const SHORT: &str = "\
<network>
  <name>short</name>
  <forward mode='nat'/>
  <bridge stp='off'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.122.2' end='192.168.122.2'/>
    </dhcp>
  </ip>
</network>
";

fn attempt(arguments: &[&str], files: &[&Path]) -> Output {
    let output = Command::new(vnet()).arg("try").args(arguments).args(files).output();
    output.expect("vnet runs")
}

fn report(files: &[&Path], code: i32) -> Value {
    let output = attempt(&["--format", "json"], files);
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stdout}\n{stderr}");
    serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}\n{stderr}"))
}

fn valid(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/network/valid").join(name).with_extension("xml")
}

/// A definition in a file that ends with the value.
struct Definition(PathBuf);

impl Definition {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vnet-try-{name}-{}.xml", std::process::id()));
        std::fs::write(&path, text).expect("a file");
        Self(path)
    }
}

impl Drop for Definition {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The promises of the nth network as (subject, verdict), in order.
fn verdicts(report: &Value, nth: usize) -> Vec<(String, String)> {
    let promises = report["networks"][nth]["promises"].as_array().expect("promises");
    let word = |promise: &Value, key: &str| promise[key].as_str().expect("a word").to_owned();
    promises.iter().map(|promise| (word(promise, "subject"), word(promise, "verdict"))).collect()
}

fn subjects(report: &Value, nth: usize) -> Vec<String> {
    verdicts(report, nth).into_iter().map(|(subject, _)| subject).collect()
}

#[rstest]
fn every_valid_network_keeps_its_promises(#[files("../testdata/network/valid/*.xml")] file: PathBuf) {
    if file.to_string_lossy().ends_with(".canonical.xml") {
        return;
    }
    let report = report(&[&file], 0);
    assert_eq!(report["holds"], true);
    let verdicts = verdicts(&report, 0);
    assert!(!verdicts.is_empty());
    assert!(verdicts.iter().all(|(_, verdict)| verdict == "kept"), "{verdicts:?}");
}

#[rstest]
#[case::nat("nat-default", &["lease", "lease", "gateway", "own-name", "dns-forwarding", "guest-to-guest", "out", "no-way-in", "other-network", "other-network"])]
#[case::isolated("isolated-reservations", &["lease", "lease", "reservation", "reservation", "reservation", "gateway", "dns", "dns", "dns", "dns", "dns", "own-name", "guest-to-guest", "no-way-out", "no-way-in", "other-network", "other-network"])]
fn what_is_judged(#[case] name: &str, #[case] expected: &[&str]) {
    assert_eq!(subjects(&report(&[&valid(name)], 0), 0), expected);
}

#[test]
fn nat_uses_the_ports_and_the_addresses_that_are_declared() {
    let report = report(&[&valid("nat-address-range")], 0);
    let promises = report["networks"][0]["promises"].as_array().expect("promises");
    let out = promises.iter().find(|promise| promise["subject"] == "out").expect("a way out");
    let seen = out["seen"].as_str().expect("text");
    let peers: Vec<std::net::SocketAddrV4> = seen.split([' ', ',']).filter_map(|word| word.parse().ok()).collect();
    assert_eq!(peers.len(), 2, "{seen}");
    for peer in peers {
        assert!((20..=23).contains(&peer.ip().octets()[3]) && (20000..=29999).contains(&peer.port()), "{seen}");
    }
}

#[test]
fn a_range_with_too_few_addresses_breaks_a_promise() {
    let definition = Definition::new("short", SHORT);
    let report = report(&[&definition.0], 1);
    assert_eq!(report["holds"], false);
    let verdicts = verdicts(&report, 0);
    let mut leases: Vec<_> =
        verdicts.iter().filter(|(subject, _)| subject == "lease").map(|(_, it)| it.as_str()).collect();
    // Which of the two guests is quicker is not for us to say.
    leases.sort_unstable();
    assert_eq!(leases, ["broken", "kept"]);
    assert!(verdicts.contains(&("guest-to-guest".to_owned(), "unjudged".to_owned())));
}

#[test]
fn several_networks_stand_beside_each_other() {
    let files = [valid("nat-default"), valid("isolated-reservations"), valid("route-static-routes")];
    let report = report(&files.each_ref().map(PathBuf::as_path), 0);
    let networks = report["networks"].as_array().expect("networks");
    let names: Vec<_> = networks.iter().map(|network| network["network"].as_str().expect("a name")).collect();
    assert_eq!(names, ["default", "isolated", "static-routes"]);
    for nth in 0..3 {
        let others = subjects(&report, nth).into_iter().filter(|subject| subject == "other-network").count();
        assert_eq!(others, 2);
    }
}

#[test]
fn a_definition_that_is_in_the_way_of_another_is_refused() {
    let other = Definition::new("clash", &SHORT.replace("short", "clash"));
    let report = report(&[&valid("nat-default"), &other.0], 1);
    assert_eq!(report["networks"][1]["bridge"], Value::Null);
    assert!(!report["networks"][1]["diagnostics"].as_array().expect("diagnostics").is_empty());
}

#[test]
fn two_definitions_of_one_name_are_no_trial() {
    let file = valid("nat-default");
    let output = attempt(&[], &[&file, &file]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("both define network `default`"));
}

#[test]
fn a_bad_definition_is_refused_before_anything_is_tried() {
    let bad = Definition::new("bad", &SHORT.replace("192.168.122.2'/>", "192.168.9.2'/>"));
    let report = report(&[&bad.0], 1);
    assert_eq!(report["networks"][0]["promises"], Value::Array(vec![]));
    assert_ne!(report["networks"][0]["diagnostics"], Value::Array(vec![]));
}

#[test]
fn the_default_network_takes_less_than_three_seconds() {
    let begin = Instant::now();
    let output = attempt(&[], &[&valid("nat-default")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    assert!(String::from_utf8_lossy(&output.stdout).contains("10 of 10 promises kept"));
}
