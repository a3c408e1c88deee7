//! The crates as somebody uses them who writes a virtual machine monitor: the example of `vnet-host`, run.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use vnet_host::{Attachment, Capability, Error, LinuxHost, Store};
use vnet_plan::{PortChoices, attach};
use vnet_tests::{isolate, json, run, wait_for, without_capabilities};
use vnet_xml::Interface;

#[allow(dead_code, reason = "its main is for people")]
#[path = "../../crates/vnet-host/examples/vmm.rs"]
mod vmm;

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
    let store = Store::new("/run/vmm");
    let before = (links(), rules());
    let (first, network) = vmm::guest(&store).unwrap();
    assert!(!network.changes().is_empty());
    let ruled = rules();
    assert!(ruled.contains("masquerade"), "{ruled}");
    let (second, found) = vmm::guest(&store).unwrap();
    assert_eq!(found.changes(), []);
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

    // The one that found the network leaves it, the one that started it ends it.
    drop((second, found));
    assert_eq!(links()[1..], ["vmm0", "vnet0"]);
    drop((first, network));
    assert_eq!((links(), rules()), before);
    assert!(!Path::new("/run/vmm").exists(), "nothing is left");
    // And all over again.
    drop(vmm::guest(&store).unwrap());
    assert_eq!((links(), rules()), before);
}

#[test]
fn a_network_stays_while_guests_of_others_are_attached() {
    isolate!();
    let store = Store::new("/run/vmm");
    let (first, network) = vmm::guest(&store).unwrap();
    let (second, found) = vmm::guest(&store).unwrap();
    drop((first, network));
    assert_eq!(links()[1..], ["vmm0", "vnet1"]);
    drop((second, found));
    let mut host = LinuxHost::open().unwrap();
    let namespace = LinuxHost::namespace().unwrap();
    vnet_host::stop(&mut host, &store.lock().unwrap(), &"vmm".parse().unwrap(), namespace).unwrap();
    assert_eq!(links()[1..], [""; 0]);
}

/// An error and what it comes of.
fn words(error: &Error) -> String {
    let chain = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// What is missing is said in a type, and for which call in words.
#[test]
fn without_the_capability_it_is_named_and_nothing_is_done() {
    isolate!();
    let store = Store::new("/run/vmm");
    let before = (links(), rules());
    let refused = without_capabilities(|| *vmm::guest(&store).unwrap_err().downcast::<Error>().unwrap());
    assert_eq!(refused.missing_capability(), Some(Capability::NetAdmin));
    let said =
        "the rules of network `vmm` are not to be had: the kernel refused to show the rules: Operation not permitted";
    assert!(words(&refused).starts_with(said), "{}", words(&refused));
    assert_eq!((links(), rules()), before);

    // The network was made with it; a guest comes without.
    let running = vmm::guest(&store).unwrap();
    let before = links();
    let refused = without_capabilities(|| {
        let mut host = LinuxHost::open().unwrap();
        let lock = store.lock().unwrap();
        let inventory = vnet_host::inventory(&host, &store).unwrap();
        let interface: Interface = "<interface type='ethernet'/>".parse().unwrap();
        let lowered = attach(&interface, None, &inventory, &PortChoices::default()).unwrap();
        Attachment::new(&mut host, &lock, &lowered).unwrap_err()
    });
    assert_eq!(refused.missing_capability(), Some(Capability::NetAdmin));
    let Error::Step { step, .. } = &refused else { panic!("{refused}") };
    assert_eq!(step.to_string(), "link vnet1");
    assert!(words(&refused).contains("cannot add tap vnet1: Operation not permitted"), "{}", words(&refused));
    assert_eq!(links(), before);
    drop(running);
}
