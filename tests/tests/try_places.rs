//! `vnet try` in places that lack something, as containers do: it works where it can, else it names
//! the remedy.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Output};

use rstest::rstest;
use vnet_tests::{isolate, run, vnet};

/// What a container covers, and how.
fn cover(place: &str) {
    match place {
        "no-sys" => drop(run("mount", &["-t", "tmpfs", "none", "/sys"])),
        "read-only-sys" => drop(run("mount", &["-o", "remount,bind,ro", "/sys"])),
        "read-only-switches" => {
            run("mount", &["--bind", "/proc/sys", "/proc/sys"]);
            run("mount", &["-o", "remount,bind,ro", "/proc/sys"]);
        }
        "covered-proc" => drop(run("mount", &["-t", "tmpfs", "none", "/proc/fs"])),
        "no-tun" => drop(run("mount", &["-t", "tmpfs", "none", "/dev/net"])),
        "closed-tun" => {
            run("mount", &["--bind", "/dev/net/tun", "/dev/net/tun"]);
            run("mount", &["-o", "remount,bind,nodev", "/dev/net/tun"]);
        }
        limit => fs::write(format!("/proc/sys/user/{limit}"), "0").unwrap(),
    }
}

/// Where a guest's settings are more than a place in the bridge.
const SETTINGS: &str = "<network><name>n</name><forward/><port isolated='yes'/>
    <portgroup name='slow'><bandwidth><inbound average='1000'/><outbound average='500'/></bandwidth></portgroup>
    <ip address='192.168.50.1' prefix='24'>
        <dhcp><range start='192.168.50.10' end='192.168.50.90'/></dhcp>
    </ip></network>";

fn of(kind: &str, name: &str) -> String {
    format!("{}/../testdata/{kind}/valid/{name}.xml", env!("CARGO_MANIFEST_DIR"))
}

fn attempt(program: &mut Command, file: &str) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = program.args(["try", file]).output().unwrap();
    let said = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    assert!(!said.contains("run it as root") && !said.contains("needs no privilege"), "{said}");
    (status.code(), said)
}

#[rstest]
#[case::no_sys("no-sys", 0, "10 of 10 promises kept")]
#[case::read_only_sys("read-only-sys", 0, "10 of 10 promises kept")]
#[case::no_tun("no-tun", 0, "10 of 10 promises kept")]
#[case::read_only_switches("read-only-switches", 2, "--security-opt systempaths=unconfined")]
#[case::covered_proc("covered-proc", 2, "as parts of this one are covered; in a container, start that with `docker")]
#[case::no_users("max_user_namespaces", 2, "sysctl -w user.max_user_namespaces=10000")]
#[case::no_mounts("max_mnt_namespaces", 2, "sysctl -w user.max_mnt_namespaces=10000")]
#[case::no_networks("max_net_namespaces", 2, "sysctl -w user.max_net_namespaces=10000")]
fn a_place_is_enough_or_the_remedy_is_named(#[case] place: &str, #[case] code: i32, #[case] words: &str) {
    isolate!();
    cover(place);
    let (status, said) = attempt(&mut Command::new(vnet()), &of("network", "nat-default"));
    assert_eq!(status, Some(code), "{said}");
    assert!(said.contains(words), "{said}");
}

/// A pair of veth devices takes the place of a tap, and has the settings of its port.
#[rstest]
#[case::missing("no-tun", ErrorKind::NotFound)]
#[case::closed("closed-tun", ErrorKind::PermissionDenied)]
fn no_tap_is_needed(#[case] place: &str, #[case] refusal: ErrorKind) {
    isolate!();
    cover(place);
    let opened = fs::File::options().read(true).write(true).open("/dev/net/tun");
    assert_eq!(opened.unwrap_err().kind(), refusal);
    fs::write("/run/n.xml", SETTINGS).unwrap();
    let (status, said) = attempt(&mut Command::new(vnet()), "/run/n.xml");
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("guests do not reach each other over IPv4: ports are isolated"), "{said}");
    assert!(said.contains("group1 of portgroup slow gets a DHCP lease"), "{said}");
    let (status, said) = attempt(&mut Command::new(vnet()), &of("interface", "passt-ssh"));
    assert_eq!(status, Some(0), "{said}");
}

/// The kernel gives no user namespace in a chroot (user_namespaces(7)).
#[test]
fn a_chroot_is_named() {
    isolate!();
    let folder = Path::new("/run/root");
    fs::create_dir(folder).unwrap();
    run("mount", &["--rbind", "/", "/run/root"]);
    let mut program = Command::new("chroot");
    let (status, said) = attempt(program.arg(folder).arg(vnet()), &of("network", "nat-default"));
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("this process is in a chroot") && !said.contains("docker"), "{said}");
}

/// AppArmor refuses mount(2) in Docker's containers, and a filter may refuse it later.
#[rstest]
fn a_refused_mount_is_named(#[values(1, 2, 3, 4, 5, 6, 7)] number: usize, #[values("EPERM", "EACCES")] error: &str) {
    isolate!();
    let mut program = Command::new("strace");
    let inject = format!("inject=mount:error={error}:when={number}");
    program.args(["-f", "-qq", "-o", "/var/tmp/trace", "-e", "trace=mount", "-e", &inject]).arg(vnet());
    let (status, said) = attempt(&mut program, &of("network", "nat-default"));
    let is_met = fs::read_to_string("/var/tmp/trace").unwrap().contains("(INJECTED)");
    match status {
        // Not every mount is needed.
        Some(0) => assert!(number > 1, "{said}"),
        status => assert_eq!(status, Some(2), "{said}"),
    }
    let names_it = said.contains("docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined");
    assert!(status == Some(0) || (is_met && names_it), "{said}");
}
