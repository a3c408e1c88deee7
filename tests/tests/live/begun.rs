//! Connections that run when a network begins to limit what its guests reach, on a host that has
//! not tracked connections before.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use vnet_tests::{isolate, wait_for};

use crate::guest::{attach, done};
use crate::stream::{OUTSIDE, PORT, address, outside};

const SOON: Duration = Duration::from_secs(20);
const A_WHILE: Duration = Duration::from_millis(300);

fn routed(metadata: &str) -> String {
    format!(
        "<network><name>lab</name>{metadata}<forward mode='route'/><bridge name='lab0' stp='off'/>
         <ip address='10.9.0.1' prefix='24'/></network>"
    )
}

/// Writes as long as anybody listens, and counts what comes back.
fn talk(mut stream: TcpStream, heard: &Arc<AtomicUsize>) {
    let mut other = stream.try_clone().unwrap();
    let heard = heard.clone();
    thread::spawn(move || {
        let mut bytes = [0; 64];
        while let Ok(length @ 1..) = other.read(&mut bytes) {
            heard.fetch_add(length, Ordering::Relaxed);
        }
    });
    while stream.write_all(b"?").is_ok() {
        thread::sleep(Duration::from_micros(200));
    }
}

/// Whoever sends first after the change does not pass for the one who began.
#[test]
fn what_a_guest_has_begun_ends_and_others_still_reach_it() {
    isolate!();
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
    let outside = outside();
    done(&["start", "-"], &routed(""));
    let guest = attach(1, "");
    address(&guest, 11);
    let heard = Arc::new(AtomicUsize::new(0));
    let counter = heard.clone();
    let listener = outside.run(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).unwrap());
    outside.spawn(move || talk(listener.accept().unwrap().0, &counter));
    guest.spawn(|| talk(TcpStream::connect((OUTSIDE, PORT)).unwrap(), &Arc::default()));
    wait_for(SOON, "what the guest says", || (heard.load(Ordering::Relaxed) > 3).then_some(()));

    let limited = "<metadata><vnet:network xmlns:vnet='https://github.com/vnet-rs/vnet/network/1.0'>
        <vnet:egress preset='internet-only'/></vnet:network></metadata>";
    done(&["apply", "-"], &routed(limited));
    // What was on its way has arrived.
    thread::sleep(A_WHILE);
    let before = heard.load(Ordering::Relaxed);
    thread::sleep(A_WHILE);
    assert_eq!(heard.load(Ordering::Relaxed), before, "the guest still says something");

    // The outside begins, and is answered.
    let listener = guest.run(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).unwrap());
    guest.spawn(move || talk(listener.accept().unwrap().0, &Arc::default()));
    let answered = Arc::new(AtomicUsize::new(0));
    let counter = answered.clone();
    outside.spawn(move || talk(TcpStream::connect(("10.9.0.11", PORT)).unwrap(), &counter));
    wait_for(SOON, "an answer", || (answered.load(Ordering::Relaxed) > 3).then_some(()));
    done(&["stop", "lab"], "");
}
