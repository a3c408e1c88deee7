//! The harness keeps its word.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::time::Duration;

use rstest::rstest;
use vnet_tests::{Netns, isolate, json, run, wait_for};

const SOON: Duration = Duration::from_secs(5);

#[rstest]
#[case::one("virbr0")]
#[case::same_name_beside_it("virbr0")]
fn cases_do_not_meet(#[case] bridge: &str) {
    isolate!();
    run("ip", &["link", "add", bridge, "type", "bridge"]);
    assert_eq!(json("ip", &["-j", "link", "show", bridge])[0]["ifname"], bridge);
    assert!(fs::exists(format!("/sys/class/net/{bridge}")).unwrap());
}

#[test]
fn one_is_root_of_a_fresh_host() {
    isolate!();
    assert!(nix::unistd::geteuid().is_root());
    assert_eq!(fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap(), "0\n");
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
    for folder in ["/run", "/var/lib"] {
        assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "{folder}");
        fs::write(format!("{folder}/file"), "mine").unwrap();
    }
    fs::create_dir("/etc/vnet").unwrap();
    assert!(fs::read_to_string("/etc/passwd").unwrap().starts_with("root:"));
    let listener = TcpListener::bind("127.0.0.1:80").unwrap();
    TcpStream::connect(listener.local_addr().unwrap()).unwrap();
}

/// Also where the workspace is in a folder that is closed to the user, and where it is in `/tmp`.
#[test]
fn the_workspace_is_there() {
    isolate!();
    assert!(fs::exists(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap());
    assert!(fs::File::open(std::env::current_exe().unwrap()).is_ok());
}

#[test]
fn results_are_returned() -> std::io::Result<()> {
    isolate!();
    fs::write("/proc/sys/net/ipv4/ip_forward", "1")
}

#[test]
#[should_panic(expected = "in these words")]
fn panics_come_out() {
    isolate!();
    panic!("in these words");
}

mod nested {
    #[test]
    fn modules_are_found() {
        vnet_tests::isolate!();
        vnet_tests::run("ip", &["link", "show", "lo"]);
    }
}

#[test]
fn daemons_are_reaped() {
    isolate!();
    let daemon = run("sh", &["-c", "sleep 1000 >/dev/null 2>&1 & echo $!"]);
    let process = format!("/proc/{}", daemon.trim());
    assert!(fs::exists(&process).unwrap());
    run("kill", &[daemon.trim()]);
    wait_for(SOON, "the end of the daemon", || (!fs::exists(&process).unwrap()).then_some(()));
}

#[test]
fn namespaces_within() {
    isolate!();
    let guest = Netns::new();
    run("ip", &["link", "add", "outside", "type", "veth", "peer", "name", "inside"]);
    let inside: i32 = fs::read_to_string("/sys/class/net/inside/ifindex").unwrap().trim().parse().unwrap();
    let mut sleeper = guest.run(|| Command::new("sleep").arg("1000").stdout(Stdio::null()).spawn().unwrap());
    run("ip", &["link", "set", "inside", "netns", &sleeper.id().to_string()]);
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    let links = guest.run(|| json("ip", &["-j", "link", "show", "type", "veth"]));
    assert_eq!(links[0]["ifindex"], inside);
    guest.run(|| {
        assert!(fs::exists("/sys/class/net/inside").unwrap(), "/sys follows");
        assert!(fs::exists("/proc/sys/net/ipv4/conf/inside").unwrap(), "/proc/sys follows");
    });
    assert!(fs::exists("/sys/class/net/outside").unwrap());
    assert!(!fs::exists("/sys/class/net/inside").unwrap());
    let server = guest.spawn(|| UdpSocket::bind("127.0.0.1:53").unwrap().local_addr().unwrap().port());
    assert_eq!(server.join().unwrap(), 53);
}

#[test]
#[should_panic(expected = "waited 10ms in vain for Godot")]
fn waiting_ends() {
    wait_for(Duration::from_millis(10), "Godot", || None::<()>);
}

#[rstest]
#[case::plain("nested::modules_are_found")]
#[case::should_panic("panics_come_out")]
fn without_namespaces_tests_fail_and_say_so(#[case] test: &str) {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).args(["--exact", test]).env("VNET_TEST_NO_NAMESPACES", "1").output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success(), "{stdout}");
    assert!(stdout.contains("VNET_TEST_NO_NAMESPACES is set"), "{stdout}");
}

/// Failures to look at: [`failures_come_out`] runs them.
mod wanted {
    use super::*;

    #[test]
    #[ignore = "panics, as another test expects"]
    fn panic() {
        isolate!();
        panic!("as wanted");
    }

    #[test]
    #[ignore = "aborts, as another test expects"]
    fn abort() {
        isolate!();
        std::process::abort();
    }

    #[test]
    #[should_panic]
    #[ignore = "does not panic, as another test expects"]
    fn no_panic() {
        isolate!();
    }
}

#[rstest]
#[case("wanted::panic", "as wanted")]
#[case("wanted::abort", "failed in its namespaces: exit status: 134")]
#[case("wanted::no_panic", "did not panic as expected")]
fn failures_come_out(#[case] test: &str, #[case] words: &str) {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).args(["--exact", test, "--include-ignored"]).output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success(), "{stdout}");
    assert!(stdout.contains(words), "{stdout}");
}
