//! What a call costs beside other networks: messages to the kernel, and waits for the disk, counted
//! by strace(1).

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::process::{Command, Stdio};

use vnet_driver::{Driver, Error, Network, State};
use vnet_tests::{isolate, run, vnet};
use vnet_validate::{Finding, rule};

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
            call(&mut Command::new(vnet()), &["attach", "-"], &guest("guest"));
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
        calls.push(("attach of one", messages(&["attach", "-"], &guest("one"))));
        calls.push(("detach of one", messages(&["detach", "one"], "")));
        for (what, sent) in &calls[..3] {
            assert!((1..=40 + 2 * count).contains(sent), "{what} of {count} networks: {sent} messages");
        }
        seen.push(calls);
    }
    assert_eq!(seen[0], seen[1]);
    messages(&["status"], "");
    assert_ne!((listings(ELEMENTS), listings(LINKS)), (0, 0));
    for (arguments, input, own) in [
        (["diff", "n1"], String::new(), "n1"),
        (["apply", "-"], definition(1, ""), "n1"),
        (["start", "-"], definition(201, ""), "n201"),
        (["attach", "-"], guest("one"), "n0"),
        (["attach", "-"], guest("vnet0"), "n0"),
        (["stop", "n201"], String::new(), "n201"),
    ] {
        messages(&arguments, &input);
        assert_eq!(receipts_but(own), Vec::<String>::new(), "{arguments:?} looks at receipts of others");
        assert_eq!(listings(ELEMENTS), 0, "{arguments:?} lists the rules of all networks");
        assert_eq!(listings(LINKS), 0, "{arguments:?} lists all links");
    }
}

/// The ports of a network are decided on beside one inventory.
#[test]
fn messages_do_not_grow_with_the_ports() {
    isolate!();
    start_if_absent(0);
    let domain = |count: usize| {
        let guest = "<interface type='network'><source network='n0'/></interface>";
        format!("<domain><name>g</name><devices>{}</devices></domain>", guest.repeat(count))
    };
    let mut seen = Vec::new();
    for count in [3, 27] {
        call(&mut Command::new(vnet()), &["attach", "-"], &domain(count));
        let definition = definition(0, "");
        seen.push(["apply", "plan"].map(|verb| (verb, messages(&[verb, "-"], &definition))));
    }
    assert_eq!(seen[0], seen[1], "with 3 ports, and with 30");
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

/// The kernel answers who deletes a bridge long after it is gone: another process waits for that.
#[test]
fn a_stop_and_a_detach_do_not_wait_for_the_answer() {
    isolate!();
    start_if_absent(0);
    call(&mut Command::new(vnet()), &["attach", "-"], &guest("one"));
    for arguments in [["detach", "one"], ["stop", "n0"]] {
        traced(&arguments, "");
        let trace = fs::read_to_string(TRACE).unwrap();
        assert!(trace.contains("RTM_GETLINK") && !trace.contains("RTM_DELLINK"), "{arguments:?}: {trace}");
    }
}

fn guest(device: &str) -> String {
    format!("<interface type='network'><source network='n0'/><target dev='{device}'/></interface>")
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

/// A start asks only for what is near to its definition, and sees all that is in the way.
#[test]
fn what_is_in_the_way_is_near() {
    isolate!();
    let driver = Driver::open("/run/near").unwrap();
    let network = |name: &str, more: &str, subnet: &str| -> Network {
        let text = format!(
            "<network><name>{name}</name>{more}<forward mode='nat'/><dns enable='no'/><ip address='{subnet}.1' \
             prefix='24'/></network>"
        );
        text.parse().unwrap()
    };
    let uuid = "<uuid>b5c2a8e6-5d0e-4bd4-a1b0-5d9c3a1f0e77</uuid>";
    driver.start(&network("first", uuid, "10.0.1")).unwrap();
    for command in [
        "link set dev virbr0 down",
        "link set dev virbr0 name old0",
        "link add other0 type bridge",
        "link add virbr1 type bridge",
        "link set dev other0 up",
        "address add 10.9.0.1/16 dev other0",
        "route add 172.16.0.0/12 via 10.9.0.2",
    ] {
        run("ip", &command.split(' ').collect::<Vec<_>>());
    }
    let is_named = |finding: &Finding, name: &str| rule(finding.code).is_some_and(|rule| rule.name == name);
    for (more, subnet, name) in [
        ("<bridge name='other0'/>", "10.0.2", "host-bridge-name-taken"),
        ("<bridge name='old0'/>", "10.0.2", "host-bridge-name-taken"),
        (uuid, "10.0.2", "host-uuid-taken"),
        ("", "10.0.1", "host-subnet-in-use"),
        ("", "10.9.5", "host-subnet-in-use"),
    ] {
        match driver.start(&network("second", more, subnet)) {
            Err(Error::Refused { findings, .. }) => {
                assert!(findings.iter().any(|finding| is_named(finding, name)), "{name}: {findings:?}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    // The network's own bridge is found under its new name.
    driver.apply(&network("first", uuid, "10.0.1")).unwrap();
    assert_eq!(driver.diff(&"first".parse().unwrap()).unwrap(), []);
    let started = driver.start(&network("second", "", "172.16.5")).unwrap();
    assert!(started.findings.iter().any(|finding| is_named(finding, "host-subnet-inside-route")), "{started:?}");
    let third = driver.start(&network("third", "", "10.0.3")).unwrap();
    let bridges = [started.bridge, third.bridge].map(|bridge| bridge.unwrap().to_string());
    assert!(!bridges.contains(&"virbr1".to_owned()) && bridges[0] != bridges[1], "{bridges:?}");
}

/// A list asks for the rules once, and again when somebody has changed them.
#[test]
fn rules_are_known_until_they_are_changed() {
    isolate!();
    let states = || {
        let listed = Driver::open("/run/vnet").unwrap().networks().unwrap();
        listed.into_iter().map(|it| it.unwrap().state).collect::<Vec<_>>()
    };
    let asks = |expected: bool, why: &str| {
        messages(&["list"], "");
        assert_eq!(listings(ELEMENTS) > 0, expected, "{why}");
    };
    let (runs, drifted) = (State::InSync, State::Drifted);
    (0..2).for_each(start_if_absent);
    asks(true, "nothing is known");
    asks(false, "it is known");
    assert_eq!(states(), [runs, runs]);
    let element = "{ \"virbr0\" . 10.0.0.0 comment \"network n0: nat: these guests may reach out\" }";
    let change = |what: &str| drop(run("nft", &[format!("{what} element inet vnet leave_ipv4 {element}").as_str()]));
    change("delete");
    assert_eq!(states(), [drifted, runs]);
    assert_eq!(states(), [drifted, runs]);
    change("add");
    asks(true, "the rules were changed");
    asks(false, "they are as before");
    start_if_absent(2);
    asks(true, "a network was started");
    asks(false, "it is known too");
    assert_eq!(states(), [runs, runs, runs]);
    run("nft", &["add element inet vnet bridges { \"lo\" comment \"network n1: its bridge\" }"]);
    assert_eq!(states(), [runs, drifted, runs]);
    run("nft", &["delete element inet vnet bridges { \"lo\" }"]);
    asks(true, "the rules were changed");
    run("ip", &["link", "delete", "virbr2"]);
    run("ip", &["link", "add", "virbr2", "type", "bridge"]);
    assert_eq!(states(), [runs, runs, drifted]);
}

/// Lists that a call asks for.
const ELEMENTS: &str = "NFT_MSG_GETSETELEM";
const LINKS: &str = "RTM_GETLINK";

/// How many lists of a kind the last call has asked for.
fn listings(kind: &str) -> usize {
    let trace = fs::read_to_string(TRACE).unwrap();
    let requests = trace.split(kind).skip(1).map(|it| it.split("nlmsg_seq").next().unwrap());
    requests.filter(|flags| flags.contains("NLM_F_DUMP") || flags.contains("0x300")).count()
}

/// The receipts of networks but one that the last call has looked at.
fn receipts_but(network: &str) -> Vec<String> {
    let trace = fs::read_to_string(TRACE).unwrap();
    let of_others = |line: &&str| line.contains("/receipt\"") && !line.contains("/@ports/");
    let others = trace.lines().filter(of_others).filter(|line| !line.contains(&format!("/{network}/receipt")));
    others.map(str::to_owned).collect()
}

fn syncs() -> usize {
    let trace = fs::read_to_string(TRACE).unwrap();
    trace.lines().filter(|line| line.contains("sync(") || line.contains("sync resumed")).count()
}

fn traced(arguments: &[&str], input: &str) {
    let mut strace = Command::new("strace");
    let calls = "trace=sendto,sendmsg,fsync,fdatasync,syncfs,sync,openat,statx";
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
