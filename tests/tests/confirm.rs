//! A change that is undone unless it is confirmed, also when whoever made it is gone.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use vnet_tests::{isolate, run, vnet, wait_for};

const SOON: Duration = Duration::from_secs(30);

fn call(arguments: &str) -> Output {
    Command::new(vnet()).args(arguments.split(' ')).output().unwrap()
}

fn done(arguments: &str) -> String {
    let output = call(arguments);
    assert!(output.status.success(), "{arguments}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn refused(arguments: &str, code: i32) -> String {
    let output = call(arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// Writes two definitions of one network.
fn write() {
    for (file, address) in [("one", "10.9.1.1"), ("two", "10.9.2.1")] {
        let text = format!(
            "<network><name>lab</name><bridge name='virbr7'/><ip address='{address}' prefix='24'>
             <dhcp><range start='{}' end='{}'/></dhcp></ip></network>",
            address.replace("2.1", "2.2").replace("1.1", "1.2"),
            address.replace("2.1", "2.9").replace("1.1", "1.9"),
        );
        fs::write(format!("/run/{file}.xml"), text).unwrap();
    }
}

fn has(address: &str) -> bool {
    run("ip", &["-4", "-brief", "address"]).contains(address)
}

/// The processes that wait to undo a change.
fn guards() -> Vec<String> {
    let processes = run("ps", &["-eo", "pid,args"]);
    let guards = processes.lines().filter(|line| line.contains("confirm --wait"));
    guards.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

#[test]
fn a_change_is_undone_after_its_maker_and_his_terminal_have_gone() {
    isolate!();
    write();
    done("start /run/one.xml");
    // script(1) gives it a terminal, which goes with it: what is left of the session is hung up.
    let apply = format!("{} apply --confirm-within 2s /run/two.xml; kill -KILL 0", vnet().display());
    Command::new("setsid").args(["script", "--quiet", "--command", &apply, "/dev/null"]).output().unwrap();
    wait_for(SOON, "the definition before", || has("10.9.1.1").then_some(()));
    wait_for(SOON, "the end of who waited", || guards().is_empty().then_some(()));
    assert!(!has("10.9.2.1"));
    assert_eq!(done("diff lab"), "network lab is in sync\n");
    assert!(!Path::new("/run/vnet/@unconfirmed").exists());
    done("stop lab");
    assert!(!Path::new("/run/vnet").exists());
}

#[test]
fn a_change_that_is_confirmed_stays() {
    isolate!();
    write();
    done("start /run/one.xml");
    let said = done("apply --confirm-within 1h /run/two.xml");
    assert!(said.contains("it is undone in 3600 s unless `vnet confirm lab` keeps it"), "{said}");
    assert!(has("10.9.2.1") && guards().len() == 1);
    let said = done("status lab");
    assert!(said.contains("its last change is undone in ") && said.contains("vnet confirm --undo lab"), "{said}");
    // Until it is decided, no other change is made.
    for apply in ["apply /run/one.xml", "apply --confirm-within 9s /run/one.xml"] {
        assert!(refused(apply, 2).contains("is not confirmed"));
    }
    assert!(has("10.9.2.1"));
    assert_eq!(done("confirm lab"), "the last change of network lab is confirmed\n");
    wait_for(SOON, "the end of who waited", || guards().is_empty().then_some(()));
    assert!(has("10.9.2.1"));
    assert!(refused("confirm lab", 1).contains("no change of network `lab` waits"));
    assert!(refused("confirm --undo lab", 1).contains("no change of network `lab` waits"));
    done("apply /run/one.xml");
    done("stop lab");
    assert!(!Path::new("/run/vnet").exists());
}

#[test]
fn a_change_is_undone_on_demand() {
    isolate!();
    write();
    done("start /run/one.xml");
    done("apply --confirm-within 1h /run/two.xml");
    assert_eq!(done("confirm --undo lab"), "the last change of network lab is undone\n");
    assert!(has("10.9.1.1") && !has("10.9.2.1"));
    wait_for(SOON, "the end of who waited", || guards().is_empty().then_some(()));
    done("stop lab");
}

#[test]
fn a_network_that_did_not_run_is_stopped() {
    isolate!();
    write();
    done("apply --confirm-within 1s /run/one.xml");
    wait_for(SOON, "the end of who waited", || guards().is_empty().then_some(()));
    assert!(!has("10.9.1.1") && !Path::new("/run/vnet").exists());
}

#[test]
fn what_changes_nothing_waits_for_nobody() {
    isolate!();
    write();
    done("start /run/one.xml");
    assert_eq!(done("apply --confirm-within 1h /run/one.xml"), "network lab: nothing to change\n");
    assert!(refused("confirm lab", 1).contains("waits for a confirmation"));
    // A change that fails is undone at once.
    run("ip", &["link", "add", "virbr8", "type", "bridge"]);
    let text = fs::read_to_string("/run/two.xml").unwrap().replace("virbr7", "virbr8");
    fs::write("/run/taken.xml", text).unwrap();
    assert!(!call("apply --confirm-within 1h /run/taken.xml").status.success());
    assert!(refused("confirm lab", 1).contains("waits for a confirmation"));
    wait_for(SOON, "the end of who waited", || guards().is_empty().then_some(()));
    // A network that is stopped has nothing to confirm.
    done("apply --confirm-within 1h /run/two.xml");
    done("stop lab");
    wait_for(SOON, "the end of who waited", || guards().is_empty().then_some(()));
    assert!(!Path::new("/run/vnet").exists());
}

#[test]
fn who_waits_for_one_change_does_not_undo_the_next() {
    isolate!();
    write();
    done("start /run/one.xml");
    done("apply --confirm-within 2s /run/two.xml");
    done("confirm lab");
    done("apply --confirm-within 1h /run/one.xml");
    wait_for(SOON, "the end of who waited for the first", || (guards().len() == 1).then_some(()));
    assert!(has("10.9.1.1"), "the second change is undone");
    done("confirm lab");
}

/// Who was to undo it was killed: that is said, and the next `gc` undoes it.
#[test]
fn a_change_that_nobody_undoes_is_overdue() {
    isolate!();
    write();
    done("start /run/one.xml");
    done("apply --confirm-within 1h /run/two.xml");
    let guard = guards().remove(0);
    run("kill", &["-KILL", &guard]);
    done("gc");
    assert!(has("10.9.2.1"), "it is not overdue");
    let record = Path::new("/run/vnet/@unconfirmed/lab");
    let text = fs::read_to_string(record).unwrap();
    fs::write(record, format!("1\n{}", text.split_once('\n').unwrap().1)).unwrap();
    assert!(done("status lab").contains("was not confirmed, and who was to undo it has ended"));
    done("gc");
    assert!(has("10.9.1.1") && !record.exists());
    done("stop lab");
    assert!(!Path::new("/run/vnet").exists());
}
