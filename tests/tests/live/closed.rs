//! A guest that may reach nothing outside sends all the while: through every change between two
//! definitions that do not allow it, killed or refused at any step, nothing arrives.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rstest::rstest;
use vnet_tests::{Netns, isolate, json, run, vnet, wait_for};

use crate::guest::{attach, done};
use crate::stream::{OUTSIDE, PORT, address, outside};

/// The calls by which the kernel is told something.
const CALLS: &str = "sendto,sendmsg,write,?rename,?renameat,renameat2";
const SOON: Duration = Duration::from_secs(20);

fn network(inner: &str) -> String {
    format!("<network><name>lab</name>{inner}<ip address='10.9.0.1' prefix='24'/></network>")
}

const ISOLATED: &str = "<bridge name='lab0' stp='off'/>";
const RENAMED: &str = "<bridge name='lab1' stp='off'/>";
const SHUT: &str = "<forward mode='nat' dev='lo'/><bridge name='lab0' stp='off'/>";
const LIMITED: &str = "<bridge name='lab2' stp='off'/><mac address='52:54:00:00:00:99'/><mtu size='1400'/>";

/// The outside has no address of the internet.
const INTERNET_ONLY: &str = "<metadata><vnet:network xmlns:vnet='https://github.com/vnet-rs/vnet/network/1.0'>
    <vnet:egress preset='internet-only'/></vnet:network></metadata>
    <forward mode='nat'/><bridge name='lab0' stp='off'/>";
const HOST_ONLY: &str = "<metadata><vnet:network xmlns:vnet='https://github.com/vnet-rs/vnet/network/1.0'>
    <vnet:egress preset='host-only'><vnet:deny address='10.0.0.0/8' proto='icmp'/></vnet:egress></vnet:network></metadata>
    <forward mode='route'/><bridge name='lab0' stp='off'/>";

/// Every how many steps one is taken; with `VNET_SWEEP=all` each of them.
fn stride() -> usize {
    if std::env::var("VNET_SWEEP").is_ok_and(|all| all == "all") { 1 } else { 7 }
}

/// Runs `apply` of a file, with one of its calls tampered with. `None` where it has fewer calls.
fn tampered(how: &str, number: usize, file: &str) -> Option<Output> {
    let mut strace = Command::new("strace");
    let inject = format!("inject={CALLS}:{how}:when={number}");
    strace.args(["-qq", "-o", "/tmp/trace", "-e", &format!("trace={CALLS}"), "-e", &inject]);
    let output = strace.arg(vnet()).args(["--state-dir", "/run/vnet", "apply", file]).output().unwrap();
    let is_met = output.status.signal().is_some() || fs::read_to_string("/tmp/trace").unwrap().contains("(INJECTED)");
    is_met.then_some(output)
}

/// The datagrams that have arrived outside.
struct Arrived(Arc<AtomicUsize>);

impl Arrived {
    fn count(outside: &Netns) -> Self {
        let arrived = Arc::new(AtomicUsize::new(0));
        let counter = arrived.clone();
        outside.spawn(move || {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).unwrap();
            let mut datagram = [0; 64];
            while socket.recv(&mut datagram).is_ok() {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self(arrived)
    }

    fn now(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Sends to the outside as long as the test runs, through the bridge and, as a guest may do, to the
/// MAC address of the host's end of its own link.
fn send(guest: &Netns, bridge: &str) {
    let mac = json("ip", &["-j", "link", "show", bridge])[0]["address"].as_str().unwrap().to_owned();
    let tap = json("ip", &["-j", "link", "show", "guest1"])[0]["address"].as_str().unwrap().to_owned();
    guest.run(|| {
        for (neighbour, mac) in [("10.9.0.1", &mac), ("10.9.0.99", &tap)] {
            run("ip", &["neigh", "replace", neighbour, "lladdr", mac, "dev", "eth0", "nud", "permanent"]);
        }
        run("ip", &["route", "add", "198.51.100.2", "via", "10.9.0.99"]);
    });
    guest.spawn(|| {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        loop {
            for to in [OUTSIDE, "198.51.100.2"] {
                let _ = socket.send_to(b"outside", (to, PORT));
            }
            thread::sleep(Duration::from_millis(1));
        }
    });
}

#[rstest]
fn nothing_leaves_that_neither_definition_lets_out(
    #[values((ISOLATED, RENAMED), (ISOLATED, SHUT), (SHUT, LIMITED), (INTERNET_ONLY, HOST_ONLY))] change: (&str, &str),
    #[values("signal=KILL", "error=ENOBUFS")] how: &str,
) {
    isolate!();
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
    let outside = outside();
    let arrived = Arrived::count(&outside);
    let files = ["/tmp/from.xml", "/tmp/to.xml"];
    for (file, inner) in files.into_iter().zip([change.0, change.1]) {
        fs::write(file, network(inner)).unwrap();
    }
    done(&["start", files[0]], "");
    let guest = attach(1, "");
    address(&guest, 11);
    send(&guest, "lab0");
    let mut met = 0;
    for number in (1..).step_by(stride()) {
        let Some(output) = tampered(how, number, files[1]) else { break };
        met += 1;
        // What a kill leaves, stays for a while.
        thread::sleep(Duration::from_millis(20));
        let told = format!("call {number} of `apply`, {how}: {output:?}");
        assert_eq!(arrived.now(), 0, "{told}");
        let next = files[met % 2];
        done(&["apply", next], "");
        assert_eq!(arrived.now(), 0, "{told}, then apply of {next}");
        done(&["apply", files[0]], "");
        assert_eq!(arrived.now(), 0, "{told}, then as before");
    }
    assert!(met > 2, "{met}");
    done(&["apply", files[1]], "");
    done(&["apply", files[0]], "");
    assert_eq!(arrived.now(), 0);
    // It does arrive once that is allowed.
    done(&["apply", "-"], &network("<forward mode='nat'/><bridge name='lab0' stp='off'/>"));
    wait_for(SOON, "what is let out", || (arrived.now() > 0).then_some(()));
    done(&["stop", "lab"], "");
}

/// Somebody has deleted the bridge: it is made anew, with its guest in it, and closed.
#[rstest]
fn a_bridge_that_is_made_anew_is_closed(#[values("signal=KILL", "error=ENOBUFS")] how: &str) {
    isolate!();
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
    let outside = outside();
    let arrived = Arrived::count(&outside);
    let file = "/tmp/from.xml";
    fs::write(file, network(ISOLATED)).unwrap();
    done(&["start", file], "");
    let guest = attach(1, "");
    address(&guest, 11);
    send(&guest, "lab0");
    let mut met = 0;
    for number in (1..).step_by(stride()) {
        // A device that is in no bridge is nobody's: until the bridge is back it is down.
        run("ip", &["link", "set", "guest1", "down"]);
        run("ip", &["link", "delete", "lab0"]);
        let before = arrived.now();
        let Some(output) = tampered(how, number, file) else { break };
        met += 1;
        thread::sleep(Duration::from_millis(20));
        let told = format!("call {number} of `apply`, {how}: {output:?}");
        assert_eq!(arrived.now(), before, "{told}");
        done(&["apply", file], "");
        assert_eq!(done(&["diff", "lab"], "")["changes"].as_array().map(Vec::len), Some(0), "{told}");
        assert_eq!(arrived.now(), before, "{told}, then again");
    }
    assert!(met > 2, "{met}");
    done(&["stop", "lab"], "");
}
