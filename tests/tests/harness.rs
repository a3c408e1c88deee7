//! The harness keeps its word.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

use std::fs;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use netns_rs::NetNs;
use rstest::rstest;
use vnet_tests::{NamedNetns, Netns, isolate, json, run, wait_for};

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
        let kept = [env!("CARGO_MANIFEST_DIR").into(), std::env::current_exe().unwrap()];
        for entry in fs::read_dir(folder).unwrap() {
            // A workspace below it is still there.
            let path = entry.unwrap().path();
            assert!(kept.iter().any(|kept| kept.starts_with(&path)), "{} is not empty: {}", folder, path.display());
        }
        fs::write(format!("{folder}/file"), "mine").unwrap();
    }
    fs::create_dir("/etc/vnet").unwrap();
    assert!(fs::read_to_string("/etc/passwd").unwrap().starts_with("root:"));
    let listener = TcpListener::bind("127.0.0.1:80").unwrap();
    TcpStream::connect(listener.local_addr().unwrap()).unwrap();
}

/// What can be written to is in memory, of the namespaces, or what cargo has built.
#[test]
fn nothing_of_the_host_can_be_changed() {
    isolate!();
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    for mount in mounts.lines() {
        let (mount, system) = mount.split_once(" - ").unwrap();
        let mount: Vec<&str> = mount.split(' ').collect();
        let (place, options) = (mount[4].replace("\\040", " "), mount[5]);
        let is_own = ["tmpfs tmpfs", "proc proc", "sysfs sysfs"].iter().any(|own| system.starts_with(own));
        let is_free = is_own || Path::new(&place) == target;
        assert!(options.split(',').any(|it| it == "ro") || is_free, "{place} can be written to: {system}");
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for folder in [Path::new("/"), Path::new("/usr"), Path::new("/home"), workspace, &workspace.join("tests")] {
        let refused = fs::write(folder.join("vnet-test"), "").unwrap_err().kind();
        assert_eq!(refused, ErrorKind::ReadOnlyFilesystem, "{}", folder.display());
    }
    let write = |folder: &Path| {
        fs::write(folder.join("vnet-test"), "").and_then(|()| fs::remove_file(folder.join("vnet-test")))
    };
    for folder in ["/tmp", "/var/tmp", "/dev/shm", "/etc"] {
        write(Path::new(folder)).unwrap();
    }
    // A user who does not own cargo's folder is refused by its mode, not by the mount.
    match write(&target) {
        Err(error) if fs::metadata(&target).unwrap().uid() != 0 => {
            assert_eq!(error.kind(), ErrorKind::PermissionDenied)
        }
        written => written.unwrap(),
    }
}

/// What a person has set for vnet is not for the tests.
#[test]
fn the_environment_is_the_harness_own() {
    isolate!();
    let strays = ["VNET_STATE_DIR", "XDG_RUNTIME_DIR", "TMPDIR", "NO_COLOR", "LC_ALL"];
    let program = std::env::current_exe().unwrap();
    let mut within = Command::new(program);
    within.args(["--exact", "wanted::environment", "--include-ignored", "--nocapture"]);
    within.envs(strays.map(|name| (name, "/stray"))).current_dir("/");
    let output = within.output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}");
    assert!(!stdout.contains("/stray"), "{stdout}");
    assert!(stdout.contains("HOME=/tmp\n"), "{stdout}");
    assert!(stdout.contains(concat!("working directory ", env!("CARGO_MANIFEST_DIR"), "\n")), "{stdout}");
    assert!(stdout.contains("umask 0022\n"), "{stdout}");
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
fn named_namespaces() {
    isolate!();
    let guest = NamedNetns::new("guest");
    assert_eq!(run("ip", &["netns", "list"]), "guest\n");
    run("ip", &["link", "add", "outside", "type", "veth", "peer", "name", "inside", "netns", "guest"]);
    let links = guest.run(|| json("ip", &["-j", "link", "show", "type", "veth"]));
    assert_eq!(links[0]["ifname"], "inside");
    drop(guest);
    assert_eq!(run("ip", &["netns", "list"]), "");
    assert!(!fs::exists("/run/netns/guest").unwrap());
}

/// A panic within leads back, unlike that of netns-rs itself.
#[test]
fn a_panic_leaves_a_named_namespace() {
    isolate!();
    let here = || fs::read_link("/proc/thread-self/ns/net").unwrap();
    let (guest, home) = (NamedNetns::new("guest"), here());
    assert_ne!(guest.run(here), home);
    let panic = catch_unwind(AssertUnwindSafe(|| guest.run(|| panic!("in these words")))).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"in these words"));
    assert_eq!(here(), home);

    let unguarded = || {
        catch_unwind(|| NetNs::run_in("guest", |_| panic!("on a thread of ours"))).unwrap_err();
        here()
    };
    let left = std::thread::scope(|scope| scope.spawn(unguarded).join()).unwrap();
    assert_eq!(left, guest.run(here), "netns-rs goes back by itself: the guard can go");
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
    #[ignore = "prints its environment, as another test expects"]
    fn environment() {
        isolate!();
        print!("{}", run("sh", &["-c", "env; echo working directory $PWD; echo umask $(umask)"]));
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
