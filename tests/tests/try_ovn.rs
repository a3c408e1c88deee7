//! `vnet try` of networks that OVN makes: on two imagined hosts, without privileges.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use vnet_tests::{path_to_programs, program, vnet, wait_for};

const SOON: Duration = Duration::from_secs(20);

const EVERYTHING: &str = "<network><name>all</name>\
    <metadata><vnet:network xmlns:vnet='https://github.com/vnet-rs/vnet/network/1.0'>\
    <vnet:ovn northbound='tcp:192.0.2.9:6641'><vnet:outside network='provider' vlan='30'>\
    <vnet:address address='203.0.113.10' prefix='24' gateway='203.0.113.1'/>\
    <vnet:address address='2001:db8:9::10' prefix='64' gateway='2001:db8:9::1'/>\
    <vnet:gateway chassis='alpha' priority='2'/><vnet:gateway chassis='beta' priority='1'/></vnet:outside></vnet:ovn>\
    <vnet:portForward proto='tcp' guest='web'><vnet:range start='8080' to='80'/></vnet:portForward>\
    <vnet:portForward proto='udp' guest='web'><vnet:range start='5353' to='53'/></vnet:portForward>\
    </vnet:network></metadata>\
    <forward mode='nat'><nat ipv6='yes'/></forward><mtu size='1400'/><domain name='lab.example'/>\
    <dns><host ip='10.77.0.9'><hostname>printer</hostname></host></dns>\
    <ip address='10.77.0.1' prefix='24'><dhcp><range start='10.77.0.100' end='10.77.0.200'/>\
    <host mac='52:54:00:00:00:01' name='web' ip='10.77.0.11'/></dhcp></ip>\
    <ip family='ipv6' address='fd00:77::1' prefix='64'>\
    <dhcp><range start='fd00:77::100' end='fd00:77::1ff'/></dhcp></ip>\
    <route address='10.99.0.0' prefix='16' gateway='10.77.0.11'/></network>";
const ISOLATED: &str = "<network><name>cell</name><ip address='10.78.0.1' prefix='24'>\
    <dhcp><range start='10.78.0.100' end='10.78.0.200'/></dhcp></ip></network>";
const ROUTED: &str = "<network><name>routed</name><forward mode='route'/><ip address='10.79.0.1' prefix='24'>\
    <dhcp><range start='10.79.0.100' end='10.79.0.200'/></dhcp></ip>\
    <ip family='ipv6' address='fd00:79::1' prefix='64'/></network>";
const NAT: &str = "<network><name>lab</name><forward mode='nat'/><ip address='10.77.0.1' prefix='24'>\
    <dhcp><range start='10.77.0.100' end='10.77.0.200'/></dhcp></ip></network>";

fn attempt(path: &str, arguments: &[&str], definition: &str) -> Output {
    let mut command = Command::new(vnet());
    command.env("PATH", path).args(["try", "-"]).args(arguments);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("vnet runs");
    child.stdin.take().expect("it is piped").write_all(definition.as_bytes()).expect("vnet reads");
    child.wait_with_output().expect("vnet ends")
}

fn report(path: &str, arguments: &[&str], definition: &str, code: i32) -> Value {
    let output = attempt(path, &[&["--format", "json"], arguments].concat(), definition);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{stdout}\n{stderr}");
    let report = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}\n{stderr}"));
    vnet_tests::as_its_schema_says("try", &report);
    assert_eq!(report["networks"][0]["engine"], "ovn");
    report
}

/// The promises of the first network with a verdict.
fn with(report: &Value, verdict: &str) -> Vec<String> {
    let promises = report["networks"][0]["promises"].as_array().expect("promises").iter();
    let promises = promises.filter(|it| it["verdict"] == verdict);
    promises.map(|it| it["promise"].as_str().expect("text").to_owned()).collect()
}

/// What was seen of a promise of the first network.
fn seen<'r>(report: &'r Value, promise: &str) -> &'r str {
    let mut promises = report["networks"][0]["promises"].as_array().expect("promises").iter();
    let found = promises.find(|it| it["promise"] == promise).expect("the promise");
    found["seen"].as_str().expect("text")
}

#[test]
fn a_network_with_everything_keeps_its_promises() {
    let report = report(&path_to_programs(), &[], EVERYTHING, 0);
    let expected = [
        "guest1 gets a DHCP lease in 10.77.0.100-10.77.0.200",
        "guest1 gets a DHCPv6 lease in fd00:77::100-fd00:77::1ff",
        "guest2 gets a DHCP lease in 10.77.0.100-10.77.0.200",
        "guest2 gets a DHCPv6 lease in fd00:77::100-fd00:77::1ff",
        "10.77.0.11 is kept for web (52:54:00:00:00:01)",
        "the gateway 10.77.0.1 echoes",
        "the gateway fd00:77::1 echoes",
        "DNS: A printer is 10.77.0.9",
        "DNS: 10.77.0.9 is called printer.lab.example",
        "DNS: guest1 is known by its IPv4 address",
        "DNS: guest1 is known by its IPv6 address",
        "guests of two hosts reach each other over IPv4",
        "guests get out over IPv4, as 203.0.113.10 with ports 1024-65535",
        "nothing new comes in over IPv4",
        "guests of two hosts reach each other over IPv6",
        "guests get out over IPv6, as 2001:db8:9::10 with ports 1024-65535",
        "nothing new comes in over IPv6",
        "tcp port 8080 leads to port 80 of web at 10.77.0.11",
        "udp port 5353 leads to port 53 of web at 10.77.0.11",
        "guest2 reaches 10.99.0.0/16 through 10.77.0.11",
        "guest1 is told the router 10.77.0.1",
        "the guest is told the MTU 1400",
        "who sends more than 1400 bytes from outside is told so",
        "guests of all have no way to those of neighbour",
        "guests of neighbour have no way to those of all",
    ];
    assert_eq!(with(&report, "kept"), expected);
    let seen = |promise: &str| seen(&report, promise);
    assert_eq!(seen(expected[17]), "port 80 answers to the outside, guest1, web, guest2");
    assert!(seen(expected[12]).matches("seen as 203.0.113.10:").count() == 4, "by TCP and UDP, from both hosts");
    let notes = report["networks"][0]["notes"].to_string();
    assert!(["its VLAN", "the gateway was on one host"].iter().all(|it| notes.contains(it)), "{notes}");
}

#[test]
fn an_isolated_network_has_no_way_out() {
    let report = report(&path_to_programs(), &["--engine", "ovn"], ISOLATED, 0);
    let expected = [
        "guest1 gets a DHCP lease in 10.78.0.100-10.78.0.200",
        "guest2 gets a DHCP lease in 10.78.0.100-10.78.0.200",
        "the gateway 10.78.0.1 echoes",
        "DNS: guest1 is known by its IPv4 address",
        "guests of two hosts reach each other over IPv4",
        "no way out over IPv4",
        "nothing new comes in over IPv4",
        "guest1 is told no router",
        "the guest is told the MTU 1442",
        "guests of cell have no way to those of neighbour",
        "guests of neighbour have no way to those of cell",
    ];
    assert_eq!(with(&report, "kept"), expected);
}

#[test]
fn a_routed_network_is_reached_from_outside() {
    let report = report(&path_to_programs(), &["--engine", "ovn"], ROUTED, 0);
    let expected = [
        "guest1 gets a DHCP lease in 10.79.0.100-10.79.0.200",
        "guest1 makes itself an address in fd00:79::/64",
        "guest2 gets a DHCP lease in 10.79.0.100-10.79.0.200",
        "guest2 makes itself an address in fd00:79::/64",
        "the gateway 10.79.0.1 echoes",
        "the gateway fd00:79::1 echoes",
        "DNS: guest1 is known by its IPv4 address",
        "guests of two hosts reach each other over IPv4",
        "guests get out over IPv4, as themselves",
        "the outside reaches guests over IPv4",
        "guests of two hosts reach each other over IPv6",
        "guests get out over IPv6, as themselves",
        "the outside reaches guests over IPv6",
        "guest1 is told the router 10.79.0.1",
        "the guest is told the MTU 1442",
        "who sends more than 1442 bytes from outside is told so",
        "guests of routed have no way to those of neighbour",
    ];
    assert_eq!(with(&report, "kept"), expected);
}

/// A folder with an ovn-northd that lets somebody remove the rules of a switch as they come.
struct Meddler(PathBuf);

impl Meddler {
    fn of(switch: &str) -> Self {
        // A trial covers the folders of other temporary files.
        let folder = PathBuf::from(format!("/var/tmp/vnet-try-ovn-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let (northd, nbctl) = (program("ovn-northd"), program("ovn-nbctl"));
        let script = format!(
            "#!/bin/sh\n(while sleep 0.05; do {nbctl} --db=unix:/run/ovn-lab/nb/db.sock acl-del {switch}; done) &\n\
             exec {northd} \"$@\"\n"
        );
        let file = folder.join("ovn-northd");
        fs::write(&file, script).expect("a file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("its mode");
        Self(folder)
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_network_without_its_rules_breaks_a_promise() {
    let meddler = Meddler::of("lab");
    let path = format!("{}:{}", meddler.0.display(), path_to_programs());
    let report = report(&path, &["--engine", "ovn"], NAT, 1);
    assert_eq!(with(&report, "broken"), ["nothing new comes in over IPv4"]);
    assert_eq!(seen(&report, "nothing new comes in over IPv4"), "a datagram arrives");
}

/// The processes that a process has started, and those that these have.
fn descendants(of: u32) -> Vec<u32> {
    let parent = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse::<u32>().ok()
    };
    let all = fs::read_dir("/proc").expect("/proc").flatten().filter_map(|it| it.file_name().to_str()?.parse().ok());
    let parents: BTreeMap<u32, u32> = all.filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let is_of = |pid: &u32| {
        let mut ancestors = std::iter::successors(Some(*pid), |pid| parents.get(pid).copied()).skip(1);
        ancestors.any(|it| it == of)
    };
    parents.keys().copied().filter(is_of).collect()
}

#[test]
fn nothing_outlives_a_trial_that_is_killed() {
    let mut command = Command::new(vnet());
    command.env("PATH", path_to_programs()).args(["try", "--engine", "ovn", "-"]);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = child.expect("vnet runs");
    child.stdin.take().expect("it is piped").write_all(NAT.as_bytes()).expect("vnet reads");
    let is_controller = |pid: &u32| {
        fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains("ovn-controller"))
    };
    let all =
        wait_for(SOON, "a controller", || Some(descendants(child.id())).filter(|it| it.iter().any(is_controller)));
    assert!(all.len() > 6, "databases, ovn-northd and Open vSwitch: {all:?}");
    child.kill().and_then(|()| child.wait()).expect("vnet is killed");
    // A zombie is nobody any more, whoever has to reap it.
    let is_left = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    wait_for(SOON, "the end of all", || (!all.iter().any(is_left)).then_some(()));
}

#[test]
fn what_ovn_cannot_carry_is_said_before() {
    let bridged = NAT.replace("mode='nat'", "mode='bridge'").replace("<ip ", "<bridge name='br0'/><ip ");
    let output = attempt(&path_to_programs(), &["--engine", "ovn"], &bridged);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("VN0811"), "{said}");
}
