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
        "DNS: other names are asked of the host's server",
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
        "the gateway moves to another host, with the way out over IPv4",
        "guests of all have no way to those of neighbour",
        "guests of neighbour have no way to those of all",
    ];
    assert_eq!(with(&report, "kept"), expected);
    let seen = |promise: &str| seen(&report, promise);
    assert_eq!(seen(expected[18]), "port 80 answers to the outside, guest1, web, guest2");
    assert!(seen(expected[13]).matches("seen as 203.0.113.10:").count() == 4, "by TCP and UDP, from both hosts");
    // Guests of both hosts lost answers, and have them again.
    let moved = seen(expected[24]);
    let outages = moved.strip_prefix("moved to host1: guest1 had no answer for ");
    assert!(outages.is_some_and(|it| it.contains(" ms, guest2 had no answer for ")), "{moved}");
    let notes = report["networks"][0]["notes"].to_string();
    assert!(["its VLAN", "no host was lost"].iter().all(|it| notes.contains(it)), "{notes}");
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
        "DNS: other names are asked of the host's server",
        "guests of two hosts reach each other over IPv4",
        "guests get out over IPv4, as themselves",
        "the outside reaches guests over IPv4",
        "guests of two hosts reach each other over IPv6",
        "guests get out over IPv6, as themselves",
        "the outside reaches guests over IPv6",
        "guest1 is told the router 10.79.0.1",
        "the guest is told the MTU 1442",
        "who sends more than 1442 bytes from outside is told so",
        "the gateway moves to another host, with the way out over IPv4",
        "guests of routed have no way to those of neighbour",
    ];
    assert_eq!(with(&report, "kept"), expected);
}

/// Answers of OVN to ARP and neighbour discovery reach isolated guests, those of the name server's
/// address with them.
#[test]
fn isolated_guests_reach_all_but_each_other() {
    let definition = "<network><name>apart</name><forward mode='nat'><nat ipv6='yes'/></forward><port isolated='yes'/>\
        <ip address='10.79.0.1' prefix='24'><dhcp><range start='10.79.0.10' end='10.79.0.20'/></dhcp></ip>\
        <ip family='ipv6' address='fd00:79::1' prefix='64'><dhcp><range start='fd00:79::10' end='fd00:79::20'/></dhcp>\
        </ip></network>";
    let report = report(&path_to_programs(), &["--engine", "ovn"], definition, 0);
    let kept = with(&report, "kept");
    let expected = [
        "the gateway 10.79.0.1 echoes",
        "the gateway fd00:79::1 echoes",
        "DNS: guest1 is known by its IPv4 address",
        "DNS: other names are asked of the host's server",
        "guests do not reach each other over IPv4: ports are isolated",
        "guests get out over IPv4, as ",
        "guests do not reach each other over IPv6: ports are isolated",
        "guests get out over IPv6, as ",
    ];
    assert!(expected.iter().all(|promise| kept.iter().any(|it| it.starts_with(promise))), "{kept:#?}");
    assert!(with(&report, "broken").is_empty(), "{report}");
}

#[test]
fn each_host_has_a_name_server() {
    let definition = "<network><name>names</name><forward mode='nat'/><domain name='lab.example' localOnly='yes'/>\
        <dns><forwarder domain='corp.example' addr='192.0.2.53'/><forwarder domain='own.example' addr='127.0.0.54'/>\
        <txt name='about.lab.example' value='a text'/>\
        <srv service='ldap' protocol='tcp' domain='lab.example' target='git.lab.example' port='389' priority='1' weight='2'/>\
        <srv service='none' protocol='tcp'/>\
        <host ip='10.77.0.9'><hostname>git</hostname></host></dns>\
        <ip address='10.77.0.1' prefix='24'><dhcp><range start='10.77.0.100' end='10.77.0.200'/></dhcp></ip></network>";
    let report = report(&path_to_programs(), &["--engine", "ovn"], definition, 0);
    let names: Vec<String> = with(&report, "kept").into_iter().filter(|it| it.starts_with("DNS: ")).collect();
    let expected = [
        "DNS: A git is 10.77.0.9",
        "DNS: 10.77.0.9 is called git.lab.example",
        "DNS: SRV _ldap._tcp.lab.example is git.lab.example:389 (priority 1, weight 2)",
        "DNS: SRV _none._tcp.lab.example is :1 (priority 0, weight 0)",
        "DNS: TXT about.lab.example is \"a text\"",
        "DNS: guest1 is known by its IPv4 address",
        "DNS: names in corp.example are asked of 192.0.2.53",
        "DNS: names in own.example are asked of 127.0.0.54",
        "DNS: other names are asked of the host's server",
    ];
    assert_eq!(names, expected);
}

/// The promises about bandwidth.
const LIMITS: [&str; 4] = [
    "guest1 receives at most 900 kB/s and 40 KiB at once",
    "guest1 sends at most 300 kB/s and 20 KiB at once",
    "group1 of portgroup slow receives at most 100 kB/s and 20 KiB at once",
    "group1 of portgroup slow sends at most 200 kB/s and 30 KiB at once",
];

fn limited(forward: &str) -> String {
    format!(
        "<network><name>slow</name>{forward}<portgroup name='all' default='yes'><bandwidth>\
         <inbound average='900' burst='40'/><outbound average='300' burst='20'/></bandwidth></portgroup>\
         <portgroup name='slow'><bandwidth><inbound average='100' burst='20'/><outbound average='200' burst='30'/>\
         </bandwidth></portgroup><ip address='10.77.0.1' prefix='24'><dhcp>\
         <range start='10.77.0.100' end='10.77.0.200'/></dhcp></ip></network>"
    )
}

/// With translation, guests receive what they have asked for.
#[test]
fn the_bandwidth_of_a_portgroup_is_measured() {
    let report = report(&path_to_programs(), &["--engine", "ovn"], &limited("<forward mode='nat'/>"), 0);
    let kept = with(&report, "kept");
    assert!(LIMITS.iter().all(|limit| kept.iter().any(|it| it == limit)), "{kept:?}");
}

/// No guest may send more than the first one may receive.
#[test]
fn bandwidth_in_an_isolated_network_is_measured_among_guests() {
    let report = report(&path_to_programs(), &["--engine", "ovn"], &limited(""), 0);
    let (kept, open) = (with(&report, "kept"), with(&report, "open"));
    assert!(LIMITS[1..].iter().all(|limit| kept.iter().any(|it| it == limit)), "{kept:?}");
    assert_eq!(open, LIMITS[..1]);
}

#[test]
fn a_network_without_its_limits_breaks_promises() {
    let meddler = Meddler::of("qos-del slow");
    let path = format!("{}:{}", meddler.0.display(), path_to_programs());
    let report = report(&path, &["--engine", "ovn"], &limited("<forward mode='nat'/>"), 1);
    assert_eq!(with(&report, "broken"), LIMITS);
}

#[test]
fn what_a_preset_keeps_from_guests_is_not_reached() {
    let definition = "<network><name>visitors</name>\
        <metadata><vnet:network xmlns:vnet='https://github.com/vnet-rs/vnet/network/1.0'>\
        <vnet:egress preset='internet-only'><vnet:allow address='10.200.77.7' proto='tcp'/></vnet:egress>\
        </vnet:network></metadata><forward mode='nat'/><ip address='10.77.0.1' prefix='24'><dhcp>\
        <range start='10.77.0.100' end='10.77.0.200'/></dhcp></ip></network>";
    let report = report(&path_to_programs(), &["--engine", "ovn"], definition, 0);
    let kept = with(&report, "kept");
    let reach: Vec<&String> = kept.iter().filter(|it| it.starts_with("guests ") && it.contains("reach ")).collect();
    let expected = [
        "guests reach 9.9.9.9",
        "guests reach 10.200.77.7 by TCP only",
        "guests do not reach 172.22.77.7",
        "guests do not reach 192.168.211.7",
        "guests do not reach 100.100.100.200",
        "guests do not reach 169.254.169.254",
        "guests do not reach 168.63.129.16",
        "guests do not reach 198.18.211.7",
        "guests do not reach 192.0.0.192",
        "guests of two hosts reach each other over IPv4",
    ];
    assert_eq!(reach, expected);
}

#[test]
fn port_forwards_lead_to_guests_of_each_preset() {
    for preset in ["internet-only", "host-only", "none"] {
        let definition = format!(
            "<network><name>visitors</name><metadata><vnet:network \
             xmlns:vnet='https://github.com/vnet-rs/vnet/network/1.0'><vnet:ovn northbound='tcp:192.0.2.9:6641'>\
             <vnet:outside network='provider'><vnet:address address='9.9.0.10' prefix='24' gateway='9.9.0.1'/>\
             <vnet:gateway chassis='alpha'/></vnet:outside></vnet:ovn>\
             <vnet:portForward proto='tcp' guest='web'><vnet:range start='8080' to='80'/></vnet:portForward>\
             <vnet:portForward proto='udp' guest='web'><vnet:range start='5353' to='53'/></vnet:portForward>\
             <vnet:egress preset='{preset}'/></vnet:network></metadata><forward mode='nat'/>\
             <ip address='10.77.0.1' prefix='24'><dhcp><range start='10.77.0.100' end='10.77.0.200'/>\
             <host mac='52:54:00:00:00:01' name='web' ip='10.77.0.11'/></dhcp></ip></network>"
        );
        let report = report(&path_to_programs(), &[], &definition, 0);
        for promise in [
            "tcp port 8080 leads to port 80 of web at 10.77.0.11",
            "udp port 5353 leads to port 53 of web at 10.77.0.11",
        ] {
            assert!(seen(&report, promise).contains("answers to the outside, guest1, web, guest2"), "{report}");
        }
    }
}

/// Guests reach what is behind each other through the router, by the better one of two routes.
#[test]
fn static_routes_lead_to_guests() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/network/valid/route-static.xml");
    let definition = fs::read_to_string(file).expect("a definition");
    let report = report(&path_to_programs(), &["--engine", "ovn"], &definition, 0);
    let kept = with(&report, "kept");
    let routes: Vec<&String> = kept.iter().filter(|it| it.contains(" through ")).collect();
    let expected = [
        "guest2 reaches 10.45.0.0/16 through 10.44.4.2",
        "guest1 reaches 10.46.0.7/32 through 10.44.4.254",
        "guest2 reaches 10.44.0.0/16 through 10.44.4.2",
        "guest2 reaches fd00:45::/32 through fd00:44:4::2",
    ];
    assert_eq!(routes, expected);
    assert!(with(&report, "broken").is_empty(), "{report}");
}

/// A folder with an ovn-northd that lets somebody run ovn-nbctl as often as it can.
struct Meddler(PathBuf);

impl Meddler {
    fn of(act: &str) -> Self {
        // A trial covers the folders of other temporary files.
        let name = act.replace(' ', "-");
        let folder = PathBuf::from(format!("/var/tmp/vnet-try-ovn-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let (northd, nbctl) = (program("ovn-northd"), program("ovn-nbctl"));
        let script = format!(
            "#!/bin/sh\n(while sleep 0.05; do {nbctl} --db=unix:/run/ovn-lab/nb/db.sock {act}; done) &\n\
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
    let meddler = Meddler::of("acl-del lab");
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
