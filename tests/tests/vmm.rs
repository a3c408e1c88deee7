//! `vnet-driver` as somebody uses it who writes a virtual machine monitor: its example, run.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use vnet_driver::{AttachOptions, AttachedPort, Capability, Driver, Error, Interface, Network, RunningNetwork};
use vnet_tests::{isolate, json, run, vnet, wait_for, without_capabilities};

#[allow(dead_code, reason = "its main is for people")]
#[path = "../../crates/vnet-driver/examples/vmm.rs"]
mod vmm;

const STATE: &str = "/run/vmm";
/// Without DHCP: what is asked here is the same, and faster.
const NETWORK: &str = "<network><name>vmm</name><forward mode='nat'/><bridge name='vmm0' stp='off'/>
    <ip address='10.77.0.1' prefix='24'/></network>";

fn driver() -> Driver {
    Driver::open(STATE).unwrap()
}

fn network() -> Network {
    NETWORK.parse().unwrap()
}

fn guest() -> (AttachedPort, RunningNetwork) {
    vmm::guest(&driver(), &network()).unwrap()
}

fn links() -> Vec<String> {
    let links = json("ip", &["-j", "link"]);
    links.as_array().unwrap().iter().map(|link| link["ifname"].as_str().unwrap().to_owned()).collect()
}

fn rules() -> String {
    run("nft", &["list", "ruleset"])
}

#[test]
fn a_second_run_has_nothing_to_do_and_the_last_leaves_no_trace() {
    isolate!();
    let before = (links(), rules());
    let (first, network) = guest();
    assert!(!network.outcome().changes.is_empty());
    let ruled = rules();
    assert!(ruled.contains("masquerade"), "{ruled}");
    let (second, found) = guest();
    assert_eq!(found.outcome().changes, []);
    assert_ne!(first.port().mac, second.port().mac);
    assert_eq!(links()[1..], ["vmm0", "vnet0", "vnet1"]);
    assert_eq!(rules(), ruled);

    // What one guest says the other hears.
    let [mut from, mut to] = [&first, &second].map(|guest| {
        let name = guest.port().dev.as_str();
        wait_for(Duration::from_secs(10), "the port to forward", || {
            (run("bridge", &["link", "show", "dev", name]).contains("state forwarding")).then_some(())
        });
        std::fs::File::from(guest.queues()[0].try_clone().unwrap())
    });
    let mut frame = [&[0xff; 6][..], &first.port().mac.0, b"\x88\xb5hello"].concat();
    frame.resize(60, 0);
    from.write_all(&frame).unwrap();
    let mut heard = [0; 2048];
    while heard[12..19] != *b"\x88\xb5hello" {
        assert!(to.read(&mut heard).unwrap() > 0);
    }
    drop((from, to));
    assert_eq!(driver().diff(&"vmm".parse().unwrap()).unwrap(), [], "nothing is missed while all is there");

    // The one that found the network leaves it, the one that started it ends it.
    drop((second, found));
    assert_eq!(links()[1..], ["vmm0", "vnet0"]);
    drop((first, network));
    assert_eq!((links(), rules()), before);
    assert!(!Path::new(STATE).exists(), "nothing is left");
    // And all over again, the network first.
    let (first, network) = guest();
    drop(network);
    assert_eq!(links()[1..], ["vmm0", "vnet0"]);
    drop(first);
    assert_eq!((links(), rules()), before);
}

#[test]
fn a_network_stays_while_guests_of_others_are_attached() {
    isolate!();
    let (first, network) = guest();
    let (second, found) = guest();
    drop((first, network));
    assert_eq!(links()[1..], ["vmm0", "vnet1"]);
    drop((second, found));
    driver().stop(&"vmm".parse().unwrap()).unwrap();
    assert_eq!(links()[1..], [""; 0]);
}

/// What is missing is said in words and in a type, and for which call.
#[test]
fn without_the_capability_it_is_named_and_nothing_is_done() {
    isolate!();
    let before = (links(), rules());
    let refused = without_capabilities(|| vmm::guest(&driver(), &network()).unwrap_err());
    assert_eq!(refused.missing_capability(), Some(Capability::NetAdmin));
    assert_eq!(refused.to_string(), "the capability CAP_NET_ADMIN over the network namespace is missing");
    // As a `main` that returns it shows it.
    let said = format!("{refused:?}");
    assert!(said.contains("the kernel refused to show the rules: Operation not permitted"), "{said}");
    assert_eq!((links(), rules()), before);

    // The network was made with it; a guest comes without.
    let running = guest();
    let before = links();
    let interface: Interface = "<interface type='ethernet'/>".parse().unwrap();
    let refused = without_capabilities(|| driver().attach_open(&interface, &AttachOptions::default()).unwrap_err());
    let Error::Denied { capability: Capability::NetAdmin, source } = &refused else { panic!("{refused}") };
    assert!(source.to_string().starts_with("link vnet1 failed"), "{source}");
    assert!(format!("{refused:?}").contains("cannot add tap vnet1: Operation not permitted"), "{refused:?}");
    assert_eq!(links(), before);
    drop(running);
}

/// Set for the process that is killed.
const VICTIM: &str = "VNET_TEST_VICTIM";

/// A monitor that runs until it is killed: this test's program, once more.
#[test]
#[ignore = "a process of another test"]
fn victim() {
    let Some(persistent) = std::env::var_os(VICTIM) else { return };
    let options = AttachOptions { persistent: persistent == "persistent", ..AttachOptions::default() };
    let network = driver().run(&network()).unwrap();
    let guest = network.attach_with(&Interface::network("vmm"), &options).unwrap();
    println!("\nattached {}", guest.port().dev);
    loop {
        std::thread::park();
    }
}

/// Starts a monitor, and waits until it has its guest.
fn start_a_monitor(tap: &str) -> Child {
    let mut command = Command::new("/proc/self/exe");
    command.args(["--exact", "victim", "--include-ignored", "--nocapture"]).env(VICTIM, tap);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map(Result::unwrap).any(|line| line.starts_with("attached ")), "it ends before it has a guest");
    child
}

/// Kills a monitor that has its guest.
fn kill_a_monitor(tap: &str) {
    let mut child = start_a_monitor(tap);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_a_killed_monitor_leaves_is_taken_away_by_the_next() {
    isolate!();
    let before = (links(), rules());
    kill_a_monitor("");
    assert_eq!(links()[1..], ["vmm0"], "the tap goes with its files");
    let gone = driver().gc().unwrap();
    assert_eq!(gone.networks, ["vmm".parse().unwrap()]);
    assert_eq!(gone.ports, ["vnet0".parse().unwrap()]);
    assert!(gone.errors.is_empty(), "{:?}", gone.errors);
    assert_eq!((links(), rules()), before);
    assert!(!Path::new(STATE).exists(), "nothing is left");
    assert!(driver().gc().unwrap().networks.is_empty(), "there is nothing more to do");

    // A tap that was to stay stays, until somebody cleans up; here who only looks.
    kill_a_monitor("persistent");
    assert_eq!(links()[1..], ["vmm0", "vnet0"]);
    assert!(driver().networks().unwrap().is_empty());
    assert_eq!((links(), rules()), before);

    // The next start of anything, which would have the same subnet.
    kill_a_monitor("");
    let other = NETWORK.replace("vmm0", "other0").replace(">vmm<", ">other<").parse().unwrap();
    let started = driver().start(&other).unwrap();
    assert_eq!(links()[1..], ["other0"]);
    // A network that somebody starts for good is not taken away.
    assert!(driver().gc().unwrap().networks.is_empty());
    driver().stop(&started.name).unwrap();
    assert_eq!((links(), rules()), before);

    // The program, asked to, or as it lists.
    kill_a_monitor("");
    assert!(program(&["gc"]).ends_with("port vnet0 taken away\nnetwork vmm taken away\n"));
    assert_eq!(program(&["gc"]), "nothing is left of programs that have ended\n");
    assert_eq!((links(), rules()), before);
    kill_a_monitor("");
    assert!(!program(&["list"]).contains("vmm"));
    assert_eq!((links(), rules()), before);

    // The next monitor takes the network over, and ends it.
    kill_a_monitor("");
    drop(guest());
    assert_eq!((links(), rules()), before);
}

#[test]
fn a_guest_of_somebody_else_keeps_the_network_of_a_killed_monitor() {
    isolate!();
    let (port, network) = guest();
    kill_a_monitor("");
    drop((port, network));
    assert!(links()[1..].is_empty(), "the port of the killed one is no reason to stay: {:?}", links());

    kill_a_monitor("");
    let interface = Interface::network("vmm");
    let attached = driver().attach(&interface, &AttachOptions::default());
    assert!(attached.is_err(), "the network of the killed one is taken away before");

    let mut monitor = start_a_monitor("");
    let port = driver().attach(&interface, &AttachOptions::default()).unwrap().port.dev;
    monitor.kill().unwrap();
    monitor.wait().unwrap();
    let gone = driver().gc().unwrap();
    assert!(gone.networks.is_empty() && gone.ports.len() == 1, "{gone:?}");
    driver().detach(&port).unwrap();
    assert_eq!(driver().gc().unwrap().networks.len(), 1);
    assert!(links()[1..].is_empty(), "{:?}", links());
}

/// Runs the program on the monitor's folder.
fn program(arguments: &[&str]) -> String {
    run(vnet().to_str().unwrap(), &[&["--state-dir", STATE], arguments].concat())
}

/// What the program has started, the library brings up without loss; what the library has started,
/// the program knows.
#[test]
fn the_library_and_the_program_know_the_same_networks() {
    isolate!();
    std::fs::write("/tmp/network.xml", NETWORK).unwrap();
    std::fs::write("/tmp/guest.xml", Interface::network("vmm").to_string()).unwrap();
    program(&["start", "/tmp/network.xml"]);
    let dumped = program(&["dumpxml", "vmm"]);
    let found = driver().run(&network()).unwrap();
    assert_eq!(found.outcome().changes, []);
    assert_eq!(program(&["dumpxml", "vmm"]), dumped);
    program(&["attach", "/tmp/guest.xml"]);
    drop(found);
    program(&["detach", "vnet0"]);
    assert_eq!(program(&["diff", "vmm"]), "network vmm is in sync\n");
    program(&["stop", "vmm"]);

    // Each start of a network that is not defined draws another UUID.
    let but_for_uuid = |text: &str| text.lines().filter(|line| !line.contains("<uuid>")).collect::<String>();
    let running = driver().run(&network()).unwrap();
    assert_eq!(but_for_uuid(&program(&["dumpxml", "vmm"])), but_for_uuid(&dumped));
    program(&["attach", "/tmp/guest.xml"]);
    assert!(program(&["ports"]).contains("vnet0"));
    assert!(program(&["status", "vmm"]).starts_with("vmm: in sync\n"));
    program(&["detach", "vnet0"]);
    drop(running);
    assert!(links()[1..].is_empty(), "{:?}", links());
}
