//! The real firewalld, on a bus of its own: which zone a network's bridge is put into, and that it
//! is let go. Beside it the real systemd-resolved.

#![allow(clippy::unwrap_used, reason = "a test")]

mod resolved;

use std::fs;
use std::io::ErrorKind;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use rstest::rstest;
use serde_json::Value;
use vnet_driver::{Driver, Network};
use vnet_host::{Host, LinuxHost};
use vnet_tests::{Netns, isolate, run, vnet, wait_for};
use vnet_types::Firewalld;

/// Written for these tests, with the meaning of those that libvirt brings along.
const ZONES: [(&str, &str); 5] = [
    (
        "zones/libvirt.xml",
        "<zone target='ACCEPT'><service name='dhcp'/><service name='dhcpv6'/><service name='dns'/><service name='tftp'/>\
         <protocol value='icmp'/><protocol value='ipv6-icmp'/><rule priority='32767'><reject/></rule></zone>",
    ),
    ("zones/libvirt-routed.xml", "<zone/>"),
    (
        "policies/libvirt-routed-out.xml",
        "<policy target='ACCEPT'><ingress-zone name='libvirt-routed'/><egress-zone name='ANY'/></policy>",
    ),
    (
        "policies/libvirt-routed-in.xml",
        "<policy target='ACCEPT'><ingress-zone name='ANY'/><egress-zone name='libvirt-routed'/></policy>",
    ),
    (
        "policies/libvirt-to-host.xml",
        "<policy target='REJECT'><ingress-zone name='libvirt-routed'/><egress-zone name='HOST'/><service name='dhcp'/>\
         <service name='dhcpv6'/><service name='dns'/><service name='tftp'/><protocol value='icmp'/>\
         <protocol value='ipv6-icmp'/></policy>",
    ),
];
/// firewalld, while the value lives.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().and_then(|()| self.0.wait()).expect("it ends");
    }
}

const PATIENCE: Duration = Duration::from_secs(60);

#[rstest]
#[case::nat("<forward/>", "<bridge/>", "libvirt")]
#[case::routed("<forward mode='route'/>", "<bridge/>", "libvirt-routed")]
#[case::asked("<forward/>", "<bridge zone='trusted'/>", "trusted")]
#[case::open("<forward mode='open'/>", "<bridge/>", "")]
fn bridges_are_put_into_zones_and_let_go(#[case] forward: &str, #[case] bridge: &str, #[case] zone: &str) {
    isolate!();
    let _firewalld = start_firewalld(&ZONES);
    let file = network(forward, bridge);
    let line = format!("+ firewall-cmd --zone={zone} --change-interface=virbr0\n");
    let plan = text(&call(&["plan", &file]));
    assert_eq!(plan.contains(&line), !zone.is_empty(), "{plan}");

    let started = call(&["start", &file]);
    assert_eq!(zone_of("virbr0"), zone);
    if zone.starts_with("libvirt") {
        assert!(!stderr(&started).contains("firewalld"), "{}", stderr(&started));
    }
    assert!(text(&call(&["plan", &file])).contains("nothing to change"));
    call(&["diff", "lab"]);
    call(&["stop", "lab"]);
    assert_eq!(zone_of("virbr0"), "");
    assert!(!run("nft", &["list", "table", "inet", "firewalld"]).contains("virbr0"));
}

/// What an administrator has decided stays, and comes back where the definition decides otherwise.
#[rstest]
#[case::nothing_asked("<bridge/>", "work")]
#[case::another_asked("<bridge zone='home'/>", "home")]
fn an_administrators_zone_is_kept(#[case] bridge: &str, #[case] zone: &str) {
    isolate!();
    let _firewalld = start_firewalld(&ZONES);
    run("firewall-cmd", &["--zone=work", "--change-interface=virbr0"]);
    let file = network("<forward/>", bridge);
    call(&["start", &file]);
    assert_eq!(zone_of("virbr0"), zone);
    assert!(text(&call(&["apply", &file])).contains("nothing to change"));
    call(&["stop", "lab"]);
    assert_eq!(zone_of("virbr0"), "work");
}

#[test]
fn what_firewalld_refuses_is_known_once_the_zone_is() {
    isolate!();
    let _firewalld = start_firewalld(&ZONES);
    let file = network("<forward/>", "<bridge zone='public'/>");
    let obstacles = |report: &Output| {
        let report: Value = serde_json::from_slice(&report.stdout).unwrap();
        let obstacles = report["obstacles"].as_array().unwrap().clone();
        obstacles.iter().map(|it| it["promise"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(obstacles(&call(&["plan", &file, "--format", "json"])).is_empty(), "the zone is still to come");
    let refused = obstacles(&call(&["start", &file, "--format", "json"]));
    assert!(refused.iter().any(|promise| promise == "guests get addresses by DHCP"), "{refused:?}");
    // In place, into a zone that allows it.
    let refused = obstacles(&call(&["apply", &network("<forward/>", "<bridge/>"), "--format", "json"]));
    assert_eq!((zone_of("virbr0").as_str(), refused), ("libvirt", vec![]));
}

/// Packets, not words: a guest's question to the host's name server.
#[test]
fn guests_reach_what_the_zone_allows() {
    isolate!();
    let _firewalld = start_firewalld(&ZONES);
    call(&["start", &network("<forward/>", "<bridge/>")]);
    let guest = Netns::new();
    let netns = format!("/proc/{}/fd/{}", std::process::id(), guest.file().as_raw_fd());
    run("ip", &["link", "add", "vnet0", "type", "veth", "peer", "name", "eth0", "netns", &netns]);
    run("ip", &["link", "set", "vnet0", "master", "virbr0", "up"]);
    guest.run(|| {
        run("ip", &["address", "add", "192.168.122.9/24", "dev", "eth0"]);
        run("ip", &["link", "set", "eth0", "up"]);
    });
    wait_for(PATIENCE, "an answer in the zone libvirt", || guest.run(ask).ok());
    call(&["apply", &network("<forward/>", "<bridge zone='public'/>")]);
    let refused = wait_for(PATIENCE, "a refusal in the zone public", || {
        guest.run(ask).err().filter(|error| !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted))
    });
    assert_eq!(refused.kind(), ErrorKind::HostUnreachable);
    call(&["stop", "lab"]);
}

/// Asks for a name, and waits for any answer.
fn ask() -> std::io::Result<usize> {
    let socket = UdpSocket::bind("192.168.122.9:0")?;
    socket.set_read_timeout(Some(Duration::from_millis(300)))?;
    socket.connect("192.168.122.1:53")?;
    socket.send(b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03lab\0\0\x01\0\x01")?;
    socket.recv(&mut [0; 512])
}

#[test]
fn a_zone_that_is_lost_is_drift() {
    isolate!();
    let firewalld = start_firewalld(&ZONES);
    let file = network("<forward/>", "<bridge/>");
    call(&["start", &file]);
    // Since 0.9 firewalld forgets it when it reads its files again (`FlushAllOnReload`).
    run("firewall-cmd", &["--reload"]);
    assert_eq!(vnet_command(&["diff", "lab"]).status.success(), zone_of("virbr0") == "libvirt");
    call(&["apply", &file]);
    assert_eq!(zone_of("virbr0"), "libvirt");

    run("firewall-cmd", &["--zone=libvirt", "--remove-interface=virbr0"]);
    let drift = vnet_command(&["diff", "lab"]);
    assert_eq!(drift.status.code(), Some(1));
    assert_eq!(text(&drift), "+ firewall-cmd --zone=libvirt --change-interface=virbr0\n");
    call(&["apply", &file]);
    assert_eq!(zone_of("virbr0"), "libvirt");
    run("firewall-cmd", &["--zone=home", "--change-interface=virbr0"]);
    call(&["apply", &file]);
    assert_eq!(zone_of("virbr0"), "libvirt");

    drop(firewalld);
    assert!(text(&call(&["apply", &file])).contains("nothing to change"), "there is nobody to ask");
    call(&["diff", "lab"]);
    call(&["stop", "lab"]);
}

#[test]
fn a_start_that_fails_lets_the_zone_go() {
    isolate!();
    let _firewalld = start_firewalld(&ZONES);
    let file = network("<forward/>", "<bridge/>");
    let options = "<dnsmasq:options><dnsmasq:option value='no-such-option'/></dnsmasq:options></network>";
    let text = fs::read_to_string(&file).unwrap().replace("</network>", options);
    let namespace = "<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'>";
    fs::write(&file, text.replace("<network>", namespace)).unwrap();
    let failed = vnet_command(&["start", &file]);
    assert!(stderr(&failed).contains("what was done before it is undone"), "{}", stderr(&failed));
    assert_eq!(zone_of("virbr0"), "");
}

#[rstest]
#[case::unknown(true, "trused", "VN0622", "there is `trusted`")]
#[case::nobody_there(false, "trusted", "VN0621", "does not run for this network namespace")]
fn zones_that_are_not_to_be_had_are_refused(
    #[case] runs: bool,
    #[case] zone: &str,
    #[case] code: &str,
    #[case] said: &str,
) {
    isolate!();
    let _firewalld = runs.then(|| start_firewalld(&ZONES));
    let file = network("<forward/>", &format!("<bridge zone='{zone}'/>"));
    let refused = vnet_command(&["start", &file]);
    let told = stderr(&refused);
    assert_eq!(refused.status.code(), Some(1), "{told}");
    assert!(told.contains(code) && told.contains(said), "{told}");
    assert!(!run("ip", &["link"]).contains("virbr0"));
}

#[test]
fn without_zones_of_libvirt_the_rules_in_the_way_are_named() {
    isolate!();
    let _firewalld = start_firewalld(&[]);
    let file = network("<forward/>", "<bridge/>");
    let told = stderr(&call(&["start", &file]));
    let line = told.lines().find(|line| line.contains("guests get addresses by DHCP")).expect("a warning");
    assert!(line.starts_with("warning: ") && line.contains("table `inet firewalld`"), "{line}");
    assert_eq!(zone_of("virbr0"), "");
    let command = told.lines().map(str::trim).find(|line| line.starts_with("firewall-cmd ")).expect("a command");
    run("sh", &["-c", command]);
    let status = text(&call(&["status", "lab"]));
    assert!(!status.contains("firewalld") && status.contains("in sync"), "{status}");
}

/// The bus is the machine's, the rules are those of one network namespace.
#[test]
fn a_firewalld_of_another_network_namespace_is_none() {
    isolate!();
    start_bus();
    let elsewhere = Netns::new();
    let _firewalld = elsewhere.run(|| spawn_firewalld(&ZONES));
    elsewhere.run(|| wait_for(PATIENCE, "firewalld there", firewalld));
    assert_eq!(firewalld(), None);
    let file = network("<forward/>", "<bridge/>");
    call(&["start", &file]);
    call(&["stop", "lab"]);
    assert_eq!(vnet_command(&["start", &network("<forward/>", "<bridge zone='trusted'/>")]).status.code(), Some(1));
}

/// It answers while the network is prepared, and then no more.
#[rstest]
#[case::hangs("STOP", "firewalld did not tell the zone of virbr0 within 1 s")]
#[case::dies("KILL", "cannot put virbr0 into its zone libvirt: firewalld has ended meanwhile")]
fn a_firewalld_that_fails_during_a_start_is_told(#[case] signal: &str, #[case] expected: &str) {
    isolate!();
    let firewalld = start_firewalld(&ZONES);
    let (hook, pid) = ("/etc/vnet/hooks/network", firewalld.0.id());
    fs::create_dir_all("/etc/vnet/hooks").unwrap();
    fs::write(hook, format!("#!/bin/sh\n[ $2 != start ] || kill -{signal} {pid}\n")).unwrap();
    fs::set_permissions(hook, fs::Permissions::from_mode(0o755)).unwrap();
    let driver = Driver::open("/run/vnet").unwrap().with_firewalld_limit(Duration::from_secs(1));
    let file = network("<forward/>", "<bridge/>");
    let definition: Network = fs::read_to_string(&file).unwrap().parse().unwrap();
    let told = format!("{:?}", driver.start(&definition).unwrap_err());
    assert!(told.contains(expected), "{told}");
    assert!(!run("ip", &["link"]).contains("virbr0") && !Path::new("/run/vnet").exists(), "{told}");
    fs::remove_file(hook).unwrap();
    if signal == "STOP" {
        let told = format!("{:?}", driver.start(&definition).unwrap_err());
        assert!(told.contains("firewalld did not tell its zones within 1 s"), "{told}");
        run("kill", &["-CONT", &pid.to_string()]);
    }
    call(&["start", &file]);
    call(&["diff", "lab"]);
    call(&["stop", "lab"]);
    if signal == "STOP" {
        assert_eq!(zone_of("virbr0"), "");
    }
    assert!(!run("ip", &["link"]).contains("virbr0"));
    assert!(!Path::new("/run/vnet").exists());
}

/// Who only looks is told what was not read, and sees the rest.
#[test]
fn a_firewalld_that_hangs_does_not_hide_networks() {
    isolate!();
    let firewalld = start_firewalld(&ZONES);
    call(&["start", &network("<forward/>", "<bridge/>")]);
    let pid = firewalld.0.id().to_string();
    run("kill", &["-STOP", &pid]);
    for words in [&["status", "lab"][..], &["status"], &["list"], &["info", "lab"]] {
        let seen = call(words);
        let told = text(&seen) + &stderr(&seen);
        assert!(told.contains("zone of the bridge: firewalld did not tell it"), "{words:?}: {told}");
        assert!(told.contains("unsure") && told.contains("virbr0"), "{words:?}: {told}");
    }
    assert_eq!(vnet_command(&["status", "--exit-code"]).status.code(), Some(1));
    run("kill", &["-CONT", &pid]);
    assert!(text(&call(&["status", "--exit-code"])).starts_with("lab: in sync\n"));
    call(&["stop", "lab"]);
}

/// A definition with one subnet.
fn network(forward: &str, bridge: &str) -> String {
    let bridge = bridge.replace("<bridge", "<bridge name='virbr0' stp='off'");
    let dhcp = "<dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp>";
    let ip = format!("<ip address='192.168.122.1' prefix='24'>{dhcp}</ip>");
    fs::write("/run/lab.xml", format!("<network><name>lab</name>{forward}{bridge}{ip}</network>")).unwrap();
    "/run/lab.xml".to_owned()
}

/// A bus and firewalld on it, with these files beside those of the system.
fn start_firewalld(files: &[(&str, &str)]) -> Running {
    start_bus();
    let child = spawn_firewalld(files);
    wait_for(PATIENCE, "firewalld", firewalld);
    child
}

fn start_bus() {
    fs::create_dir("/run/dbus").unwrap();
    run("dbus-daemon", &["--config-file=tests/firewalld/bus.conf", "--fork", "--nopidfile", "--nosyslog"]);
}

fn spawn_firewalld(files: &[(&str, &str)]) -> Running {
    for folder in ["zones", "policies"] {
        fs::create_dir_all(format!("/run/firewalld/{folder}")).unwrap();
    }
    for (file, text) in files {
        fs::write(format!("/run/firewalld/{file}"), text).unwrap();
    }
    let log = fs::File::create("/run/firewalld.log").unwrap();
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let child = Command::new("firewalld")
        .args(["--nofork", "--nopid", "--log-target=console", "--system-config=/run/firewalld"])
        .env("PATH", path)
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .stdin(Stdio::null())
        .spawn();
    Running(child.expect("firewalld starts"))
}

fn firewalld() -> Option<Firewalld> {
    LinuxHost::open().unwrap().inventory().unwrap().firewalld
}

/// Seen by firewalld's own program.
fn zone_of(link: &str) -> String {
    let zones = run("firewall-cmd", &["--get-active-zones"]);
    let mut zone = "";
    for line in zones.lines() {
        match line.trim_start().strip_prefix("interfaces: ") {
            Some(interfaces) if interfaces.split(' ').any(|it| it == link) => return zone.to_owned(),
            _ if !line.starts_with(' ') => zone = line.split(' ').next().unwrap_or_default(),
            _ => {}
        }
    }
    String::new()
}

fn vnet_command(args: &[&str]) -> Output {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    Command::new(vnet()).args(args).env("PATH", path).output().expect("the program starts")
}

fn call(args: &[&str]) -> Output {
    let output = vnet_command(args);
    assert!(output.status.success(), "{args:?}: {}{}", text(&output), stderr(&output));
    output
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
