//! What is told of networks, ports, leases and drift, whoever changes them.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use vnet_driver::{Driver, EventKind, Events};
use vnet_tests::{isolate, run, vnet, without_capabilities};

const STATE: &str = "/run/vnet";
const NETWORK: &str = "<network><name>lab</name><bridge name='lab0' stp='off'/>
    <ip address='10.77.0.1' prefix='24'><dhcp><range start='10.77.0.100' end='10.77.0.200'/></dhcp></ip></network>";
const INTERFACE: &str = "<interface type='network'><source network='lab'/><mac address='52:54:00:00:00:01'/>
    <target dev='guest1'/></interface>";
/// Longer than any event takes.
const PATIENCE: Duration = Duration::from_secs(20);

fn call(arguments: &[&str], document: &str) {
    let mut child = Command::new(vnet()).args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(document.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{arguments:?}");
}

fn driver() -> Driver {
    Driver::open(STATE).unwrap()
}

/// The next event, without the kinds that come when they like.
fn next(events: &mut Events) -> EventKind {
    let event = events.next_before(Instant::now() + PATIENCE).unwrap().expect("an event in time");
    event.kind
}

/// No event is left, and none comes within the time that it takes to see drift.
fn quiet(events: &mut Events) {
    let event = events.next_before(Instant::now() + Duration::from_millis(1000)).unwrap();
    assert_eq!(event, None);
}

fn names(events: &mut Events, count: usize) -> Vec<&'static str> {
    (0..count).map(|_| next(events).name()).collect()
}

#[test]
fn what_another_process_does_is_told_once() {
    isolate!();
    let mut events = driver().events().unwrap();
    assert!(events.sees_drift());
    call(&["start", "-"], NETWORK);
    assert_eq!(next(&mut events), EventKind::Started);
    call(&["attach", "-"], INTERFACE);
    let EventKind::PortAttached { dev, mac, .. } = next(&mut events) else { panic!("no port") };
    assert_eq!((dev.as_str(), mac.to_string().as_str()), ("guest1", "52:54:00:00:00:01"));
    call(&["apply", "-"], &NETWORK.replace("<ip", "<mtu size='1400'/><ip"));
    assert_eq!(next(&mut events), EventKind::Changed);
    call(&["detach", "guest1"], "");
    assert_eq!(next(&mut events).name(), "port-detached");
    call(&["attach", "-"], INTERFACE);
    assert_eq!(next(&mut events).name(), "port-attached");
    quiet(&mut events);
    call(&["stop", "lab"], "");
    assert_eq!(names(&mut events, 2), ["port-detached", "stopped"]);
    quiet(&mut events);
    // The folder of state has gone with its last network, and comes again.
    assert!(!Path::new(STATE).exists());
    call(&["start", "-"], NETWORK);
    assert_eq!(next(&mut events), EventKind::Started);
    // Stopped and started before anybody looks: that it was is not missed.
    call(&["stop", "lab"], "");
    call(&["start", "-"], NETWORK);
    assert_eq!(names(&mut events, 2), ["stopped", "started"]);
    quiet(&mut events);
}

#[test]
fn kept_definitions_are_told_also_where_there_was_no_folder() {
    isolate!();
    let mut events = driver().events().unwrap();
    // A name that is not that of its file.
    let network = NETWORK.replace("<name>lab", "<name>a lab");
    for _ in 0..2 {
        call(&["define", "-"], &network);
        assert_eq!(next(&mut events), EventKind::Defined);
    }
    quiet(&mut events);
    call(&["start", "a lab"], "");
    assert_eq!(next(&mut events), EventKind::Started);
    call(&["undefine", "a lab"], "");
    assert_eq!(next(&mut events), EventKind::Undefined);
    call(&["stop", "a lab"], "");
    assert_eq!(next(&mut events), EventKind::Stopped);
}

#[test]
fn drift_is_told_and_its_end() {
    isolate!();
    call(&["start", "-"], NETWORK);
    run("ip", &["link", "set", "lab0", "down"]);
    // What has drifted before comes first.
    let mut events = driver().events().unwrap();
    let drifted = |events: &mut Events, what: &str| match next(events) {
        EventKind::DriftSeen { changes } => {
            assert!(changes.iter().any(|change| change.to_string().contains(what)), "{changes:?}");
        }
        other => panic!("{other:?}"),
    };
    drifted(&mut events, "lab0");
    run("ip", &["link", "set", "lab0", "up"]);
    assert_eq!(next(&mut events), EventKind::InSync);
    run("nft", &["flush", "table", "inet", "vnet"]);
    drifted(&mut events, "rules of network lab");
    // A repair is a change that is made, and not one of the network.
    call(&["apply", "-"], NETWORK);
    assert_eq!(next(&mut events), EventKind::InSync);
    // dnsmasq ends, which no folder and no socket tells.
    let pid = fs::read_to_string("/run/vnet/lab/dnsmasq.pid").unwrap();
    kill(Pid::from_raw(pid.trim().parse().unwrap()), Signal::SIGKILL).unwrap();
    drifted(&mut events, "dnsmasq");
    call(&["apply", "-"], NETWORK);
    assert_eq!(next(&mut events), EventKind::InSync);
    run("ip", &["link", "delete", "lab0"]);
    drifted(&mut events, "lab0");
    quiet(&mut events);
}

#[test]
fn a_change_that_is_under_way_is_no_drift() {
    isolate!();
    let mut events = driver().events().unwrap();
    for _ in 0..5 {
        call(&["start", "-"], NETWORK);
        call(&["attach", "-"], INTERFACE);
        call(&["apply", "-"], &NETWORK.replace("lab0", "lab1"));
        call(&["stop", "lab"], "");
    }
    // Nobody has looked, so it is as if nothing had been.
    quiet(&mut events);
    let looker = thread::spawn(|| {
        for _ in 0..5 {
            call(&["start", "-"], NETWORK);
            call(&["attach", "-"], INTERFACE);
            call(&["apply", "-"], &NETWORK.replace("lab0", "lab1"));
            call(&["stop", "lab"], "");
        }
    });
    let mut told = Vec::new();
    while !looker.is_finished() {
        told.extend(events.next_before(Instant::now() + Duration::from_millis(100)).unwrap());
    }
    looker.join().unwrap();
    while let Some(event) = events.next_before(Instant::now() + Duration::from_millis(700)).unwrap() {
        told.push(event);
    }
    let names: Vec<&str> = told.iter().map(|event| event.kind.name()).collect();
    assert!(names.contains(&"started") && names.contains(&"stopped"), "{names:?}");
    assert!(!names.contains(&"drift-seen"), "{told:?}");
    assert_eq!(names.last(), Some(&"stopped"), "{names:?}");
}

/// More than the kernel keeps for one who does not listen: what is told afterwards is so.
#[test]
fn after_an_overflow_nothing_is_told_that_is_not_so() {
    isolate!();
    call(&["start", "-"], NETWORK);
    let mut events = driver().events().unwrap();
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    for number in 0..limit.trim().parse::<usize>().unwrap() {
        let file = format!("{STATE}/.{}", number % 2);
        fs::write(&file, "x").unwrap();
        fs::remove_file(&file).unwrap();
    }
    call(&["attach", "-"], INTERFACE);
    assert_eq!(next(&mut events).name(), "port-attached");
    quiet(&mut events);
    call(&["stop", "lab"], "");
    assert_eq!(names(&mut events, 2), ["port-detached", "stopped"]);
}

#[test]
fn its_file_is_readable_when_there_is_something() {
    isolate!();
    let mut events = driver().events().unwrap();
    let is_ready = |events: &Events, millis: u16| {
        poll(&mut [PollFd::new(events.as_fd(), PollFlags::POLLIN)], PollTimeout::from(millis)).unwrap() > 0
    };
    // The look at the drift of the beginning is an alarm, and not more than that.
    let looks = (0..10).take_while(|_| is_ready(&events, 700) && events.try_next().unwrap().is_none()).count();
    assert!((1..10).contains(&looks), "{looks}");
    call(&["start", "-"], NETWORK);
    let started = loop {
        assert!(is_ready(&events, 20_000), "nothing is told");
        if let Some(event) = events.try_next().unwrap() {
            break event;
        }
    };
    assert_eq!(started.kind, EventKind::Started);
}

/// The lines that the program prints, until it ends or says nothing for too long.
fn listen(arguments: &[&str]) -> (Child, impl Iterator<Item = String>) {
    let mut child = Command::new(vnet()).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let (sender, lines) = channel();
    thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    (child, std::iter::from_fn(move || lines.recv_timeout(PATIENCE).ok()))
}

#[test]
fn the_program_prints_lines_and_lines_of_json() {
    isolate!();
    call(&["start", "-"], NETWORK);
    let (mut json, mut json_lines) = listen(&["events", "lab", "--format", "json"]);
    let (mut plain, mut plain_lines) = listen(&["events"]);
    let (mut other, other_lines) = listen(&["events", "other", "--timeout", "3s"]);
    // They listen when they have seen something.
    run("ip", &["link", "set", "lab0", "down"]);
    let drift: Value = serde_json::from_str(&json_lines.next().unwrap()).unwrap();
    assert_eq!((&drift["event"], &drift["network"]), (&"drift-seen".into(), &"lab".into()));
    vnet_tests::as_its_schema_says("event", &drift);
    assert!(drift["changes"][0].is_object(), "{drift}");
    assert!(plain_lines.next().unwrap().contains("Z lab drift seen: "));
    run("ip", &["link", "set", "lab0", "up"]);
    call(&["attach", "-"], INTERFACE);
    let mut port = Value::Null;
    while port["event"] != "port-attached" {
        port = serde_json::from_str(&json_lines.next().unwrap()).unwrap();
    }
    assert_eq!((&port["port"], &port["mac"]), (&"guest1".into(), &"52:54:00:00:00:01".into()));
    assert!(plain_lines.any(|line| line.ends_with("lab port attached: guest1 (52:54:00:00:00:01)")));
    assert_eq!(other_lines.count(), 0);
    assert!(other.wait().unwrap().success());
    for child in [&mut json, &mut plain] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn net_event_speaks_as_virsh_does() {
    isolate!();
    let list = Command::new(vnet()).args(["net-event", "--list"]).output().unwrap();
    assert_eq!(String::from_utf8(list.stdout).unwrap(), "lifecycle\nmetadata-change\n");
    let silent = Command::new(vnet()).args(["net-event", "--event", "lifecycle", "--timeout", "1"]).output().unwrap();
    assert_eq!(String::from_utf8(silent.stdout).unwrap(), "event loop timed out\nevents received: 0\n");
    assert_eq!(silent.status.code(), Some(1));
    // It ends with the first event that it sees.
    let (mut child, lines) = listen(&["net-event", "lab", "lifecycle", "--timestamp"]);
    while child.try_wait().unwrap().is_none() {
        call(&["start", "-"], NETWORK);
        call(&["stop", "lab"], "");
    }
    let lines: Vec<String> = lines.collect();
    let (time, event) = lines[0].split_once("+0000: ").unwrap();
    assert_eq!(time.len(), "2026-11-21 03:45:00.123".len());
    assert!(event.starts_with("event 'lifecycle' for network lab: St"), "{event}");
    assert_eq!(lines[1..], ["events received: 1"]);
    // Those of another network do not end it.
    let (mut child, lines) = listen(&["net-event", "--network", "other", "--event", "lifecycle", "--timeout", "2"]);
    while child.try_wait().unwrap().is_none() {
        call(&["start", "-"], NETWORK);
        call(&["stop", "lab"], "");
    }
    assert_eq!(lines.collect::<Vec<_>>(), ["event loop timed out", "events received: 0"]);
    // The title of both definitions is one event; so is an element of one of them.
    call(&["define", "-"], NETWORK);
    call(&["start", "lab"], "");
    let (mut child, lines) = listen(&["net-event", "lab", "metadata-change", "--loop", "--timeout", "3"]);
    let mut title = 0;
    while child.try_wait().unwrap().is_none() {
        title += 1;
        call(&["title", "lab", &title.to_string(), "--config", "--live"], "");
        call(&["metadata", "lab", "urn:a", "--key", "a", "--set", &format!("<a b='{title}'/>"), "--config"], "");
    }
    let lines: Vec<String> = lines.collect();
    let told = |what: &str| format!("event 'metadata-change' for network lab: type {what}");
    for what in ["title, uri <null>", "element, uri urn:a"] {
        assert!(lines.contains(&told(what)), "{lines:?}");
    }
    assert!(lines[..lines.len() - 2].iter().all(|line| line.starts_with(&told(""))), "{lines:?}");
    for wrong in [&["net-event"][..], &["net-event", "lab"], &["net-event", "--event", "banana"]] {
        assert!(!Command::new(vnet()).args(wrong).output().unwrap().status.success(), "{wrong:?}");
    }
}

#[test]
fn without_the_capability_all_but_drift_is_told() {
    isolate!();
    let mut events = without_capabilities(|| driver().events().unwrap());
    assert!(!events.sees_drift());
    call(&["start", "-"], NETWORK);
    assert_eq!(next(&mut events), EventKind::Started);
}
