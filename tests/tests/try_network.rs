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
    let report = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}\n{stderr}"));
    vnet_tests::as_its_schema_says("try", &report);
    report
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
    let report = report(&[&valid(name)], 0);
    assert_eq!(subjects(&report, 0), expected);
    // Each way that is closed says so: a rejection is seen, whenever and however often it comes.
    let promises = report["networks"][0]["promises"].as_array().expect("promises").iter();
    let closed =
        promises.filter(|it| ["no-way-out", "no-way-in", "other-network"].iter().any(|way| it["subject"] == *way));
    closed.for_each(|promise| assert_eq!(promise["seen"], "refused", "{promise}"));
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
fn a_range_of_one_address_is_for_one_guest() {
    let definition = Definition::new("short", SHORT);
    let report = report(&[&definition.0], 0);
    let subjects = subjects(&report, 0);
    assert_eq!(subjects.iter().filter(|subject| *subject == "lease").count(), 1);
    assert!(!subjects.contains(&"guest-to-guest".to_owned()));
    let notes = report["networks"][0]["notes"].to_string();
    assert!(notes.contains("a second guest was not tried"), "{notes}");
}

const WORLD: &str = "xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'";

/// A network with ten addresses, and lines of its own.
fn with(name: &str, lines: &str) -> Definition {
    let text = format!(
        "<network {WORLD}><name>{name}</name><forward mode='nat'/><bridge stp='off'/>{lines}
         <ip address='10.77.90.1' prefix='24'><dhcp><range start='10.77.90.10' end='10.77.90.19'/></dhcp></ip></network>"
    );
    Definition::new(name, &text)
}

fn option(line: &str) -> String {
    format!("<dnsmasq:options><dnsmasq:option value='{line}'/></dnsmasq:options>")
}

/// A guest does what a guest of libvirt does: it has the settings of its port, and the routes that
/// it is told.
#[rstest]
#[case::isolated("isolated", "<port isolated='yes'/>", 0, &[("guest-to-guest", "kept")])]
#[case::no_router("routeless", &option("dhcp-option=3"), 0, &[("router", "kept"), ("out", "open")])]
#[case::other_router("elsewhere", &option("dhcp-option=option:router,10.77.90.9"), 0, &[("router", "kept"), ("out", "open")])]
#[case::known_only("known", &option("dhcp-ignore=tag:!known"), 0, &[("lease", "open"), ("gateway", "open"), ("out", "open")])]
#[case::other_servers("resolv", &option("resolv-file=/etc/resolv-orig.conf"), 0, &[("dns-forwarding", "open"), ("out", "kept")])]
#[case::own_server("own", "<dns><forwarder domain='apps.test' addr='127.0.0.1'/></dns>", 0, &[("dns-forwarding", "kept")])]
#[case::guest_server("inner", "<dns><forwarder addr='10.77.90.5'/></dns>", 0, &[("dns-forwarding", "open")])]
fn what_an_option_says(#[case] name: &str, #[case] lines: &str, #[case] code: i32, #[case] expected: &[(&str, &str)]) {
    let definition = with(name, lines);
    let report = report(&[&definition.0], code);
    let verdicts = verdicts(&report, 0);
    for (subject, verdict) in expected {
        let mut found = verdicts.iter().filter(|(it, _)| it == subject).peekable();
        assert!(found.peek().is_some() && found.all(|(_, it)| it == verdict), "{subject}: {report:#}");
    }
}

#[test]
fn a_reservation_for_what_no_client_says_is_broken() {
    let text = "<network><name>metal</name><bridge stp='off'/><ip family='ipv6' address='fd77:6::1' prefix='64'><dhcp>
        <range start='fd77:6::20' end='fd77:6::60'/><host id='01:52:54:00:77:06:01' name='node' ip='fd77:6::20'/>
        </dhcp></ip></network>";
    let definition = Definition::new("metal", text);
    let report = report(&[&definition.0], 1);
    let promises = report["networks"][0]["promises"].as_array().expect("promises");
    let broken: Vec<_> = promises.iter().filter(|promise| promise["verdict"] == "broken").collect();
    assert!(broken.len() == 1 && broken[0]["subject"] == "reservation", "{broken:?}");
    assert!(broken[0]["seen"].as_str().expect("text").contains("is not a DUID"), "{broken:?}");
}

#[test]
fn portgroups_have_guests_of_their_own() {
    let groups = "<portgroup name='gold' default='yes'/><portgroup name='slow'><bandwidth><inbound average='900'/>\
                  </bandwidth></portgroup>";
    let report = report(&[&with("groups", groups).0], 0);
    let leases = report["networks"][0]["promises"].as_array().expect("promises").iter();
    let leases = leases.filter(|promise| promise["subject"] == "lease");
    let texts: Vec<_> = leases.map(|promise| promise["promise"].as_str().expect("text").to_owned()).collect();
    assert!(texts.len() == 3 && texts[2].starts_with("group1 of portgroup slow gets"), "{texts:?}");
    let promises = report["networks"][0]["promises"].as_array().expect("promises").iter();
    let limits: Vec<_> = promises.filter(|promise| promise["subject"] == "bandwidth").collect();
    assert_eq!(limits.len(), 1, "{limits:?}");
    assert_eq!(limits[0]["promise"], "group1 of portgroup slow receives at most 900 kB/s");
    assert!(limits[0]["seen"].as_str().expect("text").contains(" kB arrived in 400 ms"), "{limits:?}");
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

/// Definitions that are in each other's way are tried all the same, and one that is refused does
/// not hold back the others.
#[test]
fn each_definition_can_have_a_host_of_its_own() {
    let bad = Definition::new("unsound", &SHORT.replace("192.168.122.2'/>", "192.168.9.2'/>"));
    let clash = Definition::new("beside", &SHORT.replace("short", "beside"));
    let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/interface/valid/passt-ssh.xml");
    let files = [valid("nat-default"), bad.0.clone(), guest.clone(), clash.0.clone(), valid("nat-default")];
    let output = attempt(&["--each", "--format", "json"], &files.each_ref().map(PathBuf::as_path));
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    vnet_tests::as_its_schema_says("try", &report);
    let networks = report["networks"].as_array().expect("networks");
    let named: Vec<_> = networks.iter().map(|it| (it["network"].as_str(), it["bridge"].as_str())).collect();
    let expected = [("default", true), ("short", false), ("beside", true), ("default", true)];
    assert_eq!(named.len(), 4, "{named:?}");
    for (nth, ((name, bridge), (expected, is_tried))) in named.into_iter().zip(expected).enumerate() {
        assert_eq!((name, bridge.is_some()), (Some(expected), is_tried));
        assert_eq!(
            subjects(&report, nth).iter().filter(|it| *it == "other-network").count(),
            2 * usize::from(is_tried)
        );
    }
    assert!(report["networks"][1]["promises"].as_array().expect("promises").is_empty());
    let guests = report["interfaces"].as_array().expect("interfaces");
    let promises = guests[0]["promises"].as_array().expect("promises");
    assert!(guests.len() == 1 && promises.len() > 6, "{guests:?}");
    assert_eq!(guests[0]["file"].as_str(), guest.to_str());
    let all = networks.iter().chain(guests).flat_map(|it| it["promises"].as_array().expect("promises"));
    all.for_each(|promise| assert_eq!(promise["verdict"], "kept", "{promise}"));
    assert_eq!(report["holds"], false);
}

#[test]
fn one_of_many_that_cannot_be_tried_is_named_and_the_others_are_tried() {
    let text = "<network><name>host</name><forward mode='bridge'/><bridge name='br0'/></network>";
    let nothing = Definition::new("nothing", text);
    let output = attempt(&["--each"], &[&nothing.0, &valid("nat-default")]);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(2), "{stdout}\n{stderr}");
    assert!(stdout.contains("10 of 10 promises kept, 1 of 2 definitions not tried"), "{stdout}");
    assert!(stderr.contains(&*nothing.0.to_string_lossy()) && stderr.contains("nothing of its own to try"), "{stderr}");
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
