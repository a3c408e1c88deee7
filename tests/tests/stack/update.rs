//! `vnet update` of a network with guests: in place, in the kept definition, or both.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};
use std::time::Duration;

use vnet_tests::{Netns, isolate, run, vnet, wait_for};

use crate::guest::attach;

const SOON: Duration = Duration::from_secs(30);

const LAB: &str = "\
<network>
  <name>lab</name>
  <forward mode='nat'/>
  <bridge name='lab0' stp='off'/>
  <!-- for guests -->
  <domain name='lab.test'/>
  <dns>
    <host ip='10.9.0.3'>
      <hostname>printer</hostname>
    </host>
  </dns>
  <ip address='10.9.0.1' prefix='24'>
    <dhcp>
      <range start='10.9.0.100' end='10.9.0.200'/>
      <host mac='52:54:00:00:00:09' ip='10.9.0.59'/> <!-- the scanner -->
    </dhcp>
  </ip>
</network>
";

const LEASE: &str = "#!/bin/sh
[ \"$1\" = bound ] || exit 0
ip address replace \"$ip/$mask\" dev \"$interface\"
echo lease \"$ip\"
";

/// What `vnet` answers.
fn say(words: &[&str]) -> Output {
    Command::new(vnet()).args(["--state-dir", "/run/vnet", "--config-dir", "/run/conf"]).args(words).output().unwrap()
}

/// The same, when it has to succeed.
fn said(words: &[&str]) -> String {
    let output = say(words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The same, when it must be refused.
fn refused(words: &[&str]) -> String {
    let output = say(words);
    assert!(!output.status.success(), "{words:?} did it");
    String::from_utf8(output.stderr).unwrap()
}

fn start() {
    fs::write("/tmp/lab.xml", LAB).unwrap();
    said(&["define", "/tmp/lab.xml"]);
    said(&["start", "lab"]);
}

fn lease(guest: &Netns) -> String {
    fs::write("/tmp/lease", LEASE).unwrap();
    fs::set_permissions("/tmp/lease", fs::Permissions::from_mode(0o755)).unwrap();
    let words = ["udhcpc", "-i", "eth0", "-f", "-q", "-n", "-t", "10", "-T", "1", "-s", "/tmp/lease"];
    let answer = guest.run(|| run("busybox", &words));
    answer.lines().find_map(|line| line.strip_prefix("lease ")).expect("a lease").to_owned()
}

/// What must not change: dnsmasq's process, every rule by its handle, links and addresses.
fn untouched() -> [String; 4] {
    let pid = fs::read_to_string("/run/vnet/lab/dnsmasq.pid").unwrap();
    [pid, run("nft", &["-a", "-s", "list", "ruleset"]), run("ip", &["-o", "link"]), run("ip", &["-o", "address"])]
}

fn leases() -> String {
    said(&["leases", "lab", "--source", "lease", "--format", "json"])
}

#[test]
fn a_host_and_a_name_are_one_file_and_a_signal() {
    isolate!();
    start();
    let first = attach(1, "");
    let address = lease(&first);
    let (before, lent) = (untouched(), leases());

    // As people type it for virsh.
    let host = "<host mac='52:54:00:00:00:02' name='web' ip='10.9.0.52'/>";
    let told = said(&["net-update", "lab", "add-last", "ip-dhcp-host", host, "--live", "--config"]);
    assert!(told.ends_with("network lab updated, as it runs and as it is kept\n"), "{told}");
    fs::write("/tmp/name.xml", "<host ip='10.9.0.4'><hostname>files</hostname></host>").unwrap();
    said(&["net-update", "lab", "--command", "add", "--section", "dns-host", "--xml", "/tmp/name.xml", "--live"]);
    assert_eq!((untouched(), leases()), (before.clone(), lent));

    // It holds at once.
    let asked = ["nslookup", "-type=a", "files.lab.test", "10.9.0.1"];
    let answer = wait_for(SOON, "the name", || {
        let output = first.run(|| Command::new("busybox").args(asked).output().unwrap());
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    });
    assert!(answer.contains("10.9.0.4"), "{answer}");
    let second = attach(2, "");
    assert_eq!(lease(&second), "10.9.0.52");
    assert_eq!(lease(&first), address, "the same lease again");
    assert_eq!(untouched()[0], before[0]);

    // Twice the same is refused, in either order of the words, and changes nothing.
    let twice = refused(&["update", "lab", "ip-dhcp-host", "add", host, "--live"]);
    assert!(twice.contains("the network has a DHCP host with the MAC address `52:54:00:00:00:02` already"), "{twice}");
    let kept = said(&["dumpxml", "--inactive", "lab"]);
    assert!(kept.contains("ip='10.9.0.52'") && kept.contains("<!-- for guests -->") && !kept.contains("10.9.0.4"));
    let gone = ["net-update", "lab", "delete", "ip-dhcp-host", "<host ip='10.9.0.59'/>", "--config"];
    let output = say(&gone);
    let notes = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && notes.contains("the scanner"), "the comment goes, and that is said: {notes}");
    assert!(said(&["dumpxml", "lab"]).contains("10.9.0.59"), "the network that runs keeps it");
}

#[test]
fn an_update_is_decided_before_anything_is_done() {
    isolate!();
    start();
    let both = |section: &'static str, element: &'static str| {
        ["net-update", "lab", "add", section, element, "--live", "--config"].map(str::to_owned)
    };
    let state = || (untouched(), said(&["dumpxml", "lab"]), fs::read_to_string("/run/conf/networks/lab.xml").unwrap());
    let refuse = |section, element| {
        let before = state();
        let words = both(section, element);
        let told = refused(&words.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(state(), before, "{told}");
        told
    };
    // The kept definition has it and another one, the network that runs has neither.
    for text in ["<txt name='a' value='b'/>", "<txt name='b' value='b'/>"] {
        said(&["net-update", "lab", "add", "dns-txt", text, "--config"]);
    }
    assert!(refuse("dns-txt", "<txt name='a' value='b'/>").contains("already"));
    assert!(refuse("ip-dhcp-host", "<host mac='52:54:00:00:00:05' ip='10.8.0.5'/>").contains("10.8.0.5"));
    // The host refuses the change of the network that runs: the kept definition is as before.
    run("ip", &["link", "add", "other", "type", "bridge"]);
    run("ip", &["address", "add", "203.0.113.1/24", "dev", "other"]);
    run("ip", &["link", "set", "other", "up"]);
    run("ip", &["route", "add", "10.130.0.0/16", "via", "203.0.113.9", "metric", "7"]);
    refuse("route", "<route address='10.130.0.0' prefix='16' gateway='10.9.0.9' metric='7'/>");

    assert!(refused(&["net-update", "lab", "add", "bridge", "<bridge/>", "--current", "--live"]).contains("--current"));
    assert!(refused(&["net-update", "lab", "add-las", "bridge", "<bridge/>"]).contains("did you mean `add-last`"));
    assert!(refused(&["net-update", "nope", "add", "dns-txt", "<txt name='a' value='b'/>"]).contains("nope"));
    said(&["stop", "lab"]);
    let text = "<txt name='c' value='d'/>";
    assert!(refused(&["net-update", "lab", "add", "dns-txt", text, "--live"]).contains("does not run"));
    assert!(said(&["net-update", "lab", "add", "dns-txt", text]).contains("as it is kept"));
    said(&["start", "lab"]);
    said(&["undefine", "lab"]);
    assert!(refused(&["net-update", "lab", "delete", "dns-txt", text, "--config"]).contains("is not defined"));
    assert!(said(&["net-update", "lab", "delete", "dns-txt", text]).contains("as it runs"));
    let printed = said(&["update", "lab", "dns-txt", "add", text, "--print"]);
    assert!(printed.contains("<txt name='c'") && !said(&["dumpxml", "lab"]).contains("<txt name='c'"));
}

#[test]
fn every_section_is_changed_in_place() {
    isolate!();
    start();
    let sections = [
        ("bridge", "modify", "<bridge name='lab0' stp='on'/>"),
        ("domain", "modify", "<domain name='other.test'/>"),
        ("ip", "add", "<ip family='ipv6' address='fd00:9::1' prefix='64'/>"),
        ("ip-dhcp-range", "add-first", "<range start='10.9.0.20' end='10.9.0.30'/>"),
        ("ip-dhcp-range", "delete", "<range start='10.9.0.20' end='10.9.0.30'/>"),
        ("ip-dhcp-host", "modify", "<host mac='52:54:00:00:00:09' ip='10.9.0.60'/>"),
        ("forward", "modify", "<forward mode='route'/>"),
        ("forward-interface", "add", "<interface dev='eth7'/>"),
        ("forward-interface", "delete", "<interface dev='eth7'/>"),
        ("portgroup", "add", "<portgroup name='web'/>"),
        ("dns-host", "delete", "<host ip='10.9.0.3'/>"),
        ("dns-txt", "add", "<txt name='a' value='b'/>"),
        ("dns-srv", "add", "<srv service='ldap' protocol='tcp' target='a.lab.test' port='389'/>"),
        ("mtu", "add", "<mtu size='1400'/>"),
        ("port", "add", "<port isolated='yes'/>"),
    ];
    for (section, command, element) in sections {
        said(&["net-update", "lab", command, section, element, "--live", "--config"]);
        assert_eq!(said(&["diff", "lab"]), "network lab is in sync\n", "{section}");
    }
    for refusal in [
        ["modify", "dns-srv", "<srv service='ldap' protocol='tcp'/>"],
        ["modify", "ip-dhcp-range", "<range start='10.9.0.100' end='10.9.0.200'/>"],
        ["add", "forward-pf", "<range start='10.9.0.100' end='10.9.0.200'/>"],
        ["add", "none", "<bridge/>"],
    ] {
        refused(&[&["net-update", "lab"][..], &refusal[..]].concat());
    }
}
