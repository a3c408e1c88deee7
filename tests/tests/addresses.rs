//! `vnet leases`: the addresses of guests, by their source.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::UdpSocket;
use std::num::NonZeroU16;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use vnet_driver::{Driver, EventKind, Events};
use vnet_lab::dhcp4::Client;
use vnet_netlink::Tap;
use vnet_tests::{Netns, isolate, run, vnet};
use vnet_types::TapOptions;

const SOON: Duration = Duration::from_secs(20);
const NETWORK: &str = "<network><name>lab</name><bridge name='lab0' stp='off'/>
    <ip address='10.77.0.1' prefix='24'><dhcp><range start='10.77.0.100' end='10.77.0.200'/>
    <host mac='52:54:00:00:00:02' name='second' ip='10.77.0.52'/>
    <host mac='52:54:00:00:00:09' name='ninth' ip='10.77.0.59'/></dhcp></ip></network>";

fn call(arguments: &[&str], document: &str) -> Output {
    let mut command = Command::new(vnet());
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(document.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn done(arguments: &[&str], document: &str) -> String {
    let Output { status, stdout, stderr } = call(arguments, document);
    assert!(status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

/// Source, MAC address, address and guest of each row.
fn rows(arguments: &[&str]) -> Vec<[String; 4]> {
    let text = done(&[&["leases", "--format", "json"], arguments].concat(), "");
    let report: Value = serde_json::from_str(&text).unwrap();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or("-").to_owned();
    let rows = report["leases"].as_array().unwrap().iter();
    rows.map(|row| ["source", "mac", "address", "guest"].map(|key| text(row, key))).collect()
}

fn row(source: &str, number: u8, address: &str, guest: &str) -> [String; 4] {
    [source, &format!("52:54:00:00:00:0{number}"), address, guest].map(str::to_owned)
}

/// Attaches a guest. Its card, `eth0`, is up.
fn attach(number: u8) -> Netns {
    let interface = format!(
        "<interface type='network'><source network='lab'/><mac address='52:54:00:00:00:0{number}'/>\
         <target dev='guest{number}'/></interface>"
    );
    done(&["attach", "--guest", &format!("vm{number}"), "-"], &interface);
    let guest = Netns::new();
    let outer = Tap::open(&format!("guest{number}").parse().unwrap(), NonZeroU16::MIN).unwrap();
    let inner = guest.run(|| {
        let tap = Tap::create(&"eth0".parse().unwrap(), &TapOptions::default(), NonZeroU16::MIN).unwrap();
        run("ip", &["link", "set", "eth0", "address", &format!("52:54:00:00:00:0{number}"), "up"]);
        tap
    });
    let [outer, inner] = [outer, inner].map(|tap| File::from(tap.into_queues().remove(0)));
    let (to, from) = (outer.try_clone().unwrap(), inner.try_clone().unwrap());
    thread::spawn(move || carry(from, to));
    thread::spawn(move || carry(outer, inner));
    guest
}

fn carry(mut from: File, mut to: File) {
    let mut frame = [0; 4096];
    while let Ok(length) = from.read(&mut frame) {
        // A link that is down loses it.
        let _ = to.write(&frame[..length]);
    }
}

/// The guest asks DHCP for an address.
fn ask(guest: &Netns, number: u8) -> String {
    guest.run(|| {
        let mac = format!("52:54:00:00:00:0{number}").parse().unwrap();
        let client = Client { mac, hostname: format!("host{number}") };
        let lease = client.lease(&"eth0".parse().unwrap(), Instant::now() + SOON).unwrap();
        lease.expect("an address").address.to_string()
    })
}

#[test]
fn addresses_are_known_by_lease_by_reservation_and_by_answer() {
    isolate!();
    done(&["start", "-"], NETWORK);
    done(&["start", "-"], &NETWORK.replace("lab", "two").replace("10.77.", "10.78."));
    let reserved = [row("reservation", 2, "10.77.0.52", "-"), row("reservation", 9, "10.77.0.59", "-")];
    assert_eq!(rows(&["lab"]), reserved);
    let [first, second, third] = [1, 2, 3].map(attach);
    let got = ask(&first, 1);
    assert_eq!(ask(&second, 2), "10.77.0.52");
    // One that never asks.
    third.run(|| run("ip", &["address", "add", "10.77.0.7/24", "dev", "eth0"]));
    run("ping", &["-c1", "-W9", "10.77.0.7"]);
    let all = [
        row("lease", 1, &got, "vm1"),
        row("lease", 2, "10.77.0.52", "vm2"),
        row("arp", 3, "10.77.0.7", "vm3"),
        reserved[1].clone(),
    ];
    assert_eq!(rows(&["lab"]), all);
    assert_eq!(rows(&["lab", "52:54:00:00:00:03"]), all[2..3]);
    assert_eq!(rows(&["52:54:00:00:00:01"]), all[..1]);
    assert_eq!(rows(&["lab", "--mac", "52:54:00:00:00:02"]), all[1..2]);
    assert_eq!(rows(&["lab", "--source", "lease"]), all[..2]);
    assert_eq!(rows(&["lab", "--source", "arp"]), all[2..3]);
    let reservations = [row("reservation", 2, "10.77.0.52", "vm2"), all[3].clone()];
    assert_eq!(rows(&["lab", "--source", "reservation"]), reservations);
    // All networks.
    let everything = rows(&[]);
    assert_eq!(everything[..4], all);
    assert_eq!(everything[4..].iter().map(|row| &row[2][..]).collect::<Vec<_>>(), ["10.78.0.52", "10.78.0.59"]);
    let table = done(&["leases", "lab"], "");
    let line = table.lines().find(|line| line.contains("10.77.0.7/24")).unwrap();
    assert_eq!(
        line.split_whitespace().collect::<Vec<_>>(),
        ["-", "52:54:00:00:00:03", "ipv4", "10.77.0.7/24", "-", "-", "vm3", "lab", "arp"]
    );
    // What cannot be read is no empty table.
    for network in ["lab", "two"] {
        fs::write(format!("/run/vnet/{network}/receipt"), "rubbish").unwrap();
    }
    let Output { status, stdout, .. } = call(&["leases"], "");
    assert!(!status.success() && stdout.is_empty(), "{}", String::from_utf8_lossy(&stdout));
}

#[test]
fn a_lease_is_waited_for() {
    isolate!();
    // The network starts while somebody waits already.
    let wait = |arguments: &[&str]| {
        let mut command = Command::new(vnet());
        command.args(["leases", "--format", "json", "--wait", "52:54:00:00:00:01"]).args(arguments);
        command.stdout(Stdio::piped()).spawn().unwrap()
    };
    let early = [wait(&["lab"]), wait(&["--timeout", "60s"])];
    done(&["start", "-"], NETWORK);
    let guest = attach(1);
    let late = wait(&["lab"]);
    let address = ask(&guest, 1);
    for waiting in early.into_iter().chain([late, wait(&[])]) {
        let Output { status, stdout, .. } = waiting.wait_with_output().unwrap();
        let report: Value = serde_json::from_slice(&stdout).unwrap();
        assert!(status.success() && report["leases"][0]["address"] == *address, "{report}");
    }
    let Output { status, stderr, .. } =
        call(&["leases", "lab", "--wait", "52:54:00:00:00:07", "--timeout", "10ms"], "");
    let said = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("52:54:00:00:00:07 got no lease in network `lab` within 10ms"), "{said}");
}

/// The guest gives its address back (RFC 2131, DHCPRELEASE).
fn release(guest: &Netns, number: u8, address: &str) {
    let address: std::net::Ipv4Addr = address.parse().unwrap();
    let mut message = [&[1, 1, 6, 0, 9, 9, 9, 9, 0, 0, 0, 0][..], &address.octets()].concat();
    message.resize(28, 0);
    message.extend([0x52, 0x54, 0, 0, 0, number]);
    message.resize(236, 0);
    message.extend([99, 130, 83, 99, 53, 1, 7, 54, 4, 10, 77, 0, 1, 255]);
    guest.run(|| {
        run("ip", &["address", "add", &format!("{address}/24"), "dev", "eth0"]);
        let socket = UdpSocket::bind((address, 68)).unwrap();
        socket.send_to(&message, "10.77.0.1:67").unwrap();
    });
}

fn next(events: &mut Events) -> EventKind {
    events.next_before(Instant::now() + SOON).unwrap().expect("an event in time").kind
}

/// No event comes, even when a lease would be gone for good.
fn quiet(events: &mut Events) {
    assert_eq!(events.next_before(Instant::now() + Duration::from_secs(1)).unwrap(), None);
}

#[test]
fn leases_are_told_when_they_come_and_go() {
    isolate!();
    done(&["start", "-"], NETWORK);
    let guest = attach(1);
    let mut events = Driver::open("/run/vnet").unwrap().events().unwrap();
    let address = ask(&guest, 1);
    let EventKind::LeaseGranted { ip, client, hostname, .. } = next(&mut events) else { panic!("no lease") };
    assert_eq!((ip.to_string(), &client[..]), (address.clone(), "52:54:00:00:00:01"));
    assert_eq!(hostname.as_deref(), Some("host1"));
    // Asking again is no news.
    assert_eq!(ask(&guest, 1), address);
    quiet(&mut events);
    release(&guest, 1, &address);
    let EventKind::LeaseExpired { ip, .. } = next(&mut events) else { panic!("not expired") };
    assert_eq!(ip.to_string(), address);
    assert_eq!(ask(&guest, 1), address);
    assert_eq!(next(&mut events).name(), "lease-granted");

    // dnsmasq empties its file before it writes it anew. It has nothing to write now.
    let file = "/var/lib/vnet/lab/leases";
    let text = fs::read_to_string(file).unwrap();
    let rewrite = |text: &str| fs::write(file, text).unwrap();
    for part in [&text[..0], &text[..30], &text] {
        rewrite(part);
        assert_eq!(events.try_next().unwrap(), None);
    }
    quiet(&mut events);
    // One that expires while nobody writes.
    let soon = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 1;
    rewrite(&format!("{text}{soon} 52:54:00:00:00:08 10.77.0.150 eighth *\n"));
    assert_eq!(next(&mut events).name(), "lease-granted");
    let EventKind::LeaseExpired { ip, hostname, .. } = next(&mut events) else { panic!("not expired") };
    assert_eq!((ip.to_string(), hostname.as_deref()), ("10.77.0.150".to_owned(), Some("eighth")));
}

/// Addresses are given in the order of the questions, so only a lease that lasts gives a guest the
/// same one again.
#[test]
fn a_guest_asks_again_after_a_restart_and_gets_the_same_address() {
    isolate!();
    let network =
        NETWORK.replace("<network>", "<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'>");
    let option = "<dnsmasq:options><dnsmasq:option value='dhcp-sequential-ip'/></dnsmasq:options></network>";
    let network = network.replace("</network>", option);
    for is_kept in [true, false] {
        if is_kept {
            done(&["define", "-"], &network);
            done(&["start", "lab"], "");
        } else {
            done(&["undefine", "lab"], "");
            done(&["start", "-"], &network);
        }
        let [first, second] = [1, 3].map(attach);
        assert_eq!([ask(&first, 1), ask(&second, 3)], ["10.77.0.100", "10.77.0.101"]);
        done(&["stop", "lab"], "");
        if is_kept {
            let leases = [row("lease", 1, "10.77.0.100", "-"), row("lease", 3, "10.77.0.101", "-")];
            assert_eq!(rows(&["lab", "--source", "lease"]), leases);
            done(&["start", "lab"], "");
        } else {
            assert!(!call(&["leases", "lab"], "").status.success());
            done(&["start", "-"], &network);
        }
        let again = attach(3);
        let expected = if is_kept { "10.77.0.101" } else { "10.77.0.100" };
        assert_eq!(ask(&again, 3), expected);
        done(&["stop", "lab"], "");
    }
}
