//! `vnet try` in places that lack something, as containers do: it works where it can, else it names the remedy.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::process::Command;

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
        "no-namespaces" => std::fs::write("/proc/sys/user/max_net_namespaces", "0").unwrap(),
        _ => {}
    }
}

#[rstest]
#[case::no_sys("no-sys", 0, "10 of 10 promises kept")]
#[case::read_only_sys("read-only-sys", 0, "10 of 10 promises kept")]
#[case::read_only_switches("read-only-switches", 2, "--security-opt systempaths=unconfined")]
#[case::no_namespaces("no-namespaces", 2, "sysctl -w user.max_net_namespaces=10000")]
fn a_place_is_enough_or_the_remedy_is_named(#[case] place: &str, #[case] code: i32, #[case] words: &str) {
    isolate!();
    cover(place);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/network/valid/nat-default.xml");
    let output = Command::new(vnet()).args(["try", file]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(words), "{said}");
    assert!(!said.contains("run it as root") && !said.contains("needs no privilege"), "{said}");
}
