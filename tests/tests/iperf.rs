//! What gets through of the declared bandwidth, as iperf3 has it: guests on taps of `vnet attach`, with a stack of their
//! own.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use vnet_netlink::Tap;
use vnet_tests::{Netns, isolate, json, run, wait_for};
use vnet_types::TapOptions;

const SOON: Duration = Duration::from_secs(20);

/// Runs `vnet`, which has to succeed.
fn done(arguments: &[&str], document: &str) -> Value {
    let mut command = Command::new(vnet_tests::vnet());
    command.args(["--state-dir", "/run/vnet"]).args(arguments).args(["--format", "json"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(document.as_bytes()).unwrap();
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    assert!(status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&stderr));
    serde_json::from_slice(&stdout).unwrap()
}

fn network(limits: &str) -> String {
    format!(
        "<network><name>lab</name><bridge name='lab0' stp='off'/>{limits}<ip address='10.9.0.1' prefix='24'/></network>"
    )
}

/// The interface of the guest with this number.
fn interface(number: u8, limits: &str) -> String {
    format!(
        "<interface type='network'><source network='lab'/><mac address='52:54:00:00:00:0{number}'/>\
         <target dev='guest{number}'/>{limits}</interface>"
    )
}

/// A guest: its stack is a namespace's, its card a tap there, and frames are carried to and from the host's tap as a
/// hypervisor carries them. It listens.
struct Guest {
    netns: Netns,
    address: String,
}

impl Guest {
    fn attach(number: u8, limits: &str) -> Self {
        done(&["attach", "-"], &interface(number, limits));
        let guest = Self { netns: Netns::new(), address: format!("10.9.0.{}", number + 10) };
        let outer = Tap::open(&format!("guest{number}").parse().unwrap(), NonZeroU16::MIN).unwrap();
        let inner = guest.netns.run(|| {
            let tap = Tap::create(&"eth0".parse().unwrap(), &TapOptions::default(), NonZeroU16::MIN).unwrap();
            run("ip", &["link", "set", "eth0", "address", &format!("52:54:00:00:00:0{number}"), "up"]);
            run("ip", &["address", "add", &format!("{}/24", guest.address), "dev", "eth0"]);
            tap
        });
        let [outer, inner] = [outer, inner].map(|tap| File::from(tap.into_queues().remove(0)));
        let (to, from) = (outer.try_clone().unwrap(), inner.try_clone().unwrap());
        thread::spawn(move || carry(from, to));
        thread::spawn(move || carry(outer, inner));
        wait_for(SOON, "the guest's answer", || {
            let reached = Command::new("ping").args(["-c1", "-W1", &guest.address]).stdout(Stdio::null()).status();
            reached.unwrap().success().then_some(())
        });
        let server = guest.netns.run(|| Command::new("iperf3").arg("-s").stdout(Stdio::null()).spawn().unwrap());
        // It ends with the test's namespaces.
        drop(server);
        guest.netns.run(|| {
            wait_for(SOON, "iperf3", || run("ss", &["-Htln"]).contains(":5201").then_some(()));
        });
        guest
    }

    /// What it receives, in kilobytes per second on the wire.
    fn inbound(&self) -> f64 {
        iperf(&self.address, &[])
    }

    /// What it sends.
    fn outbound(&self) -> f64 {
        iperf(&self.address, &["-R"])
    }
}

fn carry(mut from: File, mut to: File) {
    let mut frame = [0; 4096];
    while let Ok(length) = from.read(&mut frame) {
        // A link that is down loses it.
        let _ = to.write(&frame[..length]);
    }
}

/// The words of a client. With a window of this size no pause of the machine shows, and no long queue grows.
fn stream<'a>(server: &'a str, seconds: &'a str) -> [&'a str; 9] {
    ["60", "iperf3", "-J", "-w", "192K", "-c", server, "-t", seconds]
}

/// What a stream comes to in three seconds, once it flows. A segment carries 1448 bytes in a frame of 1514.
fn iperf(server: &str, more: &[&str]) -> f64 {
    let report = json("timeout", &[&stream(server, "3")[..], &["-O", "1"], more].concat());
    let rate = report["end"]["sum_received"]["bits_per_second"].as_f64().unwrap();
    rate / 8000.0 * 1514.0 / 1448.0
}

fn within(rate: f64, declared: f64) {
    assert!((0.9 * declared..=1.1 * declared).contains(&rate), "{rate:.0} kB/s got through, {declared} are declared");
}

fn free(rate: f64, declared: f64) {
    assert!(rate > 2.0 * declared, "{rate:.0} kB/s got through, though nothing holds it back");
}

/// Rates that an emulated machine reaches too.
const INBOUND: &str = "<inbound average='300'/>";
const OUTBOUND: &str = "<outbound average='200' burst='64'/>";

fn limits(words: &[&str]) -> String {
    if words.is_empty() { String::new() } else { format!("<bandwidth>{}</bandwidth>", words.concat()) }
}

#[test]
fn a_guest_gets_its_declared_rates_and_one_of_them_can_be_cleared() {
    isolate!();
    done(&["start", "-"], &network(""));
    let guest = Guest::attach(1, &limits(&[INBOUND, OUTBOUND]));
    within(guest.inbound(), 300.0);
    within(guest.outbound(), 200.0);
    done(&["apply", "-"], &interface(1, &limits(&[INBOUND])));
    within(guest.inbound(), 300.0);
    free(guest.outbound(), 200.0);
}

#[test]
fn a_network_gets_its_declared_rates_and_the_other_can_be_cleared() {
    isolate!();
    done(&["start", "-"], &network(&limits(&[INBOUND, OUTBOUND])));
    let guest = Guest::attach(1, "");
    within(guest.inbound(), 300.0);
    within(guest.outbound(), 200.0);
    done(&["apply", "-"], &network(&limits(&[OUTBOUND])));
    free(guest.inbound(), 300.0);
    within(guest.outbound(), 200.0);
}

#[test]
fn a_floor_is_kept_on_a_saturated_network() {
    isolate!();
    done(&["start", "-"], &network(&limits(&[INBOUND])));
    let kept = Guest::attach(1, "<bandwidth><inbound average='300' floor='240'/></bandwidth>");
    let other = Guest::attach(2, "");
    // Others take all there is, as long as nobody wants his floor.
    within(other.inbound(), 300.0);
    let mut saturating = Command::new("timeout");
    let mut saturating = saturating.args(stream(&other.address, "50")).stdout(Stdio::null()).spawn().unwrap();
    wait_for(SOON, "the saturating stream", || {
        let class = run("tc", &["-s", "class", "show", "dev", "lab0", "classid", "1:2"]);
        (class.contains("backlog") && !class.contains("backlog 0b")).then_some(())
    });
    within(kept.inbound(), 240.0);
    assert!(saturating.try_wait().unwrap().is_none(), "the network was not saturated");
    saturating.kill().unwrap();
    saturating.wait().unwrap();
}
