//! Networks in a real northbound database, without hosts: who wins, what a transaction grows with,
//! and what is left.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use vnet_driver::{Error, OvnFailure, OvnNetwork};
use vnet_ovn::OvnGuest;
use vnet_tests::{OvnCentral, isolate, tell_vnet, vnet, vnet_does, wait_for};
use vnet_types::{MacAddr, Uuid};
use vnet_xml::Network;

const SOON: Duration = Duration::from_secs(10);
const HOOK: &str = "/etc/vnet/hooks/network";
const LOG: &str = "/tmp/hooks.log";

fn definition(central: &OvnCentral, name: &str, last: u8) -> String {
    format!(
        "<network><name>{name}</name><metadata><vnet:network xmlns:vnet='https://github.com/vnet-rs/vnet/network/1.0'>\
         <vnet:ovn northbound='{}'/></vnet:network></metadata><mtu size='{}'/><ip address='10.77.0.1' prefix='24'><dhcp>\
         <range start='10.77.0.2' end='10.77.0.9'/><host mac='52:54:00:00:00:99' ip='10.77.0.8'/><host \
         mac='52:54:00:00:00:98' ip='10.77.0.9'/></dhcp></ip><dns><host ip='10.77.0.{last}'><hostname>web</hostname>\
         </host></dns><route address='10.9.0.0' prefix='16' gateway='10.77.0.{last}'/></network>",
        central.remote(),
        1300 + u16::from(last)
    )
}

fn network(central: &OvnCentral, name: &str, last: u8) -> Network {
    definition(central, name, last).parse().unwrap()
}

#[test]
fn of_two_hosts_that_change_a_network_at_once_one_wins_whole() {
    isolate!();
    let central = OvnCentral::start(Path::new("/run/ovn"));
    let host = |last| OvnNetwork::open(&network(&central, "lab", last)).unwrap();
    // Both make it, and later both change it, by what they have read before the other was done.
    for (mut first, mut second) in [(host(3), host(4)), (host(5), host(6))] {
        let (won, lost) = (first.plan().unwrap(), second.plan().unwrap());
        first.carry_out(&won).unwrap();
        let told = second.carry_out(&lost).unwrap_err();
        assert!(matches!(&told, Error::Ovn(it) if matches!(**it, OvnFailure::ChangedMeanwhile(_))), "{told:?}");
        assert!(first.plan().unwrap().changes.is_empty(), "one definition, whole");
        assert!(!second.plan().unwrap().changes.is_empty());
    }
    // The same by the program, many times: each is done, or told so by its exit code.
    let last = |last: u8| definition(&central, "lab", last);
    let (mut won, mut lost) = (0, 0);
    for round in 0..6 {
        let each = [5, 6, 7].map(|it| last(it + round % 2));
        let codes: Vec<Option<i32>> = thread::scope(|scope| {
            let tried: Vec<_> =
                each.iter().map(|it| scope.spawn(|| tell_vnet(&["apply", "-"], it).status.code())).collect();
            tried.into_iter().map(|it| it.join().unwrap()).collect()
        });
        assert!(codes.iter().all(|code| [Some(0), Some(1)].contains(code)), "{codes:?}");
        won += codes.iter().filter(|code| **code == Some(0)).count();
        lost += codes.iter().filter(|code| **code == Some(1)).count();
        let whole = each.iter().filter(|it| tell_vnet(&["diff", "-", "--engine", "ovn"], it).status.success());
        assert_eq!(whole.count(), 1, "one of them is there whole");
    }
    println!("{won} done, {lost} told that another was faster");
    // A second network of the name is another one.
    let other =
        last(3).replace("<name>lab</name>", "<name>lab</name><uuid>6a0e3b0c-7d3f-4c7c-9a3f-0d0c5b6f1e10</uuid>");
    assert_eq!(tell_vnet(&["start", "-"], &other).status.code(), Some(1));
    vnet_does(&["stop", "-", "--engine", "ovn"], &last(3));
    assert_eq!(central.nbctl(&["show"]), "");
}

#[test]
fn a_transaction_grows_with_the_change() {
    isolate!();
    let central = OvnCentral::start(Path::new("/run/ovn"));
    let mut made = Vec::new();
    for number in 0..40 {
        let mut network = OvnNetwork::open(&network(&central, &format!("n{number}"), 3)).unwrap();
        let plan = network.plan().unwrap();
        network.carry_out(&plan).unwrap();
        made.push(plan.operations());
    }
    assert!(made.iter().all(|count| *count == made[0]), "{made:?}");
    let mut changed = OvnNetwork::open(&network(&central, "n7", 4)).unwrap();
    let plan = changed.plan().unwrap();
    let operations = plan.operations();
    assert!(operations < made[0] && plan.changes.len() < 8, "{operations}: {:?}", plan.changes);
    changed.carry_out(&plan).unwrap();
    let guest = |number: u8| {
        let mut guest = OvnGuest::new(Uuid([number; 16]), MacAddr([0x52, 0x54, 0, 0, 0, number]));
        guest.chassis = Some("h1".to_owned());
        guest
    };
    for number in 1..=6 {
        assert_eq!(changed.put_guest(guest(number)).unwrap(), None);
    }
    // What is read is the switch and the marks of the guests, one row each, whatever else there is.
    let all = changed.status().unwrap().rows;
    let before = changed.rows_read();
    changed.take_guest(Uuid([6; 16]), "h1").unwrap();
    changed.put_guest(guest(6)).unwrap();
    let read = changed.rows_read() - before;
    assert_eq!(read, (1 + 7) + (1 + 6), "the gateway's port and the guests; of {all} rows");
    assert!(all > 12, "{all}");
    // Where somebody has changed by hand what the change meets, all is read, and that stays.
    central.nbctl(&["set", "Logical_Switch", "n7", "name=other"]);
    changed.take_guest(Uuid([6; 16]), "h1").unwrap();
    let before = changed.rows_read();
    changed.put_guest(guest(6)).unwrap();
    assert!(changed.rows_read() - before > all - 6, "all but those of the guest");
    assert_eq!(central.nbctl(&["get", "Logical_Switch", "other", "name"]).trim(), "other");
    central.nbctl(&["set", "Logical_Switch", "other", "name=n7"]);
    // An address for each, and a message where none is left.
    let full = changed.put_guest(guest(7)).unwrap_err();
    assert!(format!("{full:?}").contains("all addresses from 10.77.0.2 to 10.77.0.9 are taken"), "{full:?}");
    let is_there = changed.plan().unwrap();
    assert!(is_there.changes.is_empty(), "guests are no drift: {:?}", is_there.changes);
    changed.take_guest(Uuid([3; 16]), "h2").unwrap();
    assert_eq!(changed.status().unwrap().ports.len(), 6, "it is on another host by now");
    for number in 1..=6 {
        changed.take_guest(Uuid([number; 16]), "h1").unwrap();
    }
    assert!(changed.plan().unwrap().changes.is_empty());
    println!("a network is made in {} operations, and changed in {operations}", made[0]);
}

/// Makes the administrator's hook.
fn hook(text: &str) {
    fs::create_dir_all("/etc/vnet/hooks").unwrap();
    let mut new = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o755).open(HOOK).unwrap();
    new.write_all(format!("#!/bin/sh\necho $1 $2 $3 >>{LOG}\ncat >/tmp/$2.xml\n{text}\n").as_bytes()).unwrap();
}

fn log() -> Vec<String> {
    let text = fs::read_to_string(LOG).unwrap_or_default();
    let _ = fs::remove_file(LOG);
    text.lines().map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect()
}

#[test]
fn hooks_are_asked_as_for_networks_of_a_host() {
    isolate!();
    let central = OvnCentral::start(Path::new("/run/ovn"));
    let (old, new) = (definition(&central, "lab", 3), definition(&central, "lab", 4));
    hook("");
    vnet_does(&["define", "-"], &old);
    vnet_does(&["start", "lab"], "");
    vnet_does(&["start", "lab"], "");
    vnet_does(&["apply", "-"], &new);
    vnet_does(&["apply", "-"], &new);
    assert_eq!(log(), ["start", "started", "updated"], "who finds it in sync asks nobody");
    vnet_does(&["stop", "lab"], "");
    assert_eq!(log(), ["stopped"]);
    let told = fs::read_to_string("/tmp/started.xml").unwrap();
    assert!(told.starts_with("<hookData>\n<network") && told.contains("<uuid>") && told.contains("vnet:ovn"), "{told}");

    // Refused before: no row is made. Refused after: none is left.
    for (refuses, asked) in [("start", &["start"][..]), ("started", &["start", "started", "stopped"])] {
        hook(&format!("[ $2 = {refuses} ] && exit 3; exit 0"));
        let output = tell_vnet(&["start", "lab"], "");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("exit status: 3"), "{said}");
        assert_eq!(log(), asked);
        assert_eq!(central.nbctl(&["--bare", "list", "Logical_Switch"]), "");
    }
    hook("[ $2 = updated ] && exit 3; exit 0");
    vnet_does(&["start", "lab"], "");
    let output = tell_vnet(&["apply", "-"], &new);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("is changed and stays so"), "{said}");
    assert!(!tell_vnet(&["diff", "lab"], "").status.success());
}

#[test]
fn a_change_that_nobody_confirms_is_undone() {
    isolate!();
    let central = OvnCentral::start(Path::new("/run/ovn"));
    let (old, new) = (definition(&central, "lab", 3), definition(&central, "lab", 4));
    vnet_does(&["start", "-"], &old);
    let refused = |document: &str, why: &str| {
        let output = tell_vnet(&["apply", "-", "--confirm-within", "1s"], document);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(why), "{said}");
        assert!(!run_vnet(&["confirm", "lab"]), "nothing waits");
    };
    refused(&new, "its definition is not kept here");
    vnet_does(&["define", "-"], &new);
    refused(&new, "of its rows are not as it is kept");
    vnet_does(&["define", "-"], &old);
    refused(&new.replace("db.sock'", "db.sock,tcp:127.0.0.1:1'"), "its definition is not kept here");

    vnet_does(&["apply", "-", "--confirm-within", "3s"], &new);
    assert!(!tell_vnet(&["diff", "lab"], "").status.success(), "the change is there");
    assert!(!tell_vnet(&["apply", "-"], &new).status.success(), "and no other before it is confirmed");
    wait_for(SOON, "the old rows", || tell_vnet(&["diff", "lab"], "").status.success().then_some(()));
    // Confirmed, it stays.
    vnet_does(&["apply", "-", "--confirm-within", "60s"], &new);
    assert!(run_vnet(&["confirm", "lab"]));
    vnet_does(&["define", "-"], &new);
    assert!(tell_vnet(&["diff", "lab"], "").status.success());
    // A network that was not there is stopped.
    vnet_does(&["stop", "lab"], "");
    vnet_does(&["apply", "lab", "--confirm-within", "60s"], "");
    assert!(run_vnet(&["confirm", "--undo", "lab"]));
    assert_eq!(central.nbctl(&["show"]), "");
}

/// `confirm` answers in words only.
fn run_vnet(arguments: &[&str]) -> bool {
    Command::new(vnet()).args(["--state-dir", "/run/vnet"]).args(arguments).status().unwrap().success()
}
