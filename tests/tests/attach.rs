//! Guests' interfaces on this kernel: `vnet attach`, `detach` and `ports`, and what else happens at the same time.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Runs `vnet` with a document on its standard input.
fn vnet(arguments: &[&str], document: &str) -> Output {
    use std::io::Write;
    let mut child = spawn(arguments);
    child.stdin.take().unwrap().write_all(document.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn spawn(arguments: &[&str]) -> std::process::Child {
    let mut command = Command::new(vnet_tests::vnet());
    command.args(["--state-dir", "/run/vnet"]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// [`vnet`], when it has to succeed, and the JSON that it prints.
fn done(arguments: &[&str], document: &str) -> Value {
    let output = vnet(&[arguments, &["--format", "json"]].concat(), document);
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn networks_that_start_at_once_all_get_a_bridge_of_their_own() {
    vnet_tests::isolate!();
    let starts: Vec<_> = (0..8)
        .map(|number| {
            use std::io::Write;
            let mut child = spawn(&["start", "-"]);
            let network =
                format!("<network><name>n{number}</name><ip address='10.0.{number}.1' prefix='24'/></network>");
            child.stdin.take().unwrap().write_all(network.as_bytes()).unwrap();
            child
        })
        .collect();
    for start in starts {
        let output = start.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        // Those that are stopped and started meanwhile do not disturb.
        done(&["list"], "");
    }
    let listed = done(&["list"], "");
    let mut bridges: Vec<&str> =
        listed["networks"].as_array().unwrap().iter().map(|it| it["bridge"].as_str().unwrap()).collect();
    bridges.sort_unstable();
    assert_eq!(bridges, (0..8).map(|number| format!("virbr{number}")).collect::<Vec<_>>());
    let stops: Vec<_> = (0..8).map(|number| spawn(&["stop", &format!("n{number}")])).collect();
    done(&["list"], "");
    for stop in stops {
        assert!(stop.wait_with_output().unwrap().status.success());
    }
    assert_eq!(done(&["list"], "")["networks"].as_array().unwrap().len(), 0);
    assert!(!std::path::Path::new("/run/vnet").exists(), "nothing is left");
}
