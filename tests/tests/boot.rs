//! Networks that start at boot, and networks whose rules somebody has flushed: many under one lock.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Output};

use vnet_driver::{Attempt, Driver, Error, Network, NetworkName, State};
use vnet_tests::{run, vnet};

#[test]
fn one_that_is_broken_does_not_hold_back_the_others() {
    vnet_tests::isolate!();
    let driver = driver();
    for (name, subnet) in [("first", 1), ("second", 2), ("third", 1)] {
        keep(name, &text(name, subnet, ""));
    }
    keep("broken", "<network><name>broken</name>");
    let Outcomes { good, bad } = outcomes(driver.start_autostarts().unwrap());
    assert_eq!(good, ["first", "second"]);
    let [(broken, why), (third, refused)] = &bad[..] else { panic!("{bad:?}") };
    assert!(broken == "broken" && matches!(why, Error::Kept { .. }), "{why:?}");
    assert!(third == "third" && matches!(refused, Error::Refused { .. }), "{refused:?}");

    let again = call(&["start", "--autostart"]);
    assert_eq!(again.status.code(), Some(1));
    let (lines, errors) = (String::from_utf8(again.stdout).unwrap(), String::from_utf8(again.stderr).unwrap());
    assert_eq!(lines, "network first: nothing to change\nnetwork second: nothing to change\n");
    assert!(errors.contains("error: network `broken` does not run as it is defined\n  because "), "{errors}");
    assert!(errors.ends_with("2 of 4 networks failed: broken, third\n"), "{errors}");

    for name in ["broken", "third"] {
        driver.set_autostart(&self::name(name), false).unwrap();
    }
    run("nft", &["flush", "ruleset"]);
    let repaired = call(&["start", "--autostart"]);
    assert_eq!(repaired.status.code(), Some(0));
    assert!(repaired.stdout.starts_with(b"network first on virbr0: 1 change\n"), "{repaired:?}");
}

#[test]
fn what_runs_is_repaired_as_it_runs() {
    vnet_tests::isolate!();
    let driver = driver();
    keep("kept", &text("kept", 1, ""));
    driver.start_autostarts().unwrap();
    driver.start(&network("transient", 2)).unwrap();
    // The next start takes this, and no repair.
    keep("kept", &text("kept", 1, "<domain name='lab.test'/>"));
    let process = dnsmasq("kept");
    run("nft", &["flush", "ruleset"]);
    assert_eq!(states(&driver), [State::Drifted, State::Drifted]);
    assert_eq!(outcomes(driver.repair_all().unwrap()).good, ["kept", "transient"]);
    assert_eq!(states(&driver), [State::InSync, State::InSync]);

    run("nft", &["flush", "ruleset"]);
    let repaired = call(&["apply", "--running", "--format", "json"]);
    assert_eq!(repaired.status.code(), Some(0));
    let repaired: serde_json::Value = serde_json::from_slice(&repaired.stdout).unwrap();
    assert_eq!(repaired["networks"][0]["changes"][0]["key"], "rules of network kept");
    assert_eq!(repaired["networks"][1]["error"], serde_json::Value::Null);
    assert_eq!(states(&driver), [State::InSync, State::InSync]);

    run("nft", &["flush", "ruleset"]);
    assert_eq!(outcomes(driver.start_autostarts().unwrap()).good, ["kept"]);
    assert_eq!(states(&driver), [State::InSync, State::Drifted]);
    assert!(driver.info(&name("kept")).unwrap().differs);
    assert_eq!(dnsmasq("kept"), process);
}

struct Outcomes {
    good: Vec<String>,
    bad: Vec<(String, Error)>,
}

fn outcomes(attempts: Vec<Attempt>) -> Outcomes {
    let mut outcomes = Outcomes { good: Vec::new(), bad: Vec::new() };
    for Attempt { network, result, .. } in attempts {
        match result {
            Ok(_) => outcomes.good.push(network.to_string()),
            Err(error) => outcomes.bad.push((network.to_string(), error)),
        }
    }
    outcomes
}

fn states(driver: &Driver) -> Vec<State> {
    driver.all().unwrap().into_iter().filter_map(|listed| listed.unwrap().state).collect()
}

fn dnsmasq(network: &str) -> String {
    fs::read_to_string(format!("/run/vnet/{network}/dnsmasq.pid")).unwrap()
}

/// Keeps a definition that starts at boot, as an administrator with an editor does.
fn keep(name: &str, text: &str) {
    let folder = "/etc/vnet/networks";
    let (file, link) = (format!("{folder}/{name}.xml"), format!("{folder}/autostart/{name}.xml"));
    fs::create_dir_all(format!("{folder}/autostart")).unwrap();
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    if fs::symlink_metadata(&link).is_err() {
        symlink(format!("../{name}.xml"), link).unwrap();
    }
}

fn text(name: &str, subnet: u8, more: &str) -> String {
    format!(
        "<network><name>{name}</name>{more}<ip address='10.7.{subnet}.1' prefix='24'><dhcp>\
         <range start='10.7.{subnet}.10' end='10.7.{subnet}.20'/></dhcp></ip></network>"
    )
}

fn network(name: &str, subnet: u8) -> Network {
    text(name, subnet, "").parse().unwrap()
}

fn call(arguments: &[&str]) -> Output {
    Command::new(vnet()).args(arguments).output().unwrap()
}

fn name(name: &str) -> NetworkName {
    name.parse().unwrap()
}

fn driver() -> Driver {
    Driver::open("/run/vnet").unwrap()
}
