//! `vnet try` of guests behind passt, with the passt that is installed.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nix::unistd::mkdtemp;
use rstest::rstest;
use serde_json::Value;
use vnet_tests::vnet;

/// A folder that ends with the value. What is in /tmp the process inside does not see.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        Self(mkdtemp(&Path::new("/var/tmp").join(format!("vnet-try-{name}-XXXXXX"))).unwrap())
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn attempt(files: &[&Path]) -> Command {
    let mut command = Command::new(vnet());
    command.args(["try", "--format", "json"]).args(files);
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn report(output: &Output, code: i32) -> Value {
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "{stdout}\n{}", stderr(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn of(kind: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata").join(kind).join("valid").join(name).with_extension("xml")
}

/// The promises of a guest as (subject, promise, verdict), in order.
fn promises(report: &Value, guest: usize) -> Vec<[String; 3]> {
    let promises = report["interfaces"][guest]["promises"].as_array().unwrap();
    let words = |it: &Value| ["subject", "promise", "verdict"].map(|key| it[key].as_str().unwrap().to_owned());
    promises.iter().map(words).collect()
}

#[rstest]
#[case::ssh("passt-ssh")]
#[case::mtu("passt-mtu")]
#[case::excluded("passt-excluded-to")]
#[case::offset("passt-last-ports")]
#[case::port_of_roots("passt-port-80")]
#[case::device("passt-source-dev")]
#[case::vhost_user("vhostuser-passt")]
fn what_is_defined_is_kept(#[case] name: &str) {
    let report = report(&attempt(&[&of("interface", name)]).output().unwrap(), 0);
    let promises = promises(&report, 0);
    assert!(report["holds"] == true && promises.len() > 6, "{report}");
    assert!(promises.iter().all(|[_, _, verdict]| verdict == "kept"), "{promises:?}");
}

#[test]
fn everything_that_is_defined_is_judged() {
    let folder = Folder::new("everything");
    let log = folder.0.join("not/there.log");
    let text = format!(
        "<interface type='user'><mac address='52:54:00:00:00:07'/><source dev='wan0'/>
          <ip address='10.17.2.4' family='ipv4' prefix='20'/><ip address='2001:db8:5::4' family='ipv6'/>
          <portForward proto='tcp' address='198.51.100.77' dev='wan0'><range start='2022' to='22'/></portForward>
          <portForward proto='udp'><range start='5000' end='5020' to='6000'/>
            <range start='5010' end='5015' exclude='yes'/></portForward>
          <backend type='passt' logFile='{}'/><mtu size='1300'/></interface>",
        log.display()
    );
    let report = report(&attempt(&[&folder.file("vm.xml", &text)]).output().unwrap(), 0);
    let seen: Vec<_> = promises(&report, 0).into_iter().map(|[subject, promise, _]| (subject, promise)).collect();
    let expected = [
        ("lease", "the guest gets 10.17.2.4/20 by DHCP"),
        ("lease", "the guest gets 2001:db8:5::4 by DHCPv6"),
        ("autoconfiguration", "the guest makes itself an address in 2001:db8:5::/64"),
        ("mtu", "the guest is told the MTU 1300"),
        ("dns-forwarding", "DNS: names are asked of the host's server"),
        ("out", "the guest gets out over IPv4, as the host"),
        ("out", "the guest gets out over IPv6, as the host"),
        ("forward", "tcp port 2022 leads to the guest's port 22"),
        ("no-forward", "tcp port 2022 is closed at 127.0.0.1, 203.0.113.2, 2001:db8:766e::2"),
        ("forward", "udp port 5000 leads to the guest's port 6000"),
        ("forward", "udp port 5020 leads to the guest's port 6020"),
        ("no-forward", "udp port 5015 is closed at 127.0.0.1, 198.51.100.77, 203.0.113.2, 2001:db8:766e::2"),
        ("log", "passt writes its log"),
    ];
    for (subject, promise) in expected {
        assert!(seen.contains(&(subject.to_owned(), promise.to_owned())), "{promise}: {seen:#?}");
    }
    assert!(!log.exists());
}

#[test]
fn guests_and_networks_share_a_host() {
    let files = [of("network", "nat-default"), of("interface", "passt-ssh")];
    let report = report(&attempt(&files.each_ref().map(PathBuf::as_path)).output().unwrap(), 0);
    assert_eq!(report["networks"][0]["network"], "default");
    assert_eq!(report["interfaces"].as_array().unwrap().len(), 1);
    let output = attempt(&[&files[1], &files[1]]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("tcp port 2222 is taken by passt"), "{}", stderr(&output));
}

#[test]
fn a_passt_that_does_something_else_breaks_a_promise() {
    let folder = Folder::new("other");
    let path = std::env::var("PATH").unwrap();
    let script = format!(
        "#!/bin/sh\nPATH={path}\nfor word; do shift; [ \"$word\" = 1400 ] && word=1300; set -- \"$@\" \"$word\"; done\nexec passt \"$@\"\n"
    );
    let passt = folder.file("passt", &script);
    fs::set_permissions(&passt, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = attempt(&[&of("interface", "passt-mtu")]);
    let report = report(&command.env("PATH", format!("{}:{path}", folder.0.display())).output().unwrap(), 1);
    let broken: Vec<_> = promises(&report, 0).into_iter().filter(|[_, _, verdict]| verdict == "broken").collect();
    let expected = ["mtu", "the guest is told the MTU 1400", "broken"].map(str::to_owned);
    assert_eq!(broken, [expected]);
}

#[rstest]
#[case::bridge("<interface type='bridge'><source bridge='virbr0'/></interface>", "is an interface of type bridge")]
#[case::slirp("<interface type='user'/>", "is an interface of type user")]
#[case::port("<networkport><uuid>12345678-1234-1234-1234-123456789abc</uuid></networkport>", "")]
fn what_has_nothing_to_try_is_refused(#[case] text: &str, #[case] words: &str) {
    let folder = Folder::new("refused");
    let output = attempt(&[&folder.file("vm.xml", text)]).output().unwrap();
    assert!(output.status.code().is_some_and(|code| code > 0), "{}", stderr(&output));
    assert!(stderr(&output).contains(words) && !stderr(&output).contains("panicked"), "{}", stderr(&output));
}

#[test]
fn a_prefix_that_passt_changes_is_found_out() {
    let folder = Folder::new("prefix");
    let text = "<interface type='user'><ip address='172.17.2.4' family='ipv4' prefix='20'/><backend type='passt'/></interface>";
    let output = attempt(&[&folder.file("vm.xml", text)]).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let lease = &report["interfaces"][0]["promises"][0];
    // That of 2023 makes room for the gateway, later ones tell the guest the way to it.
    let expected =
        if output.status.success() { "172.17.2.4/20" } else { "172.17.2.4/1: this passt makes room for the gateway" };
    assert_eq!(lease["seen"], expected, "{report}");
}
