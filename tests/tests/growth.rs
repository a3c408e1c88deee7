//! What a call costs beside other networks: messages to the kernel, and waits for the disk, counted
//! by strace(1).

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::process::{Command, Stdio};

use vnet_tests::{isolate, vnet};

const TRACE: &str = "/run/trace";

/// A list costs as many messages for 30 networks as for 10, and so does a call about one network
/// beside them.
#[test]
fn messages_do_not_grow_with_the_networks() {
    isolate!();
    let mut seen = Vec::new();
    for count in [10, 30] {
        (0..count).for_each(start_if_absent);
        if count == 10 {
            let guest = "<interface type='network'><source network='n0'/><target dev='guest'/></interface>";
            call(&mut Command::new(vnet()), &["attach", "-"], guest);
        }
        let mut calls = vec![
            ("list", messages(&["list"], "")),
            ("ports", messages(&["ports"], "")),
            ("status", messages(&["status"], "")),
            ("status of one", messages(&["status", "n1"], "")),
            ("diff of one", messages(&["diff", "n1"], "")),
            ("apply of one", messages(&["apply", "-"], &definition(1, ""))),
            ("start of one", messages(&["start", "-"], &definition(200, ""))),
        ];
        calls.push(("stop of one", messages(&["stop", "n200"], "")));
        for (what, sent) in &calls[..3] {
            assert!((1..=40 + 2 * count).contains(sent), "{what} of {count} networks: {sent} messages");
        }
        seen.push(calls);
    }
    assert_eq!(seen[0], seen[1]);
    messages(&["status"], "");
    assert_ne!(listings(), 0);
    for (arguments, input) in [(["diff", "n1"], ""), (["apply", "-"], &definition(1, ""))] {
        messages(&arguments, input);
        assert_eq!(listings(), 0, "{arguments:?} lists the rules of all networks");
    }
}

/// A start and a stop of a network with DHCP wait for the disk twice.
#[test]
fn a_start_and_a_stop_sync_twice() {
    isolate!();
    let dhcp = "<dhcp><range start='10.0.0.2' end='10.0.0.9'/></dhcp>";
    traced(&["start", "-"], &definition(0, dhcp));
    assert_eq!(syncs(), 2);
    traced(&["stop", "n0"], "");
    assert!((1..=2).contains(&syncs()), "{}", syncs());
}

fn definition(number: usize, dhcp: &str) -> String {
    let dns = if dhcp.is_empty() { "<dns enable='no'/>" } else { "" };
    format!(
        "<network><name>n{number}</name><forward mode='nat'/>{dns}\
         <ip address='10.0.{number}.1' prefix='24'>{dhcp}</ip></network>"
    )
}

fn start_if_absent(number: usize) {
    if !fs::exists(format!("/sys/class/net/virbr{number}")).unwrap() {
        call(&mut Command::new(vnet()), &["start", "-"], &definition(number, ""));
    }
}

/// The messages that vnet sends to the kernel.
fn messages(arguments: &[&str], input: &str) -> usize {
    traced(arguments, input);
    fs::read_to_string(TRACE).unwrap().matches("nlmsg_len=").count()
}

/// The lists of a set's elements that the last call has asked for.
fn listings() -> usize {
    let trace = fs::read_to_string(TRACE).unwrap();
    let requests = trace.split("NFT_MSG_GETSETELEM").skip(1).map(|it| it.split("nlmsg_seq").next().unwrap());
    requests.filter(|flags| flags.contains("NLM_F_DUMP") || flags.contains("0x300")).count()
}

fn syncs() -> usize {
    let trace = fs::read_to_string(TRACE).unwrap();
    trace.lines().filter(|line| line.contains("sync(") || line.contains("sync resumed")).count()
}

fn traced(arguments: &[&str], input: &str) {
    let mut strace = Command::new("strace");
    let calls = "trace=sendto,sendmsg,fsync,fdatasync,syncfs,sync";
    strace.args(["-v", "-s", "65536", "-e", calls, "-o", TRACE]).arg(vnet());
    call(&mut strace, arguments, input);
}

fn call(program: &mut Command, arguments: &[&str], input: &str) {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    fs::write("/run/definition.xml", input).unwrap();
    let stdin = Stdio::from(fs::File::open("/run/definition.xml").unwrap());
    let output = program.args(arguments).env("PATH", path).stdin(stdin).output().expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
}
